"""The front door: what people have in their hands goes in, a result comes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import askwell
from askwell.core.types import Completion, Request
from askwell.runlog.fold import read_spend
from askwell.runlog.store import SqliteStore
from askwell.testing.fakes import ScriptedModel
from tests.support.harness import events
from tests.support.optimizations import DATA, optimize, optimizer, target


def test_functions_in_a_result_out(tmp_path: Path) -> None:
    result = optimize(tmp_path / "run")
    assert result.prompt == "Add them."
    assert (result.score, result.interval.estimate) == (1.0, 1.0)
    assert result.gain is not None
    assert result.gain.low > 0
    assert result.diff() == "[-Think.-] {+Add them.+}"
    assert result.run == tmp_path / "run"


def test_a_result_is_saved_as_text_or_json(tmp_path: Path) -> None:
    result = optimize(tmp_path / "run")
    assert result.save(tmp_path / "p.txt").read_bytes() == b"Add them."
    saved = json.loads(result.save(str(tmp_path / "p.json")).read_text(encoding="utf-8"))
    assert (saved["prompt"], saved["best"]["test"]["estimate"]) == ("Add them.", 1.0)


def test_the_same_call_again_asks_nothing(tmp_path: Path) -> None:
    first, log = optimize(tmp_path / "run"), tmp_path / "run" / "log.db"
    before = len(events(log))
    again = optimize(tmp_path / "run")
    assert (again.prompt, again.report) == (first.prompt, first.report)
    assert len(events(log)) == before


def judge(accepts: Callable[[str, str], bool]) -> Callable[[str, str], float]:
    """Make a metric that always has the same name, as an edited cell of a notebook has."""

    def scored(reply: str, target: str) -> float:
        return float(accepts(reply, target))

    return scored


def answering(text: str) -> Callable[[str], str]:
    """Make a target that always has the same name."""

    def reply(_: str) -> str:
        return text

    return reply


def run_again(run: Path, *, target: Callable[[str], str], metric: Callable[[str, str], float]) -> askwell.Result:
    return askwell.optimize(
        prompt="Think.", data=DATA, target=target, optimizer_model=optimizer, metric=metric, run=run, optimizer="gpo",
        settings={"embedder": "lexical"}, loop=askwell.LoopSettings(steps=1, seed=0),
    )  # fmt: skip


def equal(reply: str, target: str) -> bool:
    return reply == target


def unequal(reply: str, target: str) -> bool:
    return reply != target


def test_a_finished_run_is_not_the_result_of_another_function_of_the_same_name(tmp_path: Path) -> None:
    first = run_again(tmp_path / "run", target=answering("4"), metric=judge(equal))
    assert run_again(tmp_path / "run", target=answering("4"), metric=judge(equal)).report == first.report
    with pytest.raises(askwell.StoreError, match=r"the reply '4' to the example .* scored [01] then and [01] now"):
        run_again(tmp_path / "run", target=answering("4"), metric=judge(unequal))
    with pytest.raises(askwell.StoreError, match="its target was another function of the same name"):
        run_again(tmp_path / "run", target=answering("5"), metric=judge(equal))


def test_an_evaluation_is_not_that_of_another_function_of_the_same_name(tmp_path: Path) -> None:
    def run(text: str, accepts: Callable[[str, str], bool]) -> float:
        [found] = askwell.evaluate(
            "Think.", data=DATA, target=answering(text), metric=judge(accepts), run=tmp_path / "run"
        )
        return found.score.estimate

    assert run("4", equal) == run("4", equal)
    with pytest.raises(askwell.StoreError, match="the metric is not the one"):
        run("4", unequal)
    with pytest.raises(askwell.StoreError, match="another function of the same name"):
        run("5", equal)


@pytest.mark.parametrize("error", [KeyError("label"), ZeroDivisionError("division by zero"), askwell.DataError("bad")])
def test_a_metric_that_raises_costs_no_reply(error: Exception, tmp_path: Path) -> None:
    asked: list[str] = []

    def count(text: str) -> str:
        asked.append(text)
        return f"reply number {len(asked)}"

    def broken(reply: str, example: askwell.Example) -> float:
        if len(asked) > 2:
            raise error
        return 0.0

    def mended(reply: str, example: askwell.Example) -> float:
        return 0.0

    broken.__qualname__ = mended.__qualname__ = "graded"
    broken.__name__ = mended.__name__ = "graded"
    with pytest.raises(askwell.DataError) as raised:
        askwell.evaluate("Think.", data=DATA, target=count, metric=broken, run=tmp_path / "run")
    assert str(error) in str(raised.value)
    assert "reply number" in str(raised.value)
    assert "to the example" in str(raised.value)
    askwell.evaluate("Think.", data=DATA, target=count, metric=mended, run=tmp_path / "run")
    assert len(asked) == len(set(asked)) == len(DATA)
    with SqliteStore(tmp_path / "run" / "log.db", read_only=True) as store:
        assert read_spend(store)["target"].calls == len(DATA)


@pytest.mark.parametrize(
    ("field", "new", "said"),
    [
        ("target", "5", r"target: '4' then, '5' now"),
        ("input", "4 + 4", r"input: '.*' then, '4 \+ 4' now"),
        ("kind", "sum", r"meta: {} then, {'kind': 'sum'} now"),
    ],
)
def test_edited_data_is_told_by_its_example(field: str, new: str, said: str, tmp_path: Path) -> None:
    data = [{"id": str(number), "input": f"{number} + {4 - number}", "target": "4"} for number in range(4)]

    def run() -> None:
        askwell.evaluate("Think.", data=data, target=answering("4"), metric="exact", run=tmp_path / "run")

    run()
    data[2][field] = new
    with pytest.raises(askwell.StoreError, match=rf"example 3 of the run \(test, id '2'\) differs \({said}\)"):
        run()


def test_added_data_is_told_by_its_number(tmp_path: Path) -> None:
    data = [{"id": str(number), "input": f"{number} + {4 - number}", "target": "4"} for number in range(4)]
    for said in ("", "4 examples then, 5 now"):
        if said:
            data.append({"id": "9", "input": "2 + 2", "target": "4"})
            with pytest.raises(askwell.StoreError, match=said):
                askwell.evaluate("Think.", data=data, target=answering("4"), metric="exact", run=tmp_path / "run")
        else:
            askwell.evaluate("Think.", data=data, target=answering("4"), metric="exact", run=tmp_path / "run")


def test_the_same_folder_with_other_settings_is_refused(tmp_path: Path) -> None:
    optimize(tmp_path / "run")
    with pytest.raises(askwell.StoreError, match="placement: 'Q_end' then, 'system' now"):
        optimize(tmp_path / "run", placement="system")


def test_it_works_inside_a_running_loop(tmp_path: Path) -> None:
    async def cell() -> askwell.Result:
        return optimize(tmp_path / "run")

    assert asyncio.run(cell()).prompt == "Add them."


def test_metrics_may_be_functions_with_feedback(tmp_path: Path) -> None:
    def judge(reply: str, example: askwell.Example) -> tuple[float, str]:
        return (1.0, "") if str(example.target) in reply else (0.0, "wrong")

    result = askwell.optimize(
        prompt="Think.",
        data=DATA,
        target=target,
        optimizer_model=optimizer,
        metric=judge,
        run=tmp_path / "run",
        settings={"embedder": "lexical"},
        loop=askwell.LoopSettings(steps=1),
    )
    assert result.prompt == "Add them."


def test_splits_may_be_given_apart_and_must_not_overlap(tmp_path: Path) -> None:
    parts = {"train": DATA[:10], "dev": DATA[10:30], "test": DATA[30:]}
    assert optimize_splits(tmp_path / "a", parts).interval.n == len(DATA) - 30
    with pytest.raises(askwell.DataError, match="ask the same"):
        optimize_splits(tmp_path / "b", {**parts, "test": DATA[29:]})
    with pytest.raises(askwell.DataError, match="did you mean 'dev'"):
        optimize_splits(tmp_path / "c", {"devel": DATA})


def optimize_splits(folder: Path, parts: dict[str, list[dict[str, str]]]) -> askwell.Result:
    return askwell.optimize(
        data=parts,  # type: ignore[arg-type]
        target=target,
        optimizer_model=optimizer,
        metric="number",
        run=folder,
        settings={"embedder": "lexical"},
        loop=askwell.LoopSettings(steps=1),
    )


def test_evaluate_compares_with_the_first_prompt() -> None:
    plain, better = askwell.evaluate(["Think.", "Add them."], data=DATA, target=target, metric="number")
    assert plain.difference is None
    assert better.difference is not None
    assert better.score.estimate == 1.0
    assert better.difference.estimate == pytest.approx(1.0 - plain.score.estimate)
    assert plain.score.n == len(DATA)


def test_an_empty_prompt_is_a_prompt() -> None:
    [one] = askwell.evaluate("", data=DATA, target=target, metric="number")
    assert one.prompt == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metric": "numbr"}, "did you mean 'number'"),
        ({"target": "poket"}, "did you mean 'pocket'"),
        ({"placement": "Q_ende"}, "did you mean 'Q_end'"),
        ({"prompts": []}, "no prompts"),
    ],
)
def test_wrong_names_are_refused_before_anything_is_asked(change: dict[str, object], words: str) -> None:
    given: dict[str, object] = {"prompts": ["p"], "data": DATA, "target": target, "metric": "number"}
    with pytest.raises(askwell.ConfigError, match=words):
        askwell.evaluate(**{**given, **change})  # type: ignore[arg-type]


def test_a_model_that_fails_for_good_raises_its_own_words(tmp_path: Path) -> None:
    broken = ScriptedModel(lambda _: Completion(outcome="failed", fault="auth", error="401 invalid key"))
    with pytest.raises(askwell.ModelError, match="401 invalid key"):
        askwell.evaluate(["p"], data=DATA, target=broken, metric="number", run=tmp_path / "run")


class Learns:
    """A chat model that is right once it has seen a demonstration, whatever the instruction."""

    name = "learns"

    async def complete(self, request: Request) -> Completion:
        question = request.messages[-1].content.partition("\n")[0]
        left, right = map(int, question.split("+"))
        shown = sum(message.role == "assistant" for message in request.messages)
        return Completion(text=str(left + right if shown or (left + right) % 3 == 0 else 99))

    async def aclose(self) -> None:
        return


def few_shot(folder: Path, **more: object) -> askwell.Result:
    return askwell.optimize(
        prompt="Think.",
        data=DATA,
        target=Learns(),
        optimizer_model=optimizer,
        metric="number",
        run=folder,
        loop=askwell.LoopSettings(steps=4, seed=0),
        **more,  # type: ignore[arg-type]
    )


def test_demonstrations_are_searched_with_the_instruction_and_come_with_the_result(tmp_path: Path) -> None:
    result = few_shot(tmp_path / "run", optimizer="gpo", demos=askwell.Demos(choice="joint", count=3))
    assert (result.score, result.prompt) == (1.0, "Think.")
    assert result.demos
    saved = result.save(tmp_path / "prompt.txt").read_text(encoding="utf-8")
    assert saved.startswith("Think.\n\n")
    assert f"{result.demos[0].input}\n{result.demos[0].target}" in saved
    body = json.loads(result.save(tmp_path / "prompt.json").read_text(encoding="utf-8"))
    assert len(body["best"]["demos"]) == len(result.demos)
    again = few_shot(tmp_path / "run", optimizer="gpo", demos=askwell.Demos(choice="joint", count=3))
    assert again.demos == result.demos


@pytest.mark.parametrize("choice", ["random", "per-class", "nearest"])
def test_demonstrations_chosen_ahead_are_in_every_request(choice: str, tmp_path: Path) -> None:
    result = few_shot(tmp_path / "run", optimizer="gpo", demos=askwell.Demos(choice=choice, count=2))
    assert result.score == 1.0
    assert result.gain is None  # the initial prompt had them too
    assert len(result.demos) == (0 if choice == "nearest" else 2)


def test_a_function_is_shown_demonstrations_only_where_that_is_asked_for(tmp_path: Path) -> None:
    seen: list[str] = []

    def listening(text: str) -> str:
        seen.append(text)
        return "4"

    for folder, demos in (("plain", None), ("shown", askwell.Demos(choice="random", count=1))):
        seen.clear()
        askwell.optimize(
            data=DATA, target=listening, optimizer_model=optimizer, metric="number", run=tmp_path / folder, demos=demos,
            loop=askwell.LoopSettings(steps=1),
        )  # fmt: skip
        assert any("Assistant:" in text for text in seen) == (demos is not None)


def test_a_search_that_cannot_vary_demonstrations_says_so(tmp_path: Path) -> None:
    with pytest.raises(askwell.ConfigError, match="no setting 'joint_demos'"):
        few_shot(tmp_path / "run", optimizer="gepa", demos=askwell.Demos(choice="joint"))
