"""How the pages look: which colour each mark gets, and what happens on a narrow screen.

`tests.support.cascade` decides as a browser does, so these tests run everywhere; the last one asks a browser.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from askwell.core.stats import mean_interval
from askwell.report.pages.blocks import figure
from askwell.report.pages.charts import ChartRow, Dot, Series, curve_chart, gain_chart, interval_chart
from askwell.report.pages.markup import STYLE, document, table
from tests.support.cascade import Element, computed, read_elements, read_rules

NARROW = "(max-width: 600px)"
SCORE = mean_interval([0.0, 1.0, 1.0])
DOTS = [
    Dot(step=0, score=0.2, title="tried", link="row"),
    Dot(step=1, score=0.5, title="stopped", partial=True),
    Dot(step=1, score=0.4, title="linked and stopped", partial=True, link="row", id="dot"),
    Dot(step=1, score=0.8, title="winner", is_winner=True, id="best", link="row"),
]
CHARTS = {
    "curve": curve_chart(DOTS, [(0, 0.2), (1, 0.8)], label="a search"),
    "intervals": interval_chart(
        [ChartRow(name="a", interval=SCORE), ChartRow(name="b", interval=SCORE, is_main=False)]
    ),
    "gains": gain_chart([Series(name="x", gains=[(0, SCORE)]), Series(name="y", gains=[(0, SCORE)])], label="gains"),
}
PAGE = document("t", *(figure(chart, name) for name, chart in CHARTS.items()), table(["a", "b#"], [["1", "2"]]))
ELEMENTS = read_elements(PAGE)
COLOURS = {
    ("circle", "dot comparison"): ("var(--comparison)", "var(--comparison)"),
    ("circle", "dot comparison partial"): ("var(--page)", "var(--comparison)"),
    ("circle", "dot winner"): ("var(--good)", "var(--good)"),
    ("circle", "dot main"): ("var(--main)", "var(--main)"),
    ("polyline", "line main"): ("none", "var(--main)"),
    ("line", "main"): ("", "var(--main)"),
    ("line", "comparison"): ("", "var(--comparison)"),
    ("line", "grid"): ("", "var(--line)"),
    ("line", "zero"): ("", "var(--muted)"),
    ("text", ""): ("var(--muted)", ""),
    ("text", "name"): ("var(--ink)", ""),
}
"""Tag and classes of a mark -> fill and stroke. A hollow dot has the page's colour inside."""


@pytest.mark.parametrize(("tag", "classes"), COLOURS)
def test_each_mark_has_its_colour(tag: str, classes: str) -> None:
    marks = [element for element in ELEMENTS if element.tag == tag and element.classes == frozenset(classes.split())]
    assert marks, "no chart draws this mark"
    for mark in marks:
        assert (computed(STYLE, mark, "fill"), computed(STYLE, mark, "stroke")) == COLOURS[tag, classes]


def test_every_kind_of_mark_is_in_the_table() -> None:
    drawn = {
        (element.tag, element.attributes.get("class", ""))
        for element in ELEMENTS
        if element.tag in {"circle", "line", "polyline", "text"}
    }
    assert drawn == set(COLOURS)


@pytest.mark.parametrize(
    ("style", "fill"),
    [
        ("svg .dot.theirs { fill: grey } svg .cut { fill: page }", "grey"),
        ("svg .cut { fill: page } svg .dot.theirs { fill: grey }", "grey"),
        ("svg .dot.theirs { fill: grey } svg .dot.cut { fill: page }", "page"),
        ("svg .dot.cut { fill: page } svg .dot.theirs { fill: grey }", "grey"),
        ("svg circle.dot.cut { fill: page } svg .dot.theirs { fill: grey }", "page"),
        ("#here { fill: id } svg g > .dot.cut.theirs { fill: page }", "id"),
        ("svg > .dot { fill: child }", ""),
        ("svg:hover .dot { fill: hovered } .dot, .line { fill: list }", "list"),
        ("@media print { .dot { fill: ink } }", ""),
    ],
)
def test_the_cascade_is_that_of_a_browser(style: str, fill: str) -> None:
    svg, group = Element(tag="svg", attributes={}), Element(tag="g", attributes={})
    dot = Element(tag="circle", attributes={"class": "dot theirs cut", "id": "here"}, around=(svg, group))
    assert computed(style, dot, "fill") == fill


def test_every_colour_is_defined_for_light_and_dark() -> None:
    used = set(re.findall(r"var\((--[\w-]+)\)", STYLE))
    light, dark = (
        {name for rule in read_rules(STYLE) if rule.media == media for name in rule.declarations if name[:2] == "--"}
        for media in ("", "(prefers-color-scheme: dark)")
    )
    assert used == light == dark


def test_a_chart_keeps_its_size_and_scrolls_on_a_narrow_screen() -> None:
    for chart in (element for element in ELEMENTS if element.tag == "svg"):
        assert computed(STYLE, chart, "min-width") == "45rem"
        assert computed(STYLE, chart.around[-1], "overflow-x", media=[NARROW]) == "auto"


def test_a_row_becomes_a_card_on_a_narrow_screen() -> None:
    for tag in ("table", "tr", "td"):
        element = next(element for element in ELEMENTS if element.tag == tag)
        assert computed(STYLE, element, "display") == ""
        assert computed(STYLE, element, "display", media=[NARROW]) == "block"
    head = next(element for element in ELEMENTS if element.tag == "thead")
    assert computed(STYLE, head, "display", media=[NARROW]) == "none"
    cells = [element.attributes["data-label"] for element in ELEMENTS if element.tag == "td"]
    assert cells == ["a", "b"], "each cell names its column, as the line of headings is hidden"
    number = [element for element in ELEMENTS if element.tag == "td"][1]
    assert computed(STYLE, number, "text-align") == "right"
    assert computed(STYLE, number, "text-align", media=[NARROW]) == "left"


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MEASURE = """<script>
const style = (query) => getComputedStyle(document.querySelector(query));
document.body.dataset.found = JSON.stringify({
  page: getComputedStyle(document.body).backgroundColor, hollow: style(".partial").fill,
  full: style(".dot.comparison:not(.partial)").fill, chart: style("svg").width, cell: style("td").display });
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_hollow_dots_and_readable_charts_on_a_narrow_screen(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    inner = f"<style>{STYLE}</style><body>{PAGE.partition('<body>')[2].partition('</body>')[0]}{MEASURE}</body>"
    (tmp_path / "page.html").write_text(inner, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=500,800"]
    command = [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    shown = subprocess.run(
        [*command, (tmp_path / "page.html").as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    body = next(element for element in read_elements(shown.stdout) if element.tag == "body")
    found = json.loads(body.attributes["data-found"])
    assert found["hollow"] == found["page"] != found["full"]
    assert float(found["chart"].removesuffix("px")) >= 700
    assert found["cell"] == "block"
