"""What a prompt's first replies show: unusable ones stop a run, a score that means little is a warning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from askwell.core.types import Completion, Example, Outcome, Prompt, Rollout, Score, Usage
from askwell.engine.replies.first_look import Finding, finding_json, format_finding, look_at_replies
from askwell.engine.replies.grading import Grading
from askwell.engine.replies.outcomes import OutcomeCounts, count_outcomes, format_outcomes
from askwell.tasks.metrics import metric

PROMPT = Prompt(instruction="Answer.")


def reply(text: str, outcome: Outcome = "ok", *, generated: int = 0, reasoning: int = 0, error: str = "") -> Completion:
    usage = Usage(completion_tokens=generated, reasoning_tokens=reasoning)
    return Completion(text=text, outcome=outcome, usage=usage, error=error)


def scored(replies: Sequence[Completion], targets: Sequence[str], by: str, questions: Sequence[str] = ()) -> Any:
    """Return the rollouts of some replies, graded by an answer type or by a function that gives 0, and the examples."""
    examples = {
        f"e{index:02}": Example(id=f"e{index:02}", input=questions[index] if questions else f"q{index}", target=target)
        for index, target in enumerate(targets)
    }
    rollouts: list[Rollout] = []
    for completion, example in zip(replies, examples.values(), strict=True):
        score = Score(value=0.0) if by == "own" else metric(by)(completion.text, example)
        rollouts.append(
            Rollout(
                step=0, split="dev", prompt=PROMPT, example_id=example.id, query=example.input, completion=completion,
                score=None if completion.outcome == "failed" else score,
            )
        )  # fmt: skip
    return rollouts, examples


def look(
    replies: Sequence[Completion], targets: Sequence[str], by: str = "exact", *, max_tokens: int | None = 512
) -> tuple[Finding, ...]:
    rollouts, examples = scored(replies, targets, by)
    return look_at_replies(rollouts, examples, Grading(metric=by, max_tokens=max_tokens))


TWELVE = [str(number) for number in range(101, 113)]
"""Targets of which no two are the same."""

STOPS: dict[str, tuple[list[Completion], str, str, list[str]]] = {
    "all tokens were reasoning": (
        [reply("", "truncated", generated=512, reasoning=512)] * 12, "number", "empty",
        ["12 of 12 replies were empty and cut at max_tokens=512 (all 512 tokens were reasoning)", "raise --max-tokens"],
    ),
    "empty and cut, nobody counts the reasoning": (
        [reply("", "truncated", generated=512)] * 12, "exact", "empty",
        ["12 of 12 replies were empty and cut at max_tokens=512:", "raise --max-tokens"],
    ),
    "most tokens were reasoning": (
        [reply(" \n", "truncated", generated=500, reasoning=400)] * 12, "exact", "empty",
        ["(80% of their tokens were reasoning)", "raise --max-tokens"],
    ),
    "an open block of reasoning": (
        [reply("<think>Let me see, one and", "truncated", generated=512)] * 12, "number", "empty",
        ["empty and cut at max_tokens=512 (all text was reasoning)", "switch the model's reasoning off"],
    ),
    "only a call of a tool": (
        [reply("")] * 12, "number", "empty", ["12 of 12 replies were empty:", "tool call"],
    ),
    "reasoning taken for the whole reply": (
        [reply("", generated=90, reasoning=90)] * 12, "exact", "empty", ["(all 90 tokens were reasoning)", "switch"],
    ),
    "empty, some of them cut": (
        [*[reply("", "truncated")] * 8, *[reply("")] * 4], "own", "empty",
        ["12 of 12 replies were empty (8 of them cut at max_tokens=512)"],
    ),
    "a function as metric": ([reply("")] * 12, "own", "empty", ["12 of 12 replies were empty"]),
    "ChatML from a base model": (
        [*[reply("<|im_end|>\n<")] * 7, *[reply("<|im_start|>user\n")] * 5], "exact", "template",
        ["12 of 12 replies begin with a token of a chat template ('<|im_end|>')", "base model"],
    ),
    "Gemma": ([reply("\n<start_of_turn>user\nHi")] * 12, "own", "template", ["'<start_of_turn>'"]),
    "Llama 2": ([reply("[INST] and so on [/INST]")] * 12, "number", "template", ["'[INST]'"]),
    "Llama 3": ([reply("<|eot_id|>")] * 12, "number", "template", ["'<|eot_id|>'"]),
    "DeepSeek": ([reply("<｜end▁of▁sentence｜>")] * 12, "number", "template", ["token of a chat template"]),
    "cut before the answer": (
        [reply("First, we note that the question asks", "truncated")] * 12, "number", "truncated",
        ["12 of 12 replies were cut at max_tokens=512:", "raise --max-tokens"],
    ),
    "cut within a calculation": (
        [reply("First, 3 + 4 is 7, and", "truncated")] * 12, "number", "truncated", ["cut at max_tokens=512"],
    ),
    "cut, right by luck once": (
        [*[reply("So 3 and", "truncated")] * 11, reply("112", "truncated")], "number", "truncated", ["11 of 12"],
    ),
    "declined": (
        [reply("", "refused", error="flagged")] * 12, "exact", "refused", ["12 of 12 replies were refused ('flagged')"],
    ),
    "no number to read": (
        [reply("I cannot say.")] * 12, "number", "unreadable",
        ["12 of 12 replies hold no answer that the metric `number` reads", "--metric"],
    ),
    "several faults": (
        [*[reply("", "truncated")] * 6, *[reply("Hm.")] * 4, *[reply("103")] * 2], "number", "empty",
        ["10 of 12 replies cannot be scored (6 were empty and cut at max_tokens=512; 4 hold no answer"],
    ),
    "just over a half": (
        [*[reply("Hm.")] * 7, *[reply("5")] * 5], "number", "unreadable", ["7 of 12 replies hold no answer"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STOPS)
def test_unusable_replies_stop_a_run(case: str) -> None:
    replies, by, kind, words = STOPS[case]
    (finding,) = look(replies, TWELVE, by)
    assert (finding.stops, finding.kind) == (True, kind)
    text = format_finding(finding)
    for part in words:
        assert part in text, text
    assert finding.target in TWELVE
    assert f"the reply was {finding.reply!r}, and the target is {finding.target!r}." in text


CLASSES = ["billing", "shipping", "billing", "account", "billing", "shipping"] * 2
SENTENCES = [reply(f"I think this ticket is about {label}. Let me know.") for label in CLASSES]

WARNINGS: dict[str, tuple[list[Completion], list[str], str, str, list[str]]] = {
    "a metric that reads another form": (
        SENTENCES, CLASSES, "exact", "zero",
        ["all 12 replies score 0 by the metric `exact`", "would score 100.0 on the same replies: grade by it"],
    ),
    "a function that is always 0": (
        [reply(label) for label in CLASSES], CLASSES, "own", "zero",
        ["all 12 replies score 0", "`exact` would score 100.0"],
    ),
    "wrong, and nothing would read it": (
        [reply("900")] * 12, TWELVE, "number", "zero", ["all 12 replies score 0", "check whether the target"],
    ),
    "below the commonest target": (
        [*[reply("billing")] * 4, *[reply("none")] * 8], CLASSES, "exact", "below_commonest",
        ["the score of 16.7 is below that of always answering 'billing' (50.0)"],
    ),
    "below it, and another type reads more": (
        [reply("billing"), *SENTENCES[1:]], CLASSES, "exact", "below_commonest", ["would score 100.0"],
    ),
    "ends in a token of a template": (
        [reply(f"{target}<|im_end|>\n<|im_start|>user") for target in TWELVE], TWELVE, "contains", "template",
        ["12 of 12 replies hold tokens of a chat template ('<|im_end|>')"],
    ),
    "cut after the answer": (
        [reply(f"{target}. This is", "truncated") for target in TWELVE], TWELVE, "contains", "truncated",
        ["12 of 12 replies were cut at max_tokens=512: raise --max-tokens"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WARNINGS)
def test_a_score_that_means_little_is_a_warning(case: str) -> None:
    replies, targets, by, kind, words = WARNINGS[case]
    (finding,) = look(replies, targets, by)
    assert (finding.stops, finding.kind) == (False, kind)
    text = format_finding(finding)
    for part in words:
        assert part in text, text


SILENT: dict[str, tuple[list[Completion], list[str], str]] = {
    "all right": ([reply(target) for target in TWELVE], TWELVE, "number"),
    "half of them unreadable": ([*[reply("Hm.")] * 6, *[reply(target) for target in TWELVE[6:]]], TWELVE, "number"),
    "better than the commonest": ([reply("billing")] * 12, CLASSES, "exact"),
    "few are right, and no two targets the same": ([reply("101")] * 12, TWELVE, "number"),
    "failed calls are missing": ([*[reply("", "failed")] * 10, reply("111"), reply("112")], TWELVE, "number"),
    "only failed calls": ([reply("", "failed")] * 12, TWELVE, "number"),
    "nothing": ([], [], "number"),
    "a wrong text has no answer to miss": ([*[reply("no")] * 11, reply("112")], TWELVE, "contains"),
    "HTML and brackets": ([reply(f"<b>{target}</b> [1] <a|b>") for target in TWELVE], TWELVE, "contains"),
}


@pytest.mark.parametrize("case", SILENT)
def test_other_replies_are_no_finding(case: str) -> None:
    replies, targets, by = SILENT[case]
    assert look(replies, targets, by) == ()


def test_a_finding_is_short_and_harmless_on_a_terminal() -> None:
    (finding,) = look([reply("\x1b]52;c;aGk=\x07" + "x" * 5_000)] * 12, TWELVE, "number")
    text = format_finding(finding)
    assert "\x1b" not in text
    assert len(text) < 1_200
    assert finding_json(finding)["reply"] == finding.reply


def test_a_function_with_the_name_of_an_answer_type_states_no_answer() -> None:
    rollouts, examples = scored([reply("5")] * 12, TWELVE, "own")
    (finding,) = look_at_replies(rollouts, examples, Grading(metric="exact"))
    assert (finding.kind, finding.stops) == ("zero", False)


def test_a_log_without_settings_names_none() -> None:
    rollouts, examples = scored([reply("", "truncated")] * 12, TWELVE, "own")
    (finding,) = look_at_replies(rollouts, examples, Grading())
    assert "cut at their longest length" in finding.problem


OUTCOMES: list[tuple[str, list[Completion], OutcomeCounts]] = [
    ("number", [reply("1"), reply("none"), reply("")], OutcomeCounts(ok=1, unparsed=2)),
    ("exact", [reply("1"), reply("none"), reply("")], OutcomeCounts(ok=2, unparsed=1)),
    ("contains", [reply("1"), reply("none"), reply("")], OutcomeCounts(ok=2, unparsed=1)),
    ("own", [reply("1"), reply("none"), reply(" ")], OutcomeCounts(ok=2, unparsed=1)),
    (
        "number",
        [reply("", "truncated"), reply("", "refused"), reply("", "failed")],
        OutcomeCounts(truncated=1, refused=1, failed=1),
    ),
]


@pytest.mark.parametrize(("by", "replies", "counts"), OUTCOMES)
def test_outcomes_are_counted(by: str, replies: list[Completion], counts: OutcomeCounts) -> None:
    rollouts, examples = scored(replies, TWELVE[: len(replies)], by)
    found = count_outcomes(rollouts, examples, Grading(metric=by))
    assert (found, found.total) == (counts, len(replies))


def test_counts_name_what_there_is() -> None:
    assert format_outcomes(OutcomeCounts(ok=1_200, failed=3)) == "1,200 ok, 3 failed"
    assert format_outcomes(OutcomeCounts()) == "none"
