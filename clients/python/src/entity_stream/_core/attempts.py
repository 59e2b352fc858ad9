"""Attempts to connect, one after the other.

Invariant: an attempt is a call of `get_token` and then a connection. After a failure the next attempt follows after a random
wait, or the stream fails for good. A refused token is not sent again, and gets one more attempt with another token. The
refusal of a renewal is not the refusal of an attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..errors import AuthenticationError, EntityStreamError
from .backoff import Backoff
from .effects import StreamState, Trouble
from .refusal import is_final

if TYPE_CHECKING:
    from .machine import Machine


class Attempts:
    """The attempt that is under way, or the wait before it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        settings = machine.settings
        self.backoff = Backoff(settings.backoff_min, settings.backoff_max, machine.random)
        self._fetch: tuple[int, float] | None = None
        self._retry_at: float | None = None
        #: True if the last attempt that reached the server was refused.
        self.was_refused = False

    @property
    def is_waiting(self) -> bool:
        """True in the wait before the next attempt."""
        return self._retry_at is not None

    @property
    def is_under_way(self) -> bool:
        """True before the connection of an attempt: while it waits, or for a token."""
        return self._fetch is not None or self._retry_at is not None

    def begin(self) -> None:
        """Begins an attempt now."""
        machine, self._retry_at = self._machine, None
        machine.change(StreamState.CONNECTING)
        if machine.settings.get_token is None:
            self._connect(None)
        else:
            self._fetch = (machine.fetch_token(), machine.clock.monotonic() + machine.settings.connect_timeout)

    def stop(self) -> None:
        """No connection is wanted."""
        self._fetch = self._retry_at = None
        self.was_refused = False

    def token_fetched(self, fetch: int, token: str | None) -> None:
        if self._fetch is not None and self._fetch[0] == fetch:
            self._fetch = None
            self._connect(token)

    def token_failed(self, fetch: int, error: EntityStreamError) -> None:
        if self._fetch is not None and self._fetch[0] == fetch:
            self._fetch = None
            self.failed(error, None)

    def failed(self, error: EntityStreamError, token: str | None, least: float = 0.0) -> None:
        """Plans the next attempt, after `least` seconds or more, or fails for good."""
        machine = self._machine
        if not machine.subscriptions.is_wanted:
            return machine.idle()
        refusal = error if isinstance(error, AuthenticationError) and error.code == "refused" else None
        if is_final(error) or (refusal and (self.was_refused or machine.settings.get_token is None)):
            return machine.fail(error)
        # The token may have expired on its way.
        if refusal:
            machine.refused, self.was_refused = (token, refusal), True
        retry_in = max(self.backoff.next(), least)
        self._retry_at = machine.clock.monotonic() + retry_in
        machine.change(StreamState.WAITING, error=error, retry_in=retry_in)
        machine.emit(Trouble(error))

    def timers(self) -> Iterator[tuple[float, Callable[[], None]]]:
        if self._fetch is not None:
            fetch, until = self._fetch
            yield until, lambda: self.token_failed(fetch, self._machine.token_timeout())
        if self._retry_at is not None:
            yield self._retry_at, self.begin

    def _connect(self, token: str | None) -> None:
        machine = self._machine
        if machine.refused is not None and machine.refused[0] == token:
            self.failed(machine.refused[1], token)
        else:
            machine.main = machine.open_link(token)
