from __future__ import annotations

import json
from pathlib import Path

import pytest

from askwell.core.errors import ConfigError, DataError
from askwell.policies.data.outcomes import merge
from askwell.policies.data.record_files import ScoreScale, read_all_outcomes, read_outcomes


def jsonl(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_jsonl_with_usual_names_and_an_empty_outcome(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "log.jsonl",
        {"question": "a", "prompt": "p", "score": 0.5, "draw": 1, "target_model": "m", "confidence": -0.25},
        {"question": "b", "prompt": "p", "score": None},
        {"question": "c", "prompt": "p", "score": "wrong"},
    )
    rows = list(read_outcomes(path))
    assert [(row.query, row.total, row.sample_index, row.target, row.confidence) for row in rows] == [
        ("a", 0.5, 1, "m", -0.25),
        ("c", 0.0, None, "", None),
    ]
    assert rows[1].source == "log.jsonl: line 3"


def test_csv_with_named_columns_and_another_scale(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("text,how,points\nq1,p1,10\nq1,p2,0\n", encoding="utf-8")
    columns = {"query": "text", "prompt": "how", "outcome": "points"}
    assert [row.total for row in read_outcomes(path, columns=columns, scale=ScoreScale(high=10))] == [1.0, 0.0]


def test_parquet_with_counts(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"query_text": ["a"], "prompt_text": ["p"], "draws": [5], "correct": [3], "target_llm": ["m"]})
    parquet.write_table(table, tmp_path / "log.parquet")
    (row,) = read_outcomes(tmp_path / "log.parquet")
    assert (row.total, row.repeats, row.target) == (3.0, 5, "m")


def test_several_sources_merge_and_a_source_named_twice_is_refused(tmp_path: Path) -> None:
    one = jsonl(tmp_path / "one.jsonl", {"query": "a", "prompt": "p", "correct": True})
    two = jsonl(tmp_path / "two.jsonl", {"query": " a ", "prompt": "p", "correct": False})
    (pair,) = merge(read_all_outcomes([one, two])).pairs
    assert (pair.total, pair.repeats) == (1.0, 2)
    with pytest.raises(ConfigError, match="given twice"):
        list(read_all_outcomes([one, tmp_path / "." / "one.jsonl"]))


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ({"query": "a", "prompt": "p"}, {}, "no column for outcome"),
        ({"query": "a", "prompt": "p", "score": "good"}, {}, "line 1: 'good' is not a number"),
        ({"query": 3, "prompt": "p", "score": 1}, {}, "query is 3; expected a text"),
        ({"query": "a", "prompt": "p", "score": 1, "draw": 0.5}, {}, "sample_index is 0.5; expected a whole number"),
        ({"query": "a", "prompt": "p", "score": 1}, {"promt": "x"}, "did you mean 'prompt'"),
        ({"query": "a", "prompt": "p", "score": 1}, {"prompt": "scor"}, "did you mean 'score'"),
    ],
)
def test_values_that_can_not_be_read_are_refused(
    tmp_path: Path, row: dict[str, object], columns: dict[str, str], message: str
) -> None:
    path = jsonl(tmp_path / "log.jsonl", row)
    with pytest.raises((DataError, ConfigError), match=message):
        list(read_outcomes(path, columns=columns))
