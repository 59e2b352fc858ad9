"""Replaces a connection before the server ends it.

Invariants:
- The old connection stays the active one until the server has acknowledged all subscriptions on the new one. Events that
  arrive on both are dropped as repeats.
- The new connection asks for what was published after the stream's own position, so no event falls between the two. If the
  server does not promise that, only the old connection has those events, and a failure of it is a gap.
- No request about subscriptions is under way while the new connection subscribes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..bookmark import Bookmark
from ..errors import AuthenticationError, EntityStreamError
from ..events import Recovered
from .effects import Trouble
from .link import Kind, Link, Phase
from .resumption import Step

if TYPE_CHECKING:
    from .machine import Machine


class Rotation:
    """The replacement that is under way."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._fetch: tuple[int, float] | None = None
        self._next: Link | None = None
        #: True if the server has refused a token of a replacement.
        self._was_refused = False
        #: The old connection that alone may bring events, and the place before them.
        self._doubtful: tuple[int, Bookmark] | None = None

    @property
    def is_subscribing(self) -> bool:
        """True while the first message of the new connection waits for its answer."""
        return self._next is not None and self._next.awaits(Kind.OPEN)

    def plan(self, link: Link) -> None:
        """A connection is in use, and will be replaced.

        Up to a tenth earlier at random, so that clients that connected together do not rotate together.
        """
        machine, self._was_refused = self._machine, False
        age = machine.settings.rotate_after * (1 - machine.random.random() / 10)
        link.rotate_at = machine.clock.monotonic() + age

    def timers(self) -> Iterator[tuple[float, Callable[[], None]]]:
        main = self._machine.main
        if self._fetch is not None:
            fetch, until = self._fetch
            yield until, lambda: self.token_failed(fetch, self._machine.token_timeout())
        elif main is not None and main.phase is Phase.STREAMING and main.rotate_at is not None:
            yield main.rotate_at, self._begin

    def _begin(self) -> None:
        machine = self._machine
        if machine.main is None:
            return
        machine.main.rotate_at = None
        if machine.settings.get_token is None:
            self._next = machine.open_link(None)
        else:
            self._fetch = (machine.fetch_token(), machine.clock.monotonic() + machine.settings.connect_timeout)

    def token_fetched(self, fetch: int, token: str | None) -> None:
        if self._fetch is None or self._fetch[0] != fetch:
            return
        self._fetch = None
        refused = self._machine.refused
        if refused is not None and refused[0] == token:
            return self._failed(refused[1])
        self._next = self._machine.open_link(token)

    def token_failed(self, fetch: int, error: EntityStreamError) -> None:
        if self._fetch is not None and self._fetch[0] == fetch:
            self._fetch = None
            self._failed(error)

    def authenticated(self, link: Link) -> None:
        """The new connection can subscribe, as soon as no request is under way on the active one."""
        main = self._machine.main
        if link is self._next and main is not None and self._machine.requests.is_free(main):
            self._machine.opening.subscribe(link)

    def takes_turn(self) -> bool:
        """The active connection is free. Returns true if the new connection subscribes now."""
        link = self._next
        if link is None or link.phase is not Phase.SUBSCRIBING:
            return False
        self._machine.opening.subscribe(link)
        return True

    def subscribed(self, link: Link, answer: Mapping[str, Any]) -> None:
        """The new connection has all subscriptions."""
        machine, old = self._machine, self._machine.main
        if link is not self._next or old is None:
            return machine.close_link(link)
        self._next = None
        machine.main = link
        self.plan(link)
        step, verdict = machine.resumption.accepted(answer)
        own, new = machine.resumption.bookmark, step.bookmark
        if own is not None and new is not None and not isinstance(verdict, Recovered):
            # Events before the new position may be under way on the old connection, and nowhere else.
            new = Bookmark(own.position, new.session)
            self._doubtful = (old.id, new)
        machine.resumption.proceed(Step(new, begins_anew=own is None))
        machine.leaving.drain(old)
        machine.proceed()

    def lost(self, link: Link, error: EntityStreamError) -> None:
        """A connection that is not the active one has ended."""
        if link is self._next:
            self._next = None
            if isinstance(error, AuthenticationError) and error.code == "refused" and link.token is not None:
                self._machine.refused = (link.token, error)
            self._failed(error)
            self._machine.requests.send_next()
        elif self._doubtful is not None and self._doubtful[0] == link.id and self._machine.main is not None:
            self._machine.resumption.bookmark = self._doubtful[1]
            self._machine.fail_link(self._machine.main, error)

    def give_up(self) -> None:
        """No subscription is left to restore."""
        self.abort()
        if self._machine.main is not None:
            self.plan(self._machine.main)

    def abort(self) -> None:
        """There is no active connection to replace any more."""
        self._fetch = None
        link, self._next = self._next, None
        if link is not None:
            self._machine.close_link(link)

    def _failed(self, error: EntityStreamError) -> None:
        machine, main = self._machine, self._machine.main
        machine.emit(Trouble(error))
        if isinstance(error, AuthenticationError):
            # As in an attempt to connect, a refusal gets one more attempt with another token. The connection in use goes on until
            # its end.
            is_first = error.code == "refused" and not self._was_refused and machine.settings.get_token is not None
            if not is_first:
                return
            self._was_refused = True
        if main is not None:
            wait = machine.settings.backoff_max * (0.5 + machine.random.random() / 2)
            main.rotate_at = machine.clock.monotonic() + wait
