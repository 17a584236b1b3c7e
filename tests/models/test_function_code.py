"""The digest of a function's code: it changes with the code, not with the name."""

from __future__ import annotations

from collections.abc import Callable

from askwell.models.function_code import digest_function


def multiplier(factor: int) -> Callable[[int], int]:
    def multiply(number: int) -> int:
        return factor * number

    return multiply


class Answering:
    """A callable object."""

    def __call__(self, text: str) -> str:
        return text

    def answer(self, text: str) -> str:
        return text.upper()


def test_equal_code_has_equal_digests() -> None:
    assert digest_function(Answering()) == digest_function(Answering()) != ""
    assert digest_function(multiplier(2)) == digest_function(multiplier(2))


def test_other_code_constants_and_enclosed_values_change_the_digest() -> None:
    def equal(text: str) -> bool:
        return text == "1"

    def unequal(text: str) -> bool:
        return text != "1"

    def equal_to_two(text: str) -> bool:
        return text == "2"

    functions: list[Callable[..., object]] = [
        equal, unequal, equal_to_two, multiplier(2), multiplier(3), Answering(), Answering().answer,
    ]  # fmt: skip
    assert len({digest_function(function) for function in functions}) == len(functions)


def test_a_docstring_is_not_part_of_the_code() -> None:
    def first(text: str) -> str:
        """Say one thing."""
        return text + "!"

    def second(text: str) -> str:
        """Say another."""
        return text + "!"

    assert digest_function(first) == digest_function(second)


def test_without_code_there_is_no_digest() -> None:
    assert digest_function(str) == ""
    assert digest_function(len) == ""
