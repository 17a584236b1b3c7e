"""What a run needs of a model besides its answers: what its servers refuse, its batches, its pool, its prices.

A model that calls a server says what it has through `Negotiating` and `Priced`. A wrapper takes the parts of the model
it wraps when it is built (`self.parts = parts_of(model)`), so that a run reads them from the outermost model and never
looks inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from askwell.core.protocols import ChatModel
from askwell.models.batch.ledger import Ledger
from askwell.models.providers.negotiation import Negotiating
from askwell.models.providers.prices import Priced, PriceFunction
from askwell.models.totals import MemberTotals


class Batches(Protocol):
    """The batches of a model that is asked in batches.

    `ledger` records which request is in which batch; `say` is called with a line of text for each event. `stop` lets
    every waiting call fail at once; `settle` finishes what is being submitted, and has to end before the ledger closes.
    """

    ledger: Ledger
    notify: Callable[[str], object]

    def stop(self) -> None: ...

    async def drain(self) -> None: ...


def unknown_price(_prompt: int, _cached: int, _completion: int) -> None:
    """The price of a model whose price is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParts:
    """The parts of one model, all its wrappers included."""

    negotiating: tuple[Negotiating, ...] = ()
    """The models under the wrappers that learn what their server refuses; a pool has several."""
    batches: Batches | None = None
    members: Callable[[], Sequence[MemberTotals]] | None = None
    """Returns what went through each member of a pool so far; None where there is no pool."""
    price: PriceFunction = unknown_price
    """What a call costs as the model is asked."""
    direct_price: PriceFunction = unknown_price
    """What a call costs that is asked directly: above `price` where most calls are asked in batches."""


@runtime_checkable
class Composed(Protocol):
    """A model made of other models; `parts` are theirs."""

    @property
    def parts(self) -> ModelParts: ...


def parts_of(model: ChatModel) -> ModelParts:
    """Return the parts of any model; all are empty for a model that only answers."""
    if isinstance(model, Composed):
        return model.parts
    price = model.price if isinstance(model, Priced) else unknown_price
    negotiating = (model,) if isinstance(model, Negotiating) else ()
    return ModelParts(negotiating=negotiating, price=price, direct_price=price)
