"""What was measured in a training: headroom, each loop, the test; and its records in the log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from askwell.core.types import Prompt
from askwell.engine.replies.commonest import CommonestTarget, find_commonest_target
from askwell.engine.replies.grading import read_grading
from askwell.policies.loop_records import LoopResult, Tested, decode_interval, encode_interval, read_loops
from askwell.runlog.bodies import HEADROOM, TRAINING_RESULT
from askwell.runlog.codec import Body, decode_prompt
from askwell.runlog.fold import read_examples, read_result
from askwell.runlog.reading import check_shape, located, read_events
from askwell.runlog.store import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Measurements of a training, finished or still running."""

    verdict: str
    """Headroom's conclusion, one sentence."""
    is_worthwhile: bool
    """Whether headroom showed a gain to train for."""
    baseline: Prompt
    """The baseline prompt: the best one on all logged queries (with dev queries, without test queries)."""
    loops: tuple[LoopResult, ...] = ()
    best_loop: int = 0
    """The loop whose policy is deployed; 0 is the selector among the logged prompts, or that no loop ran."""
    tested: Tested | None = None
    """None if the baseline prompt is kept for all queries, or if there is no test split."""
    keeps_baseline: bool = True
    """Whether every query gets the baseline prompt."""
    finished: bool = False
    reason: str = ""
    """Why the training ended."""


def read_figures(store: RunStore) -> Figures | None:
    """Read a training's measurements so far; None before its headroom is measured."""
    note = next(read_events(store, kinds=["note"]), None)
    if note is None:
        return None
    with located(store, note.position):
        check_shape(note.body, HEADROOM)
    result = read_result(store, TRAINING_RESULT)
    figures = Figures(
        verdict=cast("str", note.body["verdict"]),
        is_worthwhile=cast("bool", note.body["worth_it"]),
        baseline=decode_prompt(cast("Body", note.body["static"])),
        loops=tuple(read_loops(store)),
    )
    if result is None:
        return figures
    tested = cast("Body | None", result["tested"])
    return replace(
        figures,
        best_loop=cast("int", result["best_loop"]),
        tested=None if tested is None else _decode_tested(tested, _find_commonest(store)),
        keeps_baseline=cast("bool", result["keeps_static"]),
        finished=True,
        reason=cast("str", result["reason"]),
    )


def encode_figures(figures: Figures) -> dict[str, object]:
    """Encode the result of a training."""
    tested = figures.tested
    return {
        "reason": figures.reason,
        "keeps_static": figures.keeps_baseline,
        "best_loop": figures.best_loop,
        "tested": None
        if tested is None
        else {
            "static": encode_interval(tested.baseline),
            "policy": encode_interval(tested.policy),
            "gain": encode_interval(tested.gain),
            "switched": tested.switch_rate,
        },
    }


def _find_commonest(store: RunStore) -> CommonestTarget | None:
    return find_commonest_target(read_examples(store).get("test", ()), read_grading(store))


def _decode_tested(body: Body, commonest: CommonestTarget | None) -> Tested:
    baseline, policy, gain = (decode_interval(cast("Body", body[name])) for name in ("static", "policy", "gain"))
    return Tested(
        baseline=baseline, policy=policy, gain=gain, switch_rate=cast("float", body["switched"]), commonest=commonest
    )
