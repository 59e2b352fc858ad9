"""Signs of life, and the time limits of a connection.

Invariant: a connection that the server does not answer within the limit of an attempt, a request or a ping is lost. Any
frame of the server answers a ping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..errors import ConnectionFailed
from .link import Link, Phase

if TYPE_CHECKING:
    from .machine import Machine

_PINGED = (Phase.AUTHENTICATING, Phase.SUBSCRIBING, Phase.STREAMING)


class KeepAlive:
    """Sends `sync` or `ping`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def heard(self, link: Link) -> None:
        """The server sent a frame."""
        link.heard_at = self._machine.clock.monotonic()
        link.pong_by = None

    def ping(self, link: Link) -> None:
        """Asks for a sign of life: a position, if the server keeps a history, so that a quiet stream can resume."""
        machine, now = self._machine, self._machine.clock.monotonic()
        link.ping_at = now + machine.settings.ping_interval
        # The limit runs from the first unanswered ping, even if others follow.
        if link.pong_by is None:
            link.pong_by = now + machine.settings.pong_timeout
        can_sync = machine.resumption.bookmark is not None and link.phase is Phase.STREAMING
        machine.outbox.send(link, "sync" if can_sync else "ping")

    def timers(self, link: Link) -> Iterator[tuple[float, Callable[[], None]]]:
        settings = self._machine.settings
        if link.open_by is not None and link.phase is Phase.CONNECTING:
            yield link.open_by, self._fails(link, f"no connection in {settings.connect_timeout:g} s")
        for message in list(link.messages.values()):
            yield message.answer_by, self._fails(link, f"no answer to {message.action} in {settings.request_timeout:g} s")
        if link.pong_by is not None and link.phase in _PINGED:
            yield link.pong_by, self._fails(link, f"no answer to ping in {settings.pong_timeout:g} s")
        if link.ping_at is not None and link.phase in _PINGED:
            yield link.ping_at, lambda: self.ping(link)

    def _fails(self, link: Link, why: str) -> Callable[[], None]:
        return lambda: self._machine.fail_link(link, ConnectionFailed("timeout", why))
