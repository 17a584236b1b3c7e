"""Read a page as a browser would: its elements in order, and its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br"}


@dataclass
class Read(HTMLParser):
    """What a page holds. Fails where an element is not closed in order."""

    tags: list[str] = field(default_factory=list[str])
    attributes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    parts: list[str] = field(default_factory=list[str])
    open: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.parts.append(data)

    @property
    def text(self) -> str:
        """All text, white space as single blanks."""
        return " ".join("".join(self.parts).split())


def read(page: str) -> Read:
    """Parse a page."""
    found = Read()
    found.feed(page)
    found.close()
    assert not found.open, f"never closed: {found.open}"
    return found
