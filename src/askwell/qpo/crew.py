"""Several processes, one command: the first does all of it, the others only take part in its trainings.

    torchrun --nproc-per-node 4 -m askwell train sums

Only the first process reads flags, asks the target, writes the log and saves policies, so nothing is paid for or
written twice. Before each training it sends the others what they need: settings, data, seed; weights come with the
training's first exchange (`askwell.qpo.distributed`).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportPrivateImportUsage=false
# (torch is typed in part only)

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from askwell.qpo.ranks import ranks
from askwell.qpo.writing import Trainer, Writer
from askwell.types import Experience

if TYPE_CHECKING:
    from askwell.qpo.signals import Scale
    from askwell.qpo.train import LanguageModelTrainer

_T = TypeVar("_T")

_PATIENCE = timedelta(days=30)
"""How long the others wait for a training: labelling may take its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lesson:
    """A training that all processes do together."""

    trainer: LanguageModelTrainer
    train: Sequence[Experience]
    dev: Sequence[Experience]
    start: Scale | None
    """Of the earlier loop's writer, None where there is none."""
    seed: int


@dataclass(slots=True)
class _Line:
    """The line on which the first process speaks to the others, apart from the exchange of gradients."""

    group: Any
    is_training: bool = field(default=False)

    def say(self, lesson: _Lesson | None) -> None:
        from torch import distributed as dist

        dist.broadcast_object_list([lesson], src=0, group=self.group)

    def hear(self) -> _Lesson | None:
        from torch import distributed as dist

        heard: list[_Lesson | None] = [None]
        dist.broadcast_object_list(heard, src=0, group=self.group)
        return heard[0]

    def hang_up(self) -> None:
        """Close the line once everybody has heard the last word: gloo's threads must not outlive the interpreter."""
        from torch import distributed as dist

        dist.barrier(group=self.group)
        dist.destroy_process_group(self.group)


_lines: list[_Line] = []
"""The open line, where this process leads others."""


def as_one(work: Callable[[], _T]) -> _T | None:
    """Do `work` in the first process and return its result; in the others take part in its trainings, return None.

    In a process that was started alone this is `work()`.
    """
    place = ranks()
    if place.size == 1:
        return work()
    line = _open_line()
    if place.rank:
        with _deaf_to_interrupts():
            while (lesson := line.hear()) is not None:
                lesson.trainer.join(lesson.train, lesson.dev, start=lesson.start, seed=lesson.seed)
            line.hang_up()
        return None
    _lines.append(line)
    try:
        return work()
    finally:
        _lines.remove(line)
        if not line.is_training:  # or the others are in the midst of a training that failed, and don't listen
            line.say(None)
            line.hang_up()


def shared(trainer: Trainer) -> Trainer:
    """Return the trainer, or one that trains with all processes where this one leads others."""
    if not _lines:
        return trainer
    from askwell.qpo.train import LanguageModelTrainer

    return _SharedTrainer(trainer, _lines[-1]) if isinstance(trainer, LanguageModelTrainer) else trainer


@dataclass(frozen=True, slots=True)
class _SharedTrainer:
    trainer: LanguageModelTrainer
    line: _Line

    def fit(
        self, train: Sequence[Experience], dev: Sequence[Experience], *, start: Writer | None = None, seed: int = 0
    ) -> Writer:
        from askwell.qpo.train import silent

        scale = cast("Scale | None", getattr(start, "scale", None))
        lesson = _Lesson(trainer=replace(self.trainer, on_epoch=silent), train=train, dev=dev, start=scale, seed=seed)
        self.line.is_training = True
        self.line.say(lesson)
        writer = self.trainer.fit(train, dev, start=start, seed=seed)
        self.line.is_training = False
        return writer


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """Leave Ctrl-C, which all processes get, to the first one: it stops in order and then lets the others go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _open_line() -> _Line:
    from torch import distributed as dist

    from askwell.qpo.distributed import team

    team()
    return _Line(dist.new_group(backend="gloo", timeout=_PATIENCE))
