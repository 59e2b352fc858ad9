"""Finds repeated events.

Invariant: a pair of an event's id and a subscription is new once, for 15 minutes of time online or until 100,000 newer
pairs are known. An event that matches several subscriptions is a repeat for each of them that has had it.
"""

from __future__ import annotations

from collections import OrderedDict

from .online_time import OnlineTime

SECONDS = 15 * 60.0
PAIRS = 100_000


class SeenEvents:
    """The latest events of each subscription."""

    def __init__(self, pairs: int = PAIRS, seconds: float = SECONDS) -> None:
        self._pairs, self._seconds = pairs, seconds
        self._seen: OrderedDict[tuple[str, int], float] = OrderedDict()
        self.online = OnlineTime()

    def __len__(self) -> int:
        return len(self._seen)

    def new_for(self, event_id: str, subscriptions: list[int], now: float) -> list[int]:
        """Remembers that these subscriptions have had this event. Returns those that had not."""
        time = self.online.at(now)
        while self._seen and time - next(iter(self._seen.values())) > self._seconds:
            self._seen.popitem(last=False)
        new = []
        for key in subscriptions:
            if (event_id, key) not in self._seen:
                self._seen[event_id, key] = time
                new.append(key)
        while len(self._seen) > self._pairs:
            self._seen.popitem(last=False)
        return new
