"""A fit as a separate job: a folder with the ranks' input and output, and the program that each rank runs.

    python -m torch.distributed.run --nproc-per-node 2 -m askwell.policies.lm.fit_job FOLDER

    job.json               data, settings and seed
    start/                 the earlier loop's writer, in a later loop
    training.safetensors   state after the last epoch: a killed job continues from it, on any number of ranks
    epochs.jsonl           rank 0's losses, one line per epoch
    result/                the trained writer; exists only when it is complete

JSON and safetensors only, no pickle. `askwell.policies.lm.launch` writes the folder and starts the ranks.
"""
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false
# (torch is typed in part only)

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter
from torch import distributed as dist

from askwell.core.errors import AskwellError
from askwell.core.types import Experience
from askwell.policies.lm.distributed import init_process_group
from askwell.policies.lm.generate import GenerationSettings
from askwell.policies.lm.train import Epoch, LanguageModelTrainer
from askwell.policies.lm.training_state import fingerprint
from askwell.policies.lm.writer import LanguageModelWriter, load_writer
from askwell.policies.settings import ModelSettings, TrainSettings

_JOB: Final = "job.json"
_START: Final = "start"
_EPOCHS: Final = "epochs.jsonl"
_RESULT: Final = "result"
_STDIN: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """The arguments of one `LanguageModelTrainer.fit`."""

    train: tuple[Experience, ...]
    dev: tuple[Experience, ...]
    settings: TrainSettings
    model: ModelSettings
    sampling: GenerationSettings
    seed: int
    start: str | None
    """Digest of the earlier loop's writer, whose files are in the folder; None in a first loop."""


def write_fit_job(folder: Path, job: FitJob, start: LanguageModelWriter | None) -> None:
    """Write a job. If the folder holds the same job, it is kept to be continued; a different one is replaced."""
    text = json.dumps(asdict(job))
    path = folder / _JOB
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if start is not None:
        start.save(folder / _START)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)  # last, because only a complete job may be continued


def digest_writer(writer: LanguageModelWriter | None) -> str | None:
    """Return a digest of a writer's weights and scale; None if there is no writer."""
    return None if writer is None else fingerprint([writer.scale], writer.model)


def read_fitted_writer(folder: Path, *, device: str) -> LanguageModelWriter | None:
    """Read the trained writer; None if the job is not finished."""
    result = folder / _RESULT
    return load_writer(result, device=device) if result.is_dir() else None


class EpochReader:
    """Reads the epochs that rank 0 writes after this object was made; earlier ones were reported before."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _EPOCHS
        self._offset = self._path.stat().st_size if self._path.exists() else 0

    def new_epochs(self) -> Iterator[Epoch]:
        """Yield the epochs since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):  # rank 0 is still writing it
                    return
                self._offset += len(line)
                yield TypeAdapter(Epoch).validate_json(line)


def run_rank(folder: Path) -> None:
    """Train as one of the ranks; rank 0 writes the epochs and the result."""
    group = init_process_group()
    job = TypeAdapter(FitJob).validate_python(json.loads((folder / _JOB).read_text(encoding="utf-8")))

    def write_epoch(epoch: Epoch) -> None:
        with (folder / _EPOCHS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(epoch)) + "\n")

    trainer = LanguageModelTrainer(job.settings, job.model, job.sampling, checkpoints=folder, on_epoch=write_epoch)
    start = None if job.start is None else load_writer(folder / _START, device=job.model.device)
    writer = trainer.fit(job.train, job.dev, start=start, seed=job.seed)
    if group.is_main:
        part = folder / f"{_RESULT}.part"
        shutil.rmtree(part, ignore_errors=True)
        writer.save(part)
        part.rename(folder / _RESULT)
    dist.destroy_process_group()


def _exit_with_parent() -> None:
    """End this process when its stdin closes: the parent holds the other end, and may be killed at any moment.

    Otherwise the ranks would outlive their parent, and train in the same folder as the ranks of the resumed run.
    """

    def wait() -> None:
        while os.read(_STDIN, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, name="askwell-parent-watch", daemon=True).start()


if __name__ == "__main__":
    _exit_with_parent()
    try:
        run_rank(Path(sys.argv[1]))
    except AskwellError as error:
        sys.exit(f"{type(error).__name__}: {error}")
