"""The time that a stream has been connected. A memory of events ages by it, not by the time of the day."""

from __future__ import annotations


class OnlineTime:
    """Counts the seconds between `online` and `offline`."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    def online(self, now: float) -> None:
        if self._since is None:
            self._since = now

    def offline(self, now: float) -> None:
        self._before, self._since = self.at(now), None

    @property
    def is_online(self) -> bool:
        return self._since is not None

    def at(self, now: float) -> float:
        return self._before + (now - self._since if self._since is not None else 0.0)
