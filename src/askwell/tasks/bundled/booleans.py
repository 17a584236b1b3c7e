"""Boolean expressions in the style of BBH: "not True and ( False or True )"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from random import Random
from typing import TypeAlias

from askwell.tasks.bundled.family import Family, Skill

Tokens: TypeAlias = tuple[str, ...]

OPERATORS = frozenset({"and", "or", "not"})
MOST_LITERALS = 7


def _draw(rng: Random) -> Tokens:
    """Draw 2 to 7 literals joined by and/or, some negated, at most one pair in parentheses."""
    size = rng.randint(2, MOST_LITERALS)
    opening = rng.randrange(size - 1) if size > 2 and rng.random() < 0.5 else None
    tokens: list[str] = []
    for index in range(size):
        if index:
            tokens.append(rng.choice(("and", "or")))
        if index == opening:
            tokens.extend(["not", "("] if rng.random() < 0.2 else ["("])
        if rng.random() < 0.25:
            tokens.append("not")
        tokens.append(rng.choice(("True", "False")))
        if opening is not None and index == opening + 1:
            tokens.append(")")
    return tuple(tokens)


def _to_text(tokens: Tokens) -> str:
    """Join the tokens with spaces."""
    return " ".join(tokens)


def evaluate_expression(tokens: Tokens) -> bool:
    """Evaluate with Python's precedence: `not`, then `and`, then `or`."""
    return _evaluate_flat(_without_parentheses(tokens))


def _without_parentheses(tokens: Tokens) -> Tokens:
    if "(" not in tokens:
        return tokens
    left, right = tokens.index("("), tokens.index(")")
    return (*tokens[:left], str(_evaluate_flat(tokens[left + 1 : right])), *tokens[right + 1 :])


def _without_not(tokens: Tokens) -> Tokens:
    plain: list[str] = []
    for word in tokens:
        if plain and plain[-1] == "not":
            plain[-1] = str(word != "True")
        else:
            plain.append(word)
    return tuple(plain)


def _without_and(tokens: Tokens) -> Tokens:
    groups = " ".join(_without_not(tokens)).split(" or ")
    return tuple(" or ".join(str("False" not in group.split()) for group in groups).split())


def _evaluate_flat(tokens: Tokens) -> bool:
    return "True" in _without_and(tokens)


def _reduction(tokens: Tokens) -> str:
    flat = _without_parentheses(tokens)
    plain = _without_not(flat)
    forms = [flat, plain, _without_and(plain)]
    shown = [form for form, before in zip(forms, [tokens, flat, plain], strict=True) if form != before]
    return "; ".join(_to_text(form) for form in shown) or _to_text(tokens)


def _counter(wanted: frozenset[str]) -> tuple[Callable[[Tokens], str], Callable[[Tokens], str]]:
    def answer(tokens: Tokens) -> str:
        return str(sum(token in wanted for token in tokens))

    def working(tokens: Tokens) -> str:
        seen = [word for word in tokens if word not in ("(", ")")]
        totals = accumulate(int(token in wanted) for token in seen)
        return ", ".join(f"{token} {total}" for token, total in zip(seen, totals, strict=True))

    return answer, working


def _prior_log_odds(tokens: Tokens) -> Mapping[str, float]:
    """Return which task the expression itself suggests."""
    literals = [token for token in tokens if token in ("True", "False")]
    share = literals.count("True") / len(literals)
    return {
        "bool_value": 1.0 if len(literals) <= 4 else -0.3,
        "bool_trues": 3.0 * (share - 0.5),
        "bool_falses": 3.0 * (0.5 - share),
        "bool_operators": 1.4 if "not" in tokens and len(literals) >= 5 else -0.5,
    }


_TRUES, _FALSES, _OPERATORS = (
    _counter(frozenset({"True"})),
    _counter(frozenset({"False"})),
    _counter(OPERATORS),
)

FAMILY: Family[Tokens] = Family(
    name="booleans",
    draw=_draw,
    to_text=_to_text,
    prior_log_odds=_prior_log_odds,
    skills=(
        Skill(name="bool_value", answer=lambda t: str(evaluate_expression(t)), working=_reduction),
        Skill(name="bool_trues", answer=_TRUES[0], working=_TRUES[1]),
        Skill(name="bool_falses", answer=_FALSES[0], working=_FALSES[1]),
        Skill(name="bool_operators", answer=_OPERATORS[0], working=_OPERATORS[1]),
    ),
)
