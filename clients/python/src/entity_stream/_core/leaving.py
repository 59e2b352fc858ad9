"""Ends of connections.

Invariant: a member of a group unsubscribes before it closes a connection, and takes what the group has assigned to it: until
a second passes in silence, or the time for it is over. The same holds for a subscription that it closes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from .link import Kind, Link, Phase
from .subscriptions import Subscription

if TYPE_CHECKING:
    from .machine import Machine

#: The seconds of silence after which a connection that has left its group gets no more events, by the contract (docs/protocol.md,
#: "Groups"). They count from the answer to the last `unsubscribe`, however long it takes, or from a later frame.
QUIET = 1.0


class Leaving:
    """Leaves groups, and drains connections that were replaced."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def drain(self, link: Link) -> None:
        """A replacement is in use. Outside a group, both connections get the same events for a while."""
        if self._machine.settings.group_id is not None:
            return self.leave(link)
        link.phase = Phase.DRAINING
        link.gone_by = self._machine.clock.monotonic() + self._machine.settings.drain

    def leave(self, link: Link) -> None:
        """Closes a connection. A member of a group leaves first."""
        machine = self._machine
        is_member = machine.settings.group_id is not None and link.phase is Phase.STREAMING and bool(link.names)
        if not is_member:
            if link.phase is not Phase.LEAVING:
                machine.close_link(link)
            return
        link.phase = Phase.LEAVING
        link.gone_by = machine.clock.monotonic() + machine.settings.drain
        link.messages.clear()
        for name in link.names:
            machine.outbox.request(link, Kind.LEAVE, "unsubscribe", {"subscription": name})

    def answered(self, link: Link) -> None:
        """An `unsubscribe` of this connection is answered."""
        link.is_quiet = not link.messages

    def await_end(self, subscription: Subscription, calls: list[int]) -> None:
        """A member has unsubscribed this subscription. It ends when its connections are quiet or closed."""
        subscription.end_calls += calls
        if subscription.ends_by is None:
            subscription.ends_by = self._machine.clock.monotonic() + self._machine.settings.drain

    def closed(self) -> None:
        """A connection has ended."""
        for subscription, links in self._ending():
            if not links:
                self._machine.requests.drop(subscription, None)

    def ends(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """The ends of subscriptions on connections that stay open."""
        for subscription, links in self._ending():
            if all(link.phase is Phase.STREAMING for link in links):
                quiet_at = max((link.heard_at + QUIET for link in links), default=0.0)
                yield min(quiet_at, subscription.ends_by or 0.0), partial(self._machine.requests.drop, subscription, None)

    def _ending(self) -> list[tuple[Subscription, list[Link]]]:
        links = self._machine.links.values()
        ending = [each for each in self._machine.subscriptions.all.values() if each.ends_by is not None]
        return [(each, [link for link in links if each in link.names.values()]) for each in ending]

    def timers(self, link: Link) -> Iterator[tuple[float, Callable[[], None]]]:
        if link.phase not in (Phase.DRAINING, Phase.LEAVING):
            return
        if link.gone_by is not None:
            yield link.gone_by, lambda: self._machine.close_link(link)
        if link.is_quiet:
            yield link.heard_at + QUIET, lambda: self._machine.close_link(link)
