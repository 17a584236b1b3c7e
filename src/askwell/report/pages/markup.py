"""Build HTML safely: a text is escaped unless it is already `Html`, which only this module creates."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_VOID = frozenset({"br", "meta"})

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""A page loads no files and runs no scripts, even if a prompt or a reply contains markup."""


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe to insert into a page unchanged."""

    text: str


Child: TypeAlias = "Html | str | Iterable[Child]"


def el(tag: str, *children: Child, **attributes: str | float) -> Html:
    """Return one element. `class_` is the attribute class, `stroke_width` is stroke-width."""
    attribute_text = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(_format_value(value), quote=True)}"'
        for name, value in attributes.items()
    )
    if tag in _VOID:
        return Html(f"<{tag}{attribute_text}>")
    return Html(f"<{tag}{attribute_text}>{''.join(_texts(children))}</{tag}>")


def document(title: str, *body: Child) -> str:
    """Return a whole page."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("title", title),
        Html(f"<style>{STYLE}</style>"),
    )
    return f"<!doctype html>\n{el('html', head, el('body', el('main', *body)), lang='en').text}\n"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table that has attributes, such as an id for links."""

    cells: Sequence[Child]
    attributes: Mapping[str, str]


def table(headings: Iterable[str], rows: Iterable[Row | Sequence[Child]], *, caption: str = "") -> Html:
    """Return a table; a heading that ends in `#` marks a column of numbers.

    Each cell carries its heading too: on a narrow screen, rows become cards without a line of headings.
    """
    names = list(headings)
    numeric = [name.endswith("#") for name in names]
    header = el(
        "tr",
        [
            el("th", name.removesuffix("#"), scope="col", class_="number" if right else "")
            for name, right in zip(names, numeric, strict=True)
        ],
    )
    lines = [
        el(
            "tr",
            [
                el("td", cell, class_="number" if right else "", data_label=name.removesuffix("#"))
                for cell, name, right in zip(row.cells if isinstance(row, Row) else row, names, numeric, strict=True)
            ],
            **(row.attributes if isinstance(row, Row) else {}),
        )
        for row in rows
    ]
    captions = [el("caption", caption)] if caption else []
    return el("div", el("table", *captions, el("thead", header), el("tbody", lines)), class_="scroll")


def _texts(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Html):
            yield child.text
        elif isinstance(child, str):
            yield html.escape(child, quote=False)
        else:
            yield from _texts(child)


def _format_value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --muted: #60646c; --line: #d9d9e0; --page: #fcfcfd; --card: #f4f4f6;
  --main: #0b68cb; --comparison: #8b8d98; --good: #18794e; --good-bg: #d6f1df; --bad: #b3261e; --bad-bg: #fbdcd9; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --muted: #b0b4ba; --line: #3a3f45; --page: #111214;
  --card: #1b1d20; --main: #70b8ff; --comparison: #8b8d98; --good: #5dd29a; --good-bg: #113b29; --bad: #ff9592;
  --bad-bg: #4a1a1a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; } .remark, caption, figcaption { color: var(--muted); font-size: .875rem; }
.verdict { font-size: 1.25rem; margin: 1rem 0; } .verdict b { font-variant-numeric: tabular-nums; }
.real { color: var(--good); } .loss { color: var(--bad); }
code { white-space: nowrap; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem; margin: .5rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; font: .875rem/1.5 ui-monospace, monospace; }
ins { background: var(--good-bg); color: inherit; text-decoration: none; border-radius: 3px; padding: 0 .15em; }
del { background: var(--bad-bg); color: inherit; border-radius: 3px; padding: 0 .15em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; } caption { text-align: left; padding: .25rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; } td:last-child:not(.number) { min-width: 12rem; }
th { color: var(--muted); font-weight: 600; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: .5rem 0; } svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--muted); font: 12px system-ui, sans-serif; } svg .name { fill: var(--ink); }
svg .grid { stroke: var(--line); } svg .zero { stroke: var(--muted); }
svg .main { stroke: var(--main); } svg .dot.main { fill: var(--main); }
svg .comparison { stroke: var(--comparison); } svg .dot.comparison { fill: var(--comparison); }
svg .dot.winner { fill: var(--good); stroke: var(--good); } svg .dot.partial { fill: var(--page); }
svg .line { fill: none; stroke-width: 2; } svg a { cursor: pointer; } svg .dot:target { stroke-width: 6; }
a { color: var(--main); } tr.winner td { background: var(--card); } tr:target td { background: var(--good-bg); }
figure .scroll > svg { min-width: 45rem; }
details > summary { cursor: pointer; color: var(--muted); }
@media (max-width: 600px) {
  .scroll:has(> table) { overflow-x: visible; }
  table, caption, tbody, tr, td { display: block; } thead { display: none; }
  tr { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: .25rem .75rem; }
  td, td.number { text-align: left; white-space: normal; padding: .15rem 0; border: 0; }
  td:empty { display: none; } td[data-label]:not([data-label=""])::before {
    content: attr(data-label) ": "; color: var(--muted); font-weight: 600; } }
@media print { body { font-size: 12px; } details { display: none; } }
""".strip()
