"""Which queries a policy was learnt from, kept beside it by digest: any figure on them would flatter it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from askwell.core.errors import DataError
from askwell.tasks.splits import normalize_question

FORMAT = 1
FILE = "learnt.json"


def write_training_queries(folder: Path, queries: Iterable[str]) -> None:
    """Write the digests of the queries a policy (its static prompt and its margin too) was learnt from."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = sorted({query_digest(query) for query in queries})
    (folder / FILE).write_text(json.dumps({"format": FORMAT, "queries": digests}), encoding="utf-8")


def read_training_queries(folder: Path) -> frozenset[str] | None:
    """Return the digests; None where none were kept. Raises `DataError` for a file that is something else."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        read: object = json.loads(text)
    except ValueError:
        read = None
    body = cast("dict[str, object]", read) if isinstance(read, dict) else {}
    if body.get("format") != FORMAT:
        raise DataError(f"{str(folder / FILE)!r} is not a list of learnt queries of format {FORMAT}; train again")
    return frozenset(cast("list[str]", body["queries"]))


def query_digest(query: str) -> str:
    """Name a query by its content: equal for wordings that `normalize_question` takes for the same."""
    return hashlib.blake2b(normalize_question(query).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
