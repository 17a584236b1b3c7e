"""Save a policy into a folder, and load it: any kind, fixed, selecting or generating.

    save_policy(policy, Path("policy"))
    load_policy(Path("policy"), read_writer=load_writer)

A fixed prompt needs neither numpy nor PyTorch; the other kinds import them when they are loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError, DataError
from askwell.core.files import write_whole
from askwell.core.protocols import Policy
from askwell.policies.fallback_policy import FallbackPolicy
from askwell.policies.fallback_threshold import decode_fallback, encode_fallback
from askwell.policies.fixed import FixedPolicy
from askwell.policies.policy_file import FALLBACK, FILE, FIXED, check_policy_file, read_policy_file, refuse_links
from askwell.policies.protocols import PromptWriter
from askwell.runlog.codec import Body, decode_prompt, encode_prompt

FORMAT = 1
SELECTION = "selection"
"""Kind of a policy that selects among logged prompts, in the policy's file."""
WRITER = "writer"
"""Folder of the language model (or of the selector) inside the policy's folder, and kind of such a policy."""
SELECTOR = "chooser"
"""Kind of a policy whose writer is a `SelectorWriter`, in the policy's file."""


def save_policy(policy: Policy, folder: Path) -> None:
    """Save a policy into a folder: `policy.json` and what it needs. Raises `ConfigError` for a class of your own."""
    if isinstance(policy, FixedPolicy):
        _write(folder, {"kind": "fixed", "prompt": encode_prompt(policy.prompt)})
    elif isinstance(policy, FallbackPolicy):
        _save_fallback(policy, folder)
    else:
        _save_selection(policy, folder)


def _save_fallback(policy: FallbackPolicy, folder: Path) -> None:
    from askwell.policies.selector_writer import SelectorWriter

    policy.writer.save(folder / WRITER)
    body = {
        "kind": SELECTOR if isinstance(policy.writer, SelectorWriter) else WRITER,
        "prompt": encode_prompt(policy.baseline),
        "guard": encode_fallback(policy.fallback),
        "samples": policy.samples,
        "seed": policy.seed,
    }
    _write(folder, body)


def _save_selection(policy: Policy, folder: Path) -> None:
    from askwell.policies.selection.selection import SelectionPolicy

    if not isinstance(policy, SelectionPolicy):
        raise ConfigError(
            f"can't save a {type(policy).__name__}; expected a FixedPolicy, SelectionPolicy or FallbackPolicy"
        )
    policy.save(folder)


def _write(folder: Path, body: Mapping[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, **body}, ensure_ascii=False, indent=1)
    write_whole(folder / FILE, text.encode("utf-8", "surrogatepass"))


def load_policy(folder: Path, *, read_writer: Callable[[Path], PromptWriter]) -> Policy:
    """Load what `save_policy` wrote; raises `DataError` for anything else. `read_writer` loads the language model."""
    body = read_policy_file(folder)
    refuse_links(folder)
    kind = body.get("kind")
    if kind == SELECTION:
        return _load_selection(folder)
    if body.get("format") != FORMAT or kind not in ("fixed", WRITER, SELECTOR):
        raise DataError(f"{str(folder / FILE)!r} is not a policy of format {FORMAT}")
    check_policy_file(body, FIXED if kind == "fixed" else FALLBACK, folder)
    baseline = decode_prompt(cast("Body", body["prompt"]))
    if body["kind"] == "fixed":
        return FixedPolicy(prompt=baseline)
    return FallbackPolicy(
        writer=(_load_selector if body["kind"] == SELECTOR else read_writer)(folder / WRITER),
        baseline=baseline,
        fallback=decode_fallback(cast("dict[str, float | str | None]", body["guard"])),
        samples=cast("int", body["samples"]),
        seed=cast("int", body["seed"]),
    )


def _load_selection(folder: Path) -> Policy:
    from askwell.policies.selection.selection import load_selection

    return load_selection(folder)


def _load_selector(folder: Path) -> PromptWriter:
    from askwell.policies.selector_writer import load_selector

    return load_selector(folder)
