"""One value per event loop: asyncio's locks and sockets belong to a loop, models outlive it.

`askwell.optimize` runs its engine on a loop of its own, so a model object that a user keeps sees a new loop each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Make a value when a loop first asks for it; forget it when that loop has closed."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """Return the running loop's value."""
        loop = asyncio.get_running_loop()
        try:
            return self._values[loop]
        except KeyError:
            for closed in [other for other in self._values if other.is_closed()]:
                del self._values[closed]
            value = self._values[loop] = self._make()
            return value

    def pop(self) -> T | None:
        """Take the running loop's value out, if it has one."""
        return self._values.pop(asyncio.get_running_loop(), None)
