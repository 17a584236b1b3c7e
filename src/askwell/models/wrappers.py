"""Models made of models: `Metered(Coalesced(Retrying(Limited(OpenAIModel(...)))))`. One retry layer, not two.

A wrapper is a `ChatModel` with the name of what it wraps (but for `Named`), closes it with itself, and shows it as
`inner`.
"""

from __future__ import annotations

from askwell.models.base import ChatModel
from askwell.models.coalesce import Coalesced
from askwell.models.limit import Limited
from askwell.models.meter import Metered, Totals
from askwell.models.named import Named
from askwell.models.pool import Pool
from askwell.models.retry import Retrying
from askwell.models.traced import Traced

__all__ = ["Coalesced", "Limited", "Metered", "Named", "Pool", "Retrying", "Totals", "Traced", "pool_in", "unwrapped"]


def unwrapped(model: ChatModel) -> ChatModel:
    """Return the model under all of this module's wrappers, to ask whether it can do more (`LikelihoodModel`)."""
    while isinstance(model, Coalesced | Limited | Metered | Named | Pool | Retrying | Traced):
        model = model.inner
    return model


def pool_in(model: ChatModel) -> Pool | None:
    """Return the pool that is under a model's wrappers, if there is one."""
    while isinstance(model, Coalesced | Limited | Metered | Named | Retrying | Traced):
        model = model.inner
    return model if isinstance(model, Pool) else None
