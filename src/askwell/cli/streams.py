r"""Make the control characters in what a person reads visible, for every stream of the command line.

A prompt, a reply, a provider's error or a name in a log may hold terminal escapes: they would clear the screen, write
the clipboard, or reverse the reading direction. While a command runs, standard output and standard error show each
control character as `␛`, `\x9b` or `\u202e`. Only `write_exact`, for machines, writes a text as it is.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TextIO

from askwell.core.visible import visible


class VisibleStream(io.TextIOBase):
    """Wraps a text stream: what is written through it is `visible`."""

    def __init__(self, inner: TextIO) -> None:
        """Take the stream that receives the text."""
        self.inner = inner

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.inner.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.inner.errors

    @property
    def buffer(self) -> Any:
        return self.inner.buffer

    def write(self, text: str, /) -> int:
        self.inner.write(visible(text))
        return len(text)

    def flush(self) -> None:
        self.inner.flush()

    def isatty(self) -> bool:
        return self.inner.isatty()

    def fileno(self) -> int:
        return self.inner.fileno()

    def writable(self) -> bool:
        return True


@contextmanager
def visible_streams() -> Generator[None]:
    """Make what a command writes visible, whoever writes it: askwell, a library, the log, a traceback."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = VisibleStream(out), VisibleStream(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def unwrapped(stream: Any) -> Any:
    """Return the stream behind a `VisibleStream`."""
    return stream.inner if isinstance(stream, VisibleStream) else stream


def write_exact(text: str) -> None:
    """Write a text to standard output as it is, for a file or another program; at a terminal it is `visible`."""
    stream = unwrapped(sys.stdout)
    data = getattr(stream, "buffer", None)
    if stream.isatty():
        stream.write(visible(text))
    elif data is None:  # a stream in memory
        stream.write(text)
    else:
        stream.flush()
        data.write(text.encode("utf-8", "surrogatepass"))
        data.flush()
