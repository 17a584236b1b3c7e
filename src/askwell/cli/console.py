"""The console that every command prints with: no markup is read from a text, and control characters are visible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any, cast

from rich import console as rich_console
from rich.console import ConsoleOptions, RenderableType
from rich.protocol import rich_cast
from rich.segment import Segment
from rich.text import Text as RichText

from askwell.cli.streams import unwrapped
from askwell.core.visible import visible


class Text(RichText):
    """A text without markup. Its control characters are visible; rich alone would drop some and pass the others."""

    def __init__(self, text: str = "", *arguments: Any, **more: Any) -> None:
        """Take what `rich.text.Text` takes."""
        super().__init__(visible(text), *arguments, **more)


class Console(rich_console.Console):
    """A rich console for texts that strangers wrote. Its own colours and cursor movements pass."""

    def __init__(self, *, stderr: bool = False, **more: Any) -> None:
        """Print to standard output, or to standard error."""
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, **more)

    @property
    def file(self) -> IO[str]:
        return unwrapped(super().file)

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render_str(self, text: str, **more: Any) -> RichText:
        return super().render_str(visible(text), **more)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render a text after its control characters were made visible, so that its width is right."""
        renderable = rich_cast(renderable)
        if isinstance(renderable, RichText):
            renderable = _visible_text(renderable)
        return super().render(cast("RenderableType", renderable), options)


def _visible_text(text: RichText) -> RichText:
    plain = text.plain
    if visible(plain) == plain:
        return text
    shown = text.blank_copy(visible(plain))
    shown.spans = text.spans  # a span may be off by the characters that became several: only colours move
    return shown
