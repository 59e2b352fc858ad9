"""Renews the token of a connection over the connection itself.

Invariant: a connection receives no events after its token's end, so a connection whose token was not renewed by then fails.
All times are measured with the monotonic clock, and a refused token is not sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import AuthenticationError, EntityStreamError
from .effects import Trouble
from .link import Kind, Link, Phase

if TYPE_CHECKING:
    from .machine import Machine

#: The least seconds between two attempts to get a fresh token.
PAUSE = 1.0


@dataclass
class _Fetch:
    link: Link
    until: float


class Renewal:
    """The renewals of all connections."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._fetches: dict[int, _Fetch] = {}

    def schedule(self, link: Link) -> None:
        """The server has accepted the token of this connection."""
        machine = self._machine
        if link.token is None:
            return
        left = machine.token_clock.left(link.token, machine.clock.wall())
        link.token_ends_at = link.renew_at = None
        if left is not None:
            link.token_ends_at = machine.clock.monotonic() + left
            link.renew_at = link.token_ends_at - min(machine.settings.renew_before, left / 2)

    def timers(self, link: Link) -> Iterator[tuple[float, Callable[[], None]]]:
        if link.phase is not Phase.STREAMING:
            return
        if link.token_ends_at is not None:
            error = AuthenticationError("token_expired", "the token expired before get_token returned a fresh one")
            yield link.token_ends_at, lambda: self._machine.fail_link(link, error)
        if link.renew_at is not None:
            yield link.renew_at, lambda: self._fetch(link)
        for number, fetch in list(self._fetches.items()):
            if fetch.link is link:
                yield fetch.until, self._late(number)

    def _late(self, number: int) -> Callable[[], None]:
        return lambda: self.token_failed(number, self._machine.token_timeout())

    def _fetch(self, link: Link) -> None:
        link.renew_at = None
        until = self._machine.clock.monotonic() + self._machine.settings.connect_timeout
        self._fetches[self._machine.fetch_token()] = _Fetch(link, until)

    def token_fetched(self, number: int, token: str | None) -> None:
        machine, fetch = self._machine, self._fetches.pop(number, None)
        if fetch is None or fetch.link.phase is not Phase.STREAMING:
            return
        link = fetch.link
        is_refused = machine.refused is not None and machine.refused[0] == token
        # Many caches return the same token until shortly before its end.
        if token is None or token == link.token or is_refused:
            return self._again(link)
        fields = {"token": token}
        if proof := machine.opening.proof(token):
            fields["proof"] = proof
        machine.outbox.request(link, Kind.RENEW, "authenticate", fields, token=token)

    def token_failed(self, number: int, error: EntityStreamError) -> None:
        fetch = self._fetches.pop(number, None)
        if fetch is not None and fetch.link.phase is Phase.STREAMING:
            self._failed(fetch.link, error)

    def answered(self, link: Link, token: str | None) -> None:
        """The server accepts the fresh token."""
        link.token = token
        self.schedule(link)

    def refused(self, link: Link, token: str | None, error: EntityStreamError) -> None:
        """The server does not accept the fresh token. The current one stays valid until its end."""
        if isinstance(error, AuthenticationError):
            self._machine.refused = (token, error)
        self._failed(link, error)

    def _failed(self, link: Link, error: EntityStreamError) -> None:
        self._machine.emit(Trouble(error))
        # Another attempt would fail as well.
        if not isinstance(error, AuthenticationError):
            self._again(link)

    def _again(self, link: Link) -> None:
        now = self._machine.clock.monotonic()
        if link.token_ends_at is not None:
            link.renew_at = now + max(PAUSE, (link.token_ends_at - now) / 3)
