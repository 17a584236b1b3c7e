"""One value per event loop: asyncio's locks and sockets belong to one loop, but a model may outlive it.

`askwell.optimize` runs its engine on a loop of its own, so a model object that a user keeps sees a new loop each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Make a value at a loop's first `get`; drop it after that loop has closed."""

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
        """Remove and return the running loop's value; None if it has none."""
        return self._values.pop(asyncio.get_running_loop(), None)
