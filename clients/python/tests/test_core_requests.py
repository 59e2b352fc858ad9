"""The state machine, step by step: requests that the server cannot serve, and updates with a snapshot."""

from __future__ import annotations

from typing import Any

import pytest
from model import POSITION, Wire, subscribed

from entity_stream import Filter, Recovered, RequestError, SnapshotComplete, StreamState


def refuse(wire: Wire, request: dict[str, Any], code: str, **fields: object) -> None:
    wire.send({"type": "error", "code": code, "message": "no", "requestId": request["requestId"], **fields})


def fail_times(wire: Wire, times: int, code: str = "internal") -> None:
    for _ in range(times):
        refuse(wire, wire.read(), code)
        wire.pass_time(0.4)
        assert wire.sent[wire.newest] == []
        wire.pass_time(0.2)


def names(request: dict[str, Any]) -> list[str]:
    return [each["subscription"] for each in request["subscriptions"]]


def test_a_request_that_fails_is_sent_again():
    wire = Wire()
    wire.subscribe("a")
    link = subscribed(wire, "a")
    _, call = wire.subscribe("b")
    fail_times(wire, 3)
    wire.answer(wire.read(), **POSITION)
    assert wire.program.settled[call] is None
    assert list(wire.peers) == [link]


@pytest.mark.parametrize("code", ["internal", "conflict"])
def test_a_request_that_fails_four_times_fails_alone(code: str):
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    bad, call = wire.subscribe("b")
    _, next_call = wire.subscribe("c")
    fail_times(wire, 3, code)
    refuse(wire, wire.read(), code)
    error = wire.program.settled[call]
    assert isinstance(error, RequestError)
    assert error.code == code
    assert wire.program.ended[bad] is error
    wire.answer(wire.read(), **POSITION)
    assert wire.program.settled[next_call] is None
    wire.event("e1", ["a"])
    assert wire.ids(key) == ["e1"]
    assert (wire.state, wire.closing) == (StreamState.CONNECTED, [])


def test_an_update_that_fails_four_times_keeps_the_old_filter():
    wire = Wire()
    key, _ = wire.subscribe("a", q="x>1")
    subscribed(wire, "a")
    call = wire.machine.requests.update(key, Filter(q="x>2"))
    wire.run()
    name = wire.sent[wire.newest][0]["subscription"]
    fail_times(wire, 3)
    refuse(wire, wire.read(), "internal")
    assert isinstance(wire.program.settled[call], RequestError)
    assert wire.machine.subscriptions.all[key].filter == Filter(q="x>1")
    wire.event("e1", ["a"])
    wire.event("e2", [name])
    assert wire.ids(key) == ["e1"]


def test_the_attempts_of_a_request_are_those_of_a_connection():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    wire.subscribe("b")
    fail_times(wire, 3)
    wire.end()
    wire.connect()
    refuse(wire, wire.read(), "internal")
    wire.end()
    wire.connect()
    wire.answer(wire.read(), position="p2", session="s", recovered=True, replayed=0)
    fail_times(wire, 3)
    wire.answer(wire.read(), **POSITION)
    assert wire.program.ended == {}


def test_a_new_subscription_does_not_keep_the_others_away():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    wire.end()
    bad, bad_call = wire.subscribe("bad")
    _, good_call = wire.subscribe("good")
    wire.connect()
    request = wire.read()
    assert names(request) == ["a", "bad", "good"]
    refuse(wire, request, "internal")
    assert wire.program.settled.keys() & {bad_call, good_call} == set()
    wire.end()
    wire.connect()
    request = wire.read()
    assert (names(request), request["since"]["position"]) == (["a"], "p1")
    wire.answer(request, position="p2", session="s", recovered=True, replayed=0)
    assert wire.program.verdicts == [Recovered(0)]
    fail_times(wire, 3)
    refuse(wire, wire.read(), "internal")
    assert isinstance(wire.program.ended[bad], RequestError)
    wire.answer(wire.read(), **POSITION)
    assert wire.program.settled[good_call] is None
    wire.end()
    wire.subscribe("later")
    wire.connect()
    assert names(wire.read()) == ["a", "good", "later"]


def test_without_others_the_first_new_subscription_begins_alone():
    wire = Wire()
    wire.subscribe("a")
    wire.subscribe("b")
    wire.connect()
    request = wire.read()
    assert names(request) == ["a", "b"]
    refuse(wire, request, "internal")
    wire.end()
    wire.connect()
    request = wire.read()
    assert names(request) == ["a"]
    wire.answer(request, **POSITION)
    assert wire.read()["subscription"] == "b"


def updated(wire: Wire) -> tuple[int, int, dict[str, Any]]:
    """A subscription that began with a snapshot, the call that updates it, and its request."""
    key, _ = wire.subscribe("a", snapshot=True, entity_types=["Room"])
    subscribed(wire, "a", **POSITION, snapshot=0)
    call = wire.machine.requests.update(key, Filter(entity_types=["Room", "Hall"]))
    wire.run()
    return key, call, wire.read()


