"""Ends of connections.

Invariant: a member of a group unsubscribes before it closes a connection, and takes what the group has assigned to it: until
a second passes in silence, or the time for it is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .link import Kind, Link, Phase

if TYPE_CHECKING:
    from .machine import Machine

#: The seconds of silence after which a connection that has left its group gets no more events.
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

    def timers(self, link: Link) -> Iterator[tuple[float, Callable[[], None]]]:
        if link.phase not in (Phase.DRAINING, Phase.LEAVING):
            return
        if link.gone_by is not None:
            yield link.gone_by, lambda: self._machine.close_link(link)
        if link.is_quiet:
            yield link.heard_at + QUIET, lambda: self._machine.close_link(link)
