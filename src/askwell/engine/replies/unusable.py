"""Sort replies that cannot be scored by what is wrong with them, and say which setting would mend it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from askwell.core.types import Example, Rollout
from askwell.engine.replies.answer_types import find_better_type
from askwell.engine.replies.grading import Grading, describe_metric
from askwell.tasks.grading.normalize import visible_text

ReplyFault = Literal["template", "empty", "truncated", "refused", "unreadable"]

_TEMPLATE_TOKEN = re.compile(
    r"<[|｜][^\s<>|｜]{1,40}[|｜]>"  # ChatML, Llama 3, Phi, DeepSeek: <|im_end|>, <|eot_id|>, <｜end▁of▁sentence｜>
    r"|</?(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|\[(?:BOS|EOS)\]"  # Gemma, Llama 2 and Mistral
)
_HOLDS_ANSWERS = 0.2
"""Mean score from which truncated replies are taken to give their answers before the cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyReplies:
    """Replies of one prompt that score 0 for the same reason."""

    fault: ReplyFault
    rollouts: tuple[Rollout, ...]


def find_unusable(
    rollouts: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading
) -> list[FaultyReplies]:
    """Group answered rollouts that cannot be scored by their fault, the most frequent first."""
    truncated = [rollout for rollout in rollouts if rollout.completion.outcome == "truncated"]
    is_cut_harmless = bool(truncated) and fmean(_value(rollout) for rollout in truncated) >= _HOLDS_ANSWERS
    groups: dict[ReplyFault, list[Rollout]] = {}
    for rollout in rollouts:
        fault = _find_fault(rollout, examples[rollout.example_id], grading, is_cut_harmless=is_cut_harmless)
        if fault:
            groups.setdefault(fault, []).append(rollout)
    faulty = [FaultyReplies(fault=fault, rollouts=tuple(members)) for fault, members in groups.items()]
    return sorted(faulty, key=lambda group: -len(group.rollouts))


def find_template_token(text: str) -> str:
    """Return the first token of a chat template in a text; "" if there is none."""
    match = _TEMPLATE_TOKEN.search(text)
    return match[0] if match else ""


def describe_fault(group: FaultyReplies, grading: Grading) -> str:
    """Describe what is wrong, as the end of a sentence that begins with a number of replies."""
    rollouts = group.rollouts
    cut = "cut at their longest length" if grading.max_tokens is None else f"cut at max_tokens={grading.max_tokens}"
    if group.fault == "template":
        tokens = Counter(find_template_token(rollout.completion.text) for rollout in rollouts)
        return f"begin with a token of a chat template ({tokens.most_common(1)[0][0]!r})"
    if group.fault == "empty":
        n_cut = sum(rollout.completion.outcome == "truncated" for rollout in rollouts)
        ending = f" and {cut}" if n_cut == len(rollouts) else f" ({n_cut} of them {cut})" if n_cut else ""
        return f"were empty{ending}{_describe_reasoning(rollouts)}"
    if group.fault == "truncated":
        return f"were {cut}"
    if group.fault == "refused":
        reasons = Counter(rollout.completion.error for rollout in rollouts if rollout.completion.error)
        return f"were refused{f' ({reasons.most_common(1)[0][0]!r})' if reasons else ''}"
    return f"hold no answer that {describe_metric(grading.metric)} reads"


def advise(group: FaultyReplies, rollouts: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading) -> str:
    """Return which setting would make replies with this fault usable."""
    if group.fault == "empty":
        return _advise_on_empty(group.rollouts)
    if group.fault == "truncated":
        return "raise --max-tokens (target.max_tokens)"
    if group.fault == "template":
        return (
            "the model does not know the chat template that its server applies, as a base model does not; ask it by "
            "--completions (target.completions), or choose a model that was trained to chat"
        )
    if group.fault == "refused":
        return "reword the prompt, or choose another model"
    return advise_metric(rollouts, examples, grading) or "say in the prompt how to answer, or give another --metric"


def advise_metric(rollouts: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading) -> str:
    """Name the answer type that would score the same replies higher; "" if there is none."""
    own = fmean(_value(rollout) for rollout in rollouts)
    better = find_better_type(rollouts, examples, grading, score=own)
    if better is None:
        return ""
    score = f"{100 * better.score:.1f}"
    return f"`{better.name}` would score {score} on the same replies: grade by it (--metric {better.name})"


def _find_fault(
    rollout: Rollout, example: Example, grading: Grading, *, is_cut_harmless: bool
) -> ReplyFault | Literal[""]:
    completion = rollout.completion
    if _value(rollout) > 0:
        return ""
    if completion.outcome == "refused":
        return "refused"
    if _TEMPLATE_TOKEN.match(completion.text.lstrip()):
        return "template"
    if not visible_text(completion.text):
        return "empty"
    if completion.outcome == "truncated" and not is_cut_harmless:
        return "truncated"
    return "unreadable" if grading.has_no_answer(rollout, example) else ""


def _describe_reasoning(rollouts: Sequence[Rollout]) -> str:
    usages = [rollout.completion.usage for rollout in rollouts]
    reasoning, generated = (
        sum(usage.reasoning_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
    )
    if reasoning and reasoning >= generated:
        lengths = {usage.completion_tokens for usage in usages}
        return f" (all {lengths.pop()} tokens were reasoning)" if len(lengths) == 1 else " (all tokens were reasoning)"
    if reasoning:
        return f" ({reasoning / generated:.0%} of their tokens were reasoning)"
    is_thinking = all(rollout.completion.text.strip() for rollout in rollouts)
    return " (all text was reasoning)" if is_thinking else ""


def _advise_on_empty(rollouts: Sequence[Rollout]) -> str:
    reasons = bool(_describe_reasoning(rollouts))
    if any(rollout.completion.outcome == "truncated" for rollout in rollouts):
        return "raise --max-tokens (target.max_tokens)" + (", or switch the model's reasoning off" if reasons else "")
    if reasons:
        return "switch the model's reasoning off, or how its server takes reasoning for the whole reply"
    return "check that the model replies in text and not with a tool call, and its chat template"


def _value(rollout: Rollout) -> float:
    return 0.0 if rollout.score is None else rollout.score.value
