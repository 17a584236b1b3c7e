"""Report pages of a run: one HTML file without scripts, or Markdown. They are folded from the log."""

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
    """Return the page of an optimization or a training, as the log's header says; it can be encoded as UTF-8.

    Raises `ConfigError` for an unknown format, and for a run without a scored prompt or a measured headroom.
    """
    if form not in FORMATS:
        raise ConfigError(f"unknown format {form!r}; {nearest(form, FORMATS)}")
    if is_training(read_header(store)):
        training = read_training(store, name)
        text = training_page(training) if form == "html" else training_markdown(training)
    else:
        optimization = read_optimization(store, name)
        text = optimization_page(optimization) if form == "html" else optimization_markdown(optimization)
    return text.encode("utf-8", "replace").decode("utf-8")  # a prompt or a name may hold half a surrogate pair
