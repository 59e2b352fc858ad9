"""The two times that the core asks for. Tests choose them."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of the time."""

    def monotonic(self) -> float:
        """Seconds that never go back, for intervals."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, for the times that people and tokens use."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()
