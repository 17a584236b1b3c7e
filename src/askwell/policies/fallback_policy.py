"""Policies that generate a prompt for each query and fall back to the baseline prompt; saving and loading of policies.

    fallback = tune_on_gains(advantages, gains)
    policy = FallbackPolicy(writer=writer, baseline=baseline, fallback=fallback, samples=4)
    policy.prompts_for(["How many …"])                    # the `Policy` protocol, batched
    save_policy(policy, Path("policy"))
    load_policy(Path("policy"), read_writer=load_writer)  # any kind: fixed, selecting or generating

Few-shot: a generated prompt has the demonstrations of the baseline prompt.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError, DataError
from askwell.core.protocols import Policy
from askwell.core.types import Prompt
from askwell.policies.fixed import FixedPolicy
from askwell.policies.protocols import PromptWriter
from askwell.policies.selection.fallback import ALWAYS_SWITCH, FallbackThreshold, decode_fallback, encode_fallback
from askwell.policies.selection.selection import KIND as SELECTION
from askwell.policies.selection.selection import SelectionPolicy, load_selection
from askwell.policies.selector_writer import SelectorWriter, load_selector
from askwell.runlog.codec import Body, decode_prompt, encode_prompt

FORMAT = 1
FILE = "policy.json"
WRITER = "writer"
"""Folder of the language model (or of the selector) inside the policy's folder, and kind of such a policy."""
SELECTOR = "chooser"
"""Kind of a policy whose writer is a `SelectorWriter`, in the policy's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedPrompt:
    """A policy's prompt for one query before the fallback, with its predicted advantage."""

    prompt: Prompt
    advantage: float
    """Predicted gain over the baseline prompt, in the unit of the value head; 0 for the baseline prompt itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FallbackPolicy:
    """Generate prompts, rank them by the value head, and fall back to the baseline prompt if no gain is predicted."""

    writer: PromptWriter
    baseline: Prompt
    fallback: FallbackThreshold
    samples: int = 0
    """0: the greedy prompt alone. N: the best by the value head of the greedy prompt and N sampled ones."""
    seed: int = 0

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        if self.fallback.margin == math.inf:
            return [self.baseline] * len(queries)
        return [self._apply_fallback(generated) for generated in self.generate(queries)]

    def generate(self, queries: Sequence[str]) -> list[GeneratedPrompt]:
        """Return each query's best generated prompt by the value head, without the fallback."""
        options = self._generate_options(queries)
        if not self.samples and self.fallback == ALWAYS_SWITCH:  # one prompt and no threshold: no value is needed
            return [GeneratedPrompt(prompt=self._with_instruction(texts[0]), advantage=math.inf) for texts in options]
        flat = [(row, text) for row, texts in enumerate(options) for text in texts]
        of_baseline = [(query, self.baseline.instruction) for query in queries]
        values = self.writer.value([*((queries[row], text) for row, text in flat), *of_baseline])
        best: dict[int, GeneratedPrompt] = {}
        for (row, text), value in zip(flat, values[: len(flat)], strict=True):
            gain = 0.0 if text == self.baseline.instruction else value - values[len(flat) + row]
            if row not in best or gain > best[row].advantage:
                best[row] = GeneratedPrompt(prompt=self._with_instruction(text), advantage=gain)
        return [best[row] for row in range(len(queries))]

    def _apply_fallback(self, generated: GeneratedPrompt) -> Prompt:
        return generated.prompt if generated.advantage > self.fallback.margin else self.baseline

    def _generate_options(self, queries: Sequence[str]) -> list[list[str]]:
        """Return the distinct prompts generated for each query, the greedy one first."""
        options = self.writer.write(queries, samples=0, seed=self.seed)
        if self.samples:
            sampled = self.writer.write(queries, samples=self.samples, seed=self.seed)
            options = [[*greedy, *texts] for greedy, texts in zip(options, sampled, strict=True)]
        return [list(dict.fromkeys(texts)) for texts in options]

    def _with_instruction(self, instruction: str) -> Prompt:
        return replace(self.baseline, instruction=instruction)


def save_policy(policy: Policy, folder: Path) -> None:
    """Save a policy into a folder: `policy.json` and what it needs. Raises `ConfigError` for a class of your own."""
    if isinstance(policy, SelectionPolicy):
        policy.save(folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(policy, FixedPolicy):
        body: dict[str, object] = {"kind": "fixed", "prompt": encode_prompt(policy.prompt)}
    elif isinstance(policy, FallbackPolicy):
        policy.writer.save(folder / WRITER)
        body = {
            "kind": SELECTOR if isinstance(policy.writer, SelectorWriter) else WRITER,
            "prompt": encode_prompt(policy.baseline),
            "guard": encode_fallback(policy.fallback),
            "samples": policy.samples,
            "seed": policy.seed,
        }
    else:
        raise ConfigError(
            f"can't save a {type(policy).__name__}; expected a FixedPolicy, SelectionPolicy or FallbackPolicy"
        )
    text = json.dumps({"format": FORMAT, **body}, ensure_ascii=False, indent=1)
    (folder / FILE).write_text(text, encoding="utf-8")


def load_policy(folder: Path, *, read_writer: Callable[[Path], PromptWriter]) -> Policy:
    """Load what `save_policy` wrote; raises `DataError` for anything else. `read_writer` loads the language model."""
    try:
        parsed: object = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"no readable policy in {str(folder)!r}: {error}") from error
    body: Body = cast("Body", parsed) if isinstance(parsed, dict) else {}
    if body.get("kind") == SELECTION:
        return load_selection(folder)
    if body.get("format") != FORMAT or body.get("kind") not in {"fixed", WRITER, SELECTOR}:
        raise DataError(f"{str(folder / FILE)!r} is not a policy of format {FORMAT}")
    baseline = decode_prompt(cast("Body", body["prompt"]))
    if body["kind"] == "fixed":
        return FixedPolicy(prompt=baseline)
    return FallbackPolicy(
        writer=(load_selector if body["kind"] == SELECTOR else read_writer)(folder / WRITER),
        baseline=baseline,
        fallback=decode_fallback(cast("dict[str, float | str | None]", body["guard"])),
        samples=cast("int", body["samples"]),
        seed=cast("int", body["seed"]),
    )
