"""Loading examples: every source and every error."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import AskwellError, ConfigError, DataError
from askwell.core.types import Example
from askwell.tasks.load import load
from askwell.tasks.records.cells import repair_surrogates, to_text

ROWS: list[dict[str, object]] = [
    {"input": "One and one?", "target": "2", "level": 1},
    {"input": "Größe — 1\u2028\u00a0½?", "target": "3\n4", "level": None},
]

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def do(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return do


def jsonl(rows: list[dict[str, object]]) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def pairs(examples: tuple[Example, ...]) -> list[tuple[str, str | tuple[str, ...]]]:
    return [(example.input, example.target) for example in examples]


EXPECTED = [("One and one?", "2"), ("Größe — 1\u2028\u00a0½?", "3\n4")]


def test_jsonl(write: Write) -> None:
    examples = load(write("a.jsonl", jsonl(ROWS)))
    assert pairs(examples) == EXPECTED
    assert [example.meta for example in examples] == [{"level": "1"}, {}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.JSONL"])
def test_bom_crlf_and_blank_lines_are_harmless(write: Write, name: str) -> None:
    text = "\ufeff" + jsonl(ROWS).replace("\n", "\r\n\r\n") + "\r\n \r\n\r\n"
    assert pairs(load(write(name, text))) == EXPECTED


def test_json_list_and_bom(write: Write) -> None:
    assert pairs(load(write("a.json", "\ufeff" + json.dumps(ROWS, indent=1) + "\n\n"))) == EXPECTED


def test_json_finds_the_one_list_of_records(write: Write) -> None:
    body = {"canary": "text", "tags": ["a", "b"], "data": {"examples": ROWS}}
    path = write("task.json", json.dumps(body))
    assert pairs(load(path)) == EXPECTED
    assert pairs(load(path, records="data.examples")) == EXPECTED


def test_json_with_several_lists_requires_a_choice(write: Write) -> None:
    path = write("task.json", json.dumps({"train": ROWS[:1], "test": ROWS[1:]}))
    with pytest.raises(DataError, match=r"set records= to one of \['test', 'train'\]"):
        load(path)
    assert pairs(load(path, records="test")) == EXPECTED[1:]
    with pytest.raises(DataError, match="no field 'tset'; did you mean 'test'"):
        load(path, records="tset")
    with pytest.raises(DataError, match="is str, not a list"):
        load(write("b.json", json.dumps({"note": "x", "rows": ROWS})), records="note")


def test_json_without_records(write: Write) -> None:
    with pytest.raises(DataError, match=r"contains no list of records; its top-level fields are \['tags'\]"):
        load(write("a.json", '{"tags": ["a"]}'))
    with pytest.raises(DataError, match=r"a\.json: row 2: expected an object .* got str"):
        load(write("a.json", '[{"input": "a", "target": "b"}, "c"]'))


def test_csv_with_quotes_and_line_breaks(write: Write) -> None:
    text = '\ufeffquestion,answer,unit\r\n"What, then?","say ""no""",kg\r\n"two\r\nlines",b,\r\n,,\r\n'
    examples = load(write("a.csv", text))
    assert pairs(examples) == [("What, then?", 'say "no"'), ("two\r\nlines", "b")]
    assert examples[0].meta == {"unit": "kg"}


def test_tsv(write: Write) -> None:
    assert pairs(load(write("a.tsv", "text\tlabel\na, b\tpos\n"))) == [("a, b", "pos")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input,target\na,b\nc\n", r"a\.csv: line 3: 1 fields, but the header has 2"),
        ("input,target\na,b,c\n", r"a\.csv: line 2: 3 fields"),
        ("input,input\na,b\n", r"contains \['input'\] twice"),
        ('input,target\n"a,b\n', r"a\.csv: line 2: bad quoting"),
        ('input,target\n"a"x,b\n', r"a\.csv: line 2: bad quoting"),
        ("input,target\n", "contains no records"),
    ],
)
def test_bad_csv(write: Write, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(write("a.csv", text))


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"question": ["a?", "b?"], "answer": [[1.0, 2.5], [3.0]], "price": [Decimal("1.50"), None]})
    parquet.write_table(table, tmp_path / "a.parquet")
    examples = load(tmp_path / "a.parquet")
    assert pairs(examples) == [("a?", ("1", "2.5")), ("b?", ("3",))]
    assert [example.meta for example in examples] == [{"price": "1.50"}, {}]


def test_broken_parquet(write: Write) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=r"a\.parquet: not a readable Parquet file"):
        load(write("a.parquet", "no"))


