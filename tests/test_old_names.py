"""No old name is left in the code: identifiers by syntax tree, keys by the config's schema, flags by the commands.

Words in prose, in strings and in columns of foreign files don't count.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

import askwell
from askwell.api.config import Config
from askwell.api.config_file import POLICY_SETTINGS
from askwell.core import renamed
from askwell.core.types import EventKind
from askwell.runlog import upgrade
from tests.golden.surface import commands

SOURCE = Path(askwell.__file__).parent
EXEMPT = ("core/renamed.py", "runlog/upgrade.py")
"""Files that have to know old names: the table of refusals, and the converter of older logs."""

CLASSES: Mapping[str, str] = {
    "Capped": "BudgetLimited", "Cell": "RolloutSlot, PairOutcome or BlockCell",
    "CellRow": "RolloutRow", "CellView": "RolloutView", "Cells": "a name of its own", "Columns": "the one fold",
    "Feed": "RolloutQueue", "Learnt": "LoopsResult or server quirks", "Place": "a name of its own",
    "Purse": "BudgetTracker", "Room": "Backpressure", "Search": "OptimizerPreset", "SplitJudge": "Judge",
    "Unit": "a name of its own",
}  # fmt: skip
"""Old name of a class -> new one."""

WORDS: Mapping[str, str] = {
    "aside": "unordered", "belief": "posterior", "chooser": "selector", "choosing": "selection",
    "coalesce": "sample_batching", "crew": "gone with the channel", "desk": "submitter", "dice": "rng_state or rng",
    "hang": "gone with the channel", "hear": "gone with the channel", "learnt": "quirk, …",
    "purse": "budget", "spelt": "format…", "throttle": "rate_controller",
    "told": "describe…", "untold": "unlogged_prompts", "watched": "with_progress",
}  # fmt: skip
"""Old word, anywhere in an identifier between underscores -> new one."""

IDENTIFIERS: Mapping[str, str] = {
    "admit": "acquire", "aim": "target_quantile", "as_one": "gone with the channel", "closed": "closed_queue",
    "collect": "acquire", "draw": "sample_index", "draws": "repeats", "hidden_share": "condition_dropout",
    "keep_back": "reserve", "lead": "prefix", "settle": "record", "tail": "suffix",
}  # fmt: skip
"""Old name of a function, argument, field or attribute -> new one."""

HOMONYMS_OUTSIDE = ("tasks/bundled/",)
"""Where modules of one form share names on purpose, and `draw` means drawing at random."""

LOCALS: Mapping[str, str] = {
    "found": "the noun", "known": "the noun", "one": "the noun", "place": "index, path, …",
}  # fmt: skip
"""Old name of a local variable -> what it should say."""

CODEC_SUFFIX = "_body"
CODEC_VERBS = ("dump_", "encode_", "read_")
HTTP_BODIES = ("models/providers/", "serve/")
"""Where a body is that of an HTTP request or reply, and not a record of the log."""
DECODERS = frozenset({
    "candidate_of", "completion_of", "example_of", "interval_of", "message_of", "prompt_of", "proposal_of",
    "request_of", "rollout_of", "score_of",
})  # fmt: skip
"""Functions that read a record: `decode_x` now; `x_body` is `encode_x`."""

MODULES: Mapping[str, str] = {
    "aside": "unordered", "batch_desk": "submitter", "belief": "posterior", "coalesce": "sample_batching",
    "columns": "the one fold", "crew": "gone with the channel", "feed": "rollout_queue", "gate": "shared_gate",
    "learnt": "server_quirks, training_queries", "lookahead": "scheduler", "methods": "presets",
    "overload": "refusal_stats", "throttle": "rate_controller", "transport_direct": "gone", "views": "the one fold",
}  # fmt: skip

EVENT_KINDS: Mapping[str, str] = upgrade.KINDS
"""Old commands, flags, config keys and arguments are in `askwell.core.renamed`, old event kinds in the converter."""


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """A name in the source, and what it names."""

    name: str
    where: str
    is_class: bool = False
    is_function: bool = False
    is_local: bool = False


def test_no_class_has_an_old_name() -> None:
    none_left(offenders(lambda identifier: identifier.is_class and identifier.name in CLASSES))


def test_no_identifier_has_an_old_name_or_word() -> None:
    none_left(offenders(lambda identifier: not WORDS.keys().isdisjoint(identifier.name.lower().strip("_").split("_"))))
    none_left(offenders(_is_old_member))


def test_no_record_function_has_an_old_name() -> None:
    none_left(offenders(_is_old_codec))


def _is_old_codec(identifier: Identifier) -> bool:
    is_encoder = identifier.name.endswith(CODEC_SUFFIX) and not identifier.name.startswith(CODEC_VERBS)
    return identifier.is_function and (
        identifier.name in DECODERS or (is_encoder and not identifier.where.startswith(HTTP_BODIES))
    )


def test_no_local_variable_has_a_catch_all_name() -> None:
    none_left(offenders(lambda identifier: identifier.is_local and identifier.name in LOCALS))


def test_no_module_has_an_old_name() -> None:
    none_left([str(path.relative_to(SOURCE)) for path in sources() if path.stem in MODULES])


def test_no_two_classes_share_a_name() -> None:
    classes = [identifier for identifier in identifiers() if identifier.is_class]
    none_left(shared({one.where: one.name for one in classes if not one.name.startswith("_")}))


def test_no_two_public_functions_of_a_wing_share_a_name() -> None:
    wings: dict[str, dict[str, str]] = defaultdict(dict)
    for path in sources():
        relative = str(path.relative_to(SOURCE))
        if not relative.startswith(HOMONYMS_OUTSIDE):
            for node in parse(path).body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                    wings[relative.partition("/")[0]][f"{relative}:{node.lineno}"] = node.name
    none_left([homonym for names in wings.values() for homonym in shared(names)])


def test_no_config_key_or_value_has_an_old_name() -> None:
    keys = dict(config_keys(Config, ""))
    for settings in POLICY_SETTINGS:
        keys |= dict(config_keys(settings, "policy."))
    assert renamed.KEYS.keys() & keys.keys() == set()
    for key, old_values in renamed.KEY_VALUES.items():
        assert old_values.keys() & set(keys[key]) == set()


def test_no_command_or_flag_has_an_old_name() -> None:
    present = commands()
    assert renamed.COMMANDS.keys() & present.keys() == set()
    flags = {(command, flag) for command, names in present.items() for key in names for flag in key.split(" / ")}
    old = {(command, flag) for flag, by_command in renamed.FLAGS.items() for command in by_command}
    assert old & flags == set()
    new = {(command, flag) for by_command in renamed.FLAGS.values() for command, flag in by_command.items()}
    assert new - flags == set(), "the table names flags that do not exist"


def test_no_event_kind_has_an_old_name() -> None:
    kinds = set(typing.get_args(EventKind))
    assert EVENT_KINDS.keys() & kinds == set()
    assert set(EVENT_KINDS.values()) <= kinds


def test_no_public_argument_has_an_old_name() -> None:
    for function in (askwell.optimize, askwell.plan):
        arguments = inspect.signature(function).parameters.keys()
        assert renamed.ARGUMENTS.keys() & arguments == set()
        assert {"optimizer_model", *renamed.ARGUMENTS.values()} <= arguments


def none_left(problems: list[str]) -> None:
    assert not problems, "\n".join(["", *problems])


def offenders(is_old: typing.Callable[[Identifier], bool]) -> list[str]:
    """Return the distinct places of identifiers that are old names."""
    return sorted({f"{identifier.where} {identifier.name}" for identifier in identifiers() if is_old(identifier)})


def _is_old_member(identifier: Identifier) -> bool:
    return (
        identifier.name in IDENTIFIERS and not identifier.is_local and not identifier.where.startswith(HOMONYMS_OUTSIDE)
    )


def sources() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if str(path.relative_to(SOURCE)) not in EXEMPT]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def identifiers() -> Iterator[Identifier]:
    """Yield what the source defines or assigns: classes, functions, arguments, fields, attributes, variables."""
    for path in sources():
        for node in ast.walk(parse(path)):
            where = f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}"
            match node:
                case ast.ClassDef(name=name):
                    yield Identifier(name=name, where=where, is_class=True)
                    for member in node.body:
                        if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                            yield Identifier(name=member.target.id, where=where)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield Identifier(name=name, where=where, is_function=True)
                case ast.arg(arg=name) | ast.keyword(arg=str(name)) | ast.Attribute(attr=name, ctx=ast.Store()):
                    yield Identifier(name=name, where=where)
                case ast.Name(id=name, ctx=ast.Store()):
                    yield Identifier(name=name, where=where, is_local=True)
                case _:
                    pass


def config_keys(section: type[Any], prefix: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the dotted keys of a config, each with the values it is limited to."""
    hints = typing.get_type_hints(section)
    for name in section_fields(section):
        yield f"{prefix}{name}", tuple(literals(hints[name]))
        for part in (hints[name], *typing.get_args(hints[name])):
            if isinstance(part, type) and section_fields(cast("type[Any]", part)):
                yield from config_keys(cast("type[Any]", part), f"{prefix}{name}.")


def section_fields(section: type[Any]) -> list[str]:
    """Return the keys of a section; empty for what is none."""
    if dataclasses.is_dataclass(section):
        return [field.name for field in dataclasses.fields(section)]
    return list(section.model_fields) if issubclass(section, BaseModel) else []


def literals(annotation: Any) -> Iterator[Any]:
    """Yield the values of every `Literal` in an annotation."""
    for part in typing.get_args(annotation):
        if typing.get_args(part):
            yield from literals(part)
        elif not isinstance(part, type):
            yield part


def shared(names: Mapping[str, str]) -> list[str]:
    """Return names that stand at more than one place, with the places."""
    places: dict[str, list[str]] = defaultdict(list)
    for where, name in names.items():
        places[name].append(where)
    return [f"{name}: {', '.join(where)}" for name, where in places.items() if len(where) > 1]
