"""The state machine, step by step."""

from __future__ import annotations

import base64
import json

import pytest
from model import Wire

from entity_stream import (
    AuthenticationError,
    ConnectionFailed,
    Filter,
    NotRecovered,
    Recovered,
    RequestError,
    SnapshotComplete,
    StreamState,
)

POSITION = {"position": "p1", "session": "s"}


def subscribed(wire: Wire, *names: str, **answer: object) -> int:
    """Opens the connection and answers its first message."""
    link = wire.connect()
    request = wire.read(link)
    assert [each["subscription"] for each in request["subscriptions"]] == list(names)
    wire.answer(request, link, **(answer or POSITION))
    return link


def token(behind: float, life: float, wire: Wire, mark: str = "a") -> str:
    issued = wire.clock.wall() + behind
    claims = base64.urlsafe_b64encode(json.dumps({"iat": issued, "exp": issued + life, "m": mark}).encode()).decode().rstrip("=")
    return f"e30.{claims}.x"


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


def test_silence_ends_a_connection():
    wire = Wire(ping_interval=300, pong_timeout=10)
    wire.subscribe("a")
    link = subscribed(wire, "a")
    wire.pass_time(300)
    assert wire.read()["action"] == "sync"
    wire.send({"type": "synced", "position": "p2"})
    wire.pass_time(300)
    assert wire.state is StreamState.CONNECTED
    wire.pass_time(11)
    assert wire.closing == [link]
    wire.end(link)
    wire.connect()
    assert wire.read()["since"]["position"] == "p2"


def test_a_connection_that_is_not_registered_is_replaced():
    wire = Wire()
    wire.subscribe("a")
    link = subscribed(wire, "a")
    wire.machine.wake()
    wire.run()
    wire.send({"type": "error", "code": "not_connected", "message": "gone", "action": "sync"})
    assert wire.closing == [link]
    assert wire.state is StreamState.WAITING


def test_rotation_leaves_no_gap():
    wire = Wire(rotate_after=100, drain=10)
    key, _ = wire.subscribe("a", snapshot=True)
    old = subscribed(wire, "a", **POSITION, snapshot=0)
    wire.pass_time(101)
    new = wire.open()
    assert new != old
    request = wire.read(new)
    assert request["since"]["position"] == "p1"
    assert "snapshot" not in request["subscriptions"][0]
    wire.event("e1", ["a"], old, position="p2")
    _, call = wire.subscribe("b")
    assert wire.sent[old] == []
    wire.event("e1", ["a"], new, position="p2", replayed=True)
    wire.answer(request, new, position="p3", session="s2", recovered=True, replayed=1)
    wire.event("e2", ["a"], old, position="p4")
    wire.event("e2", ["a"], new, position="p4")
    assert wire.ids(key) == ["e1", "e2"]
    assert wire.program.verdicts == []
    wire.answer(wire.read(new), new, **POSITION)
    assert wire.program.settled[call] is None
    assert wire.closing == []
    wire.pass_time(11)
    assert wire.closing == [old]


def test_a_refused_token_is_not_sent_twice():
    wire = Wire(get_token=lambda: None)
    _, call = wire.subscribe("a")
    wire.machine.token_fetched(wire.program.fetches.pop(), "bad")
    wire.run()
    wire.end(status=401)
    wire.pass_time(1)
    wire.machine.token_fetched(wire.program.fetches.pop(), "bad")
    wire.run()
    assert list(wire.tokens.values()) == ["bad"]
    assert wire.state is StreamState.FAILED
    error = wire.program.settled[call]
    assert isinstance(error, AuthenticationError)
    assert "bad" not in str(error)
    wire.subscribe("a")
    assert wire.state is StreamState.CONNECTING


