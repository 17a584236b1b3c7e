"""Values of cells from files, data frames and tensors: the text that a user expects, or an error with row and field."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections import OrderedDict, UserString, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import DataError
from askwell.core.types import Example
from askwell.tasks.load import load
from askwell.tasks.records.cells import to_text
from askwell.tasks.records.single_precision import shorten

MISSING = "target field 'answer' is empty or missing"


class Colour(enum.Enum):
    RED = "red"


class Label(enum.StrEnum):
    POSITIVE = "positive"


class MixedLabel(str, enum.Enum):  # noqa: UP042 - the older form of a StrEnum, whose text is "MixedLabel.POSITIVE"
    POSITIVE = "positive"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "another text"


def target_of(value: object) -> str | tuple[str, ...]:
    return load([{"question": "q", "answer": value}])[0].target


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.str_("x"), "x"), (np.int64(5), "5"), (np.float64(51.0), "51"), (np.float64(0.1), "0.1"),
        (np.float32(0.1), "0.1"), (np.float32(51), "51"), (np.float16(0.1), "0.1"), (np.bool_(True), "True"),
        (np.array(7), "7"), (np.array(0.1, dtype=np.float32), "0.1"), (np.uint8(200), "200"),
        (np.datetime64("2024-05-01"), "2024-05-01"),
        (np.datetime64("2024-05-01T10:00", "ns"), "2024-05-01T10:00:00.000000000"),
        (Decimal("1.50"), "1.50"), (Fraction(1, 3), "1/3"), (dt.date(2024, 5, 1), "2024-05-01"),
        (dt.time(10, 30), "10:30:00"), (dt.timedelta(hours=2), "2:00:00"),
        (Label.POSITIVE, "positive"), (MixedLabel.POSITIVE, "positive"), (Level.HIGH, "3"), (Text("kept"), "kept"),
        (1e16, "1e+16"), (1e300, "1e+300"), (123456789012345.0, "123456789012345"), (-0.5, "-0.5"), (5e-324, "5e-324"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"), (2**64, "18446744073709551616"),
    ],
)  # fmt: skip
def test_a_scalar_becomes_its_usual_text(value: object, text: str) -> None:
    assert target_of(value) == text


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (np.array(["x", "y"]), ("x", "y")), (np.array([1.0, 0.1], dtype=np.float32), ("1", "0.1")),
        (np.array(["x", "y"], dtype=object), ("x", "y")), (np.array([1, 2]), ("1", "2")),
        ([np.float32(0.1), np.int8(3)], ("0.1", "3")), ((Label.POSITIVE, "b"), ("positive", "b")),
        (np.array(["2024-05-01"], dtype="datetime64[D]"), ("2024-05-01",)), ([Decimal(2)], ("2",)),
    ],
)  # fmt: skip
def test_an_array_is_several_targets(value: object, texts: tuple[str, ...]) -> None:
    assert target_of(value) == texts


@pytest.mark.parametrize(
    "value",
    [
        None, float("nan"), np.float64("nan"), np.float32("nan"), np.float16("nan"), Decimal("NaN"), Decimal("sNaN"),
        np.datetime64("NaT"), np.timedelta64("NaT"), "", "  ", [], [None], ["a", None], [float("nan")], np.array([]),
        np.array(None),
    ],
)  # fmt: skip
def test_a_missing_value_is_no_text(value: object) -> None:
    with pytest.raises(DataError, match=f"data: row 1: {MISSING}"):
        target_of(value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"x", r"bytes \(decode it to text\)"), (bytearray(b"x"), "bytearray"), (memoryview(b"x"), "memoryview"),
        (np.bytes_(b"x"), "bytes_"), ({"x"}, "set"), (frozenset({"x"}), "frozenset"), ({"a": 1}, "dict"),
        (OrderedDict[str, int](a=1), "OrderedDict|dict"), (MappingProxyType({"a": 1}), "dict"),
        (Colour.RED, r"Colour \(an Enum; give its \.name or \.value\)"),
        (range(3), "range"), (deque("ab"), "deque"), (iter("ab"), "str_"), (1 + 2j, "complex"),
        (np.complex64(1), "complex64"), (object(), "object"), (SimpleNamespace(a=1), "SimpleNamespace"),
        (len, "builtin"), (str, "type"), (Exception("x"), "Exception"), (UserString("x"), "UserString"),
        (Path("a"), "PosixPath"), ([["a"]], "list"), ([b"x"], "bytes"), ([{"a": 1}], "dict"),
        (np.zeros((2, 2)), "list"),
        ([10**5000], "int of too many digits"), (np.array([b"x"]), "bytes"), ([{1}], "set"),
    ],
)  # fmt: skip
def test_what_has_no_usual_text_is_refused_with_row_and_field(value: object, kind: str) -> None:
    with pytest.raises(DataError, match=rf"data: row 1: target field 'answer' is a ({kind})"):
        target_of(value)


def test_values_of_pandas() -> None:
    pd: Any = pytest.importorskip("pandas")
    assert target_of(pd.Series(["x", "y"])) == ("x", "y")
    assert target_of(pd.Timestamp("2024-05-01")) == "2024-05-01 00:00:00"
    frame = pd.DataFrame({"question": ["a", "b"], "answer": [["x", "y"], ["z"]]})
    assert [example.target for example in load(frame.to_dict("records"))] == [("x", "y"), ("z",)]
    for missing in (pd.NA, pd.NaT):
        with pytest.raises(DataError, match=MISSING):
            target_of(missing)
        with pytest.raises(DataError, match="input field 'question' is empty or missing"):
            load([{"question": missing, "answer": "a"}])


def test_values_of_torch() -> None:
    torch: Any = pytest.importorskip("torch")
    assert target_of(torch.tensor(5)) == "5"
    assert target_of(torch.tensor(0.1)) == "0.1"
    assert target_of(torch.tensor(0.1, dtype=torch.float64)) == "0.1"
    assert target_of(torch.tensor([1, 2])) == ("1", "2")
    assert target_of(torch.tensor(True)) == "True"


def test_columns_of_parquet(tmp_path: Path) -> None:
    pa: Any = pytest.importorskip("pyarrow")
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    columns = {
        "question": pa.array(["a"]),
        "single": pa.array([0.1], pa.float32()),
        "half": pa.array([np.float16(0.1)], pa.float16()),
        "double": pa.array([0.10000000149011612]),
        "singles": pa.array([[0.1, 2.5]], pa.list_(pa.float32())),
        "whole": pa.array([51.0], pa.float32()),
        "binary": pa.array([b"x"], pa.binary()),
        "date": pa.array([dt.date(2024, 5, 1)]),
        "decimal": pa.array([Decimal("1.50")]),
        "category": pa.array(["pos"]).dictionary_encode(),
    }
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    expected = {
        "single": "0.1", "half": "0.1", "double": "0.10000000149011612", "singles": ("0.1", "2.5"), "whole": "51",
        "date": "2024-05-01", "decimal": "1.50", "category": "pos",
    }  # fmt: skip
    for name, text in expected.items():
        assert load(tmp_path / "a.parquet", fields={"target": name})[0].target == text
    with pytest.raises(DataError, match=r"a\.parquet: row 1: target field 'binary' is a bytes"):
        load(tmp_path / "a.parquet", fields={"target": "binary"})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, r"is int 5, not text; a template turns a number into text: fields=\{.input.: .\{question\}.\}"),
        (np.float32(0.5), "a template turns a number"),
        (b"x", r"is a bytes \(decode"),
        (["a", "b"], r"is list .*dotted path"),
        ({"text": "a"}, r"is dict .*FIELD\.NAME"),
        ([{"role": "user", "content": "hi"}], r"chats of several messages can't be loaded yet"),
        ([{"from": "human", "value": "hi"}], r"chats of several messages can't be loaded yet"),
        (float("nan"), "is empty or missing"),
        (None, "is empty or missing"),
        (Colour.RED, "is a Colour"),
        ({"a"}, "is a set"),
    ],
)
def test_an_input_that_is_no_text_says_what_to_do(value: object, message: str) -> None:
    with pytest.raises(DataError, match=f"row 1: input field 'question' .*{message}"):
        load([{"question": value, "answer": "a"}])


def test_the_advice_for_a_number_leads_on() -> None:
    assert load([{"question": 5, "answer": "a"}], fields={"input": "{question}"})[0].input == "5"
    assert load([{"question": np.float32(0.1), "answer": "a"}], fields={"input": "{question}"})[0].input == "0.1"


@pytest.mark.parametrize("make", [object, lambda: {b"x"}, lambda: Colour.RED, lambda: 10**5000, lambda: b"x"])
def test_unused_fields_are_kept_whatever_they_hold(make: Callable[[], object]) -> None:
    [example] = load([{"question": "q", "answer": "a", "other": make()}])
    assert "other" in example.meta


cells = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.dates()
    | st.timedeltas() | st.complex_numbers() | st.uuids() | st.fractions() | st.datetimes() | st.just(object())
    | st.sampled_from([np.float32(0.1), np.array([1.5]), np.array(["a"]), np.bytes_(b"a"), Colour.RED, Label.POSITIVE])
    | st.integers(min_value=10**4300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    | st.tuples(inner) | st.frozensets(st.integers(), max_size=2),
    max_leaves=6,
)  # fmt: skip


def example_or_error(rows: list[dict[str, object]], fields: dict[str, str]) -> Example | DataError:
    try:
        [example] = load(rows, fields=fields)
    except DataError as error:
        return error
    return example


@given(cells, cells, cells)
def test_any_objects_give_an_example_or_an_error_with_the_row(first: object, second: object, third: object) -> None:
    rows = [{"question": first, "answer": second, "options": third}]
    for fields in (
        {},
        {"input": "{question}"},
        {"input": "{question}\n{options}"},
        {"input": "options", "id": "question"},
    ):
        example = example_or_error(rows, {"input": "question", **fields})
        if isinstance(example, DataError):
            assert str(example).startswith("data: row 1: ")
            assert len(str(example)) < 1000
        else:
            assert example.input.strip()
            targets = (example.target,) if isinstance(example.target, str) else example.target
            assert targets
            assert all(target.strip() and type(target) is str for target in targets)
            example.input.encode()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_short_number_of_single_precision_is_the_same_number(value: float) -> None:
    short = shorten(value, "f")
    assert np.float32(cast("float", short)) == np.float32(value)
    assert len(repr(short)) <= len(repr(value))
    assert to_text(np.float32(value)) == to_text(short)


@given(st.floats(width=16, allow_nan=False, allow_infinity=False))
def test_a_short_number_of_half_precision_is_the_same_number(value: float) -> None:
    short = shorten(value, "e")
    assert np.float16(cast("float", short)) == np.float16(value)
    assert len(repr(short)) <= len(repr(value))


@given(st.decimals(-1000, 1000, places=3))
def test_a_decimal_written_as_single_precision_is_read_as_it_was_written(value: Decimal) -> None:
    assert float(to_text(np.float32(value))) == float(value)
