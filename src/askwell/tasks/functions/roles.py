"""Read from a parameter's name and annotation what a metric function wants there (reply, target, example)."""

from __future__ import annotations

import inspect
import re
from typing import Literal

Role = Literal["reply", "target", "example", "input", "trace", ""]
"""`trace`: an argument that DSPy and GEPA pass and that has no counterpart here. Empty: the name says nothing."""

_CERTAIN_TARGET = frozenset({
    "target", "targets", "gold", "golden", "expected", "expectation", "expectations", "reference", "references",
    "ref", "refs", "truth", "true", "correct", "ideal", "ideals", "gt", "desired", "wanted", "oracle",
})  # fmt: skip
_CERTAIN_REPLY = frozenset({
    "reply", "replies", "response", "responses", "pred", "preds", "prediction", "predictions", "predicted",
    "output", "outputs", "completion", "completions", "generated", "generation",
    "actual", "candidate", "hypothesis", "hyp", "guess", "llm", "model", "got",
})  # fmt: skip
_LIKELY_TARGET = frozenset({
    "answer", "answers", "label", "labels", "solution", "solutions",
})  # fmt: skip
"""Words for the target, unless another parameter's name is certain: in (answer, target) the answer is the reply."""
_EXAMPLE = frozenset({
    "example", "ex", "sample", "item", "row", "record", "doc", "datapoint", "instance",
})  # fmt: skip
_INPUT = frozenset({
    "input", "inputs", "question", "query",
})  # fmt: skip
_TRACE = frozenset({"trace", "pred_name", "pred_trace"})
_TEXT_TYPE = re.compile(r"(\w+\.)*(str|[Tt]uple|Sequence|[Ll]ist)\b")


def find_role(parameter: inspect.Parameter) -> Role:
    """Return what a parameter wants: an annotation decides between example and target, otherwise the name does."""
    if "Example" in _annotation(parameter):
        return "example"
    by_name: Role = _named_role(parameter.name)
    # a text is not the example; which of the texts it is, the name does not tell
    if by_name == "example" and is_text(parameter):
        return ""
    return by_name


def is_text(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter is annotated as a text or as several."""
    return _TEXT_TYPE.match(_annotation(parameter)) is not None


def is_certain(parameter: inspect.Parameter) -> bool:
    """Return whether the name can't mean anything but its role ("target"), as "answer" can."""
    return bool(_words(parameter.name) & (_CERTAIN_TARGET | _CERTAIN_REPLY))


def _named_role(name: str) -> Role:
    words = _words(name)
    if name in _TRACE:
        return "trace"
    if words & _CERTAIN_TARGET:
        return "target"
    if words & _CERTAIN_REPLY:
        return "reply"
    if words & _LIKELY_TARGET:
        return "target"
    if words & _EXAMPLE:
        return "example"
    return "input" if words & _INPUT else ""


def _words(name: str) -> frozenset[str]:
    """Split a name into lower-case words: `expected_output` and `expectedOutput` have the same."""
    return frozenset(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")) - {""}


def _annotation(parameter: inspect.Parameter) -> str:
    note: object = parameter.annotation
    if note is parameter.empty:
        return ""
    return note if isinstance(note, str) else getattr(note, "__name__", "") or repr(note)
