"""Convert the events of an older log to the current format.

Format 1 -> 2 renamed an event kind, the number of a repeat, and settings in a run's first event. The three tables
below hold all of it. Keys of the request cache are digests of values without names, so they stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import cast

from askwell.core.errors import DataError
from askwell.core.types import Event, EventKind
from askwell.runlog.codec import FORMAT, Body

OLDEST = 1
"""The oldest format that can be converted."""

KINDS: Mapping[str, EventKind] = {"learnt": "quirk"}
"""Old kind -> new kind."""

KEYS: Mapping[str, Mapping[str, str]] = {
    "rollout": {"draw": "sample_index"},
    "call": {"request.draw": "request.sample_index"},
}
"""Kind -> old path of a key in the body -> new path."""

SETTINGS: Mapping[str, str] = {
    "optimizer": "optimizer_model",
    "search": "optimizer",
    "optimizer.preset": "optimizer.name",
    "target.draws": "target.repeats",
    "optimizer_model.draws": "optimizer_model.repeats",
    "sampling.draws": "sampling.repeats",
    "policy.preset": "policy.method",
    "policy.collect": "policy.acquire",
    "policy.choice": "policy.acquisition",
}
"""Old path of a setting -> new path. They are applied in this order: `optimizer` has to make room for `search`."""

VALUES: Mapping[str, Mapping[object, object]] = {
    "policy.method": {"paper": "qpo"},
    "policy.acquisition": {"information": "uncertainty"},
}
"""New path of a setting -> old value -> new value."""


def upgrade_event(event: Event) -> Event:
    """Return an event of any known format in the current one; a current event stays as it is."""
    kind = KINDS.get(event.kind, event.kind)
    if kind == "run":
        return replace(event, body=_upgrade_header(event.body))
    body = event.body
    for old, new in KEYS.get(kind, {}).items():
        body = _move(body, old.split("."), new.rpartition(".")[2])
    return event if kind == event.kind and body is event.body else replace(event, kind=kind, body=body)


def upgrade_events(events: Iterable[Event]) -> Iterator[Event]:
    """Convert a whole log; its first event states its format. Raises `DataError` for an unknown format."""
    left = iter(events)
    first = next(left, None)
    if first is None:
        return
    number = first.body.get("format", FORMAT) if first.kind == "run" else FORMAT
    if not isinstance(number, int) or not OLDEST <= number <= FORMAT:
        raise DataError(
            f"the log has format {number!r}; this askwell converts {OLDEST} to {FORMAT}: update askwell to read it"
        )
    # A current log is passed through: its own `optimizer` must not be renamed a second time.
    yield from chain([first], left) if number == FORMAT else map(upgrade_event, chain([first], left))


def _upgrade_header(body: Body) -> Body:
    if body.get("format") != OLDEST:
        return body
    trees = {name: _upgrade_settings(cast("Body", body[name])) for name in ("config", "settings") if body.get(name)}
    return {**body, "format": FORMAT, **trees}


def _upgrade_settings(tree: Body) -> Body:
    for old, new in SETTINGS.items():
        tree = _move(tree, old.split("."), new.rpartition(".")[2])
    for path, values in VALUES.items():
        tree = _replace_value(tree, path.split("."), values)
    return tree


def _move(tree: Body, path: list[str], name: str) -> Body:
    """Rename the key at a path, in its place; a tree without it is returned as it is."""
    head, *rest = path
    inner = tree.get(head)
    if head not in tree:
        return tree
    if not rest:
        return {(name if key == head else key): value for key, value in tree.items()}
    if not isinstance(inner, Mapping):
        return tree
    moved = _move(cast("Body", inner), rest, name)
    return tree if moved is inner else {**tree, head: moved}


def _replace_value(tree: Body, path: list[str], values: Mapping[object, object]) -> Body:
    head, *rest = path
    if head not in tree:
        return tree
    inner = tree[head]
    if rest:
        return {**tree, head: _replace_value(cast("Body", inner), rest, values)} if isinstance(inner, Mapping) else tree
    return {**tree, head: values.get(inner, inner)} if isinstance(inner, str) else tree
