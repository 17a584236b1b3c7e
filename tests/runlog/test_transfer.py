"""A log written to a file and read back is the same log; the table of rollouts says what the log says."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Event
from askwell.runlog import transfer
from askwell.runlog.codec import FORMAT
from askwell.runlog.fold import read_rollouts
from askwell.runlog.store import MemoryStore, SqliteStore
from tests.support.harness import invoke
from tests.support.loop_runs import TASK, play

FORMATS = pytest.mark.parametrize("form", transfer.FORMATS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
QUIRK = {"model": "openai:m", "quirk": "no temperature", "meaning": "🙂"}
EVENTS = st.lists(
    st.builds(
        Event,
        position=st.integers(1, 1 << 41),
        kind=st.sampled_from(["note", "quirk"]),
        body=st.dictionaries(st.text(max_size=4), JSON, max_size=4).map(lambda body: {**body, **QUIRK}),
        key=st.text("0123456789abcdef", max_size=4),
        at=st.floats(1, 2e9),
        seconds=st.floats(0, 100),
    ),
    max_size=30,
    unique_by=lambda event: event.position,
)
HEADER = Event(position=0, kind="run", body={"format": FORMAT, "config": {}, "odd": "\ud800 🙂"}, at=1.5)


def exact(event: Event) -> tuple[object, ...]:
    """An event with its times, which equality leaves out."""
    return event.position, event.kind, event.key, event.at, event.seconds, json.dumps(event.body)


@pytest.mark.parametrize("form", transfer.FORMATS)
@settings(deadline=None, max_examples=15)
@given(EVENTS)
def test_there_and_back_is_the_same_event_for_event(form: str, events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with SqliteStore(folder / "a" / "log.db") as store:
            store.append([HEADER, *events])
            written = [exact(event) for event in store.events()]
            assert transfer.export_log(store, folder / "file", form=form) == len(written)
        (folder / "b").mkdir()
        assert transfer.import_log(folder / "file", folder / "b" / "log.db") == len(written)
        assert [path.name for path in (folder / "b").iterdir()] == ["log.db"]
        with SqliteStore(folder / "b" / "log.db", read_only=True) as store:
            assert [exact(event) for event in store.events()] == written


@FORMATS
async def test_the_table_of_rollouts_is_what_pandas_users_expect(form: str, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    store = MemoryStore()
    await play(store)
    count = transfer.export_log(store, tmp_path / "t", form=form, table="rollouts")
    frame = pandas.read_parquet(tmp_path / "t") if form == "parquet" else pandas.read_json(tmp_path / "t", lines=True)
    known = list(read_rollouts(store))
    assert len(frame) == count == len(known)
    assert list(frame["prompt"]) == [one.prompt.instruction for one in known]
    assert list(frame["score"]) == [one.score.value for one in known if one.score]
    assert set(frame["split"]) == {"dev", "test"}
    assert set(frame["target"]) == {"yes"}
    assert frame["example_id"].nunique() == len(TASK.splits["dev"]) + len(TASK.splits["test"])


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """Rows come from a generator: after the first ones are written, none has been kept."""
    import tracemalloc

    def peak(count: int) -> int:
        with SqliteStore(tmp_path / str(count) / "log.db") as store:
            store.append([HEADER])
            for first in range(1, count, 1000):
                body = {"text": "x" * 300}
                store.append(Event(position=first + index, kind="note", body=body) for index in range(1000))
            tracemalloc.start()
            transfer.export_log(store, tmp_path / f"{count}.jsonl", form="jsonl")
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return found

    assert peak(16_000) < 1.5 * peak(4_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 events but not a run's first one"),
        ("{", "row 1: not JSON"),
        ('{"position": 0}', "row 1: kind: Field required"),
        ('{"position": "0", "kind": "run", "key": "", "at": 0, "seconds": 0, "body": {}}', "row 1: position"),
        ('{"position": 1, "kind": "note", "key": "", "at": 0.5, "seconds": 0.5, "body": {}}', "export the whole log"),
        ("[]", "row 1"),
    ],
)
def test_a_file_that_is_no_log_is_refused_by_row(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        transfer.import_log(tmp_path / "f", tmp_path / "log.db")
    assert not (tmp_path / "log.db").exists()


def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="as Parquet"):
        transfer.import_log(tmp_path / "f", tmp_path / "log.db")
    with pytest.raises(DataError, match="cannot read"):
        list(transfer.read_log(tmp_path / "missing"))


async def test_from_the_command_line(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "a" / "log.db") as store:
        await play(store)  # type: ignore[arg-type]
    file = tmp_path / "a.parquet"
    assert invoke("log", "export", "a", "--runs", tmp_path, "--format", "parquet", "-o", file).status == 0
    assert invoke("log", "import", file, "--run", "b", "--runs", tmp_path).status == 0
    shown = [invoke("show", name, "--runs", tmp_path, "--json").json for name in ("a", "b")]
    assert {**shown[0], "run": "b"} == shown[1]
    again = invoke("log", "import", file, "--run", "b", "--runs", tmp_path)
    assert (again.status, "the run 'b' exists" in again.err) == (2, True)
    wrong = invoke("log", "export", "a", "--runs", tmp_path, "--format", "parket", "-o", file)
    assert (wrong.status, "did you mean 'parquet'" in wrong.err) == (2, True)
    assert "cannot write" in invoke("log", "export", "a", "--runs", tmp_path, "-o", tmp_path).err


def test_unknown_forms_and_tables_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'rollouts'"):
        transfer.export_log(MemoryStore(), tmp_path / "f", form="jsonl", table="rollout")
