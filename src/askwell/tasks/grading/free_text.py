"""Search free text: a target within a reply, or a pattern."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata

from askwell.core.errors import DataError
from askwell.tasks.grading.boundaries import whole_word
from askwell.tasks.grading.normalize import strip_markup, visible_text
from askwell.tasks.grading.reply.hidden_text import remove_hidden

PATTERN_TIMEOUT_S = 5.0
"""A pattern that takes longer than this on one reply raises `DataError`."""
# A repeat within a repeat, such as (a+)+: the shape that backtracks exponentially
_NESTED = re.compile(r"\([^()]*(?:[*+]|\{\d+,\})[^()]*\)(?:[*+]|\{\d+,\d*\})|\)[^()]*\)(?:[*+]|\{\d+,\d*\})")
_UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{\d+,\})")
_WORKER = (
    "import json,re,sys;pattern,text=json.load(sys.stdin);found=re.search(pattern,text);"
    "json.dump(None if found is None else found[0],sys.stdout)"
)


def contains(reply: str, target: str) -> bool:
    """Return whether `target` occurs in `reply` as whole words, ignoring case and spacing; 12 is not in 12.4 or -12.

    Scripts without spaces have no word boundaries.
    """
    wanted = strip_markup(visible_text(target)).casefold().strip()
    wanted = wanted.strip(".,;:!?\"'`* ") or wanted
    if not wanted:
        return False
    before = r"(?<!\d[.,])(?<!^-)(?<![\s($=:]-)" if wanted[0].isdigit() else ""
    after = r"(?![.,]\d)" if wanted[-1].isdigit() else ""
    pattern = re.compile(before + whole_word(wanted) + after)
    seen = visible_text(reply)
    return any(pattern.search(text.casefold()) for text in (seen, strip_markup(seen)))


def search(reply: str, pattern: str) -> str | None:
    """Return the match of `pattern` in the reply (without thinking blocks and outer whitespace), or None.

    Raise `DataError` if the pattern does not compile or takes longer than `PATTERN_TIMEOUT_S`. A search that may
    backtrack exponentially runs in a process that can be stopped, which costs about 20 ms.
    """
    try:
        pattern = unicodedata.normalize("NFC", pattern)
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise DataError(f"target {pattern!r} is not a regular expression: {error}") from error
    text = remove_hidden(unicodedata.normalize("NFC", reply))
    repeats = len(_UNBOUNDED.findall(pattern))
    if _NESTED.search(pattern) or (repeats > 1 and len(text) > 2_000) or (repeats and len(text) > 20_000):
        return _search_in_process(pattern, text)
    match = compiled.search(text)
    return match[0] if match else None


def _search_in_process(pattern: str, text: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter runs our own program; pattern and text are data
            [sys.executable, "-I", "-S", "-c", _WORKER],
            input=json.dumps([pattern, text]).encode(),
            capture_output=True,
            timeout=PATTERN_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"target {pattern!r} took longer than {PATTERN_TIMEOUT_S:g} s on one reply; "
            "avoid nested repeats such as (a+)+"
        ) from error
    if done.returncode:
        raise DataError(f"target {pattern!r} could not be searched: {done.stderr.decode(errors='replace')[-200:]!r}")
    match: str | None = json.loads(done.stdout)
    return match
