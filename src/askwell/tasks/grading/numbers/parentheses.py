"""Leave out parentheses and clauses that comment on a number: "(20% off)", "[1]", ", which is 3 more than he has"."""

from __future__ import annotations

import re

# "(20% off)", "(for a 7-day week)", "[1]": a parenthesis after the number that it comments on
_PARENTHESIS = re.compile(
    r"(?<=[^\s(+*/×÷=^\\-])[ ]?\((?=[^()\n]*(?:[^\W\d_]|[%±×÷+*]))(?P<content>[^()\n]{0,200})\)(?![ ]?[+*/×÷=^]|"
    r"[ ]?-[ ]?\d)"
    r"|(?<=\S)[ ]\((?:19|20)\d\d\)"
    r"|(?<=[^\s=\\])[ ]?\[(?:\d{1,3}(?:[,–-][ ]?\d{1,3})*|(?P<bracket>[^\[\]\n]{0,10}[A-Za-z][^\[\]\n]{0,80}))\]"
)
# "= 3 * 4" in parentheses repeats the calculation
_CALCULATION = re.compile(r"[=≈]?[ ]?[$€£]?\d[\d.,]*(?:[ ]?[-+*/×÷][ ]?[$€£]?\d[\d.,]*)+")
# ", which is 3 more than …", ", 4 of whom …": a clause about the number before it
_CLAUSE = re.compile(
    r",?[ ]which (?:is|are|was|were)[ ](?:[$€£]?\d[\d.,]*%?[ ](?:\w+[ ])?)?"
    r"(?:more|less|fewer|greater|higher|lower|larger|smaller|bigger|times|half|double|twice)\b[^,.;\n]*"
    r"|,?[ ](?:including|of (?:which|whom))[ ]\d[^,.;\n]*|,[ ]\d[\d.,]*[ ]of (?:which|whom)\b[^,.;\n]*",
    re.IGNORECASE,
)
_RESTATES = re.compile(
    r"[=→≈]|\b(?:or|i\.?e|that is,|which is|namely|total|also|altogether|answer|equivalent)\b|即|つまり", re.IGNORECASE
)


def without_parentheses(text: str) -> str:
    """Replace parentheses and commenting clauses by spaces, so that positions stay."""
    return _CLAUSE.sub(lambda clause: " " * len(clause[0]), _PARENTHESIS.sub(_blank, text))


def _blank(parenthesis: re.Match[str]) -> str:
    content = parenthesis["content"] or parenthesis["bracket"] or ""
    keeps = _RESTATES.search(content) and not _CALCULATION.fullmatch(content)
    return parenthesis[0] if keeps else " " * len(parenthesis[0])
