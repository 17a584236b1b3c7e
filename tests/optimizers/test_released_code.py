"""Deviations of the released code from the paper: the loop, the models and the grading.

Those that concern the optimizer are in `gpo/test_released_code.py`. Together: one test for each line of that list.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from askwell.api.build_models import build_model
from askwell.api.config import ModelConfig
from askwell.api.plan import plan_job
from askwell.core.types import Example, Message, Prompt, Request, Score, Split
from askwell.engine.jobs import OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.presets import preset_settings
from askwell.report.run_report import build_report
from askwell.runlog.fold import read_spend
from askwell.runlog.store import MemoryStore
from askwell.tasks.metrics import grade
from askwell.tasks.render import PLACEMENTS, ChatRender
from askwell.tasks.task import Task
from askwell.testing.fakes import ScriptedModel
from tests.support.loop_runs import play
from tests.support.servers import chat_server, first

QUESTION = Example(id="q", input="2 + 2?", target="4")
DEMOS = (Example(id="d", input="1 + 1?", target="2"),)


def asked(seed: int | None = 7, sample_index: int = 0) -> Request:
    return Request(
        messages=(Message(role="user", content="Hello."),), temperature=1.0, seed=seed, sample_index=sample_index
    )


async def test_the_final_prompt_is_selected_on_dev_over_all_steps() -> None:
    store = MemoryStore()
    history = await play(store)
    found = build_report(store)
    assert found is not None
    assert found.best.prompt == history.best.prompt
    assert history.best.score == max(one.score for one in history.candidates)


async def test_the_test_split_is_not_looked_at_in_every_step() -> None:
    store = MemoryStore()
    history = await play(store)
    last_step = max(event.position for event in store.events(kinds=["step"]))
    on_test = [event for event in store.events(kinds=["rollout"]) if event.body["split"] == "test"]
    assert history.next_step > 3
    assert len(on_test) == 2 * 12
    assert min(event.position for event in on_test) > last_step


@pytest.mark.parametrize("fault", ["429", "500", "cut"])
async def test_a_retry_drops_neither_the_models_name_nor_n_nor_anything_else(fault: str) -> None:
    with chat_server(models=("llama-2-7b-chat",), faults=first(2, fault)) as server:  # type: ignore[arg-type]
        model = build_model(ModelConfig(model="openai:llama-2-7b-chat", base_url=server.base_url), flag="--target")
        completion = await model.complete(asked())
        await model.aclose()
    assert completion.outcome == "ok"
    assert len(server.bodies) == 3
    assert server.bodies[0] == server.bodies[1] == server.bodies[2]
    assert server.bodies[0]["model"] == "llama-2-7b-chat"


@pytest.mark.parametrize("name", ["llama-2-7b-chat", "Llama-2-7b-hf", "meta-llama/Llama-2-13b-chat-hf"])
async def test_a_chat_models_name_is_sent_as_given_and_never_mapped_to_the_base_model(name: str) -> None:
    with chat_server(models=(name,)) as server:
        model = build_model(ModelConfig(model=f"openai:{name}", base_url=server.base_url), flag="--target")
        await model.complete(asked())
        await model.aclose()
    assert [body["model"] for body in server.bodies] == [name]
    assert model.name == f"openai:{name}"


@pytest.mark.parametrize("placement", sorted(PLACEMENTS))
@pytest.mark.parametrize("style", ["turns", "inline"])
def test_few_shot_rendering_keeps_the_instruction(placement: str, style: str) -> None:
    render = ChatRender(placement=placement, demos=style)  # type: ignore[arg-type]
    messages = render(Prompt(instruction="Think hard.", demos=DEMOS), QUESTION)
    assert "Think hard." in "\n".join(message.content for message in messages)


@pytest.mark.parametrize("reply", ["-12", "−12", "12.4", "The answer is 12.4.", "It is -12."])
def test_a_number_is_read_with_its_sign_and_its_fraction(reply: str) -> None:
    assert grade("number", reply, "12") == 0
    assert grade("number", "The answer is 12.", "12") == 1


@pytest.mark.parametrize("reply", ["Yes, it is …", "Yes, it is plausible.", "Yes, it is not unusual."])
def test_a_sentence_that_begins_with_yes_is_a_yes(reply: str) -> None:
    assert grade("yesno", reply, "yes") == 1
    assert grade("yesno", reply, "no") == 0


def test_a_bbh_task_costs_what_the_paper_describes_and_no_more() -> None:
    # the released code: 19,680 target calls (28 % of them on test, step by step) and 1,152 completions of the optimizer
    target, optimizer = plan_job(bbh_job()).models
    assert optimizer.worst.calls == 8 * 18
    assert target.worst.calls == 48 + 8 * 18 * 48 + 2 * 144
    assert target.worst.calls < 0.4 * 19_680


def bbh_job() -> OptimizeJob:
    def some(split: Split, count: int) -> tuple[Example, ...]:
        return tuple(Example(id=f"{split}{n}", input=f"{split} {n}", target="yes") for n in range(count))

    train = some("train", 48)
    task = Task(
        name="bbh",
        splits={"train": train, "dev": some("dev", 48), "test": some("test", 144)},
        render=ChatRender(),
        metric=lambda reply, example: Score(value=float(reply == example.target)),
    )
    return OptimizeJob(
        header=encode_header({}, seed=0, settings=None),
        initial=[Prompt(instruction="Let's think step by step.")],
        target_setup=TargetSetup(task=task, model=ScriptedModel(())),
        optimizer_model=ScriptedModel(()),
        make_optimizer=lambda model, judge: GPO(
            model=model, train=train, render=task.render, settings=preset_settings("gpo"), run_prompt=judge
        ),
        settings=LoopSettings(steps=18),
    )


async def test_equal_answers_are_paid_once_so_that_a_duplicate_candidate_costs_nothing() -> None:
    store = MemoryStore()
    await play(store, optimizer=lambda _: "think")
    assert read_spend(store)["target"].calls == 10 + 12


def test_every_line_of_the_list_has_a_test_named_after_it() -> None:
    names = _test_names("tests/optimizers/test_released_code.py") + _test_names(
        "tests/optimizers/gpo/test_released_code.py"
    )
    lines = {
        "trajectory order": "trajectory_order_is_ascending",
        "scores 0 to 1 under a 0 to 100 text": "scores_are_0_to_100",
        "64 completions for 8": "8_requests_make_8_candidates",
        "retry drops the model name, or n": "a_retry_drops_neither",
        "no final selection": "final_prompt_is_selected",
        "test in every step": "test_split_is_not_looked_at_in_every_step",
        "incumbent at score 0": "incumbent_is_shown_with_its_true_score",
        "linear schedule negative": "linear_schedule_never_goes_negative",
        "budget never measured": "budget_can_be_measured",
        "train size leaks": "train_size_does_not_leak",
        "few-shot loses the instruction": "few_shot_rendering_keeps",
        "-12 and 12.4 for 12": "a_number_is_read_with_its_sign",
        "Yes, it is": "begins_with_yes",
        "chat model mapped to base model": "never_mapped_to_the_base_model",
        "cost": "a_bbh_task_costs",
    }
    assert {line for line, part in lines.items() if not any(part in name for name in names)} == set()


def _test_names(path: str) -> list[str]:
    text = (Path(__file__).parents[2] / path).read_text(encoding="utf-8")
    return [line.split("(")[0] for line in text.splitlines() if line.startswith(("def test_", "async def test_"))]
