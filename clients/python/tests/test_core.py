"""The state machine, step by step."""

from __future__ import annotations

import pytest
from model import POSITION, Wire, subscribed

from entity_stream import (
    Filter,
    NotRecovered,
    Recovered,
    RequestError,
    SnapshotComplete,
    StreamState,
)


def test_one_connection_for_all_subscriptions():
    wire = Wire()
    first, _ = wire.subscribe("first", entity_types=["Room"])
    second, call = wire.subscribe("second", q="speed>5")
    link = wire.connect()
    request = wire.read()
    assert request["subscriptions"] == [
        {"subscription": "first", "entityTypes": ["Room"]},
        {"subscription": "second", "q": "speed>5"},
    ]
    assert "since" not in request
    wire.answer(request, **POSITION)
    assert wire.program.settled[call] is None
    third, _ = wire.subscribe("third")
    assert wire.read() == {"action": "subscribe", "subscription": "third", "requestId": "2"}
    wire.event("e1", ["first", "second"])
    wire.event("e1", ["second", "third"])
    assert [wire.ids(key) for key in (first, second, third)] == [["e1"], ["e1"], ["e1"]]
    assert list(wire.peers) == [link]


def test_a_lost_connection_is_resumed_from_the_greatest_position():
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    wire.event("e1", ["a"], position="p5")
    wire.event("e2", ["a"], position="p3")
    wire.end()
    assert wire.state is StreamState.WAITING
    wire.connect()
    request = wire.read()
    assert request["since"] == {"position": "p5", "session": "s"}
    wire.event("e2", ["a"], position="p3", replayed=True)
    wire.event("e3", ["a"], position="p6", replayed=True)
    wire.answer(request, position="p7", session="s", recovered=True, replayed=2)
    assert wire.ids(key) == ["e1", "e2", "e3"]
    assert wire.program.verdicts == [Recovered(1)]
    assert wire.program.items[key][-1] == Recovered(1)


def test_a_position_counts_only_after_the_answer():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    wire.end()
    wire.connect()
    wire.event("e9", ["a"], position="p9")
    wire.end()
    wire.connect()
    assert wire.read()["since"]["position"] == "p1"


@pytest.mark.parametrize("reason", ["expired", "too_many", "unknown_position", "unavailable"])
def test_a_gap_that_is_not_recovered_is_told(reason: str):
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    heard = wire.clock.wall()
    wire.pass_time(5)
    wire.end()
    wire.connect()
    wire.answer(wire.read(), position="p2", session="s", recovered=False, reason=reason)
    (verdict,) = wire.program.verdicts
    assert isinstance(verdict, NotRecovered)
    assert verdict.reason == reason
    assert verdict.missed_since is not None
    assert verdict.missed_since.timestamp() == pytest.approx(heard)
    assert wire.program.states[-1].missed_since == verdict.missed_since
    assert wire.program.items[key] == [verdict]


def test_a_server_without_history_gives_no_promise():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a", snapshot=0)
    wire.end()
    wire.connect()
    request = wire.read()
    assert "since" not in request
    wire.answer(request)
    (verdict,) = wire.program.verdicts
    assert isinstance(verdict, NotRecovered)
    assert verdict.reason == "unavailable"


def test_a_resume_too_soon_is_asked_again_later():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    wire.end()
    wire.connect()
    request = wire.read()
    wire.send({"type": "error", "code": "limit_exceeded", "message": "since twice", "requestId": request["requestId"]})
    assert wire.state is StreamState.WAITING
    assert (wire.program.states[-1].retry_in or 0) >= 10
    wire.end()
    wire.pass_time(35)
    wire.open()
    assert wire.read()["since"] == {"position": "p1", "session": "s"}


def test_an_update_adds_before_it_removes():
    wire = Wire()
    key, _ = wire.subscribe("a", entity_types=["Room"])
    subscribed(wire, "a")
    call = wire.machine.requests.update(key, Filter(entity_types=["Hall"]))
    wire.run()
    added = wire.read()
    assert (added["action"], added["entityTypes"]) == ("subscribe", ["Hall"])
    name = added["subscription"]
    wire.event("e1", ["a"])
    wire.event("e1", ["a", name])
    wire.answer(added, **POSITION)
    removed = wire.read()
    assert (removed["action"], removed["subscription"]) == ("unsubscribe", "a")
    wire.event("e2", [name])
    wire.event("e2", ["a"])
    assert call not in wire.program.settled
    wire.answer(removed)
    assert wire.program.settled[call] is None
    assert wire.ids(key) == ["e1", "e2"]
    wire.end()
    wire.connect()
    assert [each["subscription"] for each in wire.read()["subscriptions"]] == [name]


