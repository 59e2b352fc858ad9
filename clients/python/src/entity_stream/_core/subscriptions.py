"""The subscriptions of one stream, and the requests about them that wait.

Invariants:
- `Subscription.wire` and `.filter` are what the server has accepted, or will be asked for first. An answer of the server
  changes them, never a call of the program.
- Requests take effect in their order. At most one is under way, because a server may handle two messages of one connection
  at the same time.
- A request leaves the queue once: it is accepted, is refused, or the program gave it up. A removal that the server cannot serve
  leaves it too, and is sent again later: it holds up no other request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from ..bookmark import Bookmark
from ..filter import Filter

#: The past events that a subscription begins with: those since a place, or those of so many seconds.
Since = Bookmark | float


@dataclass(eq=False)
class Subscription:
    """A subscription of the program."""

    key: int
    #: The name that the program chose.
    base: str | None
    wire: str
    filter: Filter
    wants_snapshot: bool = False
    #: The place, or the seconds before `asked_at`, from which the subscription wants events, until its first answer.
    since: Since | None = None
    asked_at: float = 0.0
    is_accepted: bool = False
    #: A snapshot is owed until it is complete, also if the stream resumes in between.
    owes_snapshot: bool = False
    is_closed: bool = False
    #: True once the program knows of its end.
    has_ended: bool = False
    #: A member of a group has unsubscribed it, and takes its events until this time at the latest.
    ends_by: float | None = None
    #: The calls that succeed with its end.
    end_calls: list[int] = field(default_factory=list)
    replayed: int = 0

    def rewind(self, now: float) -> dict[str, Any] | None:
        """The `since` of its first message."""
        if self.since is None:
            return None
        if isinstance(self.since, Bookmark):
            return self.since.to_wire()
        return {"seconds": ceil(self.since + (now - self.asked_at))}

    def to_wire(self, *, snapshot: bool) -> dict[str, Any]:
        fields = {"subscription": self.wire, **self.filter.to_wire()}
        return {**fields, "snapshot": True} if snapshot else fields


@dataclass(eq=False)
class Add:
    """Add a subscription."""

    subscription: Subscription
    call: int
    was_too_soon: bool = False
    failures: int = 0


@dataclass(eq=False)
class Replace:
    """Add the new filter of a subscription under another name. The removal of the old name follows.

    Without a name, the server exchanges the filter of the subscription in one step.
    """

    subscription: Subscription
    filter: Filter
    wire: str | None
    call: int
    failures: int = 0


@dataclass(eq=False)
class Remove:
    """Remove a name. The calls succeed with the answer, or with the end of the connection."""

    wire: str
    calls: list[int] = field(default_factory=list)
    #: The filter in force instead, if the removal is the end of an update.
    in_force: Filter | None = None
    failures: int = 0
    #: The time of the next attempt of a removal that was postponed, and the pause before it.
    again_at: float = 0.0
    pause: float = 0.0


Request = Add | Replace | Remove


class SubscriptionSet:
    """The subscriptions and the queue of requests."""

    def __init__(self) -> None:
        self.all: dict[int, Subscription] = {}
        self.queue: deque[Request] = deque()
        #: The removals that the server could not serve.
        self.postponed: list[Remove] = []
        self._count = 0

    def new_name(self, base: str | None) -> str:
        """A name that the server does not have, and will not have."""
        used = {each.wire for each in self.all.values()}
        used |= {each.wire for each in self.queue if not isinstance(each, Add) and each.wire is not None}
        used |= {each.wire for each in self.postponed}
        if base is not None and base not in used:
            return base
        while True:
            self._count += 1
            name = f"{base[:56]}.{self._count}" if base is not None else f"s{self._count}"
            if name not in used:
                return name

    def has_name(self, name: str) -> bool:
        """True if a subscription that is not closed has this name, or had it before an update."""
        names = {name for each in self.all.values() if not each.is_closed for name in (each.wire, each.base)}
        return name in names or any(isinstance(each, Replace) and each.wire == name for each in self.queue)

    def accepted(self) -> list[Subscription]:
        """The subscriptions that every new connection restores."""
        return [each for each in self.all.values() if each.is_accepted and not each.is_closed]

    def additions(self) -> list[Add]:
        """The additions that wait, in their order."""
        return [each for each in self.queue if isinstance(each, Add)]

    @property
    def is_wanted(self) -> bool:
        """True if a connection is needed."""
        return any(not each.is_closed for each in self.all.values())

    def discard(self, requests: Iterable[Request]) -> None:
        gone = set(map(id, requests))
        self.queue = deque(each for each in self.queue if id(each) not in gone)
        self.postponed = [each for each in self.postponed if id(each) not in gone]

    def of_name(self, wire: object) -> Subscription | None:
        return next((each for each in self.all.values() if each.wire == wire), None)
