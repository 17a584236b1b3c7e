"""Read the rollouts of some prompts from a log, without reading the rest of a long log."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from askwell.core.types import Event, Example, Prompt, Rollout, Split
from askwell.runlog.codec import decode_rollout, prompt_id
from askwell.runlog.fold import SlotKey, read_examples
from askwell.runlog.reading import ById, located, read_events
from askwell.runlog.store import RunStore

_LARGE_GAP = 5_000
"""Gap between two wanted events, in events, above which a new database query is cheaper than reading on."""


def read_prompt_rollouts(store: RunStore, prompts: Collection[Prompt], splits: Collection[Split]) -> list[Rollout]:
    """Return the rollouts of these prompts on these splits in the order of the log, one for each slot.

    A failed call is returned only if its slot was never answered.
    """
    by_id = {prompt_id(prompt): prompt for prompt in prompts}
    latest: dict[SlotKey, tuple[int, bool]] = {}
    for row in store.rollout_rows():
        if row.split not in splits or row.prompt not in by_id:
            continue
        slot, is_answered = SlotKey(*row[1:5]), row.score is not None
        if slot not in latest or is_answered > latest[slot][1]:
            latest[slot] = (row.position, is_answered)
    queries = ById[str]("example")
    queries |= {name: example.input for name, example in read_examples_by_id(store).items()}
    rollouts: list[Rollout] = []
    for event in events_at(store, sorted(position for position, _ in latest.values())):
        with located(store, event.position):
            rollouts.append(decode_rollout(event.body, by_id, queries))
    return rollouts


def read_examples_by_id(store: RunStore) -> dict[str, Example]:
    """Return the run's examples of all splits by their ids."""
    return {example.id: example for members in read_examples(store).values() for example in members}


def events_at(store: RunStore, positions: Sequence[int]) -> Iterator[Event]:
    """Yield the rollout events at ascending positions; large gaps between them are skipped, not read."""
    last = -_LARGE_GAP - 2
    events: Iterator[Event] = iter(())
    for position in positions:
        if position - last > _LARGE_GAP:
            events = read_events(store, after=position - 1, kinds=["rollout"])
        yield next(event for event in events if event.position == position)
        last = position
