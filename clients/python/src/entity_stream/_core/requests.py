"""Requests about subscriptions on an open connection.

Invariants: see `subscriptions`. A request that makes the server close the connection fails; the stream does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ClosedError, EntityStreamError, RequestError
from ..events import Recovered, Verdict
from ..filter import Filter, filter_in_force
from .effects import Deliver, Ended, Settled, Told
from .link import Kind, Link, Message, Phase
from .opening import RESUME_INTERVAL
from .refusal import fault_error, is_passing
from .subscriptions import Add, Remove, Replace, Request, Since, Subscription

if TYPE_CHECKING:
    from .machine import Machine

#: The most subscriptions of a connection that have a name.
MOST_SUBSCRIPTIONS = 16
#: The most times that a request is sent that the server cannot serve at the moment, and the seconds between them.
ATTEMPTS = 4
PAUSE = 0.5
#: The pause before a removal that the server could not serve is sent again. It doubles up to the longest.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class Requests:
    """Adds, replaces and removes subscriptions, one after the other."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._set = machine.subscriptions
        self._pause_until: float | None = None

    # The calls of the program.

    def add(self, filter: Filter, name: str | None, *, snapshot: bool, since: Since | None) -> tuple[int, int]:
        """Adds a subscription. Returns its key and the number of the call."""
        machine = self._machine
        wire = self._set.new_name(name)
        now = machine.clock.monotonic()
        subscription = Subscription(machine.next_id(), name, wire, filter, snapshot, since, now, owes_snapshot=snapshot)
        self._set.all[subscription.key] = subscription
        call = machine.next_id()
        self._set.queue.append(Add(subscription, call))
        machine.proceed()
        return subscription.key, call

    def update(self, key: int, filter: Filter) -> int:
        """Replaces the filter of a subscription."""
        machine, call = self._machine, self._machine.next_id()
        subscription = self._set.all.get(key)
        if subscription is None or subscription.is_closed:
            machine.emit(Settled(call, ClosedError("the subscription")))
            return call
        # A full connection has no place for both. The server then exchanges the subscription of the same name.
        is_full = len(self._set.all) >= MOST_SUBSCRIPTIONS
        wire = None if is_full else self._set.new_name(subscription.base)
        self._set.queue.append(Replace(subscription, filter, wire, call))
        machine.proceed()
        return call

    def remove(self, key: int) -> int:
        """Ends a subscription."""
        machine, call = self._machine, self._machine.next_id()
        subscription = self._set.all.get(key)
        if subscription is None or subscription.is_closed:
            machine.emit(Settled(call, None))
            return call
        subscription.is_closed = True
        under_way = self._under_way()
        for request in list(self._set.queue):
            if isinstance(request, (Add, Replace)) and request.subscription is subscription and request not in under_way:
                self._set.discard([request])
                machine.emit(Settled(request.call, ClosedError("the subscription")))
        is_known, is_member = self._is_known(subscription), machine.settings.group_id is not None
        if is_known and (is_member or self._set.is_wanted):
            if not is_member:
                self._end(subscription, None)
            self._set.queue.append(Remove(subscription.wire, [call]))
        else:
            self.drop(subscription, None)
            machine.emit(Settled(call, None))
        machine.proceed()
        return call

    # The messages of the connection.

    def send_next(self) -> None:
        """Sends the next request, if the connection is free for it."""
        machine, link = self._machine, self._machine.main
        if link is None or not self.is_free(link):
            return
        if machine.rotation.takes_turn():
            return
        if self._pause_until is not None:
            return
        now = machine.clock.monotonic()
        ripe = [each for each, at in self._times(link) if at <= now]
        if ripe:
            self._send(link, ripe[0])

    def _times(self, link: Link) -> Iterator[tuple[Request, float]]:
        """The requests that can be the next one, and the times from which they can be sent."""
        if self._set.queue:
            first = self._set.queue[0]
            yield first, link.resumes_at if _has_since(first) else 0.0
        for each in self._set.postponed:
            yield each, each.again_at

    def is_free(self, link: Link) -> bool:
        """True if no request about subscriptions is under way on the active connection."""
        is_busy = link.awaits(Kind.CHANGE, Kind.SNAPSHOT) or self._machine.snapshotting.is_under_way
        return link.phase is Phase.STREAMING and not is_busy and not self._machine.rotation.is_subscribing

    def _send(self, link: Link, request: Request) -> None:
        machine = self._machine
        fields: dict[str, Any]
        if isinstance(request, Add):
            subscription = request.subscription
            fields = subscription.to_wire(snapshot=subscription.wants_snapshot)
            if since := subscription.rewind(machine.clock.monotonic()):
                fields["since"] = since
            subscription.replayed = 0
            link.names[subscription.wire] = subscription
        elif isinstance(request, Replace):
            name = request.wire or request.subscription.wire
            fields = {"subscription": name, **request.filter.to_wire()}
            if request.subscription.wants_snapshot:
                fields["snapshot"] = True
            link.names[name] = request.subscription
        else:
            fields = {"subscription": request.wire}
        action = "unsubscribe" if isinstance(request, Remove) else "subscribe"
        machine.outbox.request(link, Kind.CHANGE, action, fields, request=request)

    def answered(self, link: Link, message: Message, answer: Mapping[str, Any]) -> None:
        """The server has accepted a request."""
        machine, request = self._machine, message.request
        if request is None:
            return
        self._set.discard([request])
        if isinstance(request, Remove):
            self.removed(request)
            return machine.proceed()
        subscription = request.subscription
        step, verdict = machine.resumption.accepted(answer)
        if isinstance(request, Replace):
            subscription.filter = request.filter
            if request.wire is None:
                machine.emit(Settled(request.call, None, filter_in_force(answer, subscription.wire)))
            else:
                old, subscription.wire = subscription.wire, request.wire
                self._rename_removals(old, request.wire)
                self._set.queue.appendleft(Remove(old, [request.call], filter_in_force(answer, request.wire)))
        else:
            if _has_since(request):
                link.resumes_at = machine.clock.monotonic() + RESUME_INTERVAL
            self.in_force(subscription)
            machine.emit(Settled(request.call, None, filter_in_force(answer, subscription.wire)))
        if verdict is not None:
            machine.emit(Told(own_verdict(verdict, subscription)))
            self.tell(verdict, subscription)
        if subscription.wants_snapshot:
            # Requests wait for the end of the snapshot, and so does the removal of the old name.
            subscription.owes_snapshot = True
            machine.snapshotting.begin([subscription], answer, step, verdict)
        else:
            machine.resumption.proceed(step)
        machine.proceed()

    def tell(self, verdict: Verdict, subscription: Subscription) -> None:
        """Gives a verdict to a subscription, with the number of its own past events."""
        if not subscription.is_closed:
            self._machine.emit(Deliver(subscription.key, own_verdict(verdict, subscription)))

    def in_force(self, subscription: Subscription) -> None:
        """The server has accepted this subscription."""
        subscription.is_accepted, subscription.since = True, None

    def removed(self, request: Remove) -> None:
        """The server does not have this name any more."""
        subscription = self._set.of_name(request.wire)
        if subscription is not None and subscription.is_closed and self._machine.settings.group_id is not None:
            self._give_up(subscription)
            return self._machine.leaving.await_end(subscription, request.calls)
        for call in request.calls:
            self._machine.emit(Settled(call, None, request.in_force))
        if subscription is not None and subscription.is_closed:
            self._forget(subscription)

    def _postpone(self, link: Link, request: Remove) -> None:
        """The server cannot remove a name at the moment. For the program the subscription is over, except in a group."""
        machine = self._machine
        self._set.discard([request])
        if machine.settings.group_id is None:
            link.names.pop(request.wire, None)
            self.removed(request)
            request.calls = []
        request.pause = min(LONGEST_PAUSE, 2 * request.pause) if request.pause else FIRST_PAUSE
        request.again_at = machine.clock.monotonic() + request.pause
        self._set.postponed.append(request)

    def refused(self, link: Link, message: Message, error: EntityStreamError) -> None:
        """The server has refused a request."""
        machine, request = self._machine, message.request
        if request is None:
            return
        if not isinstance(error, RequestError):
            return machine.fail_link(link, error)
        request.failures += is_passing(error)
        if is_passing(error) and request.failures < ATTEMPTS:
            self._pause_until = machine.clock.monotonic() + PAUSE
        elif isinstance(request, Remove):
            if is_passing(error):
                self._postpone(link, request)
            else:
                self._set.discard([request])
                self.removed(request)
        elif isinstance(request, Add) and error.code == "limit_exceeded" and _has_since(request) and not request.was_too_soon:
            request.was_too_soon = True
            self._pause_until = machine.clock.monotonic() + RESUME_INTERVAL
        else:
            if isinstance(request, Replace) and request.wire is not None:
                link.names.pop(request.wire, None)
            self.refuse(request, error)
        machine.proceed()

    def refuse(self, request: Add | Replace, error: EntityStreamError) -> None:
        """Gives up a request."""
        self._set.discard([request])
        self._machine.emit(Settled(request.call, error))
        if isinstance(request, Add):
            self.drop(request.subscription, error)

    def drop(self, subscription: Subscription, error: EntityStreamError | None) -> None:
        """A subscription is over, and the server does not have it or will lose it with the connection."""
        if subscription.key in self._set.all:
            self._end(subscription, error)
            self._forget(subscription)

    def abandon(self, error: EntityStreamError) -> None:
        """Fails all requests that wait. Removals succeed: no connection has the names any more."""
        abandoned = [*self._set.queue, *self._set.postponed]
        self._set.discard(abandoned)
        for request in abandoned:
            if isinstance(request, Remove):
                self.removed(request)
            else:
                self._machine.emit(Settled(request.call, error))
        self._pause_until = None

    def blame(self, link: Link, code: int | None, reason: str) -> None:
        """Fails the requests because of which the server has closed the connection."""
        for message in list(link.messages.values()):
            error = fault_error(code, reason, message.action)
            if error is None:
                return
            if message.kind is Kind.OPEN:
                for each in link.opening:
                    self.refuse(each, error)
            elif isinstance(message.request, (Add, Replace)):
                self.refuse(message.request, error)

    def connection_ended(self) -> None:
        """Names that only the lost connection had are gone. Requests that were under way come again."""
        self._pause_until = None
        for request in [*self._set.queue, *self._set.postponed]:
            request.failures = 0
            if isinstance(request, Remove):
                self._set.discard([request])
                self.removed(request)
        for subscription in list(self._set.all.values()):
            if subscription.is_closed and subscription.ends_by is None:
                self.drop(subscription, None)

    def timers(self) -> Iterator[tuple[float, Callable[[], None]]]:
        link = self._machine.main
        if self._pause_until is not None:
            yield self._pause_until, self._resume
        elif link is not None and self.is_free(link):
            yield from ((at, self.send_next) for _, at in self._times(link))

    def _resume(self) -> None:
        self._pause_until = None
        self.send_next()

    def _rename_removals(self, old: str, new: str) -> None:
        """The program has closed the subscription meanwhile: the new name has to go."""
        for request in self._set.queue:
            if isinstance(request, Remove) and request.wire == old:
                request.wire = new

    def _under_way(self) -> list[object]:
        main = self._machine.main
        if main is None:
            return []
        return [*main.opening, *(message.request for message in main.messages.values() if message.kind is Kind.CHANGE)]

    def _is_known(self, subscription: Subscription) -> bool:
        """True if the server has the subscription, or may have it soon."""
        main = self._machine.main
        return main is not None and not main.is_over and subscription.wire in main.names

    def _end(self, subscription: Subscription, error: EntityStreamError | None) -> None:
        if not subscription.has_ended:
            subscription.has_ended = True
            self._machine.emit(Ended(subscription.key, error))

    def _forget(self, subscription: Subscription) -> None:
        subscription.is_closed = True
        self._set.all.pop(subscription.key, None)
        self._give_up(subscription)
        for call in subscription.end_calls:
            self._machine.emit(Settled(call, None))

    def _give_up(self, subscription: Subscription) -> None:
        """Fails the calls about a closed subscription."""
        waiting = [each for each in self._set.queue if not isinstance(each, Remove) and each.subscription is subscription]
        self._set.discard(waiting)
        for each in waiting:
            self._machine.emit(Settled(each.call, ClosedError("the subscription")))


def _has_since(request: Request) -> bool:
    return isinstance(request, Add) and request.subscription.since is not None


def own_verdict(verdict: Verdict, subscription: Subscription) -> Verdict:
    """The verdict with the number of past events of one subscription."""
    return Recovered(subscription.replayed) if isinstance(verdict, Recovered) else verdict
