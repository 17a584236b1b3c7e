"""A step of GPO: its requests, its proposals, and its errors."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from askwell.core.errors import ConfigError, ModelError, RunFailed
from askwell.core.text import edit_distance
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Completion, Prompt, Request
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.presets import preset_settings
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS, q_end
from tests.support.gpo_steps import REFLECTING, START, JudgeByTable, gpo, history, numbered, sent


async def proposed(reply: Callable[[Request], str | Completion], **changes: Any) -> list[str]:
    found = await gpo(ScriptedModel(reply), **changes).propose(history((START, 0.5)), seed=1)
    return [proposal.prompt.instruction for proposal in found]


async def test_one_request_per_candidate_differing_in_the_sample_index_alone():
    model = ScriptedModel(numbered)
    found = await gpo(model).propose(history((START, 0.5)), seed=3)
    assert [p.prompt.instruction for p in found] == [f"Prompt number {sample_index}." for sample_index in range(8)]
    assert [request.sample_index for request in model.requests] == list(range(8))
    assert len({request.seed for request in model.requests}) == 1
    assert len({replace(request, sample_index=0, seed=0) for request in model.requests}) == 1
    assert (model.requests[0].temperature, model.requests[0].max_tokens) == (1.0, 512)
    assert {p.parent for p in found} == {Prompt(instruction=START)}
    assert {p.origin for p in found} == {"generation"}


async def test_the_same_trajectory_and_seed_make_the_same_requests():
    first, second, other = ScriptedModel(numbered), ScriptedModel(numbered), ScriptedModel(numbered)
    past = history((START, 0.5), ("Sort.", 0.6), ("Add.", 0.4))
    for model, seed in ((first, 7), (second, 7), (other, 8)):
        await gpo(model).propose(past, seed=seed)
    assert first.requests == second.requests != other.requests


async def test_equal_proposals_count_once_and_keep_their_order():
    texts = ["B.", "A.", "B.", "**A.**", "C.", "A.", "B.", "C."]
    assert await proposed(lambda r: f"<START>{texts[r.sample_index]}<END>") == ["B.", "A.", "C."]


async def test_prompts_scored_before_are_proposed_too():
    assert await proposed(lambda r: f"<START>{START}<END>") == [START]


async def test_demonstrations_of_the_parent_are_kept():
    parent = Prompt(instruction=START, demos=NUMBERS[:2])
    past = Trajectory(candidates=(Candidate(step=0, prompt=parent, score=0.5, n=48),))
    found = await gpo(ScriptedModel(numbered)).propose(past, seed=1)
    assert {p.prompt.demos for p in found} == {NUMBERS[:2]}


async def test_failed_refused_and_unparsed_replies_are_no_candidates(caplog: pytest.LogCaptureFixture):
    def reply(request: Request) -> str | Completion:
        failures = {
            0: Completion(outcome="failed", fault="server", error="500"),
            1: Completion(outcome="refused", error="no"),
            2: "<START><END>",
            3: "",
        }
        return failures.get(request.sample_index, numbered(request))

    assert await proposed(reply) == [f"Prompt number {sample_index}." for sample_index in range(4, 8)]
    assert "1 of 8 calls" in caplog.text
    assert "held no prompt" in caplog.text


async def test_the_text_of_a_truncated_reply_counts():
    assert await proposed(lambda r: Completion(text="<START>Add the", outcome="truncated")) == ["Add the"]


async def test_no_usable_reply_is_an_empty_list():
    assert await proposed(lambda r: "<START> <END>") == []


async def test_if_all_calls_fail_the_step_raises():
    with pytest.raises(RunFailed, match=r"all 8 calls.*scripted.*overloaded"):
        await proposed(lambda r: Completion(outcome="failed", fault="rate_limit", error="overloaded"))


async def test_a_final_fault_stops_at_once_with_the_providers_words():
    def reply(request: Request) -> str | Completion:
        wrong = Completion(outcome="failed", fault="auth", error="Incorrect API key provided")
        return wrong if request.sample_index == 5 else numbered(request)

    with pytest.raises(ModelError, match="Incorrect API key provided"):
        await proposed(reply)


async def test_exemplars_come_from_train_and_change_with_the_seed():
    model = ScriptedModel(numbered)
    optimizer = gpo(model, candidates=1)
    for seed in range(6):
        await optimizer.propose(history((START, 0.5)), seed=seed)
    shown = [{example.id for example in NUMBERS if f"\n{example.input}\n<Prompt>" in sent(model, i)} for i in range(6)]
    assert all(len(ids) == 3 for ids in shown)
    assert len({frozenset(ids) for ids in shown}) > 2


async def test_without_training_examples_the_section_is_left_out():
    model = ScriptedModel(numbered)
    await GPO(model=model, train=(), render=q_end).propose(history((START, 0.5)), seed=1)
    assert "<example>" not in sent(model)


async def test_enforce_rejects_prompts_over_the_measured_budget_and_resamples():
    def reply(request: Request) -> str:
        index = request.sample_index
        longer = "Now " + "really " * 20 + f"do number {index}."
        return f"<START>{longer if index in {0, 1, 2, 5} else START + f' Number {index}.'}<END>"

    model = ScriptedModel(reply)
    optimizer = gpo(model, budget_mode="enforce", schedule="fixed", first_words=6, candidates=4)
    found = await optimizer.propose(history((START, 0.5)), seed=1)
    assert [request.sample_index for request in model.requests] == list(range(8))
    kept = [p.prompt.instruction for p in found if not p.rejected]
    assert kept == [f"{START} Number {sample_index}." for sample_index in (3, 4, 6, 7)]
    assert all(edit_distance(START, text) <= 6 for text in kept)
    assert [p.rejected.endswith("words of at most 6") for p in found if p.rejected] == [True] * 4


async def test_enforce_stops_after_its_rounds():
    model = ScriptedModel(lambda r: f"<START>{'word ' * 30}{r.sample_index}<END>")
    optimizer = gpo(model, budget_mode="enforce", schedule="fixed", first_words=5, candidates=2, resamples=3)
    assert all(p.rejected for p in await optimizer.propose(history((START, 0.5)), seed=1))
    assert len(model.requests) == 2 * 4


async def test_ask_rejects_nothing():
    found = await proposed(lambda r: f"<START>{'word ' * 80}{r.sample_index}<END>", schedule="fixed", first_words=5)
    assert len(found) == 8


async def test_a_reflection_on_wrong_examples_is_requested_at_temperature_0_and_shown():
    judge = JudgeByTable([example.id for example in NUMBERS])
    model = ScriptedModel(lambda r: "It is too vague." if r.temperature == 0 else numbered(r))
    await gpo(model, **REFLECTING, run_prompt=judge, batch=8, reflected=3).propose(history((START, 0.5)), seed=1)
    assert [request.temperature for request in model.requests] == [0.0] + [1.0] * 8
    assert sent(model, 0).count("<reply>") == 3
    assert "<reflection>\nIt is too vague.\n</reflection>" in sent(model)
    assert len(judge.batches) == 1
    assert len(judge.batches[0]) == 8


async def test_no_reflection_is_requested_without_known_errors():
    judge = JudgeByTable([], failed=["0", "1"])
    model = ScriptedModel(numbered)
    await gpo(model, **REFLECTING, run_prompt=judge).propose(history((START, 0.5)), seed=1)
    assert len(model.requests) == 8
    assert "<reflection>" not in sent(model)


async def test_a_reflection_that_fails_stops_the_step():
    judge = JudgeByTable(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"])
    for completion in (Completion(outcome="failed", fault="timeout"), Completion(outcome="refused")):
        model = ScriptedModel(lambda r, c=completion: c)
        with pytest.raises(RunFailed):
            await gpo(model, **REFLECTING, run_prompt=judge).propose(history((START, 0.5)), seed=1)


def test_reflection_needs_a_prompt_runner_and_training_examples():
    with pytest.raises(ConfigError, match="needs a prompt runner"):
        gpo(ScriptedModel(numbered), **REFLECTING)
    with pytest.raises(ConfigError, match="train split"):
        GPO(
            model=ScriptedModel(numbered),
            train=(),
            render=q_end,
            settings=preset_settings("gpo", **REFLECTING),
            run_prompt=JudgeByTable([]),
        )


async def test_summarization_folds_the_winners_one_by_one_with_requests_that_repeat():
    model = ScriptedModel(lambda r: f"summary of {len(model.requests)}" if r.temperature == 0 else numbered(r))
    optimizer = gpo(model, momentum="summarization", candidates=1)
    await optimizer.propose(history((START, 0.5), ("Sort.", 0.6)), seed=1)
    assert "<score>50</score>" in sent(model, 0)
    assert "summary of 1" in sent(model, 1)
    assert "<score>60</score>" in sent(model, 1)
    assert "<summary>\nsummary of 2\n</summary>" in sent(model, 2)
    before = list(model.requests)
    model.requests.clear()
    await optimizer.propose(history((START, 0.5), ("Sort.", 0.6), ("Add.", 0.7)), seed=2)
    assert model.requests[:2] == before[:2]  # answered by the run log at no cost


async def test_momentum_none_shows_no_past_prompts():
    model = ScriptedModel(numbered)
    await gpo(model, momentum="none").propose(history((START, 0.5), ("Sort.", 0.6)), seed=1)
    assert "<entry>" not in sent(model)


async def test_a_prompt_that_won_twice_is_one_entry():
    model = ScriptedModel(numbered)
    past = history((START, 0.5), ("Sort.", 0.6), ("Sort.", 0.6), ("Add.", 0.4))
    await gpo(model).propose(past, seed=1)
    assert sent(model).count("<prompt>Sort.</prompt>") == 1
    assert sent(model).count("<prompt>Add.</prompt>") == 1


async def test_parent_best_and_pool_all():
    losers = Candidate(step=1, prompt=Prompt(instruction="Lost."), score=0.1, n=48)
    past = Trajectory(candidates=(*history((START, 0.9), ("Sort.", 0.6)).candidates, losers))
    model = ScriptedModel(numbered)
    found = await gpo(model, name="opro").propose(past, seed=1)
    assert found[0].parent == Prompt(instruction=START)
    assert "<prompt>Lost.</prompt>" in sent(model)
    await gpo(model).propose(past, seed=1)
    assert "<prompt>Lost.</prompt>" not in sent(model)


async def test_the_budget_follows_the_step():
    model = ScriptedModel(numbered)
    optimizer = gpo(model, total_steps=9, candidates=1)
    past: list[tuple[str, float]] = []
    for step in range(9):
        past.append((f"Prompt {step}.", 0.5))
        await optimizer.propose(history(*past), seed=step)
    stated = [int(sent(model, step).split("at most ")[1].split(" words")[0]) for step in range(9)]
    assert stated == [48, 45, 40, 33, 26, 20, 14, 11, 10]


@pytest.mark.parametrize(
    "change", [{"momentum": "relevence"}, {"schedule": "cosin"}, {"candidates": 0}, {"warmup_share": 2.0}]
)
def test_invalid_gpo_settings_are_refused_by_name(change: dict[str, Any]):
    with pytest.raises(ConfigError, match=next(iter(change))):
        preset_settings("gpo", **change)
