"""Requests that begin alike go together, whatever the placement; their places in the log stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.types import Example, Prompt
from askwell.engine.evaluator import Evaluator, Sampling
from askwell.engine.prefix_order import order_for_prefix_cache
from askwell.engine.rollout_queue import RolloutSlot
from askwell.runlog.store import MemoryStore
from askwell.runlog.writer import Journal
from askwell.tasks.metrics import metric
from askwell.tasks.render import PLACEMENTS, ChatRender
from askwell.tasks.task import Task
from askwell.testing.fakes import ScriptedModel

PROMPTS = [
    Prompt(instruction="Add the numbers."),
    Prompt(instruction="Be brief."),
    Prompt(instruction="Count each thing once."),
]
EXAMPLES = [Example(id=f"e{number}", input=f"{number} apples and a pear?", target="1") for number in range(4)]
DEMOS = tuple(Example(id=f"d{number}", input=f"{number} plums?", target="2") for number in range(2))


def cells(prompts: list[Prompt], examples: list[Example], draws: int = 1) -> list[RolloutSlot]:
    layout = [(prompt, example, sample) for prompt in prompts for example in examples for sample in range(draws)]
    return [
        RolloutSlot(position=place, step=1, split="dev", prompt=prompt, example=example, sample_index=sample)
        for place, (prompt, example, sample) in enumerate(layout)
    ]


@pytest.mark.parametrize("placement", ["system", "before_Q", "Q_begin"])
def test_an_instruction_ahead_of_the_question_keeps_its_cells_together(placement: str) -> None:
    asked = cells(PROMPTS, EXAMPLES)
    assert list(order_for_prefix_cache(asked, ChatRender(placement=placement))) == asked


def test_a_question_ahead_of_the_instruction_keeps_the_prompts_of_an_example_together() -> None:
    found = order_for_prefix_cache(cells(PROMPTS, EXAMPLES), ChatRender(placement="Q_end"))
    assert [(one.example.id, one.prompt) for one in found] == [
        (example.id, prompt) for example in EXAMPLES for prompt in PROMPTS
    ]


def test_demonstrations_ahead_of_the_question_keep_their_prompts_cells_together() -> None:
    shown = [Prompt(instruction=one.instruction, demos=DEMOS[number:]) for number, one in enumerate(PROMPTS)]
    asked = cells(shown, EXAMPLES)
    assert list(order_for_prefix_cache(asked, ChatRender(placement="Q_end"))) == asked


async def test_the_engine_asks_in_that_order_and_logs_in_its_own() -> None:
    model, store = ScriptedModel(lambda _: "1"), MemoryStore()
    task = Task(
        name="t", splits={"dev": tuple(EXAMPLES)}, render=ChatRender(placement="Q_end"), metric=metric("number")
    )
    async with Journal(store) as journal:
        evaluator = Evaluator(task=task, target=model, journal=journal, sampling=Sampling(), concurrency=1)
        asked = evaluator.slots(PROMPTS, split="dev", step=1)
        rollouts = [one async for one in evaluator.rollouts(asked)]
    assert [one.example_id for one in rollouts] == [example.id for example in EXAMPLES for _ in PROMPTS]
    assert [request.messages[0].content.partition(" ")[0] for request in model.requests] == list("000111222333")
    assert [event.body["example"] for event in store.events()] == [cell.example.id for cell in asked]


@given(
    st.lists(st.sampled_from(PROMPTS), max_size=3, unique=True),
    st.lists(st.sampled_from(EXAMPLES), max_size=4, unique_by=lambda one: one.id),
    st.integers(1, 3),
    st.sampled_from(sorted(PLACEMENTS)),
)
def test_no_cell_is_lost_or_doubled(prompts: list[Prompt], examples: list[Example], draws: int, placement: str) -> None:
    asked = cells(prompts, examples, draws)
    found = order_for_prefix_cache(asked, ChatRender(placement=placement))
    assert sorted(found, key=lambda one: one.position) == asked
