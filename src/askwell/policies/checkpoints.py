"""Checkpoints of each loop's writer, in a folder of the run. A half-written one is not read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from askwell.policies.protocols import PromptWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterCheckpoints:
    """A folder with one writer per loop; without a folder nothing is kept, and a resumed run trains again."""

    folder: Path | None = None
    read_writer: Callable[[Path], PromptWriter] | None = None

    def read(self, loop: int) -> PromptWriter | None:
        """Return the writer of a loop; None if it is not there."""
        folder = self._loop_folder(loop)
        if folder is None or self.read_writer is None or not folder.is_dir():
            return None
        return self.read_writer(folder)

    def write(self, loop: int, writer: PromptWriter) -> None:
        """Write a loop's writer; the folder gets its name when it is complete."""
        folder = self._loop_folder(loop)
        if folder is None:
            return
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        writer.save(part)
        part.rename(folder)

    def _loop_folder(self, loop: int) -> Path | None:
        return None if self.folder is None else self.folder / f"loop-{loop}"
