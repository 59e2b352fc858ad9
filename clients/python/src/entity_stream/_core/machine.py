"""The state machine of one stream, without I/O and without a clock of its own.

The shell calls the methods for what happens, takes `effects` after each of them, and calls `elapsed` at `deadline()`.

Invariants:
- A stream with subscriptions that has not failed has a connection, an attempt to open one, or a time for the next attempt.
  Each of them has a deadline, so a stream never waits for ever.
- `elapsed` at the deadline moves the deadline into the future. A shell that sleeps until it never spins.
- An event is not delivered twice to the same subscription.
- Each call of the program is settled once.
- A refused token is not sent again.
- After `closed`, nothing more is delivered, opened or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from ..errors import AuthenticationError, ClosedError, ConnectionFailed, EntityStreamError
from ..settings import Settings
from .attempts import Attempts
from .clock import Clock
from .effects import (
    Close,
    Effect,
    FetchToken,
    Moved,
    Offline,
    Open,
    Settled,
    StateChange,
    StreamState,
    Trouble,
)
from .keepalive import KeepAlive
from .leaving import Leaving
from .link import Link, Phase
from .opening import Opening
from .outbox import Outbox
from .receiving import Receiving
from .refusal import end_error
from .renewal import Renewal
from .requests import Requests
from .resumption import Resumption
from .rotation import Rotation
from .seen import SeenEvents
from .snapshotting import Snapshotting
from .subscriptions import SubscriptionSet
from .tokens import TokenClock, checked_token

#: A time, and the function to call at it.
Timer = tuple[float, Callable[[], None]]


class Machine:
    """The state machine. Its parts share this object."""

    def __init__(self, settings: Settings, clock: Clock, random: Random) -> None:
        self.settings, self.clock, self.random = settings, clock, random
        self.effects: list[Effect] = []
        self.state = StreamState.IDLE
        self.links: dict[int, Link] = {}
        #: The connection that has the requests, or the attempt to open it.
        self.main: Link | None = None
        #: The token that the server has refused, until it accepts one.
        self.refused: tuple[str | None, AuthenticationError] | None = None
        self.subscriptions = SubscriptionSet()
        self.resumption = Resumption(lambda bookmark: self.emit(Moved(bookmark)))
        self.seen = SeenEvents()
        self.token_clock = TokenClock()
        self.attempts = Attempts(self)
        self.outbox = Outbox(self)
        self.requests = Requests(self)
        self.snapshotting = Snapshotting(self)
        self.opening = Opening(self)
        self.receiving = Receiving(self)
        self.keepalive = KeepAlive(self)
        self.renewal = Renewal(self)
        self.rotation = Rotation(self)
        self.leaving = Leaving(self)
        self._counts = 0
        self._is_closing = False

    # Reports of the shell.

    def opened(self, link_id: int) -> None:
        """The handshake of a connection has succeeded."""
        link = self.links.get(link_id)
        if link is not None and link.phase is Phase.CONNECTING:
            self.opening.opened(link)

    def received(self, link_id: int, text: str) -> None:
        """The server sent a text frame."""
        link = self.links.get(link_id)
        if link is not None:
            self.receiving.frame(link, text)

    def closed(self, link_id: int, code: int | None, reason: str = "", status: int | None = None) -> None:
        """A connection has ended, or could not be opened."""
        link = self.links.pop(link_id, None)
        if link is None:
            return
        opened = link.phase is not Phase.CONNECTING
        if not link.is_over:
            self.requests.blame(link, code, reason)
            has_token = link.token is not None or self.settings.api_key is not None
            error = end_error(opened=opened, code=code, reason=reason, status=status, has_token=has_token)
            self.lose(link, error)
        self.leaving.closed()
        self._finish_closing()

    def token_fetched(self, fetch: int, value: object) -> None:
        """`get_token` has returned."""
        try:
            token = checked_token(value)
        except AuthenticationError as error:
            return self.token_failed(fetch, error)
        self.attempts.token_fetched(fetch, token)
        self.rotation.token_fetched(fetch, token)
        self.renewal.token_fetched(fetch, token)

    def token_failed(self, fetch: int, error: EntityStreamError) -> None:
        """`get_token` has failed."""
        self.attempts.token_failed(fetch, error)
        self.rotation.token_failed(fetch, error)
        self.renewal.token_failed(fetch, error)

    def wake(self) -> None:
        """The network is back: connect now, or check the connection."""
        if self.attempts.is_waiting:
            self.attempts.begin()
        elif self.main is not None and self.main.phase is Phase.STREAMING:
            self.keepalive.ping(self.main)

    def close(self) -> None:
        """The program wants no more."""
        if self._is_closing or self.state is StreamState.CLOSED:
            return
        self._is_closing = True
        self.main = None
        self.attempts.stop()
        self.rotation.abort()
        self.requests.abandon(ClosedError())
        links = list(self.links.values())
        if self.settings.group_id is None:
            self._end(None)
        for link in links:
            self.leaving.leave(link)
        self._finish_closing()

    def has_open(self, link_id: int) -> bool:
        """True for a connection, or an attempt to open one, that has not ended and is not closing."""
        link = self.links.get(link_id)
        return link is not None and not link.is_over

    @property
    def is_closing(self) -> bool:
        """True once the program has closed the stream."""
        return self._is_closing

    # Time.

    def deadline(self) -> float | None:
        """The time of the next call of `elapsed`."""
        return min((at for at, _ in self._timers()), default=None)

    def elapsed(self) -> None:
        """The deadline may have passed."""
        now = self.clock.monotonic()
        for _ in range(1000):
            due = next((action for at, action in self._timers() if at <= now), None)
            if due is None:
                return
            due()

    def _timers(self) -> Iterator[Timer]:
        yield from self.attempts.timers()
        for link in list(self.links.values()):
            yield from self.keepalive.timers(link)
            yield from self.renewal.timers(link)
            yield from self.leaving.timers(link)
        yield from self.leaving.ends()
        yield from self.rotation.timers()
        yield from self.requests.timers()
        yield from self.snapshotting.timers()

    # Functions for the parts.

    def emit(self, effect: Effect) -> None:
        if self.state is not StreamState.CLOSED or isinstance(effect, (Close, Settled)):
            self.effects.append(effect)

    def next_id(self) -> int:
        self._counts += 1
        return self._counts

    def fetch_token(self) -> int:
        fetch = self.next_id()
        self.emit(FetchToken(fetch))
        return fetch

    def token_timeout(self) -> ConnectionFailed:
        seconds = self.settings.connect_timeout
        return ConnectionFailed("token_unavailable", f"get_token returned nothing in {seconds:g} s")

    def open_link(self, token: str | None) -> Link:
        open_by = self.clock.monotonic() + self.settings.connect_timeout
        link = Link(self.next_id(), token, Phase.CONNECTING, open_by)
        self.links[link.id] = link
        is_in_band = self.settings.authenticate == "first-message"
        self.emit(Open(link.id, None if is_in_band else token))
        return link

    def close_link(self, link: Link) -> None:
        """Closes a connection in order. It stays until the server has closed it too."""
        if not link.is_over:
            link.phase = Phase.CLOSING
            link.messages.clear()
            self.emit(Close(link.id))

    def fail_link(self, link: Link, error: EntityStreamError, least: float = 0.0) -> None:
        """A connection is of no use any more. The next attempt follows after `least` seconds or more."""
        if not link.is_over:
            link.is_lost = True
            self.close_link(link)
            self.lose(link, error, least)

    def change(self, state: StreamState, **details: object) -> None:
        self.state = state
        self.effects.append(StateChange(state, **details))  # type: ignore[arg-type]

    def proceed(self) -> None:
        """Follows the subscriptions: connects, sends a request, or disconnects."""
        if self._is_closing or self.state is StreamState.CLOSED:
            return
        if not self.subscriptions.is_wanted:
            self.idle()
        elif self.main is not None:
            self.requests.send_next()
        elif not self.attempts.is_under_way:
            self.attempts.begin()

    def idle(self) -> None:
        """No subscription is left: closes the connection."""
        main, self.main = self.main, None
        self.attempts.stop()
        self.rotation.abort()
        self.snapshotting.lost()
        self.requests.connection_ended()
        self.resumption.forget()
        if main is not None:
            self._offline()
            self.leaving.leave(main)
        if self.state not in (StreamState.IDLE, StreamState.FAILED):
            self.change(StreamState.IDLE)

    def lose(self, link: Link, error: EntityStreamError, least: float = 0.0) -> None:
        """A connection has ended, or is of no use any more."""
        if link is not self.main:
            self.rotation.lost(link, error)
            return
        self.main = None
        self.rotation.abort()
        self.snapshotting.lost()
        self.requests.connection_ended()
        if link.subscribed_at is not None:
            if self.clock.monotonic() - link.subscribed_at >= self.settings.stable_after:
                self.attempts.backoff.reset()
            self.resumption.lost()
        self._offline()
        self.attempts.failed(error, link.token, least)

    def fail(self, error: EntityStreamError) -> None:
        """Another attempt would fail as well."""
        self.refused, self.attempts.was_refused = None, False
        self.requests.abandon(error)
        for subscription in list(self.subscriptions.all.values()):
            self.requests.drop(subscription, error)
        self.resumption.forget()
        self.change(StreamState.FAILED, error=error)
        self.emit(Trouble(error))

    def _offline(self) -> None:
        if self.seen.online.is_online:
            self.seen.online.offline(self.clock.monotonic())
            self.emit(Offline())

    def _end(self, error: EntityStreamError | None) -> None:
        for subscription in list(self.subscriptions.all.values()):
            self.requests.drop(subscription, error)
        self.change(StreamState.CLOSED)

    def _finish_closing(self) -> None:
        if self._is_closing and self.state is not StreamState.CLOSED and not self.links:
            self._end(None)