def test_an_update_begins_with_a_snapshot_and_removes_the_old_filter_after_it():
    wire = Wire()
    key, call, added = updated(wire)
    assert (added["action"], added["snapshot"]) == ("subscribe", True)
    name = added["subscription"]
    wire.event("x", [name], type="entitySnapshot", entityId="urn:1")
    wire.answer(added, position="p2", session="s", snapshot=1, snapshotNext="more")
    request = wire.read()
    assert (request["action"], request["next"]) == ("snapshot", "more")
    wire.event("e1", ["a"], position="p3")
    assert wire.machine.resumption.bookmark is not None
    assert wire.machine.resumption.bookmark.position == "p1"
    wire.answer(request, snapshot=1)
    assert wire.program.items[key][-1] == SnapshotComplete(2)
    assert wire.machine.resumption.bookmark.position == "p2"
    removed = wire.read()
    assert (removed["action"], removed["subscription"]) == ("unsubscribe", "a")
    assert call not in wire.program.settled
    wire.answer(removed)
    assert wire.program.settled[call] is None
    wire.event("e2", [name], position="p4")
    assert wire.ids(key) == ["x", "e1", "e2"]


def test_a_snapshot_of_an_update_begins_anew_on_the_next_connection():
    wire = Wire()
    key, call, added = updated(wire)
    wire.answer(added, position="p2", session="s", snapshot=1, snapshotNext="more")
    wire.end()
    assert wire.program.settled[call] is None
    wire.connect()
    request = wire.read()
    (restored,) = request["subscriptions"]
    assert (restored["subscription"], restored["snapshot"]) == (added["subscription"], True)
    assert request["since"]["position"] == "p1"
    wire.answer(request, position="p3", session="s", recovered=True, replayed=0)
    request = wire.read()
    assert (names(request), request["subscriptions"][0]["snapshot"]) == ([added["subscription"]], True)
    wire.answer(request, position="p3", session="s", snapshot=1)
    assert wire.program.items[key][-1] == SnapshotComplete(1)


def test_a_full_connection_exchanges_a_filter_with_a_snapshot_in_one_step():
    wire = Wire()
    key, _ = wire.subscribe("a", snapshot=True)
    for number in range(15):
        wire.subscribe(f"n{number}")
    subscribed(wire, "a", *(f"n{number}" for number in range(15)), **POSITION, snapshot=0)
    call = wire.machine.requests.update(key, Filter(q="x>1"))
    wire.run()
    request = wire.read()
    assert (request["subscription"], request["snapshot"]) == ("a", True)
    wire.answer(request, **POSITION, snapshot=3)
    assert wire.program.settled[call] is None
    assert wire.program.items[key][-1] == SnapshotComplete(3)
    assert wire.sent[wire.newest] == []


def test_a_subscription_that_is_closed_during_the_snapshot_of_its_update():
    wire = Wire()
    wire.subscribe("keep")
    subscribed(wire, "keep")
    key, _ = wire.subscribe("a", snapshot=True)
    wire.answer(wire.read(), **POSITION, snapshot=0)
    call = wire.machine.requests.update(key, Filter(q="x>1"))
    wire.run()
    added = wire.read()
    wire.answer(added, **POSITION, snapshot=1, snapshotNext="more")
    part = wire.read()
    closing = wire.machine.requests.remove(key)
    wire.run()
    wire.answer(part, snapshot=1, snapshotNext="rest")
    removed = [wire.read()]
    wire.answer(removed[0])
    removed.append(wire.read())
    wire.answer(removed[1])
    assert [each["subscription"] for each in removed] == ["a", added["subscription"]]
    assert wire.program.settled.keys() >= {call, closing}
    assert wire.state is StreamState.CONNECTED


@pytest.mark.parametrize("code", ["internal", "conflict"])
def test_an_unsubscribe_that_fails_is_repeated_with_growing_pauses(code: str):
    wire = Wire()
    wire.subscribe("a")
    key, _ = wire.subscribe("b")
    subscribed(wire, "a", "b")
    call = wire.machine.requests.remove(key)
    wire.run()
    fail_times(wire, 3, code)
    refuse(wire, wire.read(), code)
    assert wire.program.settled[call] is None
    for pause in (1, 2, 4, 8, 16, 30, 30):
        wire.pass_time(pause - 0.1)
        wire.event(f"after {pause}", ["b"])
        assert wire.sent[wire.newest] == []
        wire.pass_time(0.2)
        refuse(wire, wire.read(), code)
    assert wire.ids(key) == []
    other, _ = wire.subscribe("b")
    request = wire.read()
    assert names({"subscriptions": [request]}) != ["b"]
    wire.answer(request, **POSITION)
    wire.pass_time(31)
    refuse(wire, wire.read(), "not_subscribed")
    wire.pass_time(100)
    assert wire.sent[wire.newest] == []
    assert other not in wire.program.ended


def test_a_postponed_unsubscribe_waits_for_a_request_under_way():
    wire = Wire(request_timeout=100.0)
    wire.subscribe("a")
    key, _ = wire.subscribe("b")
    subscribed(wire, "a", "b")
    wire.machine.requests.remove(key)
    wire.run()
    fail_times(wire, 3, "conflict")
    refuse(wire, wire.read(), "conflict")
    wire.subscribe("c")
    request = wire.read()
    wire.pass_time(50)
    assert wire.sent[wire.newest] == []
    wire.answer(request, **POSITION)
    assert wire.read()["subscription"] == "b"


def test_a_closed_subscription_that_is_refused_ends_once():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    key, call = wire.subscribe("b", q="x")
    wire.machine.requests.remove(key)
    wire.run()
    refuse(wire, wire.read(), "invalid_q")
    assert wire.program.ended[key] is None
    assert call in wire.program.settled
    refuse(wire, wire.read(), "not_subscribed")
    assert wire.sent[wire.newest] == []
