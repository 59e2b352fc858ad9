"""The state machine, step by step: past events and then a snapshot, on a connection that is open already."""

from __future__ import annotations

from model import POSITION, Wire, subscribed

from entity_stream import NotRecovered, Recovered, SnapshotComplete


def entity(wire: Wire, entity_id: str, name: str) -> None:
    wire.send({"type": "entitySnapshot", "entityId": entity_id, "entityType": "Room", "data": {}, "subscriptions": [name]})


def test_a_rewind_that_is_recovered_is_followed_by_the_snapshot():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    key, _ = wire.subscribe("b", since=30, snapshot=True)
    request = wire.read()
    assert (request["since"], request["snapshot"]) == ({"seconds": 30}, True)
    wire.event("e1", ["b"], replayed=True)
    wire.answer(request, **POSITION, recovered=True, replayed=1)
    assert wire.program.items[key][1:] == wire.program.verdicts == [Recovered(1)]
    request = wire.read()
    assert [(each["subscription"], each["snapshot"]) for each in request["subscriptions"]] == [("b", True)]
    assert "since" not in request
    entity(wire, "urn:2", "b")
    wire.answer(request, **POSITION, snapshot=1)
    assert [each.entity_id for each in wire.program.events[key]] == ["urn:1", "urn:2"]
    assert wire.program.items[key][-1] == SnapshotComplete(1)


def test_a_rewind_that_is_not_recovered_has_the_snapshot_in_its_answer():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    key, _ = wire.subscribe("b", since=30, snapshot=True)
    request = wire.read()
    entity(wire, "urn:2", "b")
    wire.answer(request, **POSITION, recovered=False, reason="too_many", snapshot=1)
    assert wire.program.items[key][1:] == [NotRecovered("too_many", None), SnapshotComplete(1)]
    assert wire.sent[wire.newest] == []


def test_a_snapshot_that_follows_a_rewind_is_still_owed_after_a_lost_connection():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    key, _ = wire.subscribe("b", since=30, snapshot=True)
    wire.answer(wire.read(), **POSITION, recovered=True, replayed=0)
    wire.end()
    wire.connect()
    wire.answer(wire.read(), **POSITION, recovered=True, replayed=0)
    request = wire.read()
    assert [each["subscription"] for each in request["subscriptions"]] == ["b"]
    wire.answer(request, **POSITION, snapshot=0)
    assert wire.program.items[key] == [Recovered(0), Recovered(0), SnapshotComplete(0)]
