"""Notices that the machine was asleep: its monotonic clock stands still then on most systems, and the time of the day goes on."""

from __future__ import annotations

#: The seconds between two looks, and the least seconds of a sleep.
LOOK = 30.0
LEAST = 20.0


class Sleep:
    """Compares the two clocks."""

    def __init__(self, monotonic: float, wall: float) -> None:
        self._ahead = wall - monotonic

    def was_asleep(self, monotonic: float, wall: float) -> bool:
        """True if the machine has slept since the last look. A step of the clock looks the same, and does no harm."""
        before, self._ahead = self._ahead, wall - monotonic
        return self._ahead - before >= LEAST
