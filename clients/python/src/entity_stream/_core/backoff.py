"""The waits between attempts: full jitter.

Invariant: each wait is a random part of a ceiling that doubles with each failure, from `least` to `most`. Clients that lost
their connections together do not come back together.
"""

from __future__ import annotations

from random import Random


class Backoff:
    """Counts failures."""

    def __init__(self, least: float, most: float, random: Random) -> None:
        self._least, self._most, self._random = least, most, random
        self._failures = 0

    def next(self) -> float:
        """Counts a failure and returns the wait after it."""
        ceiling = min(self._most, self._least * 2.0 ** min(self._failures, 64))
        self._failures += 1
        return self._random.random() * ceiling

    def reset(self) -> None:
        """Makes the next failure count as the first."""
        self._failures = 0
