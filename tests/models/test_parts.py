"""A run reads the parts of the inner models from the outermost one, through every wrapper."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from askwell.core.protocols import ChatModel
from askwell.models.batch.batched import Batched
from askwell.models.parts import ModelParts, parts_of
from askwell.models.providers.openai import OpenAIModel
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.meter import Metered
from askwell.models.wrappers.pool import Pool
from askwell.models.wrappers.renamed import Renamed
from askwell.models.wrappers.retry import Retrying
from askwell.models.wrappers.sample_batching import SampleBatching
from askwell.models.wrappers.traced import Traced
from askwell.testing.fakes import ScriptedModel

PRICES = {"input_per_mtok": 1.0, "output_per_mtok": 2.0}
MILLION = (1_000_000, 0, 1_000_000)
"""Prompt tokens, cached ones and completion tokens of the call whose price is compared."""
WRAPPERS: dict[str, Callable[[ChatModel], ChatModel]] = {
    "nothing": lambda model: model,
    "Coalesced": SampleBatching,
    "Limited": lambda model: Limited(model, max_concurrency=1),
    "Metered": Metered,
    "Named": lambda model: Renamed(model, name="mine"),
    "Retrying": Retrying,
    "all": lambda model: Metered(SampleBatching(Retrying(Limited(Renamed(model, name="mine"), max_concurrency=1)))),
}


def served(port: int = 8001) -> OpenAIModel:
    return OpenAIModel("tiny", base_url=f"http://127.0.0.1:{port}/v1", prices=PRICES)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_passes_the_parts_on(name: str) -> None:
    bare = served()
    parts = parts_of(WRAPPERS[name](bare))
    assert parts.negotiating == (bare,)
    assert parts.price(*MILLION) == parts.direct_price(*MILLION) == 3.0
    assert parts.batches is None
    assert parts.members is None


def test_a_trace_passes_the_parts_on() -> None:
    pytest.importorskip("opentelemetry.sdk")
    bare = served()
    assert parts_of(Traced(bare)).negotiating == (bare,)


def test_a_pool_has_the_servers_of_all_members_and_the_price_of_the_first() -> None:
    members = [served(8001), served(8002)]
    parts = parts_of(Metered(Retrying(Pool(members))))
    assert parts.negotiating == tuple(members)
    assert parts.price(*MILLION) == 3.0
    assert parts.members is not None
    assert [member.totals.calls for member in parts.members()] == [0, 0]


def test_batches_cost_less_than_direct_calls() -> None:
    bare = served()
    batched = Batched(bare)
    parts = parts_of(Metered(Retrying(batched)))
    assert parts.negotiating == (bare,)
    assert parts.batches is batched
    assert (parts.price(*MILLION), parts.direct_price(*MILLION)) == (1.5, 3.0)


def test_a_model_that_only_answers_has_no_parts() -> None:
    parts = parts_of(Metered(ScriptedModel([])))
    assert parts == ModelParts()
    assert parts.price(*MILLION) is None
