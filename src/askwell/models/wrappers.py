"""Models made of models: `Metered(Coalesced(Retrying(Limited(OpenAIModel(...)))))`. One retry layer, not two.

A wrapper is a `ChatModel` with the name of what it wraps (but for `Named`), closes it with itself, and shows it as
`inner`.
"""

from __future__ import annotations

from askwell.models.base import ChatModel
from askwell.models.batch import Batched
from askwell.models.coalesce import Coalesced
from askwell.models.limit import Limited
from askwell.models.meter import Metered, Totals
from askwell.models.named import Named
from askwell.models.pool import Pool
from askwell.models.retry import Retrying
from askwell.models.traced import Traced

__all__ = [
    "Batched", "Coalesced", "Limited", "Metered", "Named", "Pool", "Retrying", "Totals", "Traced", "batched_in",
    "leaves", "pool_in", "unwrapped",
]  # fmt: skip


def unwrapped(model: ChatModel) -> ChatModel:
    """Return the model under all of this module's wrappers, to ask whether it can do more (`LikelihoodModel`)."""
    while isinstance(model, Batched | Coalesced | Limited | Metered | Named | Pool | Retrying | Traced):
        model = model.inner
    return model


def leaves(model: ChatModel) -> list[ChatModel]:
    """Return the models under all wrappers: one, or each member of a pool."""
    pool = pool_in(model)
    return [unwrapped(model)] if pool is None else [unwrapped(member) for member in pool.members]


def pool_in(model: ChatModel) -> Pool | None:
    """Return the pool that is under a model's wrappers, if there is one."""
    found = _down_to(model)
    return found if isinstance(found, Pool) else None


def batched_in(model: ChatModel) -> Batched | None:
    """Return what asks in batches under a model's wrappers, if it is asked so."""
    found = _down_to(model)
    return found if isinstance(found, Batched) else None


def _down_to(model: ChatModel) -> ChatModel:
    while isinstance(model, Coalesced | Limited | Metered | Named | Retrying | Traced):
        model = model.inner
    return model