def test_dicts_and_examples() -> None:
    examples = load(ROWS)
    assert pairs(examples) == EXPECTED
    assert load(examples) == examples
    assert load(iter(examples), limit=1) == examples[:1]
    with pytest.raises(DataError, match=r"toy: row 2: expected a dict .* got Example"):
        load([ROWS[0], examples[0]], name="toy")  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match=r"to_dict\('records'\)"):
        load(["column"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="row 1 and row 2 have the same id"):
        load([examples[0], examples[0]])


def test_field_names_templates_and_dotted_paths() -> None:
    rows = [{"passage": "P", "question": "Q?", "answers": {"text": ["a", "b"]}, "uid": 7, "n": 3}]
    [example] = load(rows, fields={"input": "{passage}\n{question}", "target": "answers.text", "id": "uid"})
    assert example == Example(id="7", input="P\nQ?", target=("a", "b"), meta={"n": "3"})
    [example] = load(rows, fields={"input": "{{{n}}} apples\\n{question}", "target": "n", "id": ""})
    assert (example.input, example.target) == ("{3} apples\nQ?", "3")
    [example] = load([{"a b": "x", "c.d": "y"}], fields={"input": "{a b}!", "target": "c.d"})
    assert (example.input, example.target) == ("x!", "y")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"question": "q", "answer": "a"}, ("q", "a")),
        ({"Query": "q", "Label": 0}, ("q", "0")),
        ({"prompt": "q", "completion": "a"}, ("q", "a")),
        ({"text": "q", "label": True}, ("q", "True")),
        ({"input": "q", "output": ["a"]}, ("q", ("a",))),
        ({"input": "q", "target": "a", "answer": "b", "question": "c", "context": "d"}, ("q", "a")),
    ],
)
def test_common_field_names_are_recognized(row: dict[str, object], expected: tuple[str, str]) -> None:
    assert pairs(load([row])) == [expected]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"question": "q", "text": "t", "answer": "a"},
            r"which field is the input \(several may be it.*--field input=",
        ),
        ({"question": "q", "answer": "a", "label": "b"}, r"which field is the target .*--field target="),
        ({"q": "q", "a": "a"}, r"none has a usual name.*\['a', 'q'\]"),
        ({"passage": "p", "question": "q", "answer": "a"}, r"may need \['passage'\].*\{passage\}\\n\{question\}"),
        ({"instruction": "i", "input": "q", "output": "a"}, r"may need \['instruction'\]"),
    ],
)
def test_an_ambiguous_field_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load([row])


def test_ids_come_from_the_content() -> None:
    first, second, again = load([*ROWS, ROWS[0]])
    assert load(list(reversed(ROWS))) == (second, first)
    assert first.id != second.id
    assert again.id == f"{first.id}-2"


def test_same_id_twice_names_both_rows(write: Write) -> None:
    rows: list[dict[str, object]] = [{"id": 1, "input": "a", "target": "b"}, {"id": "1", "input": "c", "target": "d"}]
    with pytest.raises(DataError, match=r"a\.jsonl: line 1 and line 2 have the same id '1'"):
        load(write("a.jsonl", jsonl(rows)))
    assert len(load(rows, fields={"id": ""})) == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"), (51.0, "51"), (-0.5, "-0.5"), (12, "12"), (True, "True"), (False, "False"), (0, "0"),
        (["a", 2], ("a", "2")), (("a",), ("a",)),
    ],
)  # fmt: skip
def test_targets(value: object, expected: str | tuple[str, ...]) -> None:
    assert load([{"input": "q", "target": value}])[0].target == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"input": "a", "target": ""}, "row 2: target field 'target' is empty or missing"),
        ({"input": "a", "target": " \n"}, "row 2: target"),
        ({"input": "a", "target": None}, "row 2: target"),
        ({"input": "a", "target": float("nan")}, "row 2: target"),
        ({"input": "a", "target": []}, "row 2: target"),
        ({"input": "a", "target": ["b", ""]}, "row 2: target"),
        ({"input": "a"}, "row 2: target"),
        ({"input": "a", "target": {"b": 1}}, "row 2: target field 'target' is a dict"),
        ({"input": "a", "target": [["b"]]}, "row 2: target field 'target' is a list"),
        ({"input": " ", "target": "b"}, "row 2: input field 'input' is empty or missing"),
        ({"target": "b"}, "row 2: input"),
        ({"input": 5, "target": "b"}, "row 2: input field 'input' is int 5, not text.*template"),
        ({"input": ["a"], "target": "b"}, "row 2: input field 'input' is list"),
    ],
)
def test_a_bad_row_is_named(row: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load([{"input": "q", "target": "t"}, row])
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"input": "qestion"}, DataError, r"no field 'qestion'; did you mean 'question'\? choose one of"),
        ({"input": "{qestion}"}, DataError, "no field 'qestion'; did you mean 'question'"),
        ({"target": "a.b"}, DataError, "no field 'a.b'"),
        ({"inptu": "question"}, ConfigError, "unknown example field 'inptu'.*did you mean 'input'"),
        ({"input": ""}, ConfigError, "give the name of a field"),
        ({"input": "{question"}, ConfigError, "bad template"),
        ({"input": "{}"}, ConfigError, "bad template"),
        ({"input": "{question!r}"}, ConfigError, "bad template"),
        ({"input": "{list}"}, DataError, "row 1: field 'list' of the template is a list"),
        ({"input": "{none} {question}"}, DataError, "row 1: field 'none' of the template is empty"),
        ({"input": "question", "target": "question"}, DataError, "can't be both input and target"),
        ({"id": "none"}, DataError, "row 1: id field 'none' is empty"),
        ({"id": "list"}, DataError, "row 1: id field 'list' is a list"),
    ],
)
def test_bad_field_maps(fields: dict[str, str], error: type[AskwellError], message: str) -> None:
    rows: list[dict[str, object]] = [{"question": "q", "answer": "a", "list": ["x"], "none": None}]
    with pytest.raises(error, match=message):
        load(rows, fields=fields)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv"])
