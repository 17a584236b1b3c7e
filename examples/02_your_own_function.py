"""Optimize with Python functions as target and metric. Both are toys here, so that the example runs anywhere."""

import askwell


def target(text: str) -> str:
    """Stand in for your model, agent or pipeline: it adds only if the instruction says so."""
    question, _, instruction = text.partition("\n")
    left, right = question.split(" and ")
    return str(int(left) + int(right)) if "add" in instruction.lower() else f"{left} and {right}, how nice"


def metric(reply: str, example: askwell.Example) -> tuple[float, str]:
    """Return a score in 0..1 and optional feedback, which optimizers with reflection read."""
    right = reply.strip() == example.target
    return float(right), "" if right else f"expected the bare number {example.target}"


data = [{"input": f"{a} and {b}", "target": str(a + b)} for a in range(2, 14) for b in range(3, 11)]
result = askwell.optimize(
    prompt="Look at the numbers.",
    data=data,
    target=target,
    metric=metric,
    optimizer="gpo",
    settings={"candidates": 8},
    loop=askwell.LoopSettings(steps=12, seed=1),
)
print(result.diff())
print(result.interval)
