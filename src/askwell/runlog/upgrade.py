"""Convert the events of an older log to the current format.

Format 1 -> 2 renamed an event kind, the number of a repeat, and settings in a run's first event (`upgrade_header`).
Keys of the request cache are digests of values without names, so they stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from askwell.core.errors import DataError
from askwell.core.types import Event, EventKind
from askwell.runlog.codec import FORMAT
from askwell.runlog.upgrade_header import OLDEST, move_key, upgrade_header

KINDS: Mapping[str, EventKind] = {"learnt": "quirk"}
"""Old kind -> new kind."""

KEYS: Mapping[str, Mapping[str, str]] = {
    "rollout": {"draw": "sample_index"},
    "call": {"request.draw": "request.sample_index"},
}
"""Kind -> old path of a key in the body -> new path."""


def upgrade_event(event: Event) -> Event:
    """Return an event of any known format in the current one; a current event stays as it is."""
    kind = KINDS.get(event.kind, event.kind)
    if kind == "run":
        return replace(event, body=upgrade_header(event.body))
    body = event.body
    for old, new in KEYS.get(kind, {}).items():
        body = move_key(body, old.split("."), new.rpartition(".")[2])
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
