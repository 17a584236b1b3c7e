"""Deviations of the released code from the paper that concern the optimizer, one test each.

The other lines of that list (final selection, the test split, rendering, answer parsing, model names, cost) are the
loop's, the tasks' and the models': see `tests/optimizers/test_released_code.py`.
"""

import re

from askwell.core.text import edit_distance
from askwell.core.types import Completion, Request
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.presets import preset_settings
from askwell.optimizers.gpo.schedule import compute_budget, count_steps_per_epoch
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS, WORDS, q_end
from tests.support.gpo_steps import START, gpo, history, numbered, sent


async def test_trajectory_order_is_ascending_not_descending():
    model = ScriptedModel(numbered)
    current = "Count the even numbers in the list."
    past = history(("Count the even numbers.", 0.3), ("Be polite.", 0.9), ("Count the numbers.", 0.1), (current, 0.2))
    await gpo(model).propose(past, seed=1)
    shown = re.findall(r"<entry>\n<prompt>(.*?)</prompt>", sent(model))
    assert shown == ["Be polite.", "Count the numbers.", "Count the even numbers."]


async def test_scores_are_0_to_100_where_the_text_says_so():
    model = ScriptedModel(numbered)
    await gpo(model).propose(history((START, 0.27), ("Add.", 1.0), ("Sort.", 0.604)), seed=1)
    assert "integers from 0 to 100" in sent(model)
    assert sorted(re.findall(r"<score>(.*?)</score>", sent(model))) == ["100", "27", "60"]


async def test_8_requests_make_8_candidates_not_64():
    model = ScriptedModel(numbered)
    found = await gpo(model).propose(history((START, 0.5)), seed=1)
    assert len(model.requests) == len(found) == 8


async def test_resampling_keeps_every_parameter_of_the_request():
    def reply(request: Request) -> str:
        return f"<START>{'word ' * (30 if request.sample_index < 4 else 1)}{request.sample_index}<END>"

    model = ScriptedModel(reply)
    await gpo(model, budget_mode="enforce", schedule="fixed", candidates=4, first_words=20).propose(
        history((START, 0.5)), seed=1
    )
    assert len(model.requests) == 8
    assert len({(r.messages, r.temperature, r.max_tokens) for r in model.requests}) == 1


async def test_failed_calls_are_not_asked_again_by_the_optimizer():
    # one retry layer, in the model; a second one here would drop or double parameters
    model = ScriptedModel(lambda r: numbered(r) if r.sample_index else Completion(outcome="failed", fault="server"))
    found = await gpo(model).propose(history((START, 0.5)), seed=1)
    assert (len(model.requests), len(found)) == (8, 7)


def test_final_selection_is_the_best_on_dev_not_the_last():
    past = history((START, 0.5), ("Sort.", 0.8), ("Add.", 0.6))
    assert past.best.prompt.instruction == "Sort."
    assert past.current.prompt.instruction == "Add."


async def test_dev_and_test_examples_are_never_shown():
    model = ScriptedModel(numbered)
    optimizer = GPO(model=model, train=NUMBERS[:4], render=q_end)  # is given the train split alone
    for seed in range(10):
        await optimizer.propose(history((START, 0.5)), seed=seed)
    unseen = [example.input for example in NUMBERS[4:]]
    assert not [text for request in model.requests for text in unseen if f"\n{text}\n" in request.messages[0].content]


async def test_the_incumbent_is_shown_with_its_true_score_not_0():
    model = ScriptedModel(numbered)
    await gpo(model).propose(history((START, 0.5), ("Sort.", 0.6)), seed=1)
    assert "<current>\n<prompt>Sort.</prompt>\n<score>60</score>\n</current>" in sent(model)
    assert sent(model).count("<prompt>Sort.</prompt>") == 1
    assert "<score>0</score>" not in sent(model)


def test_the_linear_schedule_never_goes_negative():
    assert min(compute_budget("linear", step, 9, first=50, final=0) for step in range(60)) == 0
    assert min(compute_budget("linear", step, 9) for step in range(60)) == 10


async def test_the_budget_can_be_measured():
    model = ScriptedModel(lambda r: f"<START>{START} {'very ' * r.sample_index}<END>")
    found = await gpo(model, budget_mode="enforce", schedule="fixed", first_words=3, resamples=0).propose(
        history((START, 0.5)), seed=1
    )
    assert [edit_distance(START, p.prompt.instruction) for p in found if not p.rejected] == [0, 1, 2, 3]


async def test_train_size_does_not_leak_from_the_previous_task():
    assert [count_steps_per_epoch(48, 8), count_steps_per_epoch(35, 8), count_steps_per_epoch(48, 8)] == [6, 4, 6]
    model = ScriptedModel(numbered)
    first = GPO(model=model, train=NUMBERS, render=q_end, settings=preset_settings("gpo"))
    second = GPO(model=model, train=WORDS[:2], render=q_end, settings=preset_settings("gpo"))
    await first.propose(history((START, 0.5)), seed=1)
    await second.propose(history((START, 0.5)), seed=1)
    assert (sent(model, 0).count("<example>"), sent(model).count("<example>")) == (3, 2)
    assert not any(f"\n{example.input}\n" in sent(model) for example in NUMBERS)
