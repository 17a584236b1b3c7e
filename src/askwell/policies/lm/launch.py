"""Training on several processes: `torch.distributed`'s launcher runs the fit as a job, and the parent waits for it.

The parent process is no rank: it writes the job (`fit_job.py`), starts the launcher, reports epochs, and reads the
result. So labelling between two fits involves no other process.
"""
# pyright: reportUnknownMemberType=false
# (torch is typed in part only)

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from askwell.core.errors import ConfigError, RunFailed
from askwell.core.types import Experience
from askwell.engine.evaluator import Interrupted
from askwell.policies.lm.fit_job import EpochReader, FitJob, digest_writer, read_fitted_writer, write_fit_job
from askwell.policies.lm.reward_signals import check_disjoint_queries, pair_with_signal
from askwell.policies.lm.train import LanguageModelTrainer
from askwell.policies.lm.writer import LanguageModelWriter
from askwell.policies.protocols import PromptWriter

_POLL_S = 0.2
_TAIL_LINES = 20
_LAUNCHER_LOG = "launcher.log"
_RANK_LOGS = "logs"
_FAILED_RANK = re.compile(r"failed \(exitcode: (-?\d+)\) local_rank: (\d+)")
"""The launcher's line on the first rank that failed; the others fail because it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiProcessTrainer:
    """A `Trainer` that fits on `processes` ranks of this machine, with the losses of one process up to rounding.

    A killed or interrupted fit leaves its state in `folder`; the same call with the same folder continues it, with any
    number of processes. A finished one leaves nothing there.
    """

    trainer: LanguageModelTrainer
    """Runs in each rank. Its `on_epoch` is called in the parent; its `checkpoints` are replaced by the job's folder."""
    processes: int
    folder: Path
    is_stopping: Callable[[], bool] = lambda: False
    """Called several times a second; True ends the ranks, and `fit` raises `Interrupted`."""

    def __post_init__(self) -> None:
        check_processes(self.trainer, self.processes)

    def fit(
        self,
        train: Sequence[Experience],
        dev: Sequence[Experience],
        *,
        start: PromptWriter | None = None,
        seed: int = 0,
    ) -> LanguageModelWriter:
        """Fit as `LanguageModelTrainer` does. Raises `RunFailed` if a rank dies."""
        settings, model = self.trainer.settings, self.trainer.model
        check_disjoint_queries(train, dev)
        pair_with_signal(train, settings.signal)  # raises the ranks' errors before the ranks are started
        if start is not None and not isinstance(start, LanguageModelWriter):
            raise ConfigError(f"start is a {type(start).__name__}; expected a writer this trainer made, or None")
        job = FitJob(
            train=tuple(train), dev=tuple(dev), settings=settings, model=model, sampling=self.trainer.sampling,
            seed=seed, start=digest_writer(start),
        )  # fmt: skip
        write_fit_job(self.folder, job, start)
        writer = read_fitted_writer(self.folder, device=model.device)  # it exists if only the parent was killed
        if writer is None:
            self._run_ranks()
            writer = read_fitted_writer(self.folder, device=model.device)
        if writer is None:
            raise RunFailed(f"the ranks ended without a result in {str(self.folder)!r}; train again")
        shutil.rmtree(self.folder)
        return writer

    def _run_ranks(self) -> None:
        """Start the launcher and wait for it, reporting epochs."""
        shutil.rmtree(self.folder / _RANK_LOGS, ignore_errors=True)
        epochs = EpochReader(self.folder)
        with (
            (self.folder / _LAUNCHER_LOG).open("wb") as log,
            # A session of its own, because a terminal's Ctrl-C goes to the whole foreground group: it must reach the
            # parent alone, which ends the ranks. Their stdin closes with the parent, however it ends.
            subprocess.Popen(  # noqa: S603 - our own interpreter and our own program
                self._command(), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            ) as launcher,
        ):
            try:
                while _is_running(launcher):
                    for epoch in epochs.new_epochs():
                        self.trainer.on_epoch(epoch)
                    if self.is_stopping():
                        raise Interrupted
            finally:
                launcher.terminate()  # it ends its ranks
        for epoch in epochs.new_epochs():
            self.trainer.on_epoch(epoch)
        if launcher.returncode:
            raise RunFailed(self._describe_failure(launcher.returncode))

    def _command(self) -> list[str]:
        """Return the launcher's command.

        `--standalone` takes a free port, so that two trainings on one machine don't meet; `--redirects 3` writes each
        rank's stdout and stderr to files.
        """
        launcher = [
            "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1",
            "--nproc-per-node", str(self.processes),
            "--redirects", "3", "--log-dir", str(self.folder / _RANK_LOGS),
        ]  # fmt: skip
        return [sys.executable, *launcher, "-m", "askwell.policies.lm.fit_job", str(self.folder)]

    def _describe_failure(self, status: int) -> str:
        """Name the rank that failed first, with the end of its stderr; without one, quote the launcher's output."""
        resume = f"The state after the last complete epoch is in {str(self.folder)!r}: resume the run to continue"
        launcher_log = _read(self.folder / _LAUNCHER_LOG)
        failed = _FAILED_RANK.search(launcher_log)
        if failed is None:
            return (
                f"the launcher of {self.processes} ranks ended with status {status}.\n{_tail(launcher_log)}\n{resume}"
            )
        exit_code, rank = failed.groups()
        stderr = "".join(_read(path) for path in (self.folder / _RANK_LOGS).glob(f"**/{rank}/stderr.log"))
        return (
            f"rank {rank} of {self.processes} ended with exit code {exit_code} while training. "
            f"The end of its stderr:\n{_tail(stderr) or '(empty)'}\n{resume}"
        )


def check_processes(trainer: LanguageModelTrainer, processes: int) -> None:
    """Raise `ConfigError` if a training can't run on so many processes of this machine."""
    if trainer.settings.objective == "dpo":
        raise ConfigError(
            f"processes={processes!r}: objective='dpo' trains in one process; leave processes out, or take another "
            "objective"
        )
    gpus = torch.cuda.device_count()
    if gpus and trainer.model.device != "cpu" and processes > gpus:
        raise ConfigError(
            f"processes={processes!r}, but this machine has {gpus} GPUs; give at most one process per GPU"
        )


def _is_running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=_POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
