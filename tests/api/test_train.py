"""From logged outcomes to a policy and its figures, through the front door; the language model's place is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

import askwell
from askwell.core.types import Prompt
from askwell.policies.fixed import FixedPolicy
from askwell.policies.saved_policy import save_policy
from tests.support.policy_worlds import PROMPTS
from tests.support.prompt_writers import read_table
from tests.support.trainings import SPLITS, logged, plain, suits, target, train


def test_a_policy_with_its_figures(tmp_path: Path) -> None:
    found = train(logged(tmp_path / "log.jsonl"), tmp_path / "run")
    assert found.figures.is_worthwhile
    assert found.figures.verdict.startswith("Yes")
    assert [one.loop for one in found.figures.loops] == [0, 1, 2]
    assert found.figures.tested is not None
    assert found.figures.tested.gain.low > 0
    assert found.figures.tested.gain.n == 80
    assert not found.figures.keeps_baseline
    queries = [row["input"] for row in SPLITS["test"]]
    loaded = askwell.load_policy(tmp_path / "run", read_writer=read_table)
    assert loaded.prompts_for(queries) == found.policy.prompts_for(queries)
    right = [
        suits(query, prompt.instruction) for query, prompt in zip(queries, loaded.prompts_for(queries), strict=True)
    ]
    assert sum(right) / len(right) == pytest.approx(found.figures.tested.policy.estimate)


def test_the_same_call_again_asks_and_trains_nothing(tmp_path: Path) -> None:
    source = logged(tmp_path / "log.jsonl")
    first = train(source, tmp_path / "run")

    def never(_: str) -> str:
        raise AssertionError("asked again")

    never.__qualname__ = target.__qualname__
    again = train(source, tmp_path / "run", target=never)
    assert again.figures == first.figures


def test_where_one_prompt_is_enough_it_says_so_trains_nothing_and_asks_nothing(tmp_path: Path) -> None:
    def never(_: str) -> str:
        raise AssertionError("asked")

    found = train(logged(tmp_path / "log.jsonl", plain), tmp_path / "run", target=never)
    assert not found.figures.is_worthwhile
    assert found.figures.verdict.startswith("No: one prompt is enough")
    assert found.policy == FixedPolicy(prompt=Prompt(instruction=PROMPTS[0]))
    assert found.figures.loops == ()
    assert askwell.load_policy(tmp_path / "run").prompts_for(["x"])[0].instruction == PROMPTS[0]


def test_it_may_be_forced_and_then_the_guard_keeps_the_static_prompt(tmp_path: Path) -> None:
    policy = {"loops": 2, "acquire": 20, "force": True}
    found = train(logged(tmp_path / "log.jsonl", plain), tmp_path / "run", target=plain, policy=policy)
    assert [one.loop for one in found.figures.loops] == [0, 1, 2]
    assert found.figures.keeps_baseline
    assert found.figures.tested is None


def test_the_papers_reward_is_learnt_from_and_told(tmp_path: Path) -> None:
    found = train(
        logged(tmp_path / "log.jsonl"), tmp_path / "run", policy={"loops": 2, "acquire": 30, "reward": "choice"}
    )
    assert found.figures.loops[-1].reward == (
        "10·right + 10·accuracy of the prompt; the term of log-probabilities is left out, as not all pairs have one"
    )
    kept = read_table(tmp_path / "run" / "loops" / "loop-1")
    rewards = {reward for _, _, reward in kept.seen}
    assert max(rewards) > 10
    assert len(rewards) > 2
    assert askwell.load_policy(tmp_path / "run", read_writer=read_table).prompts_for(["x"])


def test_other_outcomes_under_the_same_run_are_refused(tmp_path: Path) -> None:
    train(logged(tmp_path / "a.jsonl"), tmp_path / "run")
    path = tmp_path / "a.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:-3]) + "\n", encoding="utf-8")
    with pytest.raises(askwell.StoreError, match="outcomes"):
        train(str(path), tmp_path / "run")


def test_a_cap_that_can_not_do_is_refused_before_anything_is_paid(tmp_path: Path) -> None:
    with pytest.raises(askwell.ConfigError, match="max_calls = 10 is too few"):
        train(logged(tmp_path / "log.jsonl"), tmp_path / "run", caps=askwell.Caps(max_calls=10))


def test_demonstrations_go_with_every_prompt_and_are_asked_nothing_themselves(tmp_path: Path) -> None:
    seen: list[str] = []

    def shown(request: askwell.Request) -> str:
        seen.append(request.messages[-1].content)
        assert len(request.messages) == 5
        return target(request.messages[-1].content)

    policy = {"loops": 2, "acquire": 12, "shots": 2, "prompts": 2}
    found = train(logged(tmp_path / "log.jsonl"), tmp_path / "run", target=shown, policy=policy)
    demos = [row["input"] for row in SPLITS["train"][:2]]
    prompts = askwell.load_policy(tmp_path / "run", read_writer=read_table).prompts_for(["Suppose that 3 pens?"])
    assert len(prompts[0].demos) == 2
    assert {demo.input for demo in prompts[0].demos} == set(demos)
    assert not any(text.startswith(demo) for text in seen for demo in demos)
    assert found.figures.tested is not None


def test_an_optimization_is_a_fixed_policy(tmp_path: Path) -> None:
    askwell.optimize(
        prompt=PROMPTS[2],
        data=SPLITS,  # type: ignore[arg-type]
        target=plain,
        optimizer_model=lambda _: f"<START>{PROMPTS[0]}<END>",  # type: ignore[arg-type,return-value]
        run=tmp_path / "gpo",
        settings={"embedder": "lexical"},
        loop=askwell.LoopSettings(steps=1),
    )
    found = askwell.load_policy("gpo", runs_folder=tmp_path)
    assert found == FixedPolicy(prompt=Prompt(instruction=PROMPTS[0]))


def test_what_holds_no_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(askwell.ConfigError, match="no run 'nothing'"):
        askwell.load_policy("nothing", runs_folder=tmp_path)
    policy = FixedPolicy(prompt=Prompt(instruction="x"))
    save_policy(policy, tmp_path / "p")
    assert askwell.load_policy(tmp_path / "p") == policy
