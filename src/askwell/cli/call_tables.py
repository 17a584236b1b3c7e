"""Single calls of a run for `askwell show`: a list with question and reply, one call in full, and both as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table

from askwell.cli.console import Text
from askwell.report.call_view import RolloutView
from askwell.report.still_wrong import StillWrong, describe_reading, describe_still_wrong
from askwell.runlog.codec import encode_request, flatten_outcome, prompt_id
from askwell.tasks.render import demo_target

_SHOWN_CALLS = 20
_SHOWN_WRONG = 10
_TEXT_COLUMNS = {"question": 3, "reply": 4, "read": 2, "expected": 2}
"""Heading -> share of the width."""
_ID_WIDTH = 30


def call_json(view: RolloutView) -> dict[str, object]:
    """Return one call as JSON-able values."""
    return {
        "cell": view.call_id,
        "step": view.step,
        "split": view.split,
        "sample_index": view.sample_index,
        "example": view.example.id,
        "input": view.example.input,
        "target": view.example.target,
        "request": encode_request(view.request),
        "request_is_exact": view.is_exact,
        **flatten_outcome(view.completion, view.score),
        "seconds": view.seconds,
        "cached": view.cached,
    }


def call_page(view: RolloutView) -> Iterator[RenderableType]:
    """Yield the parts of one call in full."""
    request, completion, score = view.request, view.completion, view.score
    yield Text(f"Call {view.call_id} · {view.split}, step {view.step}, sample {view.sample_index}", style="bold")
    sent = {
        True: "as sent",
        False: "NOT as sent: the parameters or the code have changed",
        None: "rebuilt from the log",
    }
    yield Text(
        f"Request ({sent[view.is_exact]}): temperature {request.temperature:g}, max_tokens {request.max_tokens}, "
        f"seed {request.seed}"
    )
    for message in request.messages:
        yield Text(f"[{message.role}]", style="dim")
        yield Text(message.content)
    usage = completion.usage
    money = "" if usage.cost_usd is None else f", ${usage.cost_usd:.6f}"
    source = ", answered from the log" if view.cached else f", {view.seconds:.2f} s"
    yield Text(
        f"Response ({completion.outcome}): {usage.prompt_tokens} + {usage.completion_tokens} tokens{money}{source}"
    )
    yield Text(completion.text)
    if completion.error:
        yield Text(f"Error ({completion.fault or completion.outcome}): {completion.error}")
    if score is None:
        yield Text("Score: missing, as the call failed")
    else:
        note = f" ({score.note})" if score.note else ""
        yield Text(f"Score: {score.value:g}; read {score.answer!r}, expected {view.example.target!r}{note}")


def call_parts(calls: Sequence[RolloutView]) -> Iterator[RenderableType]:
    """Yield a table of the first calls, texts cut to the width, and how many more there are."""
    several = len({view.prompt for view in calls}) > 1
    yield Text(f"Calls of {'all prompts' if several else 'the best prompt'}, missing and worst first", style="italic")
    table = _texts_table("call", "score")
    for view in calls[:_SHOWN_CALLS]:
        score, completion = view.score, view.completion
        value = "missing" if score is None else f"{100 * score.value:.0f}"
        read = "" if score is None else describe_reading(score)
        reply = completion.text or f"({completion.error or completion.outcome})"
        outcome = "" if completion.outcome in {"ok", "failed"} else f" {completion.outcome}"
        table.add_row(
            Text(_short_id(view, several=several)),
            f"{value}{outcome}",
            *_cut_texts(view.example.input, reply, read, demo_target(view.example)),
        )
    yield table
    if len(calls) > _SHOWN_CALLS:
        yield Text(f"{len(calls) - _SHOWN_CALLS:,} more calls; --json lists all, with whole texts.")


def still_wrong_parts(found: StillWrong, run: str) -> Iterator[RenderableType]:
    """Yield a table of the dev examples that a run's best prompt still gets wrong, texts cut to the width."""
    shown = found.shown[:_SHOWN_WRONG]
    if not shown:
        return
    yield Text(f"Still wrong: {describe_still_wrong(found, shown=len(shown))}")
    table = _texts_table("score")
    for wrong in shown:
        texts = _cut_texts(wrong.example.input, wrong.reply, wrong.read, demo_target(wrong.example))
        table.add_row(f"{100 * wrong.value:.0f}", *texts)
    yield table
    yield Text(f"askwell show {run} --calls lists the calls with their ids, and --call ID shows one in full.")


def _texts_table(*headings: str) -> Table:
    """Return a table of these columns and of texts, which share the rest of the width."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    for heading in headings:
        table.add_column(heading, overflow="fold", max_width=_ID_WIDTH)
    for heading, ratio in _TEXT_COLUMNS.items():
        table.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=ratio)
    return table


def _cut_texts(*texts: str) -> list[Text]:
    """Return texts as single lines, which the table cuts to its width."""
    return [Text(" ".join(text.split()), no_wrap=True, overflow="ellipsis") for text in texts]


def _short_id(view: RolloutView, *, several: bool) -> str:
    """Return a short value of `--call` that shows this call."""
    return f"{prompt_id(view.prompt)[:8] if several else 'best'}:{view.call_id.partition(':')[2]}"
