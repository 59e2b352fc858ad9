"""The core as a member of a group, with connections that fail, rotate and leave at any moment.

Invariants: a subscription receives each event that arrives for it, once, also if the program has closed it or the stream
meanwhile. Each call is settled, each closed subscription ends, and nothing comes after the end.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from model import Peer, Wire

from entity_stream import Filter, StreamState


class Group:
    """The service. It assigns each event to one connection."""

    def __init__(self, wire: Wire, random: Random) -> None:
        self.wire, self.random = wire, random
        self.events = 0
        #: The share of removals that it cannot serve.
        self.stubborn = 0.0
        #: The subscription of each name of each connection.
        self.keys: dict[int, dict[str, int]] = {}
        self.arrived: dict[int, set[str]] = {}

    def publish(self) -> None:
        peers = [peer for peer in self.wire.peers.values() if peer.is_open and peer.names]
        if peers:
            self.events += 1
            peer = self.random.choice(peers)
            event = {"type": "entityUpdated", "id": f"e{self.events}", "entityId": "urn:1", "entityType": "Room"}
            peer.outbox.append({**event, "data": {}, "subscriptions": sorted(peer.names)})

    def handle(self, peer: Peer, message: dict[str, Any]) -> None:
        action, answer = message["action"], {"requestId": message.get("requestId")}
        if action == "subscribe":
            answer["type"] = "subscribed"
            for each in message.get("subscriptions", [message]):
                name = each["subscription"]
                peer.names[name] = each
                self.keys.setdefault(peer.id, {})[name] = self.wire.machine.links[peer.id].names[name].key
        elif action == "unsubscribe" and self.random.random() < self.stubborn:
            answer |= {"type": "error", "code": "conflict", "message": "no"}
        elif action == "unsubscribe":
            known = peer.names.pop(message["subscription"], None)
            answer["type"] = "unsubscribed" if known else "error"
            answer["code"], answer["message"] = "not_subscribed", "no"
        else:
            answer["type"] = "pong"
        peer.outbox.append(answer)

    def deliver(self, peer: Peer) -> None:
        message = peer.outbox.pop(0)
        for name in message.get("subscriptions", []):
            self.arrived.setdefault(self.keys[peer.id][name], set()).add(message["id"])
        self.wire.send(message, peer.id)

    def pump(self, likely: float) -> None:
        for peer in list(self.wire.peers.values()):
            if not peer.is_open:
                if self.random.random() < likely:
                    self.wire.open(peer.id)
                continue
            if self.wire.sent[peer.id] and self.random.random() < likely and peer.id in self.wire.machine.links:
                self.handle(peer, self.wire.sent[peer.id].pop(0))
            if peer.outbox and self.random.random() < likely:
                self.deliver(peer)
        for link in [each for each in self.wire.closing if each in self.wire.peers]:
            while self.wire.peers[link].outbox:
                self.deliver(self.wire.peers[link])
            self.wire.end(link, 1000)


@pytest.mark.parametrize("seed", range(100))
def test_schedule(seed: int):
    random = Random(seed)
    wire = Wire(seed, group_id="g", rotate_after=40.0, drain=3.0, ping_interval=20.0, stable_after=5.0, backoff_max=4.0)
    group = Group(wire, random)
    group.stubborn = random.choice([0.0, 0.9])
    keys: list[int] = []
    closed: list[int] = []
    calls: list[int] = []
    for _ in range(400):
        choice = random.random()
        if choice < 0.3:
            group.publish()
        elif choice < 0.75:
            group.pump(0.7)
        elif choice < 0.87:
            wire.pass_time(random.random() * 3)
        elif choice < 0.9 and wire.peers:
            peer = random.choice(list(wire.peers.values()))
            wire.end(peer.id, 1006 if peer.is_open else 503)
        elif choice < 0.94 and len(keys) < 4:
            key, call = wire.subscribe(random.choice([None, "rooms"]))
            keys.append(key)
            calls.append(call)
        elif choice < 0.96 and keys:
            calls.append(wire.machine.requests.update(random.choice(keys), Filter(q=f"n>{random.randrange(9)}")))
            wire.run()
        elif choice < 0.98 and keys:
            closed.append(keys.pop(random.randrange(len(keys))))
            calls.append(wire.machine.requests.remove(closed[-1]))
            wire.run()
    if seed % 2:
        wire.machine.close()
        wire.run()
        closed += keys
    group.stubborn = 0.0
    for _ in range(200):
        group.pump(1.0)
        wire.pass_time(0.5)
    assert wire.state is (StreamState.CLOSED if seed % 2 else StreamState.CONNECTED if keys else StreamState.IDLE)
    assert set(calls) <= set(wire.program.settled)
    assert set(closed) <= set(wire.program.ended)
    for key in [*keys, *closed]:
        ids = wire.ids(key)
        assert len(ids) == len(set(ids))
        assert set(ids) == group.arrived.get(key, set())
