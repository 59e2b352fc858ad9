"""Asks for snapshots, part by part. The invariants are those of `snapshots`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionFailed, EntityStreamError
from ..events import Recovered, SnapshotComplete, Verdict
from .effects import Deliver
from .link import Kind, Link
from .resumption import Step
from .snapshots import PAUSE, Snapshot
from .subscriptions import Subscription

if TYPE_CHECKING:
    from .machine import Machine


class Snapshotting:
    """The snapshot of the active connection."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._snapshot: Snapshot | None = None

    @property
    def is_under_way(self) -> bool:
        return self._snapshot is not None

    def begin(self, subscriptions: list[Subscription], answer: Mapping[str, Any], step: Step, verdict: Verdict | None) -> None:
        """A message that asks for a snapshot of these subscriptions is answered, with its first part or without."""
        begun = [each for each in subscriptions if not each.is_closed]
        if begun and ("snapshot" in answer or not isinstance(verdict, Recovered)):
            self._snapshot = Snapshot([each.key for each in begun], step)
            return self._arrived(answer)
        self._machine.resumption.proceed(step)
        # The past events were all there, so the server has sent no snapshot.
        owed = [each for each in begun if each.owes_snapshot]
        if owed:
            self._snapshot = Snapshot([each.key for each in owed], None)
            self._ask()

    def answered(self, link: Link, answer: Mapping[str, Any]) -> None:
        """A later part has arrived, or the first one of a snapshot that has begun anew."""
        if self._snapshot is None:
            return
        if answer.get("type") == "subscribed":
            step, _ = self._machine.resumption.accepted(answer)
            self._snapshot.hold(step)
        self._arrived(answer)

    def _arrived(self, answer: Mapping[str, Any]) -> None:
        machine, snapshot = self._machine, self._snapshot
        if snapshot is None:
            return
        count, token = answer.get("snapshot"), answer.get("snapshotNext")
        entities = count if isinstance(count, int) else 0
        if not snapshot.arrived(entities, token if isinstance(token, str) else None):
            # A server that cannot read the entities sends an empty part.
            return self._pause() if entities == 0 else self._ask()
        self._snapshot = None
        if snapshot.held is not None:
            machine.resumption.proceed(snapshot.held)
        for subscription in self._present(snapshot):
            subscription.owes_snapshot = False
            machine.emit(Deliver(subscription.key, SnapshotComplete(snapshot.entities)))
        machine.requests.send_next()

    def refused(self, link: Link, error: EntityStreamError, code: str) -> None:
        """The server has not answered with a part."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        if code == "invalid_snapshot_token" and snapshot.restart():
            self._ask()
        elif code in ("internal", "conflict") and snapshot.can_retry():
            self._pause()
        else:
            self._machine.fail_link(link, ConnectionFailed("server_error", f"the snapshot failed: {code}"))

    def lost(self) -> None:
        """The connection has ended."""
        self._snapshot = None

    def timers(self) -> Iterator[tuple[float, Callable[[], None]]]:
        if self._snapshot is not None and self._snapshot.ask_at is not None:
            yield self._snapshot.ask_at, self._ask

    def _pause(self) -> None:
        if self._snapshot is not None:
            self._snapshot.ask_at = self._machine.clock.monotonic() + PAUSE

    def _ask(self) -> None:
        machine, snapshot, link = self._machine, self._snapshot, self._machine.main
        if snapshot is None or link is None:
            return
        snapshot.ask_at = None
        present = self._present(snapshot)
        if not present:
            # The program has closed all subscriptions that the snapshot is for.
            self._snapshot = None
            if snapshot.held is not None:
                machine.resumption.proceed(snapshot.held)
            return machine.requests.send_next()
        if snapshot.next is not None:
            machine.outbox.request(link, Kind.SNAPSHOT, "snapshot", {"next": snapshot.next})
        else:
            fields = {"subscriptions": [each.to_wire(snapshot=True) for each in present]}
            machine.outbox.request(link, Kind.SNAPSHOT, "subscribe", fields)

    def _present(self, snapshot: Snapshot) -> list[Subscription]:
        known = (self._machine.subscriptions.all.get(key) for key in snapshot.subscriptions)
        return [each for each in known if each is not None and not each.is_closed]
