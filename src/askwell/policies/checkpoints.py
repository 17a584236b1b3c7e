"""Where a run keeps each loop's writer: in a folder of the run, or nowhere. A half-written one does not count."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from askwell.policies.protocols import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterCheckpoints:
    """A folder with one writer a loop; without a folder nothing is kept, and a resumed run trains again."""

    folder: Path | None = None
    read_writer: Callable[[Path], Writer] | None = None

    def read(self, loop: int) -> Writer | None:
        """Return the writer of a loop, None where it was never finished."""
        place = self._place(loop)
        if place is None or self.read_writer is None or not place.is_dir():
            return None
        return self.read_writer(place)

    def write(self, loop: int, writer: Writer) -> None:
        """Keep a loop's writer; it counts once it is whole."""
        place = self._place(loop)
        if place is None:
            return
        part = place.with_name(place.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        writer.save(part)
        part.rename(place)

    def _place(self, loop: int) -> Path | None:
        return None if self.folder is None else self.folder / f"loop-{loop}"
