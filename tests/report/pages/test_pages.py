"""Report pages: what they show, what they must not show, and that no text of a run can break them."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import askwell
from askwell.report.pages import render_page
from askwell.runlog.store import SqliteStore
from tests.support.cascade import read_elements
from tests.support.command_line import call
from tests.support.optimizations import DATA, optimize, optimizer
from tests.support.page_reader import Read, read
from tests.support.trainings import logged, plain, train

OWN = "document.title='owned'"
HOSTILE = f'</pre></td></table><script>{OWN}</script><img src=x onerror="{OWN}">``` | a'


def of(folder: Path, form: str = "html") -> str:
    with SqliteStore(folder / "log.db", read_only=True) as store:
        return render_page(store, folder.name, form)


def seen(folder: Path) -> Read:
    return read(of(folder))


def test_the_page_of_a_run_shows_its_result(tmp_path: Path) -> None:
    result = optimize(tmp_path / "run")
    found = seen(tmp_path / "run")
    assert result.gain is not None
    for words in (
        f"+{100 * result.gain.estimate:.1f}",
        "a real gain",
        "Add them.",
        "Think.",
        "Ended:",
        "Prompts tried:",
        "initial, test",
        "optimized, dev",
    ):
        assert words in found.text, words
    assert (found.tags.count("del"), found.tags.count("ins")) == (1, 1)
    assert found.tags.count("svg") == 2
    labels = [value for name, value in found.attributes if name == "aria-label"]
    assert any(f"{100 * result.interval.estimate:.1f}" in label for label in labels), (
        "each chart has a description in words"
    )
    assert not {"script", "img", "link", "iframe"} & set(found.tags)
    assert not [value for name, value in found.attributes if name == "src"]
    links = {value for name, value in found.attributes if name == "href"}
    anchors = [value for name, value in found.attributes if name == "id"]
    assert links <= {f"#{anchor}" for anchor in anchors}, "a page links only to places in itself"
    assert len(anchors) == len(set(anchors))


def test_the_winner_is_marked_explained_and_linked_with_its_dot(tmp_path: Path) -> None:
    optimize(tmp_path / "run")
    elements = read_elements(of(tmp_path / "run"))
    rows = [element for element in elements if element.tag == "tr" and "id" in element.attributes]
    [winner] = [row for row in rows if "winner" in row.classes]
    assert winner is rows[0]
    name = winner.attributes["id"].removeprefix("prompt-")
    [dot] = [element for element in elements if element.tag == "circle" and "winner" in element.classes]
    assert dot.attributes["id"] == f"dot-{name}"
    assert dot.around[-1].attributes["href"] == f"#prompt-{name}"
    dots = {element.attributes["id"] for element in elements if element.tag == "circle" and "id" in element.attributes}
    assert dots == {row.attributes["id"].replace("prompt-", "dot-") for row in rows}
    text = seen(tmp_path / "run").text
    assert "The winner has the highest dev score." in text
    assert f"{name[:8]} winner" in text
    assert f"Made from: {rows[1].attributes['id'][7:15]} (initial, step 0) → {name[:8]} (generation, step 1)" in text
    labels = [element.attributes["data-label"] for element in elements if element.tag == "td"]
    first = labels.index("id")
    assert labels[first : first + 6] == ["id", "step", "dev score", "examples", "parent", "prompt"]


def test_examples_that_a_prompt_fixed_are_shown_but_never_one_of_the_test_split(tmp_path: Path) -> None:
    starts = {"train": 10, "dev": 20, "test": 30}
    splits = {split: sums_from(low) for split, low in starts.items()}
    askwell.optimize(
        prompt="Think.", data=splits, target=sums, optimizer_model=optimizer, metric="number", run=tmp_path / "run",
        optimizer="gpo", settings={"embedder": "lexical"}, loop=askwell.LoopSettings(steps=2, seed=0),
    )  # fmt: skip
    found = seen(tmp_path / "run")
    assert "Better:" in found.text
    shown = [one for one in splits["dev"] if one["input"] in found.text]
    assert shown
    assert not [one for one in splits["test"] if one["input"] in found.text]


def sums_from(low: int) -> list[dict[str, str]]:
    return [{"input": f"{a}+{b}", "target": str(a + b)} for a in range(low, low + 5) for b in range(5)]


def sums(text: str) -> str:
    left, right = map(int, text.partition("\n")[0].split("+"))
    return f"The answer is {left + right if 'Add' in text else 99}."


def hostile(text: str) -> str:
    return f"{HOSTILE} {'7' if 'Add' in text else '8'}"


def test_nothing_in_a_run_can_break_its_page(tmp_path: Path) -> None:
    rows = [{"input": f"{HOSTILE} {place}", "target": "7"} for place in range(40)]
    askwell.optimize(
        prompt=HOSTILE, data=rows, target=hostile, optimizer_model=optimizer, metric="number", run=tmp_path / "run",
        optimizer="gpo", settings={"embedder": "lexical"}, loop=askwell.LoopSettings(steps=2, seed=0),
    )  # fmt: skip
    found = seen(tmp_path / "run")
    assert "Better:" in found.text
    assert found.text.count("<script>") > 2, "shown, as text"
    assert not {"script", "img"} & set(found.tags)
    markdown = of(tmp_path / "run", "md")
    assert "````text\n" in markdown, "the fence is longer than the run of backticks in the prompt"


def test_the_page_of_a_training_shows_each_loop_and_the_test(tmp_path: Path) -> None:
    trained = train(logged(tmp_path / "log.jsonl"), tmp_path / "run")
    found = seen(tmp_path / "run")
    tested = trained.figures.tested
    assert tested is not None
    for words in (f"+{100 * tested.gain.estimate:.1f}", "a real gain", "Headroom: Yes", "baseline prompt", "Spend"):
        assert words in found.text, words
    titles = [part for part in found.parts if part.startswith("loop ") and "with fallback" in part]
    assert len(titles) == len(trained.figures.loops)
    assert "Better:" in found.text
    markdown = of(tmp_path / "run", "md")
    assert markdown.count("\n| ") == 2 + len(trained.figures.loops)


def test_if_one_prompt_is_enough_the_page_says_so(tmp_path: Path) -> None:
    train(logged(tmp_path / "log.jsonl", plain), tmp_path / "run", target=plain)
    found = seen(tmp_path / "run")
    assert "Every query gets the baseline prompt." in found.text
    assert "one prompt is enough" in found.text


def test_a_run_that_keeps_its_prompt_and_an_unfinished_run(tmp_path: Path) -> None:
    askwell.optimize(
        prompt="Add them.", data=DATA, target=sums, optimizer_model=optimizer, metric="number", run=tmp_path / "run",
        optimizer="gpo", settings={"embedder": "lexical"}, loop=askwell.LoopSettings(steps=1, seed=0),
    )  # fmt: skip
    found = seen(tmp_path / "run")
    assert "it is kept" in found.text
    assert "ins" not in found.tags
    with SqliteStore(tmp_path / "run" / "log.db", read_only=True) as store:
        events = [event for event in store.events() if event.kind != "result"]
    cut = tmp_path / "cut"
    cut.mkdir()
    with SqliteStore(cut / "log.db") as store:
        store.append(event for event in events if event.body.get("split") != "test" or event.kind == "example")
    assert "Not finished: the best prompt so far scores" in seen(cut).text
    early = tmp_path / "early"
    early.mkdir()
    with SqliteStore(early / "log.db") as store:
        store.append(events[:1])
    with pytest.raises(askwell.ConfigError, match="has not scored its first prompt yet"):
        of(early)


def broken(text: str) -> str:
    return f"\ud83d {sums(text)}"


def test_half_a_surrogate_pair_in_a_reply_does_not_keep_a_page_from_being_written(tmp_path: Path) -> None:
    result = askwell.optimize(
        prompt="Think.", data=DATA, target=broken, optimizer_model=optimizer, metric="number", run=tmp_path / "run",
        optimizer="gpo", settings={"embedder": "lexical"}, loop=askwell.LoopSettings(steps=2, seed=0),
    )  # fmt: skip
    assert "\ufffd The answer is" in result.save(tmp_path / "a.html").read_text(encoding="utf-8")
    assert call("report", "run", "--runs", tmp_path).exit_code == 0


def test_a_result_is_saved_as_a_page(tmp_path: Path) -> None:
    result = optimize(tmp_path / "run")
    assert result.save(tmp_path / "a.html").read_text(encoding="utf-8") == of(tmp_path / "run")
    with pytest.raises(askwell.ConfigError, match="kept in memory"):
        replace(result, run=None).save(tmp_path / "b.html")
    assert not (tmp_path / "b.html").exists()


def test_the_command_writes_into_the_run_folder_or_to_a_given_file(tmp_path: Path) -> None:
    optimize(tmp_path / "run")
    shown = call("report", "run", "--runs", tmp_path)
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8") == of(tmp_path / "run")
    assert call("report", "run", "--runs", tmp_path, "--format", "md", "-o", tmp_path / "a.md").exit_code == 0
    assert (tmp_path / "a.md").read_text(encoding="utf-8").startswith("## run\n")
    for wrong, words in (
        (("report", "ran", "--runs", tmp_path), "no run 'ran'; did you mean 'run'"),
        (("report", "run", "--runs", tmp_path, "--format", "htm"), "unknown format 'htm'"),
        (("report", "run", "--runs", tmp_path, "-o", tmp_path / "no" / "x.html"), "give another -o"),
    ):
        refused = call(*wrong)
        assert refused.exit_code == 2
        assert words in " ".join(refused.output.split())


def test_a_policy_that_only_selects_has_no_log_and_so_no_page(tmp_path: Path) -> None:
    source = logged(tmp_path / "log.jsonl")
    assert call("train", source, "--scorer", "trees", "--run", "chosen", "--runs", tmp_path).exit_code == 0
    for command in ("report", "show", "export"):
        refused = call(command, "chosen", "--runs", tmp_path)
        assert refused.exit_code == 2
        assert "askwell policy show chosen" in " ".join(refused.output.split())
    listed = json.loads(call("runs", "--runs", tmp_path, "--json").stdout)
    assert [(one["run"], one["finished"]) for one in listed] == [("chosen", True)]


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_real_browser_shows_it_and_runs_nothing(tmp_path: Path) -> None:
    rows = [{"input": f"{HOSTILE} {place}", "target": "7"} for place in range(40)]
    askwell.optimize(
        prompt=HOSTILE, data=rows, target=hostile, optimizer_model=optimizer,
        metric="number", run=tmp_path / "run", optimizer="gpo", settings={"embedder": "lexical"},
        loop=askwell.LoopSettings(steps=2, seed=0),
    )  # fmt: skip
    assert call("report", "run", "--runs", tmp_path).exit_code == 0
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    address = (tmp_path / "run" / "report.html").as_uri()
    shown = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", address], capture_output=True, text=True, check=True, timeout=60
    )
    ours, theirs = seen(tmp_path / "run"), read(shown.stdout)
    assert theirs.tags == ours.tags
    assert theirs.text == ours.text
    assert "owned" not in shown.stdout.partition("</title>")[0]
