"""From an open connection to one that is subscribed.

Invariant: the first message about subscriptions names all of them, and asks for what was missed. So its answer holds for
all of them, and a position of it can be resumed from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionFailed, EntityStreamError, RequestError
from ..events import NotRecovered, Verdict
from ..filter import filter_in_force
from .effects import Online, Settled, StreamState, Told
from .link import Kind, Link, Phase
from .refusal import is_passing
from .subscriptions import Add, Subscription
from .tokens import is_bound

if TYPE_CHECKING:
    from .machine import Machine

#: The seconds in which a connection may ask once for past events. They count from the answer: the server counts from a moment in
#: which it has the message.
RESUME_INTERVAL = 10.0


class Opening:
    """Opens connections: those that take the place of none, and replacements."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        #: True if the server could not serve the last first message.
        self._is_cautious = False

    def proof(self, token: str) -> str | None:
        """A proof of possession, if the token is bound to a key."""
        machine = self._machine
        if not is_bound(token):
            return None
        return machine.settings.prove(token, machine.token_clock.server_time(machine.clock.wall()))

    def opened(self, link: Link) -> None:
        """The handshake has succeeded."""
        machine, settings = self._machine, self._machine.settings
        now = machine.clock.monotonic()
        link.phase, link.heard_at, link.ping_at = Phase.AUTHENTICATING, now, now + settings.ping_interval
        token = link.token
        proof = self.proof(token) if token is not None else None
        if token is not None and settings.authenticate == "first-message":
            fields = {"token": token, **({"proof": proof} if proof else {})}
            machine.outbox.request(link, Kind.AUTHENTICATE, "authenticate", fields)
        elif proof is not None:
            machine.outbox.request(link, Kind.BIND, "dpop_bind", {"proof": proof})
        else:
            self.authenticated(link)

    def authenticated(self, link: Link) -> None:
        """The server takes requests about subscriptions."""
        link.phase = Phase.SUBSCRIBING
        if link is not self._machine.main:
            return self._machine.rotation.authenticated(link)
        self._machine.seen.online.online(self._machine.clock.monotonic())
        self._machine.emit(Online())
        self.subscribe(link)

    def subscribe(self, link: Link) -> None:
        """Sends the first message about subscriptions."""
        machine = self._machine
        accepted = machine.subscriptions.accepted()
        if link is machine.main and not accepted:
            # New subscriptions have missed nothing.
            machine.resumption.forget()
        since = machine.resumption.since() if machine.settings.group_id is None else None
        link.opening = self._additions(accepted) if link is machine.main else []
        subscriptions = accepted + [each.subscription for each in link.opening]
        if not subscriptions:
            return machine.idle() if link is machine.main else machine.rotation.give_up()
        if since is None and not accepted:
            since = subscriptions[0].rewind(machine.clock.monotonic())
        link.has_since = since is not None
        # A replacement misses nothing, so it needs no snapshot.
        link.begun = [each for each in subscriptions if each.wants_snapshot] if link is machine.main else []
        link.names = {each.wire: each for each in subscriptions}
        if link is machine.main:
            machine.resumption.opened(has_asked=link.has_since)
            for each in subscriptions:
                each.replayed = 0
        fields: dict[str, Any] = {"subscriptions": [each.to_wire(snapshot=each in link.begun) for each in subscriptions]}
        if since is not None:
            fields["since"] = since
        machine.outbox.request(link, Kind.OPEN, "subscribe", fields)

    def _additions(self, accepted: list[Subscription]) -> list[Add]:
        """The additions that fit into the first message: one `since` holds for all of it. The others follow.

        After a first message that the server could not serve, all of them follow, except for one if nothing else is there. An
        addition that the server cannot serve must not keep the others from being restored.
        """
        additions = self._machine.subscriptions.additions()
        if self._is_cautious:
            return [] if accepted else additions[:1]
        first = None if accepted or not additions else additions[0].subscription.since
        return [each for each in additions if each.subscription.since == first]

    def subscribed(self, link: Link, answer: Mapping[str, Any]) -> None:
        """The server has answered the first message."""
        machine = self._machine
        link.phase, link.subscribed_at = Phase.STREAMING, machine.clock.monotonic()
        if link.has_since:
            link.resumes_at = machine.clock.monotonic() + RESUME_INTERVAL
        machine.renewal.schedule(link)
        if link is not machine.main:
            return machine.rotation.subscribed(link, answer)
        machine.rotation.plan(link)
        machine.refused, machine.attempts.was_refused = None, False
        self._is_cautious = False
        step, verdict = machine.resumption.answered(answer)
        before = machine.subscriptions.accepted()
        machine.subscriptions.discard(link.opening)
        new = [(each, each.subscription.since) for each in link.opening]
        for each in link.opening:
            machine.requests.in_force(each.subscription)
        missed_since = verdict.missed_since if isinstance(verdict, NotRecovered) else None
        machine.change(StreamState.CONNECTED, missed_since=missed_since)
        for each in link.opening:
            machine.emit(Settled(each.call, None, filter_in_force(answer, each.subscription.wire)))
        link.opening = []
        concerned = before + [each.subscription for each, since in new if since is not None]
        if verdict is not None:
            self._tell(verdict, concerned)
        machine.snapshotting.begin(link.begun, answer, step, verdict)
        machine.requests.send_next()

    def _tell(self, verdict: Verdict, subscriptions: list[Subscription]) -> None:
        machine = self._machine
        machine.emit(Told(verdict))
        for each in subscriptions:
            machine.requests.tell(verdict, each)

    def refused(self, link: Link, frame: Mapping[str, Any], error: EntityStreamError) -> None:
        """The server refused the token, the proof, or the first message about subscriptions."""
        machine = self._machine
        if isinstance(error, RequestError) and is_passing(error):
            self._is_cautious |= link is machine.main and error.code == "internal"
            return machine.fail_link(link, ConnectionFailed("server_error", str(error)))
        if link is not machine.main or link.phase is not Phase.SUBSCRIBING or not isinstance(error, RequestError):
            # Anything else concerns the connection as a whole.
            return machine.fail_link(link, error)
        if error.code == "limit_exceeded" and link.has_since and not machine.resumption.was_too_soon:
            machine.resumption.was_too_soon = True
            return self._too_soon(link, error)
        if error.code == "invalid_since" and machine.resumption.bookmark is not None:
            # Another deployment, which does not know the position. Its answer tells that events may be missing.
            machine.resumption.bookmark = None
            machine.resumption.lost()
            return self.subscribe(link)
        self._give_up(link, frame.get("subscription"), error)

    def _too_soon(self, link: Link, error: RequestError) -> None:
        self._machine.fail_link(link, ConnectionFailed("server_error", str(error)), RESUME_INTERVAL)

    def _give_up(self, link: Link, name: object, error: RequestError) -> None:
        """Gives up the subscription at fault, or else the last new one, or else the only one, and tries the others."""
        machine = self._machine
        at_fault = next((each for each in link.opening if each.subscription.wire == name), None)
        subscription = link.names.get(name) if at_fault is None and isinstance(name, str) else None
        if at_fault is None and subscription is None and link.opening:
            at_fault = link.opening[-1]
        if at_fault is None and subscription is None and len(link.names) == 1:
            (subscription,) = link.names.values()
        if at_fault is not None:
            machine.requests.refuse(at_fault, error)
        elif subscription is not None:
            # One that the program has closed meanwhile has ended. The next message lacks it.
            if not subscription.is_closed:
                machine.requests.drop(subscription, error)
        else:
            return machine.fail_link(link, error)
        if link is machine.main and not link.is_over:
            self.subscribe(link)
