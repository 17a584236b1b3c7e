"""Models made of models: `Metered(Coalesced(Retrying(Limited(OpenAIModel(...)))))`. One retry layer, not two.

A wrapper is a `ChatModel` with the name of what it wraps (but for `Named`), closes it with itself, and passes its
`parts` on (see `models.parts`).
"""

from __future__ import annotations

from askwell.models.batch.batched import Batched
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.meter import Metered
from askwell.models.wrappers.pool import Pool
from askwell.models.wrappers.renamed import Named
from askwell.models.wrappers.retry import Retrying
from askwell.models.wrappers.sample_batching import Coalesced
from askwell.models.wrappers.traced import Traced

__all__ = ["Batched", "Coalesced", "Limited", "Metered", "Named", "Pool", "Retrying", "Traced"]
