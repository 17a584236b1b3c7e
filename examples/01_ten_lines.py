"""Optimize a prompt in ten lines: examples, a model, a metric. Runs on the bundled model and needs no key."""

import askwell
from askwell.tasks import bundled

task = "numbers_even"
result = askwell.optimize(
    prompt=bundled.initial_prompt(task),
    data={split: bundled.examples(task, split, 32) for split in ("train", "dev", "test")},
    target="pocket",
    optimizer_model="editor",
    metric="number",
    loop=askwell.LoopSettings(steps=4, seed=0),
)
print(f"{result.prompt!r} scores {100 * result.score:.0f} on test; it was {result.initial_prompt!r}")
print(f"gain: {result.gain}\nlog: {result.run}")
