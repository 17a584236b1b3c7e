"""The table of the prompts that an optimization tried: the winner first, why it won, and what each was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from askwell.core.stats import format_interval
from askwell.report.pages.blocks import remark
from askwell.report.pages.content import OptimizationContent, RankedPrompt
from askwell.report.pages.markup import Child, Html, Row, el, table
from askwell.report.run_report import format_prompt
from askwell.report.winner import Ancestor
from askwell.runlog.codec import prompt_id

_MOST_ANCESTORS = 12


def row_anchor(name: str) -> str:
    """Return the anchor of a prompt's row in the table."""
    return f"prompt-{name}"


def dot_anchor(name: str) -> str:
    """Return the anchor of a prompt's dot in the chart."""
    return f"dot-{name}"


def prompts_tried(content: OptimizationContent) -> Iterator[Html]:
    """Yield how the winner was chosen, its line of descent, and the table of prompts."""
    listed = {ranked.id for ranked in content.ranked}
    if content.tried > 1:
        yield remark(content.choice)
    if len(content.lineage) > 1:
        yield remark(["Made from: ", *_join(_ancestors(content.lineage, listed))])
    yield _table(content, listed)


def _table(content: OptimizationContent, listed: set[str]) -> Html:
    rows, tried = content.ranked, content.tried
    drawn = {candidate.prompt for candidate in content.drawn}
    has_penalties = any(ranked.penalty for ranked in rows)
    headings = ["id", "step#", "dev score#", *(["penalty#"] if has_penalties else []), "examples#", "parent", "prompt"]
    lines = [
        Row(
            [
                _name(ranked, is_drawn=ranked.prompt in drawn),
                str(ranked.step),
                f"{format_interval(ranked.score)}{' (partial)' if ranked.partial else ''}",
                *([f"{100 * ranked.penalty:.1f}"] if has_penalties else []),
                f"{ranked.score.n:,}",
                _parent(ranked, listed),
                format_prompt(ranked.prompt),
            ],
            {"id": row_anchor(ranked.id), **({"class": "winner"} if ranked.is_winner else {})},
        )
        for ranked in rows
    ]
    order = "the winner first, then by dev score"
    caption = f"{len(rows)} of {tried:,}, {order}." if tried > len(rows) else f"{order.capitalize()}."
    return table(headings, lines, caption=caption)


def _name(ranked: RankedPrompt, *, is_drawn: bool) -> list[Child]:
    code = el("code", ranked.id[:8])
    link = el("a", code, href=f"#{dot_anchor(ranked.id)}") if is_drawn else code
    return [link, " ", el("b", "winner")] if ranked.is_winner else [link]


def _parent(ranked: RankedPrompt, listed: set[str]) -> list[Child]:
    if ranked.parent is None:
        return [ranked.origin]
    return [_link(ranked.parent, listed), f" {ranked.origin}".rstrip()]


def _link(name: str, listed: set[str]) -> Html:
    code = el("code", name[:8])
    return el("a", code, href=f"#{row_anchor(name)}") if name in listed else code


def _ancestors(lineage: Sequence[Ancestor], listed: set[str]) -> Iterator[list[Child]]:
    if len(lineage) > _MOST_ANCESTORS:
        yield [f"{len(lineage) - _MOST_ANCESTORS:,} earlier prompts"]
    for ancestor in lineage[-_MOST_ANCESTORS:]:
        facts = [ancestor.origin, "not scored" if ancestor.step is None else f"step {ancestor.step}"]
        yield [_link(prompt_id(ancestor.prompt), listed), f" ({', '.join(filter(None, facts))})"]


def _join(parts: Iterator[list[Child]]) -> Iterator[Child]:
    for number, part in enumerate(parts):
        yield from ([" → ", *part] if number else part)
