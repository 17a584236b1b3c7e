"""Data files as programs write them: delimiters, line ends, encodings, packed files, broken files."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.core.errors import DataError
from askwell.tasks.load import load
from askwell.tasks.records.cells import repair_surrogates

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def do(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return do


def pairs(path: Path, fields: dict[str, str] | None = None) -> list[tuple[str, str | tuple[str, ...]]]:
    return [(example.input, example.target) for example in load(path, fields=fields)]


EXPECTED = [("Hi, you", "a"), ("b; or c", "d"), ("e | f", "g\th")]


def table(delimiter: str, *, line_end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - an int
    writer.writerows([("question", "answer"), *EXPECTED])
    return text.getvalue()


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.CSV"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_delimiter_is_found(
    write: Write, name: str, delimiter: str, line_end: str, quoting: int, mark: str
) -> None:
    assert pairs(write(name, mark + table(delimiter, line_end=line_end, quoting=quoting))) == EXPECTED


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ":"])
@pytest.mark.parametrize("first", ["sep={}\n", "SEP={}\r\n", '"sep={}"\n', "\ufeffsep={}\n"])
def test_the_line_that_excel_writes_names_the_delimiter(write: Write, delimiter: str, first: str) -> None:
    assert pairs(write("a.csv", first.format(delimiter) + table(delimiter))) == EXPECTED
    with pytest.raises(DataError, match="line 4: 1 fields"):
        pairs(write("a.csv", first.format(delimiter) + f"question{delimiter}answer\nq{delimiter}a\nx\n"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("question,answer\na;b,c\nd;e,f\n", [("a;b", "c"), ("d;e", "f")]),
        ("question;answer\na,b;c\n", [("a,b", "c")]),
        ("question;answer\na,b;c\nd,e;f\n", [("a,b", "c"), ("d,e", "f")]),
        ("question;answer;note, long\na;b;c\n", [("a", "b")]),
        ("question;answer\n1,5;2,5\n3,5;4,5\n", [("1,5", "2,5"), ("3,5", "4,5")]),
        ("question;answer\n\n;\na;b\n", [("a", "b")]),
        ("question,answer\n" + "".join(f"{i}; {i},x\n" for i in range(200)), [(f"{i}; {i}", "x") for i in range(200)]),
        ('question;answer\n"two\n\nlines; here";b\n', [("two\n\nlines; here", "b")]),
    ],
)
def test_a_delimiter_inside_the_texts_does_not_mislead(
    write: Write, text: str, expected: list[tuple[str, str]]
) -> None:
    assert pairs(write("a.csv", text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question;answer\na;b\nc\n", r"a\.csv: line 3: 1 fields, but the header has 2: .* separated by semicolons"),
        ("question,answer\na,b,c\n", r"line 2: 3 fields, .* separated by commas: put .* in double quotes"),
        ("text;label\nhi\n", r"line 2: 1 fields.* semicolons"),
        ("question,answer\na\rb,c\n", r"line 2: bad quoting or line end: a field that contains a line break must be"),
        ("question;answer;answer\na;b;c\n", r"header contains \['answer'\] twice"),
    ],
)
def test_a_broken_row_says_how_it_was_read(write: Write, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(write("a.csv", text))


@pytest.mark.parametrize("column", ["question", "context"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_cell_may_be_longer_than_128_kib(write: Write, column: str, delimiter: str, name: str) -> None:
    row = {"question": "q", "answer": "a", "context": "c", column: "x" * 300_000}
    text = delimiter.join(row) + "\n" + delimiter.join(row.values()) + "\n"
    [example] = load(write(name, text), fields={"input": "question"})
    assert max(len(example.input), len(example.meta["context"])) == 300_000


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.json.gz", "a.tsv.gz", "a.v2.CSV.GZ"])
def test_a_file_packed_with_gzip_is_read(write: Write, name: str) -> None:
    rows = [{"question": "q", "answer": "a"}]
    text = {"csv": "question,answer\nq,a\n", "tsv": "question\tanswer\nq\ta\n", "json": json.dumps(rows)}
    content = text.get(name.lower().split(".")[-2], json.dumps(rows[0]))
    assert pairs(write(name, gzip.compress(content.encode(), mtime=0))) == [("q", "a")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv.gz", b"question,answer\nq,a\n", r"can't read .*a\.csv\.gz.*Not a gzipped file"),
        ("a.csv.gz", gzip.compress(b"question,answer\n" + b"q,a\n" * 999, mtime=0)[:-20], "can't read"),
        ("a.jsonl.gz", gzip.compress(b'{"question": \n', mtime=0), r"a\.jsonl\.gz: line 1: not JSON"),
        ("a.parquet.gz", b"", r"unknown file format '\.gz'; unpack it"),
        ("a.gz", b"", r"unknown file format '\.gz'; unpack it"),
        ("a.zip", b"", r"unknown file format '\.zip'; unpack it"),
        ("a.xlsx", b"", r"unknown file format '\.xlsx'; save the sheet as CSV"),
        ("a.yaml", b"", r"\.jsonl file"),
        ("a.jsonl", b'[{"question": "q", "answer": "a"}]\n',
         r"line 1: expected an object .*got list; a JSON list belongs in a \.json"),
        ("a.jsonl", b'[{"question": "q"},\n{}]\n', r"line 1: not JSON.*a JSON list belongs in a \.json"),
        ("a.json", b'{"question": "q", "answer": "a"}\n{"question": "r", "answer": "b"}\n',
         r"line 2: not JSON: Extra data.*\.jsonl file"),
        ("a.csv", "question,answer\nq,a\n".encode("utf-16"), "UTF-16, not UTF-8; save the file as UTF-8"),
        ("a.csv", "question,answer\nq,a\n".encode("utf-16-le"), "zero bytes in the first line: UTF-16 or a"),
        ("a.jsonl", '{"question": "q"}'.encode("utf-16-be"), "zero bytes in the first line"),
        ("a.jsonl", '{"question": "q"}'.encode("utf-32"), "UTF-16"),
        ("a.csv", "question,answer\nñ,a\n".encode("latin-1"), r"line 2: not UTF-8 \(byte b'\\xf1' at 0\)"),
        ("a.csv", b"PAR1\x00\x00", "zero bytes"),
    ],
)  # fmt: skip
def test_other_formats_and_encodings_are_named(write: Write, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(write(name, content))


def test_byte_order_marks_between_joined_files_are_dropped(write: Write) -> None:
    line = '\ufeff{"question": "q", "answer": "a"}\n'
    assert pairs(write("a.jsonl", line * 2)) == [("q", "a"), ("q", "a")]


@pytest.mark.parametrize(
    "row",
    [
        {"Question": "a", "question": "b", "answer": "c"}, {"question": "a", "answer": "b", "Answer": "c"},
        {"TEXT": "a", "text": "b", "label": "c"}, {"question": "a", "Answer": "b", "ANSWER": "c"},
    ],
)  # fmt: skip
def test_two_fields_that_differ_in_case_only_are_not_chosen_among(row: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"can't tell which field .*several may be it"):
        load([row])


@pytest.mark.parametrize(
    ("cell", "targets"),
    [('["x", "y"]', ("x", "y")), ('["x"]', ("x",)), ("[1, 2.5]", ("1", "2.5")), ('["a, b"]', ("a, b",))],
)
def test_a_cell_of_a_csv_file_may_list_several_targets(write: Write, cell: str, targets: tuple[str, ...]) -> None:
    quoted = cell.replace('"', '""')
    path = write("a.csv", f'question,answer,n\nq,"{quoted}",1\n')
    assert pairs(path, {"target": "answer[]"}) == [("q", targets)]
    assert load(path, fields={"target": "answer[]"})[0].meta == {"n": "1"}
    assert pairs(path) == [("q", cell)]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x", "not a JSON list"),
        ("[x]", "not a JSON list"),
        ("[]", "is empty or missing"),
        ('[""]', "is empty"),
        ("[[1]]", "list"),
    ],
)
def test_a_cell_that_is_no_list_is_named(write: Write, cell: str, message: str) -> None:
    quoted = cell.replace('"', '""')
    with pytest.raises(DataError, match=rf"line 2: target field 'answer\[\]' (is .*)?{message}"):
        load(write("a.csv", f'question,answer\nq,"{quoted}"\n'), fields={"target": "answer[]"})


SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".csv.gz", ".jsonl.gz", ".parquet")
PIECES = (
    b"question", b"answer", b"input", b"target", b",", b";", b"\t", b"|", b'"', b"\n", b"\r", b"\r\n", b"sep=;\n", b"{",
    b"}", b"[", b"]", b":", b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"\xff", b"\x00", b"1e999", b"NaN", b"9" * 5000,
    b"null",
    b'{"question": "q", "answer": "a"}', b"question,answer\n", b"\xe2\x80\xa8", b"'", b" ",
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(SUFFIXES), st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=12), st.booleans())
def test_any_bytes_give_examples_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, pieces: list[bytes], packed: bool
) -> None:
    content = b"".join(pieces)
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(gzip.compress(content, mtime=0) if packed and suffix.endswith(".gz") else content)
    try:
        examples = load(path)
    except DataError:
        return
    assert all(example.input.strip() for example in examples)


texts = st.text(min_size=1, max_size=8).filter(lambda text: repair_surrogates(text).strip() and "\x00" not in text)
rows = st.lists(st.tuples(texts, texts), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(rows, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n"]))
def test_what_a_spreadsheet_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, str]], delimiter: str, line_end: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
        writer.writerows([("question", "answer"), *written])
    assert pairs(path) == written
