"""Read the tables of docs/migration.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tests.support.harness import ROOT

PAGE = ROOT / "docs" / "migration.md"
GONE = "gone"
_CODE = re.compile("`([^`]+)`")
Table = Mapping[str, str]
"""Old name -> new name, or `GONE`."""


def read_tables(text: str | None = None) -> Mapping[str, Table]:
    """Return the page's tables by heading.

    The code spans of a row's first cell are old names; the first code span of its second cell is the new name of each,
    unless the cell begins with "gone". Words outside code spans are notes for the reader.
    """
    tables: dict[str, dict[str, str]] = {}
    heading = ""
    for line in (text if text is not None else PAGE.read_text(encoding="utf-8")).splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ").strip()
            tables[heading] = {}
        elif line.startswith("|") and heading:
            old, new = (cell.strip() for cell in line.strip("|").split("|"))
            names = _CODE.findall(old)
            present = [] if new.startswith(GONE) else _CODE.findall(new)
            assert present or new.startswith(GONE) or not names, f"this row has no new name in a code span: {line}"
            tables[heading] |= dict.fromkeys(names, present[0] if present else GONE)
    return tables


class Migration:
    """The present names of old commands, flags and JSON keys."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.commands, self.flags, self.json_keys = (tables[name] for name in ("Commands", "Flags", "JSON keys"))

    def command(self, old: str) -> str:
        """Return a command's present name, or `GONE`; a group's row holds for its commands too."""
        if old in self.commands:
            return self.commands[old]
        group, _, name = old.rpartition(" ")
        above = self.command(group) if group else ""
        return GONE if above == GONE else f"{above} {name}".strip()

    def flag(self, command: str, old: str) -> str:
        """Return a flag's present name, or `GONE`; `command` is the old one."""
        new = self.flags.get(f"{command} {old}") or self.flags.get(old) or old
        return new.rpartition(" ")[2]

    def renames_flag(self, command: str, old: str) -> bool:
        """Return whether a row names this flag; a row with the same name twice says that it takes something else."""
        return f"{command} {old}" in self.flags or old in self.flags

    def arguments(self, old: Sequence[str]) -> tuple[str, ...]:
        """Translate a command line; what is gone must not be in it."""
        count = 2 if old[0] in _GROUPS else 1
        command = " ".join(old[:count])
        words = list(old[count:])
        translated = self.command(command).split()
        while words:
            word = words.pop(0)
            valued = self.flags.get(f"{command} {word} {words[0]}") if words else None
            if valued:
                words.pop(0)
                translated += valued.split()[-2:]
            else:
                translated.append(self.flag(command, word) if word.startswith("--") else word)
        return tuple(translated)

    def json_path(self, call: str, old: str) -> str:
        """Return a JSON path's present form, or `GONE`; rows name a key everywhere, or one call's whole path."""
        if row := self.json_keys.get(f"{call}: {old}"):
            return row
        parent, dot, key = old.rpartition(".")
        above = self.json_path(call, parent) if dot else ""
        bare = key.rstrip("[]")
        new = self.json_keys.get(f"{call}: {old.rstrip('[]')}", "").rpartition(".")[2] or self.json_keys.get(bare, bare)
        return GONE if GONE in (above, new) else f"{above}.{new}{key[len(bare) :]}".removeprefix(".")


_GROUPS = {"data", "log", "policy"}
"""Old commands that hold others."""
