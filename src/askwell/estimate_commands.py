"""What `askwell policy estimate` does: what a policy would score, from logged outcomes alone, before a call is paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from askwell import tables
from askwell.api.train import learnt_from, load_policy
from askwell.errors import DataError
from askwell.policy import Policy
from askwell.qpo.data import Cells, without
from askwell.qpo.learnt import digest_of
from askwell.qpo.offpolicy import MIN_MATCHED, Estimate, OffPolicy, off_policy
from askwell.qpo.policy import GuardedPolicy
from askwell.qpo.select import MIN_QUERIES, SelectionPolicy
from askwell.qpo.table import Table, table_of
from askwell.query_commands import Sourced
from askwell.types import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """What the log says of a policy, and how much of the log may speak."""

    policy: OffPolicy
    single: OffPolicy | None
    """The policy's own single prompt on the same queries; None where it has none, or the log lacks that one."""
    logged: int
    """Queries in the log."""
    learnt: int | None
    """Of these, those the policy was learnt from: left out. None: nobody kept which they were."""
    unlogged: int
    """Of the others, those that get a prompt which the log has for no query: left out."""


def estimate(name: str, which: Sourced, *, as_json: bool) -> None:
    """Estimate what a run's policy would score on logged queries that it was not learnt from."""
    learnt = learnt_from(name, runs_folder=which.folder)
    policy = load_policy(name, runs_folder=which.folder)
    found = estimated(policy, which.read(), learnt=learnt, seed=which.seed)
    if as_json:
        tables.print_json(asdict(found))
        return
    out = Console()
    out.print(_table(found))
    for line in _notes(found):
        out.print(Text(line))


def estimated(policy: Policy, cells: Cells, *, learnt: frozenset[str] | None, seed: int) -> Estimated:
    """Estimate on the logged queries whose digests are not among `learnt`; raises `DataError` for too few of them."""
    known = [query for query in cells.queries if learnt is not None and digest_of(query) in learnt]
    unseen = without(cells, known)
    if len(unseen.queries) < MIN_QUERIES:
        raise DataError(
            f"the policy was learnt from {len(known)} of the {len(cells.queries)} logged queries, and an estimate "
            f"needs {MIN_QUERIES} others: name outcomes on queries that it has not seen"
        )
    table = table_of(unseen)
    prompts = policy.prompts_for(table.queries)
    if any(prompt.demos for prompt in prompts):
        raise DataError(
            "the policy sends demonstrations with its prompts, and logged outcomes are of prompts without: nothing in "
            "the log speaks for it"
        )
    part, sent = _spoken_for(table, prompts)
    single = _single(policy)
    return Estimated(
        policy=off_policy(part, sent, seed=seed),
        single=off_policy(part, [single] * len(sent), seed=seed) if single in part.prompts else None,
        logged=len(cells.queries),
        learnt=None if learnt is None else len(known),
        unlogged=len(prompts) - len(sent),
    )


def _spoken_for(table: Table, prompts: Sequence[Prompt]) -> tuple[Table, list[str]]:
    """Keep the queries that get a prompt which was logged, if for other queries."""
    texts = [prompt.instruction for prompt in prompts]
    rows = [row for row, text in enumerate(texts) if text in table.prompts]
    if len(rows) < MIN_QUERIES:
        raise DataError(
            f"{len(texts) - len(rows)} of {len(texts)} queries get a prompt that the log has for no query: nothing in "
            f"it speaks for them, and an estimate needs {MIN_QUERIES} others; label some on the target"
        )
    return table.rows(rows), [texts[row] for row in rows]


def _single(policy: Policy) -> str:
    """Return the one prompt a policy falls back on; empty where it has none, or sends nothing else."""
    match policy:
        case SelectionPolicy():
            return policy.prompts[policy.static]
        case GuardedPolicy():
            return policy.static.instruction
        case _:
            return ""


def _table(found: Estimated) -> RichTable:
    title = f"Estimated on {found.policy.queries:,} logged queries: points of 100"
    table = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("estimator")
    table.add_column("policy", justify="right", no_wrap=True)
    if found.single is not None:
        table.add_column("its single prompt", justify="right", no_wrap=True)
    for label, name in (("doubly robust", "doubly_robust"), ("IPS, self-normalised", "ips"), ("direct", "direct")):
        both = [getattr(one, name) for one in (found.policy, found.single) if one is not None]
        table.add_row(label, *(Text(_spelt(one)) for one in both), style="bold" if name == "doubly_robust" else "")
    return table


def _notes(found: Estimated) -> list[str]:
    matched = round(found.policy.matched * found.policy.queries)
    notes = [
        f"On {matched:,} of these {found.policy.queries:,} queries the log holds the very prompt that the policy sends."
    ]
    if matched < MIN_MATCHED:
        notes.append(f"That is fewer than {MIN_MATCHED}: hardly more than a model speaks here, so trust none of it.")
    if found.learnt is None:
        notes.append("Which queries the policy was learnt from was not kept: if they are among these, it is flattered.")
    elif found.learnt:
        notes.append(f"{found.learnt:,} of the {found.logged:,} logged queries are left out: it was learnt from them.")
    if found.unlogged:
        notes.append(
            f"{found.unlogged:,} queries are left out: they get a prompt that the log has for no query, so this is not "
            "the policy's score on all of them."
        )
    return [
        *notes,
        "Intervals are at 95 %. Read the doubly robust estimate; the others show where it comes from. A query's logged "
        "prompts count as equally likely to have been logged.",
    ]


def _spelt(one: Estimate | None) -> str:
    return "?" if one is None else f"{100 * one.value:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"
