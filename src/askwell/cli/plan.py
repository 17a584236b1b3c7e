"""`askwell plan`: estimate what a run costs; also the line that `askwell optimize` prints before it begins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.table import Table

from askwell.api.build_jobs import build_optimize_job
from askwell.api.build_models import describe_addresses, is_on_this_machine
from askwell.api.build_task import resolve_answer_type
from askwell.api.config import Config
from askwell.api.config_file import read_config
from askwell.api.logged import read_resumed_config
from askwell.api.optimize import estimate_plan
from askwell.api.plan import Amount, CapEffect, Plan
from askwell.cli import tables
from askwell.cli.console import Console
from askwell.cli.exit_codes import INTERRUPTED
from askwell.cli.flags import (
    BUDGET_FLAGS,
    DATA_FLAGS,
    JSON_FLAG,
    OPTIMIZER_FLAGS,
    OPTIMIZER_MODEL_FLAGS,
    RUNS_FLAG,
    TARGET_FLAGS,
    flags,
    overrides,
    reports_errors,
)
from askwell.cli.session import print_warnings
from askwell.engine.jobs import OptimizeJob
from askwell.engine.replies.grading import describe_metric
from askwell.report.live.progress_line import format_seconds
from askwell.tasks.task import Task

CONFIRM_USD = 5.0
"""Above this expected cost a person at a terminal is asked to confirm."""


@click.command()
@click.argument("path", metavar="[CONFIG]", required=False, type=click.Path(path_type=Path))
@flags(OPTIMIZER_MODEL_FLAGS, DATA_FLAGS, TARGET_FLAGS, OPTIMIZER_FLAGS, [RUNS_FLAG], BUDGET_FLAGS)
@click.option("--latency", type=float, metavar="SECONDS", help="Typical duration of a target call (default: a guess).")
@click.option("--resume", metavar="RUN", help="Plan a run with the settings in its log, from its first step.")
@JSON_FLAG
@reports_errors
def plan(path: Path | None, *, latency: float | None, resume: str | None, as_json: bool, **values: Any) -> None:
    """Estimate the calls, tokens, cost and time of `askwell optimize`; no model is called."""
    changes = overrides(values)
    config = read_resumed_config(resume, changes) if resume else read_config(path, changes)
    job = build_optimize_job(config, calls_models=False)
    estimate = estimate_plan(config, job, latency_s=latency)
    if as_json:
        tables.print_json({**plan_json(estimate), "warnings": list(job.target_setup.task.warnings)})
        return
    print_warnings(job.target_setup.task)
    out = Console()
    for part in (*_page(estimate, config), grading_line(config, job.target_setup.task)):
        out.print(part, highlight=False, markup=False)


def announce_plan(config: Config, job: OptimizeJob, *, yes: bool) -> None:
    """Print one line on what the run will cost, and warnings; ask a person at a terminal if that is much."""
    estimate = estimate_plan(config, job)
    err = Console(stderr=True)
    err.print(f"Plan: {plan_line(estimate)}", highlight=False, markup=False)
    for line in (grading_line(config, job.target_setup.task), *address_lines(config)):
        err.print(line, highlight=False, markup=False, soft_wrap=True)
    print_warnings(job.target_setup.task)
    question = _cost_question(estimate, config)
    if question and not yes and sys.stdin.isatty() and sys.stderr.isatty():
        if click.confirm(f"{question} Begin?", default=True, err=True):
            return
        sys.exit(INTERRUPTED)


def address_lines(config: Config) -> list[str]:
    """Return a line for each model of a provider: where its calls go."""
    roles = (
        ("Target", config.target, "--target", config.objects.target),
        ("Optimizer model", config.optimizer_model, "--optimizer-model", config.objects.optimizer_model),
    )
    described = [(role, describe_addresses(model, flag=flag)) for role, model, flag, given in roles if given is None]
    return [f"{role}: {where}." for role, where in described if where]


def _cost_question(estimate: Plan, config: Config) -> str:
    """Return what to tell before the question whether to begin; "" if the run costs little or is on this machine."""
    if estimate.expected_usd is not None:
        return f"About ${estimate.expected_usd:.2f}." if estimate.expected_usd > CONFIRM_USD else ""
    if all(is_on_this_machine(model) for model in (config.target, config.optimizer_model)):
        return ""
    return f"The cost is unknown: no price is known for {' and '.join(estimate.unpriced)}."


def plan_line(estimate: Plan) -> str:
    """Format a plan as one line: `about 3,888 + 144 calls, 512,000 tokens, $0.31, 12 min; hardly above …`.

    The bound that no run exceeds is many times that; it is shown if there is a cap that it can be compared with.
    """
    usual, high, most = ([getattr(model, case) for model in estimate.models] for case in ("expected", "high", "worst"))
    text = f"about {_format_amounts(usual, estimate.expected_usd)}, {format_seconds(estimate.expected_seconds)}"
    cuts = [_cut_text(cut).replace("The", "the", 1) for cut in estimate.cuts if cut.expected > cut.limit]
    bound = [f"at most {_format_amounts(most, estimate.worst_usd)}"] if estimate.cuts else []
    return "; ".join([text, f"hardly above {_format_amounts(high, estimate.high_usd)}", *bound, *cuts])


def grading_line(config: Config, task: Task) -> str:
    """Describe how replies are graded, and against how many different targets."""
    name = resolve_answer_type(config.task)
    default = "" if config.task.metric or name != "exact" else " (the default; --metric names another)"
    examples = [example for members in task.splits.values() for example in members]
    different = len({example.target for example in examples})
    hint = " `label` reads one of a few labels within a sentence." if default and 4 * different <= len(examples) else ""
    counts = f"{different:,} different targets in {len(examples):,} examples"
    return f"Graded by {describe_metric(name)}{default}: {counts}.{hint}"


def plan_json(estimate: Plan) -> dict[str, object]:
    """Return a plan as JSON-able values."""
    return {
        "steps": estimate.steps,
        "models": [
            {
                "role": model.role,
                "model": model.model,
                "expected": _amount_json(model.expected),
                "high": _amount_json(model.high),
                "worst": _amount_json(model.worst),
            }
            for model in estimate.models
        ],
        "expected_seconds": estimate.expected_seconds,
        "worst_seconds": estimate.worst_seconds,
        "expected_usd": estimate.expected_usd,
        "high_usd": estimate.high_usd,
        "worst_usd": estimate.worst_usd,
        "cuts": [
            {
                "cap": cut.cap,
                "limit": cut.limit,
                "expected": cut.expected,
                "worst": cut.worst,
                "last_step": cut.last_step,
            }
            for cut in estimate.cuts
        ],
    }


def _page(estimate: Plan, config: Config) -> Iterator[RenderableType]:
    yield f"A run of {estimate.steps} steps: " + ", ".join(f"{model.role} {model.model}" for model in estimate.models)
    table = Table()
    for heading in ("", "", "calls", "prompt tokens", "reply tokens", "US$"):
        table.add_column(heading, justify="left" if not heading else "right")
    for model in estimate.models:
        table.add_row(model.role, "expected", *_columns(model.expected))
        table.add_row("", "high", *_columns(model.high))
        if estimate.cuts:
            table.add_row("", "at most", *_columns(model.worst))
    yield table
    slow = "if every batch takes a day" if config.target.batch else "if every call times out"
    slowest = (
        ""
        if estimate.worst_seconds is None or not estimate.cuts
        else f"; {format_seconds(estimate.worst_seconds)} {slow}"
    )
    if config.target.batch:
        yield (
            "The target's calls are sent in batches, one per step, at half the price (the maximum assumes the full "
            "price). A batch takes up to 24 hours; an hour is assumed."
        )
    yield f"Time: about {format_seconds(estimate.expected_seconds)}{slowest}."
    for cut in estimate.cuts:
        yield f"{_cut_text(cut)}."
    yield from address_lines(config)
    if estimate.unpriced:
        yield (
            f"No price is known for {' and '.join(estimate.unpriced)}: give target.prices and optimizer_model.prices, "
            "or install askwell[prices]."
        )
    yield (
        "Tokens are estimates (four characters each), with replies of a quarter of their limit and 16 tokens; high: no "
        "candidate is stopped early, replies of twice that."
        + (" At most: a byte each, replies of full length." if estimate.cuts else "")
        + " Failed calls are retried and not counted."
    )


def _cut_text(cut: CapEffect) -> str:
    cap = f"The cap of {cut.limit:g} {cut.cap}"
    if cut.expected > cut.limit:
        return f"{cap} is expected to end the run after step {cut.last_step}"
    return f"{cap} may be reached" if cut.worst is None or cut.worst > cut.limit else f"{cap} is never reached"


def _format_amounts(amounts: list[Amount], usd: float | None) -> str:
    calls = " + ".join(f"{amount.calls:,}" for amount in amounts)
    money = "" if usd is None else f", ${usd:,.2f}"
    return f"{calls} calls, {sum(amount.tokens for amount in amounts):,} tokens{money}"


def _columns(amount: Amount) -> list[str]:
    usd = "unknown" if amount.cost_usd is None else f"{amount.cost_usd:,.4f}"
    return [f"{amount.calls:,}", f"{amount.prompt_tokens:,}", f"{amount.completion_tokens:,}", usd]


def _amount_json(amount: Amount) -> dict[str, object]:
    return {
        "calls": amount.calls,
        "prompt_tokens": amount.prompt_tokens,
        "completion_tokens": amount.completion_tokens,
        "cost_usd": amount.cost_usd,
    }
