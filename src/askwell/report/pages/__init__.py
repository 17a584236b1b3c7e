"""A run as one page for people: HTML in one file, without a script, or Markdown. A fold of the log, never a write."""

from __future__ import annotations

from askwell.core.errors import ConfigError, nearest
from askwell.report.pages.content import read_optimization
from askwell.report.pages.markdown import optimization_markdown, training_markdown
from askwell.report.pages.optimization import optimization_page
from askwell.report.pages.training import read_training, training_page
from askwell.runlog.fold import read_header
from askwell.runlog.folders import is_training
from askwell.runlog.store import RunStore

FORMATS = ("html", "md")


def render_page(store: RunStore, name: str, form: str = "html") -> str:
    """Return the page of a run or of a training, whichever the log is; any text in it can be written as UTF-8.

    Raises `ConfigError` where it is too early, or for an unknown format.
    """
    if form not in FORMATS:
        raise ConfigError(f"unknown format {form!r}; {nearest(form, FORMATS)}")
    if is_training(read_header(store)):
        found = read_training(store, name)
        text = training_page(found) if form == "html" else training_markdown(found)
    else:
        told = read_optimization(store, name)
        text = optimization_page(told) if form == "html" else optimization_markdown(told)
    return text.encode("utf-8", "replace").decode("utf-8")  # a prompt or a name may hold half a surrogate pair
