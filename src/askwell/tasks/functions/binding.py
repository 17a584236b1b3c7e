"""Decide which arguments a metric function receives, from its signature or, where that says nothing, by a trial."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from askwell.core.errors import ConfigError
from askwell.core.types import Example
from askwell.tasks.functions.dspy_values import PredictionView, view_gold
from askwell.tasks.functions.returned import read_score
from askwell.tasks.functions.roles import Role, find_role, is_certain, is_text

Call: TypeAlias = Callable[[str, Example], object]
_Roles: TypeAlias = Mapping[inspect.Parameter, Role]

_EXPECTED = (
    "expected (reply, target) or (reply, example), or the order of DSPy and GEPA, (example, pred, trace=None); name "
    "the parameters so"
)


def bind(function: Callable[..., object], name: str) -> Call:
    """Return the function as one of (reply, example). Raises `ConfigError` for a signature that can't be called so."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some builtins have no signature
        return function
    named = _named(parameters)
    if len(named) < 2:
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
            return function
        raise ConfigError(f"metric {name!r} takes {len(named)} arguments; {_EXPECTED}")
    roles = _assign(named, name)
    if "" in roles.values():
        return _Undecided(function, roles, name)
    return lambda reply, example: _call(function, roles, reply, example)


def _named(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """Return the parameters that receive an argument: the first two, and every other that has no default."""
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    missing = 2 - len(positional)
    by_keyword = [p for p in keyword if find_role(p)][: max(missing, 0)]
    return [
        p for p in (*positional, *keyword) if p in positional[:2] or p in by_keyword or p.default is p.empty
    ]  # fmt: skip


def _assign(named: list[inspect.Parameter], name: str) -> dict[inspect.Parameter, Role]:
    """Give each parameter its role; "" is left for at most one, the target or the example."""
    roles: dict[inspect.Parameter, Role] = {}
    for parameter in named:
        roles[parameter] = find_role(parameter)
    if "reply" not in roles.values():
        first = named[0]
        if roles[first] == "example" or (roles[first] == "target" and is_certain(first)):
            raise ConfigError(
                f"metric {name!r} looks swapped: its first parameter is {first.name!r}, and none is named like a "
                f"reply; {_EXPECTED}"
            )
        roles[first] = "reply"
    given: set[Role] = set()
    for parameter, role in list(roles.items()):
        if role in given and role != "trace":
            roles[parameter] = ""
        given.add(role)
    unknown = [parameter for parameter, role in roles.items() if not role]
    if unknown and (len(unknown) > 1 or given & {"target", "example"}):
        names = ", ".join(parameter.name for parameter in named)
        raise ConfigError(f"metric {name!r} takes {len(named)} arguments ({names}); {_EXPECTED}")
    if unknown and is_text(unknown[0]):
        roles[unknown[0]] = "target"
    return roles


def _call(function: Callable[..., object], roles: _Roles, reply: str, example: Example) -> object:
    order = list(roles.values())
    # Only in DSPy and GEPA the example comes before the reply, and a metric written for them reads fields of both.
    views = order.index("reply") > 0 and ("example" in order or "trace" in order or "gold" in {p.name for p in roles})
    gold: object = view_gold(example) if views else example
    values: dict[Role, object] = {
        "reply": PredictionView(reply) if views else reply,
        "target": gold if views else example.target,
        "example": gold,
        "input": example.input,
        "trace": None,
    }
    positional = [values[role] for parameter, role in roles.items() if parameter.kind is not parameter.KEYWORD_ONLY]
    keyword = {p.name: values[role] for p, role in roles.items() if p.kind is p.KEYWORD_ONLY}
    return function(*positional, **keyword)


class _Undecided:
    """A function with a parameter whose name does not say whether it wants the target or the whole example.

    The first call finds out: the target itself, as a reply, must score higher with the right one.
    """

    def __init__(self, function: Callable[..., object], roles: _Roles, name: str) -> None:
        self._function = function
        self._roles = roles
        self._name = name
        self._chosen: _Roles | None = None

    def __call__(self, reply: str, example: Example) -> object:
        if self._chosen is None:
            self._chosen = self._choose(example)
        return _call(self._function, self._chosen, reply, example)

    def _choose(self, example: Example) -> _Roles:
        """Try both; the example is taken where they score the same (a function may ignore the parameter)."""
        kinds: tuple[Role, Role] = ("example", "target")
        choices = [self._fill(kind) for kind in kinds]
        scores = [self._try(roles, example) for roles in choices]
        return choices[int(scores[1] > scores[0])]

    def _fill(self, kind: Role) -> _Roles:
        filled: dict[inspect.Parameter, Role] = {}
        for parameter, role in self._roles.items():
            filled[parameter] = role or kind
        return filled

    def _try(self, roles: _Roles, example: Example) -> float:
        """Return the score of the target as a reply; -1 if the function can't be called so."""
        reply = example.target if isinstance(example.target, str) else example.target[0]
        with suppress(Exception):  # what a wrong argument raises is the function's own affair
            return read_score(_call(self._function, roles, reply, example), self._name).value
        return -1.0