@pytest.mark.parametrize("behind", [0.0, 70.0, 600.0, -600.0])
def test_a_token_is_renewed_by_its_own_life(behind: float):
    wire = Wire(get_token=lambda: None, renew_before=60)
    wire.subscribe("a")
    first, second = token(behind, 100, wire), token(behind, 200, wire, "b")
    wire.machine.token_fetched(wire.program.fetches.pop(), first)
    wire.run()
    subscribed(wire, "a")
    wire.pass_time(49)
    assert wire.program.fetches == []
    wire.pass_time(2)
    wire.machine.token_fetched(wire.program.fetches.pop(), second)
    wire.run()
    request = wire.read()
    assert (request["action"], request["token"]) == ("authenticate", second)
    wire.answer(request)
    wire.pass_time(60)
    assert wire.state is StreamState.CONNECTED


def test_a_token_that_is_not_renewed_ends_the_connection():
    wire = Wire(get_token=lambda: None)
    wire.subscribe("a")
    first = token(0, 100, wire)
    wire.machine.token_fetched(wire.program.fetches.pop(), first)
    wire.run()
    link = subscribed(wire, "a")
    for _ in range(20):
        wire.pass_time(5)
        while wire.program.fetches:
            wire.machine.token_fetched(wire.program.fetches.pop(), first)
            wire.run()
    assert wire.closing == [link]
    assert wire.program.troubles[-1].code == "token_expired"


def test_the_first_message_can_have_the_token():
    wire = Wire(get_token=lambda: None, authenticate="first-message")
    wire.subscribe("a")
    wire.machine.token_fetched(wire.program.fetches.pop(), "t")
    wire.run()
    wire.connect()
    assert list(wire.tokens.values()) == [None]
    request = wire.read()
    assert request == {"action": "authenticate", "token": "t", "requestId": "1"}
    wire.answer(request)
    assert wire.read()["action"] == "subscribe"


def test_a_member_of_a_group_leaves_before_it_closes():
    wire = Wire(group_id="g", drain=10)
    key, _ = wire.subscribe("a")
    link = subscribed(wire, "a", ok=True)
    wire.machine.close()
    wire.run()
    request = wire.read()
    assert request["action"] == "unsubscribe"
    wire.event("e1", ["a"])
    wire.answer(request)
    wire.event("e2", ["a"])
    assert wire.closing == []
    wire.pass_time(1.1)
    assert wire.closing == [link]
    wire.event("e3", ["a"])
    wire.end()
    assert wire.ids(key) == ["e1", "e2", "e3"]
    assert wire.state is StreamState.CLOSED
    assert wire.program.ended[key] is None


def test_waits_grow_and_shrink_after_a_stable_connection():
    wire = Wire(seed=7, backoff_min=0.5, backoff_max=30, stable_after=30)
    wire.subscribe("a")
    waits = []
    for _ in range(12):
        wire.end(status=503)
        waits.append(wire.program.states[-1].retry_in or 0)
        wire.pass_time(waits[-1] + 0.001)
    assert all(wait <= min(30, 0.5 * 2**index) for index, wait in enumerate(waits))
    assert max(waits) > 5
    subscribed(wire, "a")
    wire.pass_time(31)
    wire.end()
    assert (wire.program.states[-1].retry_in or 0) <= 0.5


@pytest.mark.parametrize(("status", "state"), [(400, StreamState.FAILED), (404, StreamState.FAILED), (429, StreamState.WAITING), (503, StreamState.WAITING)])
def test_the_status_of_a_refusal_decides(status: int, state: StreamState):
    wire = Wire()
    wire.subscribe("a")
    wire.end(status=status)
    assert wire.state is state
    assert isinstance(wire.program.troubles[-1], ConnectionFailed)


def test_without_subscriptions_the_connection_closes():
    wire = Wire()
    key, _ = wire.subscribe("a")
    link = subscribed(wire, "a")
    call = wire.machine.requests.remove(key)
    wire.run()
    assert (wire.closing, wire.state) == ([link], StreamState.IDLE)
    assert wire.program.settled[call] is None
    wire.subscribe("a")
    assert wire.newest != link
