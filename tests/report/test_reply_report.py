"""A gain is called real only together with what a constant answer would score."""

from __future__ import annotations

import pytest

from askwell.core.stats import Interval
from askwell.core.types import Prompt
from askwell.engine.replies.commonest import CommonestTarget
from askwell.engine.replies.outcomes import OutcomeCounts
from askwell.report.reply_report import ReplyReport, describe_above_commonest, describe_replies, replies_json
from askwell.report.run_report import PromptScores, Report, describe_gain

TRUE = CommonestTarget(target="True", score=0.58)


def interval(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate=estimate, low=low, high=high, n=100, level=0.95, method="wilson")


def replies(commonest: CommonestTarget | None, **more: OutcomeCounts) -> ReplyReport:
    initial, best = more.get("initial", OutcomeCounts(ok=100)), more.get("best", OutcomeCounts(ok=100))
    return ReplyReport(
        metric="boolean",
        outcomes={"initial": {"test": initial}, "best": {"test": best}},
        commonest={} if commonest is None else {"test": commonest},
        findings=(),
    )


def report(after: float, gain: Interval | None, shown: ReplyReport | None) -> Report:
    prompt = Prompt(instruction="A")
    scores = PromptScores(prompt=prompt, dev=None, test=interval(after, after - 0.1, after + 0.1))
    return Report(
        finished=True, reason="", initial=scores, best=scores, gain=gain, optimism=None, curve=(), spend={}, missing=0,
        replies=shown,
    )  # fmt: skip


REAL, UNPROVEN = interval(0.11, 0.027, 0.201), interval(0.02, -0.05, 0.09)
CAVEAT = "; the score is not above that of always answering 'True' (58.0)"
GAINS = [
    (
        0.44,
        REAL,
        TRUE,
        "+11.0 [+2.7, +20.1]: a real gain" + CAVEAT,
    ),
    (
        0.58,
        REAL,
        TRUE,
        "+11.0 [+2.7, +20.1]: a real gain" + CAVEAT,
    ),
    (0.59, REAL, TRUE, "+11.0 [+2.7, +20.1]: a real gain"),
    (0.44, REAL, None, "+11.0 [+2.7, +20.1]: a real gain"),
    (
        0.30,
        UNPROVEN,
        TRUE,
        "+2.0 [-5.0, +9.0]: not a proven gain" + CAVEAT,
    ),
    (0.44, None, TRUE, ""),
]


@pytest.mark.parametrize(("after", "gain", "commonest", "words"), GAINS)
def test_the_verdict_on_a_gain(after: float, gain: Interval | None, commonest: CommonestTarget | None, words: str):
    assert describe_gain(report(after, gain, replies(commonest))) == words


def test_a_report_without_replies_has_a_verdict_too() -> None:
    assert describe_gain(report(0.44, REAL, None)) == "+11.0 [+2.7, +20.1]: a real gain"
    assert report(0.44, REAL, None).findings == ()
    assert describe_above_commonest(None, TRUE) == ""


def test_what_stands_under_a_table() -> None:
    same = replies(TRUE)
    assert list(describe_replies(same)) == [
        "Graded by the metric `boolean`.",
        "Outcomes of the calls: 100 ok on test.",
        "The score of always answering 'True': 58.0 on test.",
    ]
    other = replies(None, best=OutcomeCounts(ok=97, truncated=2, failed=1))
    assert list(describe_replies(other))[1:] == [
        "Outcomes of the initial prompt's calls: 100 ok on test; of the optimized prompt's: 97 ok, 2 truncated, "
        "1 failed on test.",
    ]
    assert replies_json(same)["commonest"] == {"test": {"target": "True", "score": 0.58}}


def test_a_long_target_is_cut() -> None:
    long = CommonestTarget(target="x" * 1_000, score=1.0)
    assert len(describe_above_commonest(interval(0.5, 0.4, 0.6), long)) < 400
