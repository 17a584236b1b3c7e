"""Record which queries a policy was trained on, as digests beside it: a score on these queries would be too high."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from askwell.core.errors import DataError
from askwell.core.files import write_whole
from askwell.tasks.questions import identify_question

FORMAT = 1
FILE = "learnt.json"


def write_training_queries(folder: Path, queries: Iterable[str]) -> None:
    """Write the digests of the queries used to fit a policy, or to choose its baseline prompt or its margin."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = sorted({digest_query(query) for query in queries})
    write_whole(folder / FILE, json.dumps({"format": FORMAT, "queries": digests}).encode())


def read_training_queries(folder: Path) -> frozenset[str] | None:
    """Return the digests; None if none were written. Raises `DataError` for a file of another format."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    body = cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}
    queries = body.get("queries")
    digests = cast("list[object]", queries) if isinstance(queries, list) else [None]
    if body.get("format") != FORMAT or not all(isinstance(digest, str) for digest in digests):
        raise DataError(f"{str(folder / FILE)!r} is not a list of training queries of format {FORMAT}; train again")
    return frozenset(cast("list[str]", digests))


def digest_query(query: str) -> str:
    """Return the digest of a query; equal for queries that are equal after `identify_question`."""
    return hashlib.blake2b(identify_question(query).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
