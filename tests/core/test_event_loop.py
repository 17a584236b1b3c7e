"""The engine's event loop and thread, called from synchronous code."""

from __future__ import annotations

import asyncio
import gc
import importlib.util

import pytest

from askwell.core.event_loop import run_blocking


async def threshold() -> int:
    await asyncio.sleep(0)
    return gc.get_threshold()[0]


def test_the_engine_has_its_own_loop_uvloop_if_installed() -> None:
    async def kind() -> str:
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop()).__module__.partition(".")[0]

    assert run_blocking(lambda _: kind()) == ("uvloop" if importlib.util.find_spec("uvloop") else "asyncio")


def test_the_garbage_collector_runs_less_often_only_while_the_engine_runs() -> None:
    before = gc.get_threshold()
    assert run_blocking(lambda _: threshold()) > before[0]
    assert gc.get_threshold() == before


def test_a_garbage_collector_that_was_switched_off_stays_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        assert run_blocking(lambda _: threshold()) == 0
    finally:
        gc.set_threshold(*before)


def test_an_error_of_the_engine_is_raised_and_the_collector_restored() -> None:
    async def fail() -> None:
        raise ValueError("no")

    before = gc.get_threshold()
    with pytest.raises(ValueError, match="no"):
        run_blocking(lambda _: fail())
    assert gc.get_threshold() == before
