"""Check a run before anything is paid for: prices for a cap in dollars, then one cheap call to each model.

A wrong key, address or model name of the optimizer model would otherwise be found after the target has scored the
initial prompt. The check is in the log, so that it counts as spent and a resumed run does not repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from askwell.core.errors import ConfigError, ModelError, RunFailed
from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Event, Message, ModelRole, Request
from askwell.engine.budget import Caps
from askwell.models.parts import parts_of
from askwell.models.request_key import request_key
from askwell.runlog.codec import encode_completion, encode_request
from askwell.runlog.store import UNORDERED
from askwell.runlog.writer import Journal

CHECK = Request(messages=(Message(role="user", content="Reply with OK."),), max_tokens=512)
"""The cheap call. The limit is not lower, because some reasoning models refuse one that their thoughts exceed."""


_FREE_KINDS = frozenset({"editor", "pocket", "local"})
"""Models of this process: their calls cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """A model that is to be checked, and where its calls go."""

    role: ModelRole
    address: str
    """Without secrets."""


async def check_model(model: ChatModel, check: ModelCheck, journal: Journal) -> None:
    """Make one cheap call and log it; nothing is called if the log has it, or any answered call of an earlier start.

    Raises `ModelError` if the model refuses the call or cannot be reached, `RunFailed` if it does not answer.
    """
    key = request_key(model.name, CHECK)
    if journal.store.find(key) is not None or next(journal.store.events(kinds=["rollout"]), None) is not None:
        return
    completion = await model.complete(CHECK)
    if completion.fault == "budget":
        return  # the run itself says which cap is too low
    if completion.outcome == "failed":
        raise _refusal(model.name, check, completion)
    body: dict[str, object] = {
        "role": check.role,
        "model": model.name,
        "request": encode_request(CHECK),
        "completion": encode_completion(completion),
        "check": True,
    }
    await journal.write(Event(position=UNORDERED, kind="call", body=body, key=key, seconds=completion.seconds))


def check_priced(caps: Caps, models: Sequence[tuple[ModelRole, ChatModel]]) -> None:
    """Raise `ConfigError` for a dollar cap if the price of a model is unknown: the cap would never be reached."""
    if caps.max_usd is None:
        return
    unpriced = list(list_unpriced(models))
    if unpriced:
        raise ConfigError(
            f"the cap of {caps.max_usd:g} dollars cannot be checked: no price is known for "
            f"{' and '.join(repr(name) for _, name in unpriced)}. {_price_advice([role for role, _ in unpriced])}, or "
            "cap calls or tokens instead (--budget-calls, --budget-tokens)"
        )


def _price_advice(roles: Sequence[ModelRole]) -> str:
    keys = " and ".join(f"{'target' if role == 'target' else 'optimizer_model'}.prices" for role in roles)
    return (
        f"Give {keys} = {{input = …, output = …}} (dollars per million tokens; a model object needs a method price), "
        "install askwell[prices]"
    )


def list_unpriced(models: Sequence[tuple[ModelRole, ChatModel]]) -> Iterator[tuple[ModelRole, str]]:
    """Yield the models that cost money, as far as is known, and whose price is unknown."""
    for role, model in models:
        is_free = re.split("[:#]", model.name)[0] in _FREE_KINDS
        if not is_free and parts_of(model).price(1000, 0, 100) is None:
            yield role, model.name


def _refusal(name: str, check: ModelCheck, completion: Completion) -> ModelError | RunFailed:
    who = f"the {'optimizer model' if check.role == 'optimizer' else 'target'} {name!r} at {check.address}"
    paid = "nothing but this check was called"
    if completion.fault in FINAL_FAULTS:
        return ModelError(f"{who} refused a first call: {completion.error} ({paid})")
    if completion.fault == "connection":
        return ModelError(f"{who} cannot be reached: {completion.error} ({paid})")
    return RunFailed(f"{who} did not answer a first call ({completion.fault}: {completion.error}); {paid}")
