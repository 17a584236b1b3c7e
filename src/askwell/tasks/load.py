"""Load examples by name or from any other source: the function `askwell.load`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from askwell.core.errors import ConfigError
from askwell.core.types import Example, Split
from askwell.tasks.catalog import read_benchmark
from askwell.tasks.examples import ExampleSource, check_limit, load_examples

BENCH, BUNDLED = "bench:", "pocket:"
BUNDLED_SIZES: Mapping[Split, int] = MappingProxyType({"train": 48, "dev": 48, "test": 144})


def load(
    source: ExampleSource,
    *,
    fields: Mapping[str, str] | None = None,
    records: str | None = None,
    limit: int | None = None,
    name: str | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
) -> tuple[Example, ...]:
    """Load examples, in the order of the source.

    Args:
        source: A file, a data set on the hub ("hf:owner/name"), records, examples, a benchmark ("bench:gsm8k") or a
            bundled task ("pocket:numbers_even").
        fields: Where an example's `input`, `target` and `id` come from: a field name, a dotted path, or a template
            ("{passage} {question}"). In a template a list of options becomes lines "(A) …", and a target that is an
            index of it the letter. A target "answers[]" is a text with a JSON list of answers, as in a CSV file. By
            default, common field names are used; if several fit, `DataError` lists them. Unused fields become `meta`.
            Without an id field (or with `id` mapped to "") ids are content digests.
        records: The dotted path to the list of records inside a JSON file.
        limit: The maximum number of examples.
        name: The name of the source in error messages.
        folder: The folder with a benchmark's own files (default: the hub).
        seed: The seed by which a bundled task draws its examples.

    Raises:
        DataError: The data are invalid.
        ConfigError: An argument is invalid.

    """
    if not isinstance(source, str) or not source.startswith((BENCH, BUNDLED)):
        return load_examples(source, fields=fields, records=records, limit=limit, name=name)
    if fields or records:
        raise ConfigError(f"{source!r} has its own fields; leave out fields= and records=")
    check_limit(limit)
    if source.startswith(BENCH):
        return read_benchmark(source.removeprefix(BENCH), folder)[:limit]
    return tuple(example for part in draw_bundled(source, {}, seed).values() for example in part)[:limit]


def draw_bundled(source: str, sizes: Mapping[Split, int], seed: int) -> dict[Split, tuple[Example, ...]]:
    """Draw the splits of a bundled task; a split that `sizes` lacks has its usual size."""
    from askwell.tasks import bundled

    task = source.removeprefix(BUNDLED)
    counts: dict[Split, int] = {**BUNDLED_SIZES, **sizes}
    return {part: tuple(bundled.examples(task, part, count, seed)) for part, count in counts.items()}
