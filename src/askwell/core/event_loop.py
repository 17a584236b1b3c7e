"""Run the asynchronous engine from synchronous code.

The engine has its own thread and event loop, so that it also works in a notebook, whose loop is already running.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar, cast

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

# Hundreds of requests in flight are thousands of young objects without cycles. At Python's default threshold of 700,
# the collector's repeated scans of them took a sixth of the engine's time.
_GC_THRESHOLD = 50_000


class Stopper:
    """Carries a stop request from the calling thread: `on_stop` runs on the engine's event loop."""

    def __init__(self) -> None:
        self.on_stop: Callable[[], None] = lambda: None


def run_blocking(work: Callable[[Stopper], Coroutine[None, None, _T]]) -> _T:
    """Run a coroutine to its end and return its result.

    The first Ctrl-C requests an orderly stop: calls in flight finish and are logged. The second Ctrl-C cancels the
    engine. In both cases `KeyboardInterrupt` is raised after the engine has ended.
    """
    stopper = Stopper()
    outcome: Future[_T] = Future()
    loop = new_event_loop()
    task: asyncio.Task[_T] = loop.create_task(work(stopper))
    thread = threading.Thread(target=lambda: _run_loop(loop, task, outcome), name="askwell-engine", daemon=True)
    with _infrequent_gc():
        thread.start()
        interrupted = _wait_for(thread, loop, task, outcome, stopper)
    if interrupted:
        raise KeyboardInterrupt
    return outcome.result()


def _run_loop(loop: asyncio.AbstractEventLoop, task: asyncio.Task[_T], outcome: Future[_T]) -> None:
    asyncio.set_event_loop(loop)
    try:
        outcome.set_result(loop.run_until_complete(task))
    except BaseException as error:  # noqa: BLE001 - the calling thread raises it
        outcome.set_exception(error)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _wait_for(
    thread: threading.Thread,
    loop: asyncio.AbstractEventLoop,
    task: asyncio.Task[_T],
    outcome: Future[_T],
    stopper: Stopper,
) -> bool:
    """Wait until the engine has ended, forward every Ctrl-C to it, and return whether there was one."""
    interrupts = 0
    while True:
        try:
            outcome.exception()
            thread.join()
            return bool(interrupts)
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts == 1:
                _LOG.warning("stopping: the calls in flight are finished first; Ctrl-C again stops at once")
            request = stopper.on_stop if interrupts == 1 else task.cancel
            if not loop.is_closed():
                loop.call_soon_threadsafe(request)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's event loop if the `speed` extra is installed, else asyncio's own."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    return cast("asyncio.AbstractEventLoop", uvloop.new_event_loop())


@contextmanager
def _infrequent_gc() -> Generator[None]:
    """Search for reference cycles less often while the engine runs."""
    before = gc.get_threshold()
    if before[0]:  # 0: the user has disabled automatic collection
        gc.set_threshold(max(before[0], _GC_THRESHOLD), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
