"""HTTP JSON is read and written alike by both libraries."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.models.http.json_codec import dumps, loads

_NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_LEAVES = st.none() | st.booleans() | _NUMBERS | st.text()
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


@given(_VALUES)
def test_written_json_is_read_by_any_library(value: object) -> None:
    assert json.loads(dumps(value)) == value


@given(_VALUES)
def test_json_of_any_library_is_read(value: object) -> None:
    written = json.dumps(value)
    found = loads(written.encode())
    assert found == json.loads(written)


def test_integers_of_any_size_are_written() -> None:
    assert json.loads(dumps([2**70])) == [2**70]


def test_lone_surrogates_pass() -> None:
    assert json.loads(dumps({"text": "\ud83d!"})) == {"text": "\ud83d!"}
    assert loads(b'"\\ud83d!"') == "\ud83d!"


@pytest.mark.parametrize("text", [b"", b"{", b'{"a": nonsense', b"\xff", b"<html>"])
def test_invalid_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are the libraries' own
        loads(text)
