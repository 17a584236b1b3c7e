"""Report pages of a run: one HTML file without scripts, or Markdown. They are folded from the log."""

from __future__ import annotations

from askwell.core.errors import ConfigError, nearest
from askwell.report.pages.content import read_optimization
from askwell.report.pages.evaluation import evaluation_page, read_evaluation_content
from askwell.report.pages.markdown import evaluation_markdown, optimization_markdown, training_markdown
from askwell.report.pages.optimization import optimization_page
from askwell.report.pages.training import read_training, training_page
from askwell.runlog.fold import read_header
from askwell.runlog.folders import is_evaluation, is_training
from askwell.runlog.store import RunStore

FORMATS = ("html", "md")


def render_page(store: RunStore, name: str, form: str = "html") -> str:
    """Return the page of an optimization, a training or an evaluation, as the log's header says, ready for UTF-8.

    Raises `ConfigError` for an unknown format, and for a run without a scored prompt or a measured headroom.
    """
    if form not in FORMATS:
        raise ConfigError(f"unknown format {form!r}; {nearest(form, FORMATS)}")
    header = read_header(store)
    if is_training(header):
        training = read_training(store, name)
        text = training_page(training) if form == "html" else training_markdown(training)
    elif is_evaluation(header):
        evaluation = read_evaluation_content(store, name)
        text = evaluation_page(evaluation) if form == "html" else evaluation_markdown(evaluation)
    else:
        optimization = read_optimization(store, name)
        text = optimization_page(optimization) if form == "html" else optimization_markdown(optimization)
    return text.encode("utf-8", "replace").decode("utf-8")  # a prompt or a name may hold half a surrogate pair
