"""Reads the frames of the server.

Invariant: each event is delivered to the subscriptions that it names and that have not had it, whatever connection brings
it. A position counts only on the active connection, and only while it holds for all subscriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._place import place
from ..debug import DebugEntry
from ..errors import ConnectionFailed, EntityStreamError
from ..events import EntityEvent, parse_event
from .effects import Deliver, Trouble
from .link import Kind, Link, Message, Phase
from .refusal import answer_error
from .subscriptions import Subscription

if TYPE_CHECKING:
    from .machine import Machine


class Receiving:
    """Reads frames."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def frame(self, link: Link, text: str) -> None:
        """Takes a text frame. One that is not a message of the contract only shows that the server is there."""
        machine = self._machine
        machine.keepalive.heard(link)
        frame: object = None
        try:
            frame = machine.settings.parse(text)
        except Exception as error:
            # The function may be the program's own. The text of its error may have a value of an entity.
            machine.emit(Trouble(EntityStreamError("unreadable", f"a message of the server was skipped: {place(error)}")))
        if machine.settings.debug is not None:
            kind = frame.get("type") if isinstance(frame, dict) else None
            machine.emit(DebugEntry("received", kind if isinstance(kind, str) else "unknown", len(text)))
        if isinstance(frame, dict):
            self._message(link, frame)
        # At the end, so that a verdict tells when the server was heard from before the gap.
        if link is machine.main:
            machine.resumption.hear(machine.clock.wall())

    def _message(self, link: Link, frame: Mapping[str, Any]) -> None:
        kind = frame.get("type")
        if kind == "events":
            events = frame.get("events")
            for each in events if isinstance(events, list) else []:
                if isinstance(each, dict):
                    self._event(link, each)
        elif parse := parse_event(frame):
            self._take(link, *parse)
        elif link.is_over:
            return
        elif kind == "synced":
            position = frame.get("position")
            if isinstance(position, str) and self._takes_positions(link):
                self._machine.resumption.seen(position)
        elif kind is None and isinstance(frame.get("message"), str):
            self._gateway_failed(link, frame)
        elif isinstance(kind, str):
            self._answer(link, frame)

    def _answer(self, link: Link, frame: Mapping[str, Any]) -> None:
        request_id = frame.get("requestId")
        message = link.messages.pop(request_id, None) if isinstance(request_id, str) else None
        if frame.get("type") == "error":
            self._error(link, message, frame)
        elif message is not None:
            self._accepted(link, message, frame)

    def _accepted(self, link: Link, message: Message, frame: Mapping[str, Any]) -> None:
        machine = self._machine
        if message.kind in (Kind.BIND, Kind.AUTHENTICATE):
            machine.opening.authenticated(link)
        elif message.kind is Kind.OPEN:
            machine.opening.subscribed(link, frame)
        elif message.kind is Kind.CHANGE:
            machine.requests.answered(link, message, frame)
        elif message.kind is Kind.SNAPSHOT:
            machine.snapshotting.answered(link, frame)
        elif message.kind is Kind.RENEW:
            machine.renewal.answered(link, message.token)
        elif message.kind is Kind.LEAVE:
            machine.leaving.answered(link)

    def _error(self, link: Link, message: Message | None, frame: Mapping[str, Any]) -> None:
        machine, code = self._machine, frame.get("code")
        if code == "not_connected" and link.phase is not Phase.LEAVING:
            # The record of the connection is gone, so no request can succeed.
            return machine.fail_link(link, answer_error(frame, message.action if message else "sync"))
        if message is None:
            if frame.get("action") == "sync" and code in ("not_available", "unknown_action"):
                # The history was switched off.
                machine.resumption.bookmark = None
            return
        error = answer_error(frame, message.action)
        if message.kind in (Kind.BIND, Kind.AUTHENTICATE, Kind.OPEN):
            machine.opening.refused(link, frame, error)
        elif message.kind is Kind.CHANGE:
            machine.requests.refused(link, message, error)
        elif message.kind is Kind.SNAPSHOT:
            machine.snapshotting.refused(link, error, str(code))
        elif message.kind is Kind.RENEW:
            machine.renewal.refused(link, message.token, error)
        else:
            machine.leaving.answered(link)

    def _gateway_failed(self, link: Link, frame: Mapping[str, Any]) -> None:
        """API Gateway's own error does not name the message that failed."""
        if link.messages:
            text = f"the gateway answered: {str(frame.get('message'))[:200]}"
            self._machine.fail_link(link, ConnectionFailed("server_error", text))

    def _event(self, link: Link, frame: Mapping[str, Any]) -> None:
        if parsed := parse_event(frame):
            self._take(link, *parsed)

    def _take(self, link: Link, event: EntityEvent, names: tuple[str, ...]) -> None:
        machine = self._machine
        if link.is_lost and machine.settings.group_id is None:
            # The next connection brings the missing events. In a group, no other connection would.
            return
        subscriptions = self._named(link, event, names)
        if event.replayed:
            # The events that a resume brings are older than a subscription that is new.
            subscriptions = [each for each in subscriptions if each.is_accepted or each.since is not None]
        if event.is_snapshot:
            self._extend(link)
            new = subscriptions
        elif event.state is not None:
            # An event without state comes again with one.
            new = subscriptions
        else:
            keys = [each.key for each in subscriptions]
            fresh = machine.seen.new_for(event.id, keys, machine.clock.monotonic())
            new = [each for each in subscriptions if each.key in fresh]
        if event.replayed and new:
            machine.resumption.replayed += 1
            for each in new:
                each.replayed += 1
        for each in new:
            machine.emit(Deliver(each.key, event))
        if event.position is not None and not event.is_snapshot and self._takes_positions(link):
            machine.resumption.seen(event.position)

    def _named(self, link: Link, event: EntityEvent, names: tuple[str, ...]) -> list[Subscription]:
        known = [link.names[name] for name in names if name in link.names]
        if not known and names == ("",):
            # A server that names no subscription: only the filter can tell.
            known = [each for each in link.names.values() if _matches(each, event)]
        is_member = self._machine.settings.group_id is not None
        alive = self._machine.subscriptions.all
        found = {each.key: each for each in known if each.key in alive and (is_member or not each.is_closed)}
        return list(found.values())

    def _takes_positions(self, link: Link) -> bool:
        machine = self._machine
        is_whole = not link.awaits(Kind.CHANGE, Kind.SNAPSHOT) and not machine.snapshotting.is_under_way
        return link is machine.main and link.phase is Phase.STREAMING and is_whole

    def _extend(self, link: Link) -> None:
        """A snapshot arrives before its answer, so each entity of it is a sign that the answer will come."""
        answer_by = self._machine.clock.monotonic() + self._machine.settings.request_timeout
        for message in link.messages.values():
            message.answer_by = max(message.answer_by, answer_by)


def _matches(subscription: Subscription, event: EntityEvent) -> bool:
    types = (event.entity_type,) if isinstance(event.entity_type, str) else event.entity_type
    filter = subscription.filter
    has_type = not filter.entity_types or any(each in filter.entity_types for each in types)
    return has_type and (not filter.entity_ids or event.entity_id in filter.entity_ids)
