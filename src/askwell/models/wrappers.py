"""Models made of models: `Metered(Coalesced(Retrying(Limited(OpenAIModel(...)))))`. One retry layer, not two.

A wrapper is a `ChatModel` with the name of what it wraps (but for `Named`), closes it with itself, and passes its
`parts` on (see `models.parts`).
"""

from __future__ import annotations

from askwell.models.batch import Batched
from askwell.models.coalesce import Coalesced
from askwell.models.limit import Limited
from askwell.models.meter import Metered
from askwell.models.named import Named
from askwell.models.pool import Pool
from askwell.models.retry import Retrying
from askwell.models.traced import Traced

__all__ = ["Batched", "Coalesced", "Limited", "Metered", "Named", "Pool", "Retrying", "Traced"]
