"""Which declaration of a style sheet wins for an element, as a browser decides: specificity, then order.

It knows what the pages use: types, classes, ids, attributes, descendants (" "), children (">") and media queries. A
selector with a pseudo-class never matches, so that a page is looked at as it is when nothing is hovered or linked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.support.page_reader import VOID

_SIMPLE = re.compile(r"(?P<type>^[a-z][a-z0-9]*|^\*)|\.(?P<class>[\w-]+)|#(?P<id>[\w-]+)|\[(?P<attribute>[^\]]+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An element and the elements around it, the outermost first."""

    tag: str
    attributes: dict[str, str]
    around: tuple[Element, ...] = ()

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(self.attributes.get("class", "").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    selector: str
    media: str
    declarations: dict[str, str]


@dataclass
class _Elements(HTMLParser):
    all: list[Element] = field(default_factory=list[Element])
    open: list[Element] = field(default_factory=list[Element])

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag=tag, attributes={name: value or "" for name, value in attrs}, around=tuple(self.open))
        self.all.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()


def read_elements(page: str) -> list[Element]:
    """Return all elements of a page in order."""
    parser = _Elements()
    parser.feed(page)
    return parser.all


def read_rules(style: str, media: str = "") -> Iterator[Rule]:
    """Yield the rules of a style sheet in order, one for each selector of a list."""
    position = 0
    while (brace := style.find("{", position)) >= 0:
        head, end = style[position:brace].strip(), _closing_brace(style, brace)
        body, position = style[brace + 1 : end], end + 1
        if head.startswith("@media"):
            yield from read_rules(body, head.removeprefix("@media").strip())
            continue
        pairs = [part.partition(":") for part in body.split(";") if part.strip()]
        declarations = {name.strip(): value.strip() for name, _, value in pairs}
        for selector in head.split(","):
            yield Rule(selector=selector.strip(), media=media, declarations=declarations)


def computed(style: str, element: Element, name: str, *, media: Sequence[str] = ()) -> str:
    """Return the value that wins for a property, "" if no rule sets it; `media`: the queries that hold."""
    winners = [
        (_specificity(rule.selector), number, rule.declarations[name])
        for number, rule in enumerate(read_rules(style))
        if name in rule.declarations and (not rule.media or rule.media in media) and _matches(rule.selector, element)
    ]
    return max(winners)[2] if winners else ""


def _closing_brace(style: str, brace: int) -> int:
    depth = 0
    for index in range(brace, len(style)):
        depth += {"{": 1, "}": -1}.get(style[index], 0)
        if not depth:
            return index
    raise AssertionError(f"a brace is never closed: {style[brace : brace + 60]!r}")


def _specificity(selector: str) -> tuple[int, int, int]:
    kinds = [match.lastgroup for part in _compounds(selector) for match in _SIMPLE.finditer(part)]
    types = sum(part[0].isalpha() for part in _compounds(selector) if part != ">")
    return kinds.count("id"), kinds.count("class") + kinds.count("attribute"), types


def _compounds(selector: str) -> list[str]:
    return selector.replace(">", " > ").split()


def _matches(selector: str, element: Element) -> bool:
    if ":" in selector:
        return False
    *before, last = _compounds(selector)
    return _matches_compound(last, element) and _matches_around(before, element.around)


def _matches_around(before: Sequence[str], around: Sequence[Element]) -> bool:
    if not before:
        return True
    if before[-1] == ">":
        return bool(around) and _matches_compound(before[-2], around[-1]) and _matches_around(before[:-2], around[:-1])
    return any(
        _matches_compound(before[-1], around[index]) and _matches_around(before[:-1], around[:index])
        for index in range(len(around))
    )


def _matches_compound(compound: str, element: Element) -> bool:
    found = list(_SIMPLE.finditer(compound))
    assert "".join(match[0] for match in found) == compound, f"the cascade does not know {compound!r}"
    return all(
        match["type"] in (None, "*", element.tag)
        and match["class"] in {None, *element.classes}
        and match["id"] in (None, element.attributes.get("id"))
        and (match["attribute"] is None or match["attribute"].partition("=")[0] in element.attributes)
        for match in found
    )
