"""A digest of a function's code: it differs if the function was edited, whatever its name."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType

_PLAIN = (str, bytes, int, float, bool, type(None))


def digest_function(function: Callable[..., object]) -> str:
    """Return "VERSION:DIGEST" for a Python function or a callable object; "" if there is no code to read.

    Covers the code, constants, default values and plain values of enclosing functions; not what the function calls, nor
    its docstring. Bytecode depends on the version of Python, which stands first.
    """
    plain = function if isinstance(function, FunctionType) else getattr(type(function), "__call__", None)  # noqa: B004
    plain = getattr(function, "__func__", plain)  # a bound method
    if not isinstance(plain, FunctionType):
        return ""
    enclosed = [cell.cell_contents for cell in plain.__closure__ or () if _is_filled(cell)]
    values = [value for value in (*enclosed, *(plain.__defaults__ or ())) if isinstance(value, _PLAIN)]
    text = "\x1f".join([*_describe(plain.__code__), *map(repr, values)])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{sys.version_info[0]}.{sys.version_info[1]}:{digest}"


def _describe(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield from code.co_names
    for constant in code.co_consts[1:] if code.co_consts and isinstance(code.co_consts[0], str) else code.co_consts:
        if isinstance(constant, CodeType):
            yield from _describe(constant)
        elif not isinstance(constant, frozenset):  # its order differs between processes
            yield repr(constant)


def _is_filled(cell: object) -> bool:
    try:
        cell.cell_contents  # type: ignore[attr-defined]  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True
