"""Run the asynchronous engine from ordinary code: on a loop and a thread of its own, so notebooks work too."""

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
_YOUNG_OBJECTS = 50_000


class Stopper:
    """Handed to the engine so that it can be asked to stop in order: `on_stop` is called on the engine's loop."""

    def __init__(self) -> None:
        self.on_stop: Callable[[], None] = lambda: None


def run_blocking(work: Callable[[Stopper], Coroutine[None, None, _T]]) -> _T:
    """Run a coroutine to its end and return its result.

    The first Ctrl-C asks the engine to stop in order (calls in flight are finished and written), the second one
    cancels it; either way `KeyboardInterrupt` is raised once the engine has ended.
    """
    stopper = Stopper()
    outcome: Future[_T] = Future()
    loop = _new_loop()
    task: asyncio.Task[_T] = loop.create_task(work(stopper))

    def main() -> None:
        asyncio.set_event_loop(loop)
        try:
            outcome.set_result(loop.run_until_complete(task))
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, which raises it
            outcome.set_exception(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=main, name="askwell-engine", daemon=True)
    with _patient_gc():
        thread.start()
        interrupts = 0
        while True:
            try:
                outcome.exception()
                thread.join()
                break
            except KeyboardInterrupt:
                interrupts += 1
                if interrupts == 1:
                    _LOG.warning("stopping: the calls in flight are finished first; Ctrl-C again stops at once")
                request = stopper.on_stop if interrupts == 1 else task.cancel
                if not loop.is_closed():
                    loop.call_soon_threadsafe(request)
    if interrupts:
        raise KeyboardInterrupt
    return outcome.result()


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's event loop where the `speed` extra is installed, else Python's own."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    return cast("asyncio.AbstractEventLoop", uvloop.new_event_loop())


@contextmanager
def _patient_gc() -> Generator[None]:
    """Look for reference cycles less often for a while.

    Hundreds of requests in flight are thousands of young objects without cycles: at the default threshold of 700,
    looking through them again and again was a sixth of the engine's time.
    """
    before = gc.get_threshold()
    if before[0]:  # 0: the user has switched it off
        gc.set_threshold(max(before[0], _YOUNG_OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