@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_empty_files(write: Write, name: str, content: bytes) -> None:
    with pytest.raises(DataError, match=rf"{name}: contains no records"):
        load(write(name, content))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"input": "a", "target": "b"}\n{"input": \n', "line 2: not JSON: .*column"),
        ("a.jsonl", b"\n[1]\n", "line 2: expected an object .* got list"),
        ("a.jsonl", b'[\n{"input": "a"}]', r"line 1: not JSON.*a JSON list belongs in a \.json file"),
        ("a.jsonl", b'{"input": "a", "target": ' + b"[" * 100_000, "line 1: not JSON"),
        ("a.jsonl", b'{"input": "a", "target": ' + b"1" * 5_000 + b"}", "line 1: not JSON"),
        ("a.json", b'[{"input": "a",\n "target": }]', "line 2: not JSON"),
        ("a.jsonl", b'{"input": "a", "target": "b"}\n{"input": "caf\xe9"}', r"line 2: not UTF-8 \(byte b'\\xe9' at"),
        ("a.csv", b"input,target\na,b\n\xff,c\n", "line 3: not UTF-8"),
        ("a.json", b'[\n"\xff"]', "line 2: not UTF-8"),
        ("a.csv", "input,target\na,b".encode("utf-16"), "UTF-16, not UTF-8"),
    ],
)  # fmt: skip
def test_broken_files_name_the_line(write: Write, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(write(name, content))
    assert len(str(caught.value)) < 300


def test_missing_files(write: Write) -> None:
    folder = write("train.jsonl", jsonl(ROWS)).parent
    with pytest.raises(DataError, match=r"no file '.*trian\.jsonl'; did you mean 'train\.jsonl'"):
        load(folder / "trian.jsonl")
    with pytest.raises(DataError, match=r"no file .*; the folder has: train\.jsonl"):
        load(folder / "zzz")
    with pytest.raises(DataError, match="does not exist"):
        load(folder / "nowhere" / "train.jsonl")
    with pytest.raises(DataError, match=r"is a folder; name a file in it: train\.jsonl"):
        load(folder)


def test_unknown_kinds_of_file(write: Write) -> None:
    with pytest.raises(DataError, match=r"unknown file format '\.jsonlines'; did you mean '\.jsonl'"):
        load(write("a.jsonlines", jsonl(ROWS)))
    with pytest.raises(ConfigError, match=r"is for \.json files"):
        load(write("a.csv", "input,target\na,b"), records="examples")


def test_limit_reads_no_further(write: Write) -> None:
    path = write("a.jsonl", jsonl(ROWS) + "\nbroken")
    assert pairs(load(path, limit=2)) == EXPECTED
    with pytest.raises(DataError, match="line 3"):
        load(path, limit=3)
    with pytest.raises(ConfigError, match="limit is 0"):
        load(path, limit=0)


def test_surrogates_from_json_become_text(write: Write) -> None:
    [example] = load(write("a.jsonl", r'{"input": "\ud83d\ude00 \ud83d!", "target": "\udc00", "m\ud800": ["\ud800"]}'))
    assert (example.input, example.target) == ("😀 \ufffd!", "\ufffd")
    assert example.meta == {"m\ufffd": '["\ufffd"]'}


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_clean_text_is_utf8_and_stays(text: str) -> None:
    once = repair_surrogates(text)
    once.encode("utf-8")
    assert repair_surrogates(once) == once
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert once == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_keep_their_value(value: float) -> None:
    assert float(to_text(value)) == float(value)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=8))
def test_any_rows_give_unique_ids_and_keep_their_order(rows: list[tuple[str, str]]) -> None:
    kept = [{"input": text + "x", "target": target + "y"} for text, target in rows]
    examples = load(kept)
    assert len({example.id for example in examples}) == len(kept)
    assert [example.input for example in examples] == [row["input"] for row in kept]
    assert load(kept) == examples
