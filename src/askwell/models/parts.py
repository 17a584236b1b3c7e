"""What a run needs of a model besides its answers: server quirks, provider batches, pool members, prices.

A model that calls a server declares them through `Negotiating` and `Priced`. A wrapper copies the parts of the model it
wraps when it is built (`self.parts = parts_of(model)`), so that a run reads them from the outermost model and never
unwraps it.
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
    """The batches of a model that uses its provider's batch API.

    `ledger` records which request is in which batch; `notify` is called with a line of text for each change.
    `stop` fails every waiting call at once; `drain` finishes the submissions under way. Await it before the ledger
    closes.
    """

    ledger: Ledger
    notify: Callable[[str], object]

    def stop(self) -> None: ...

    async def drain(self) -> None: ...


def unknown_price(_prompt: int, _cached: int, _completion: int) -> None:
    """Return None: the price function of a model with an unknown price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParts:
    """The parts of a model and all its wrappers."""

    negotiating: tuple[Negotiating, ...] = ()
    """The models under the wrappers that discover server quirks; a pool has several."""
    batches: Batches | None = None
    members: Callable[[], Sequence[MemberTotals]] | None = None
    """Returns the totals of each member of a pool; None without a pool."""
    price: PriceFunction = unknown_price
    """The price of a call as the model usually sends it."""
    direct_price: PriceFunction = unknown_price
    """The price of a direct call: above `price` if the model usually sends batches."""
    code: str = ""
    """Digest of the code of a function that answers; it changes with the function."""


@runtime_checkable
class Coded(Protocol):
    """A model that is a user's function; `code` is a digest of it, empty if its code can't be read."""

    @property
    def code(self) -> str: ...


@runtime_checkable
class Composed(Protocol):
    """A model that wraps other models; `parts` are theirs."""

    @property
    def parts(self) -> ModelParts: ...


def parts_of(model: ChatModel) -> ModelParts:
    """Return the parts of any model; all are empty for a model that only answers requests."""
    if isinstance(model, Composed):
        return model.parts
    price = model.price if isinstance(model, Priced) else unknown_price
    negotiating = (model,) if isinstance(model, Negotiating) else ()
    code = model.code if isinstance(model, Coded) else ""
    return ModelParts(negotiating=negotiating, price=price, direct_price=price, code=code)