def test_a_refused_update_changes_nothing():
    wire = Wire()
    key, _ = wire.subscribe("a", entity_types=["Room"])
    subscribed(wire, "a")
    call = wire.machine.requests.update(key, Filter(q="("))
    wire.run()
    wire.send({"type": "error", "code": "invalid_q", "message": "q", "requestId": wire.read()["requestId"]})
    error = wire.program.settled[call]
    assert isinstance(error, RequestError)
    assert error.code == "invalid_q"
    wire.event("e1", ["a"])
    assert wire.ids(key) == ["e1"]


def test_one_refused_subscription_leaves_the_others():
    wire = Wire()
    good, _ = wire.subscribe("good")
    bad, call = wire.subscribe("bad", q="(")
    wire.connect()
    request = wire.read()
    wire.send({"type": "error", "code": "invalid_q", "message": "q", "subscription": "bad", "requestId": request["requestId"]})
    assert isinstance(wire.program.settled[call], RequestError)
    assert isinstance(wire.program.ended[bad], RequestError)
    request = wire.read()
    assert [each["subscription"] for each in request["subscriptions"]] == ["good"]
    wire.answer(request, **POSITION)
    assert good not in wire.program.ended
    assert wire.state is StreamState.CONNECTED


@pytest.mark.parametrize(("code", "kind"), [(1003, "invalid_message"), (1007, "invalid_message"), (1009, "message_too_large")])
def test_a_request_that_closes_the_connection_fails_alone(code: int, kind: str):
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    _, call = wire.subscribe("b")
    wire.end(code=code)
    error = wire.program.settled[call]
    assert error is not None
    assert error.code == kind
    wire.connect()
    assert [each["subscription"] for each in wire.read()["subscriptions"]] == ["a"]


def test_the_first_message_that_closes_the_connection_leaves_the_stream_idle():
    wire = Wire()
    _, call = wire.subscribe("a")
    wire.connect()
    wire.end(code=1007)
    assert wire.program.settled[call] is not None
    assert wire.state is StreamState.IDLE


def test_a_snapshot_comes_in_parts_and_holds_the_position():
    wire = Wire()
    key, _ = wire.subscribe("a", snapshot=True, whole_entity=True)
    wire.connect()
    request = wire.read()
    assert request["subscriptions"][0]["snapshot"] is True
    snapshot = {"type": "entitySnapshot", "entityId": "urn:1", "entityType": "Room", "subscriptions": ["a"], "data": {}}
    wire.send({"type": "events", "events": [snapshot, {**snapshot, "entityId": "urn:2"}]})
    wire.answer(request, **POSITION, snapshot=2, snapshotNext="more")
    assert wire.machine.resumption.bookmark is None
    _, call = wire.subscribe("b")
    request = wire.read()
    assert (request["action"], request["next"]) == ("snapshot", "more")
    wire.answer(request, snapshot=0, snapshotNext="rest")
    assert wire.sent[wire.newest] == []
    wire.pass_time(1)
    request = wire.read()
    wire.send({"type": "error", "code": "invalid_snapshot_token", "message": "", "requestId": request["requestId"]})
    request = wire.read()
    assert (request["action"], request["subscriptions"][0]["snapshot"]) == ("subscribe", True)
    wire.answer(request, **POSITION, snapshot=3)
    assert wire.program.items[key][-1] == SnapshotComplete(3)
    assert wire.machine.resumption.bookmark is not None
    assert wire.read()["subscription"] == "b"
    assert call not in wire.program.settled


def test_a_snapshot_that_is_owed_is_asked_for_after_a_resume():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    key, _ = wire.subscribe("b", snapshot=True)
    wire.end()
    wire.connect()
    request = wire.read()
    assert [each.get("snapshot") for each in request["subscriptions"]] == [None, True]
    wire.answer(request, position="p2", session="s", recovered=True, replayed=0)
    request = wire.read()
    assert [each["subscription"] for each in request["subscriptions"]] == ["b"]
    wire.answer(request, position="p3", session="s", snapshot=1)
    assert wire.program.items[key][-1] == SnapshotComplete(1)
