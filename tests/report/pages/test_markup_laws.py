"""Whatever a text holds, it stays text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from askwell.report.pages.charts import WIDTH, Axis, Dot, axis_ticks, curve_chart
from askwell.report.pages.markup import document, el, table
from tests.support.page_reader import read

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]))
HOSTILE = "</pre></td><script>alert('1')</script><img src=x onerror=\"a\"> & &lt; <!-- "


@given(TEXT, TEXT)
@example(HOSTILE, HOSTILE)
def test_a_text_is_never_markup(text: str, value: str) -> None:
    found = read(el("p", text, [text, el("b", text)], title=value).text)
    assert found.tags == ["p", "b"]
    assert "".join(found.parts) == text * 3
    assert found.attributes == [("title", value)]


@given(TEXT)
@example(HOSTILE)
def test_a_whole_page_has_the_elements_it_was_given(text: str) -> None:
    found = read(document(text, table(["a", "b#"], [[text, "1"]], caption=text)))
    assert found.tags.count("td") == 2
    assert "script" not in found.tags
    assert "img" not in found.tags
    assert ("http-equiv", "Content-Security-Policy") in found.attributes


@given(st.floats(-1, 1), st.floats(0, 1))
def test_ticks_span_their_range_evenly_and_few(low: float, width: float) -> None:
    found = axis_ticks(low, low + width)
    assert 2 <= len(found) <= 9
    assert found[0] <= low + 1e-8
    assert found[-1] >= low + width - 1e-8
    steps = [b - a for a, b in pairwise(found)]
    assert max(steps) - min(steps) < 1e-6 * max(steps)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.booleans())
@example([1.0], False)
@example([0.0], True)
def test_every_mark_of_a_search_lies_inside_its_picture(scores: list[float], partial: bool) -> None:
    dots = [Dot(step=step, score=score, title=f"{score}", partial=partial) for step, score in enumerate(scores)]
    best = [(step, max(scores[: step + 1])) for step in range(len(scores))]
    found = read(curve_chart(dots, best, label="a search").text)
    places = [(name, float(value)) for name, value in found.attributes if name in {"cx", "cy", "x1", "y1", "x", "y"}]
    assert len([name for name, _ in places if name == "cx"]) == 2 * len(scores)
    assert all(0.0 <= value <= WIDTH for _, value in places)


@given(st.floats(0, 1), st.floats(0, 1))
def test_an_axis_keeps_the_order(a: float, b: float) -> None:
    up = Axis(low=0.0, high=1.0, start=200.0, end=10.0)
    low, high = sorted((a, b))
    assert up.pixel(low) >= up.pixel(high)
    assert 10.0 <= up.pixel(a) <= 200.0
