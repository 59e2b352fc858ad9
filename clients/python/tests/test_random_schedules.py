"""The core against a server in memory, with connections that fail at any moment.

Invariants: without an unrecovered gap, each subscription receives each event that matches while it is in force, once. A
collection ends equal to the server's entities, whatever happened. Each call is settled, and the client never spins.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from model import Peer, Wire

from entity_stream import EntityEvent, Filter, NotRecovered, SnapshotComplete, StreamState
from entity_stream._core.collection import Collection
from entity_stream._core.effects import Deliver, Effect, Offline, Online


class Server:
    """The service: its history, its entities and its connections."""

    def __init__(self, wire: Wire, random: Random) -> None:
        self.wire, self.random = wire, random
        self.history: list[dict[str, Any]] = []
        self.entities: dict[str, dict[str, Any]] = {}
        self.forgotten = 0
        #: The share of requests that it cannot serve.
        self.failing = self.stubborn = 0.0

    def position(self) -> str:
        return f"{len(self.history):08}"

    def publish(self) -> str:
        """An entity changes."""
        number = len(self.history) + 1
        entity = f"urn:{self.random.randrange(8)}"
        kind = "entityDeleted" if entity in self.entities and self.random.random() < 0.2 else "entityUpdated"
        event = {
            "type": kind,
            "id": f"e{number}",
            "tenant": "demo",
            "servicePath": "/",
            "entityId": entity,
            "entityType": "Room",
            "data": {} if kind == "entityDeleted" else {"n": number},
            "version": number,
            "position": f"{number:08}",
        }
        self.history.append(event)
        if kind == "entityDeleted":
            del self.entities[entity]
        else:
            self.entities[entity] = event
        for peer in self.wire.peers.values():
            if peer.names and peer.is_open:
                self.send(peer, {**event, "subscriptions": sorted(peer.names)})
        return str(event["id"])

    def send(self, peer: Peer, message: dict[str, Any]) -> None:
        peer.outbox.append(message)
        if message["type"].startswith("entity") and self.random.random() < 0.1:
            peer.outbox.append(message)

    def handle(self, peer: Peer, message: dict[str, Any]) -> None:
        """Answers a message."""
        action, answer = message["action"], {"requestId": message.get("requestId")}
        if action in ("subscribe", "unsubscribe", "snapshot") and self.random.random() < self.failing:
            code = self.random.choice(["internal", "conflict"])
            self.send(peer, {**answer, "type": "error", "code": code, "message": "failed", "action": action})
            return
        if action == "unsubscribe" and self.random.random() < self.stubborn:
            self.send(peer, {**answer, "type": "error", "code": "conflict", "message": "failed", "action": action})
            return
        if action == "subscribe":
            added = message.get("subscriptions", [message])
            names = sorted(each.get("subscription", "") for each in added)
            peer.names.update({each["subscription"]: each for each in added})
            answer |= {"type": "subscribed", "position": self.position(), "session": f"s{peer.id}"}
            if since := message.get("since"):
                begin = int(since["position"]) if "position" in since else len(self.history) - since["seconds"]
                self.replay(peer, begin, names, answer)
            wanted = [each["subscription"] for each in added if each.get("snapshot")]
            if wanted and answer.get("recovered") is not True:
                self.snapshot(peer, wanted, "", answer)
        elif action == "snapshot":
            names, _, start = message["next"].partition("@")
            answer["type"] = "snapshot"
            self.snapshot(peer, names.split(","), start, answer)
        elif action == "unsubscribe":
            peer.names.pop(message["subscription"], None)
            answer["type"] = "unsubscribed"
        elif action == "sync":
            answer |= {"type": "synced", "position": self.position()}
        else:
            answer["type"] = "pong"
        self.send(peer, answer)

    def replay(self, peer: Peer, position: int, names: list[str], answer: dict[str, Any]) -> None:
        answer["recovered"] = position >= self.forgotten and self.random.random() < 0.9
        if not answer["recovered"]:
            answer["reason"] = "expired"
            return
        for event in self.history[max(self.forgotten, position - 2) :]:
            self.send(peer, {**event, "subscriptions": names, "replayed": True})

    def snapshot(self, peer: Peer, names: list[str], after: str, answer: dict[str, Any]) -> None:
        rest = sorted(each for each in self.entities if each > after)
        part = rest[:3]
        for entity in part:
            self.send(peer, {**self.entities[entity], "type": "entitySnapshot", "subscriptions": names, "position": None})
        answer["snapshot"] = len(part)
        if len(rest) > 3:
            answer["snapshotNext"] = f"{','.join(names)}@{part[-1]}"


class Follower(Wire):
    """A client with a collection."""

    def __init__(self, seed: int, **options: Any) -> None:
        super().__init__(seed, **options)
        self.collection = Collection()
        self.followed = -1
        take = self.program.take

        def follow(effect: Effect) -> None:
            take(effect)
            now = self.clock.now
            if isinstance(effect, Online):
                self.collection.connected(now)
            elif isinstance(effect, Offline):
                self.collection.disconnected(now)
            elif isinstance(effect, Deliver) and effect.subscription == self.followed:
                if isinstance(effect.item, EntityEvent):
                    self.collection.apply(effect.item, now)
                elif isinstance(effect.item, SnapshotComplete):
                    self.collection.snapshot_complete(now)

        self.program.take = follow  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", range(200))
def test_schedule(seed: int):
    random = Random(seed)
    wire = Follower(seed, rotate_after=40.0, drain=3.0, ping_interval=20.0, stable_after=5.0, backoff_max=4.0)
    server = Server(wire, random)
    server.failing, server.stubborn = random.choice([0.0, 0.05]), random.choice([0.0, 0.9])
    keys: dict[int, int] = {}
    # For each subscription, the ids that it has to receive.
    expected: dict[int, set[str]] = {}
    wire.followed, call = wire.subscribe("entities", snapshot=True, whole_entity=True)
    calls = [call]
    open_calls: dict[int, int] = {}

    def pump(everything: bool) -> None:
        for _ in range(1000):
            busy = False
            for peer in list(wire.peers.values()):
                if not peer.is_open:
                    if everything or random.random() < 0.5:
                        wire.open(peer.id)
                        busy = True
                    continue
                if wire.sent[peer.id] and (everything or random.random() < 0.7):
                    server.handle(peer, wire.sent[peer.id].pop(0))
                    busy = True
                if peer.outbox and (everything or random.random() < 0.7):
                    wire.send(peer.outbox.pop(0), peer.id)
                    busy = True
            for link in [each for each in wire.closing if each in wire.peers]:
                # The messages that the server sent before it answers the close frame still arrive.
                while wire.peers[link].outbox:
                    wire.send(wire.peers[link].outbox.pop(0), link)
                wire.end(link, 1000)
            if not everything or not busy:
                return

    for _ in range(400):
        choice = random.random()
        if choice < 0.35:
            event = server.publish()
            for key, call in keys.items():
                if wire.program.settled.get(call, 1) is None and key not in wire.program.ended:
                    expected[key].add(event)
        elif choice < 0.75:
            pump(everything=False)
        elif choice < 0.85:
            wire.pass_time(random.random() * 5)
        elif choice < 0.9 and wire.peers:
            peer = random.choice(list(wire.peers.values()))
            wire.end(peer.id, 1006 if peer.is_open else 503)
        elif choice < 0.93 and len(keys) < 4:
            key, call = wire.subscribe(since=random.choice([None, None, 5, 20]), snapshot=random.random() < 0.3)
            keys[key], expected[key] = call, set()
            calls.append(call)
        elif choice < 0.95 and keys:
            key = random.choice(list(keys))
            calls.append(wire.machine.requests.update(key, Filter(q=f"n>{random.randrange(9)}")))
            wire.run()
        elif choice < 0.97 and keys:
            key = random.choice(list(keys))
            del keys[key]
            open_calls[key] = wire.machine.requests.remove(key)
            wire.run()
        elif choice < 0.98:
            server.forgotten = len(server.history)
    server.failing = server.stubborn = 0.0
    # Subscriptions that begin in the past follow one another every ten seconds.
    for _ in range(80):
        pump(everything=True)
        wire.pass_time(1)
    assert wire.state is StreamState.CONNECTED
    assert {each.id for each in wire.collection.entities()} == set(server.entities)
    assert [each.data for each in wire.collection.entities()] == [
        server.entities[each]["data"] for each in sorted(server.entities)
    ]
    wanted = {each.wire for each in wire.machine.subscriptions.accepted()}
    assert all(set(peer.names) == wanted for peer in wire.peers.values() if peer.is_open and peer.id not in wire.closing)
    for call in [*calls, *open_calls.values()]:
        assert call in wire.program.settled
    for key in keys:
        ids = [event.id for event in wire.program.events.get(key, []) if not event.is_snapshot]
        assert len(ids) == len(set(ids))
        if not any(isinstance(item, NotRecovered) for item in wire.program.items.get(key, [])):
            assert expected[key] <= set(ids)
