"""Policies that write a prompt for each query, and a folder for any policy: fixed, selecting or writing.

    policy = GuardedPolicy(writer=writer, static=static, guard=tune_margin(advantages, gains), samples=4)
    policy.prompts_for(["How many …"])                    # the `Policy` protocol, batched
    save_policy(policy, Path("policy")); load_policy(Path("policy"))

Few-shot: the demonstrations of the static prompt stay, whatever instruction is written.
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
from askwell.policies.protocols import Writer
from askwell.policies.selection.fallback import ALWAYS_SWITCH, FallbackThreshold, decode_fallback, encode_fallback
from askwell.policies.selection.selection import KIND as SELECTION
from askwell.policies.selection.selection import SelectionPolicy, load_selection
from askwell.policies.selection_writer import SelectorWriter, load_selector
from askwell.runlog.codec import Body, decode_prompt, encode_prompt

FORMAT = 1
FILE = "policy.json"
WRITER = "writer"
"""Folder of the language model (or of what chooses), inside that of the policy."""
CHOOSER = "chooser"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPrompt:
    """The prompt a policy would send to one query, were there no guard, and what it is thought to add."""

    prompt: Prompt
    advantage: float
    """Predicted gain over the static prompt, in the unit of the writer's value head; 0 for the static prompt itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FallbackPolicy:
    """Write prompts, rank them by the value head, and keep the static prompt where no gain is in sight."""

    writer: Writer
    baseline: Prompt
    guard: FallbackThreshold
    samples: int = 0
    """0: the greedy prompt alone. N: that one and N sampled ones, the best by the value head."""
    seed: int = 0

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        if math.isinf(self.guard.margin) and self.guard.margin > 0:
            return [self.baseline] * len(queries)
        return [self._guarded(written) for written in self.written(queries)]

    def written(self, queries: Sequence[str]) -> list[WrittenPrompt]:
        """Return each query's best written prompt by the value head, the guard left out."""
        options = self._options(queries)
        if (
            not self.samples and self.guard == ALWAYS_SWITCH
        ):  # nothing to rank, nothing to guard: the value head is not asked
            return [WrittenPrompt(prompt=self._with(texts[0]), advantage=math.inf) for texts in options]
        flat = [(row, text) for row, texts in enumerate(options) for text in texts]
        base = [(query, self.baseline.instruction) for query in queries]
        values = self.writer.value([*((queries[row], text) for row, text in flat), *base])
        best: dict[int, WrittenPrompt] = {}
        for (row, text), value in zip(flat, values[: len(flat)], strict=True):
            gain = 0.0 if text == self.baseline.instruction else value - values[len(flat) + row]
            if row not in best or gain > best[row].advantage:
                best[row] = WrittenPrompt(prompt=self._with(text), advantage=gain)
        return [best[row] for row in range(len(queries))]

    def _guarded(self, written: WrittenPrompt) -> Prompt:
        return written.prompt if written.advantage > self.guard.margin else self.baseline

    def _options(self, queries: Sequence[str]) -> list[list[str]]:
        """Return the different prompts written for each query, the greedy one first."""
        found = self.writer.write(queries, samples=0, seed=self.seed)
        if self.samples:
            drawn = self.writer.write(queries, samples=self.samples, seed=self.seed)
            found = [[*greedy, *more] for greedy, more in zip(found, drawn, strict=True)]
        return [list(dict.fromkeys(texts)) for texts in found]

    def _with(self, instruction: str) -> Prompt:
        return replace(self.baseline, instruction=instruction)


def save_policy(policy: Policy, folder: Path) -> None:
    """Write a policy into a folder: `policy.json` and what it needs. Raises `ConfigError` for a kind of your own."""
    if isinstance(policy, SelectionPolicy):
        policy.save(folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(policy, FixedPolicy):
        body: dict[str, object] = {"kind": "fixed", "prompt": encode_prompt(policy.prompt)}
    elif isinstance(policy, FallbackPolicy):
        policy.writer.save(folder / WRITER)
        body = {
            "kind": CHOOSER if isinstance(policy.writer, SelectorWriter) else "writer",
            "prompt": encode_prompt(policy.baseline),
            "guard": encode_fallback(policy.guard),
            "samples": policy.samples,
            "seed": policy.seed,
        }
    else:
        raise ConfigError(
            f"can't save a {type(policy).__name__}; expected a FixedPolicy, SelectionPolicy or GuardedPolicy"
        )
    text = json.dumps({"format": FORMAT, **body}, ensure_ascii=False, indent=1)
    (folder / FILE).write_text(text, encoding="utf-8")


def load_policy(folder: Path, *, read_writer: Callable[[Path], Writer]) -> Policy:
    """Read what `save_policy` wrote; raises `DataError` for anything else. `read_writer` loads the language model."""
    try:
        read: object = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"no readable policy in {str(folder)!r}: {error}") from error
    body: Body = cast("Body", read) if isinstance(read, dict) else {}
    if body.get("kind") == SELECTION:
        return load_selection(folder)
    if body.get("format") != FORMAT or body.get("kind") not in {"fixed", "writer", CHOOSER}:
        raise DataError(f"{str(folder / FILE)!r} is not a policy of format {FORMAT}")
    baseline = decode_prompt(cast("Body", body["prompt"]))
    if body["kind"] == "fixed":
        return FixedPolicy(prompt=baseline)
    return FallbackPolicy(
        writer=(load_selector if body["kind"] == CHOOSER else read_writer)(folder / WRITER),
        baseline=baseline,
        guard=decode_fallback(cast("dict[str, float | str | None]", body["guard"])),
        samples=cast("int", body["samples"]),
        seed=cast("int", body["seed"]),
    )
