"""The state machine, step by step: rewinds, refused resumes, and requests that overtake one another."""

from __future__ import annotations

from model import POSITION, Wire, subscribed

from entity_stream import ClosedError, Filter, NotRecovered, Recovered, RequestError, StreamState


def refuse(wire: Wire, request: dict[str, object], code: str, **fields: object) -> None:
    wire.send({"type": "error", "code": code, "message": "no", "requestId": request["requestId"], **fields})


def test_a_rewind_counts_the_time_until_the_connection():
    wire = Wire()
    key, _ = wire.subscribe("a", since=30)
    wire.pass_time(5)
    wire.connect()
    request = wire.read()
    assert request["since"] == {"seconds": 35}
    wire.event("e1", ["a"], replayed=True)
    wire.answer(request, **POSITION, recovered=True, replayed=1)
    assert wire.program.items[key][-1] == Recovered(1)
    wire.end()
    wire.connect()
    assert wire.read()["since"] == {"position": "p1", "session": "s"}


def test_subscriptions_with_different_rewinds_need_a_message_each():
    wire = Wire()
    wire.subscribe("now")
    key, call = wire.subscribe("past", since=30)
    wire.connect()
    request = wire.read()
    assert [each["subscription"] for each in request["subscriptions"]] == ["now"]
    assert "since" not in request
    wire.answer(request, **POSITION)
    request = wire.read()
    assert (request["subscription"], request["since"]) == ("past", {"seconds": 30})
    refuse(wire, request, "limit_exceeded")
    assert call not in wire.program.settled
    wire.pass_time(9)
    assert wire.sent[wire.newest] == []
    wire.pass_time(2)
    request = wire.read()
    assert request["since"] == {"seconds": 40}
    wire.answer(request, **POSITION, recovered=False, reason="too_many")
    assert wire.program.settled[call] is None
    assert wire.program.items[key] == [NotRecovered("too_many", None)]


def test_a_limit_that_is_no_haste_refuses_the_subscription():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    _, call = wire.subscribe("b", since=1)
    refuse(wire, wire.read(), "limit_exceeded")
    wire.pass_time(11)
    refuse(wire, wire.read(), "limit_exceeded")
    assert isinstance(wire.program.settled[call], RequestError)
    assert wire.state is StreamState.CONNECTED


def test_a_position_of_another_deployment_is_given_up():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    wire.end()
    wire.connect()
    refuse(wire, wire.read(), "invalid_since")
    request = wire.read()
    assert "since" not in request
    wire.answer(request, position="q1", session="t")
    (verdict,) = wire.program.verdicts
    assert isinstance(verdict, NotRecovered)
    wire.end()
    wire.connect()
    assert wire.read()["since"] == {"position": "q1", "session": "t"}


def test_a_history_that_is_switched_off_makes_sync_a_ping():
    wire = Wire(ping_interval=100)
    wire.subscribe("a")
    subscribed(wire, "a")
    wire.pass_time(100)
    assert wire.read()["action"] == "sync"
    wire.send({"type": "error", "code": "not_available", "message": "no history", "action": "sync"})
    wire.pass_time(100)
    assert wire.read()["action"] == "ping"
    assert wire.state is StreamState.CONNECTED


def test_a_subscription_that_is_closed_before_its_answer():
    wire = Wire()
    wire.subscribe("keep")
    subscribed(wire, "keep")
    key, call = wire.subscribe("gone")
    added = wire.read()
    closing = wire.machine.requests.remove(key)
    wire.run()
    assert wire.program.ended[key] is None
    wire.answer(added, **POSITION)
    removed = wire.read()
    assert (removed["action"], removed["subscription"]) == ("unsubscribe", "gone")
    wire.event("e1", ["gone"])
    wire.answer(removed)
    assert {call, closing} <= set(wire.program.settled)
    assert wire.ids(key) == []


def test_an_update_of_a_subscription_that_is_closed_meanwhile_leaves_no_name():
    wire = Wire()
    wire.subscribe("keep")
    subscribed(wire, "keep")
    key, _ = wire.subscribe("a")
    wire.answer(wire.read(), **POSITION)
    update = wire.machine.requests.update(key, Filter(q="x>1"))
    waiting = wire.machine.requests.update(key, Filter(q="x>2"))
    closing = wire.machine.requests.remove(key)
    wire.run()
    assert isinstance(wire.program.settled[waiting], ClosedError)
    added = wire.read()
    wire.answer(added, **POSITION)
    removed = [wire.read()]
    wire.answer(removed[0])
    removed.append(wire.read())
    wire.answer(removed[1])
    assert sorted(each["subscription"] for each in removed) == sorted(["a", added["subscription"]])
    assert wire.program.settled[update] is None
    assert wire.program.settled[closing] is None
    wire.subscribe("a")
    assert wire.read()["subscription"] == "a"


def test_a_closed_subscription_of_a_group_takes_its_events_until_the_answer():
    wire = Wire(group_id="g")
    wire.subscribe("keep")
    key, _ = wire.subscribe("a")
    subscribed(wire, "keep", "a", ok=True)
    wire.machine.requests.remove(key)
    wire.run()
    removed = wire.read()
    wire.event("e1", ["a"])
    wire.answer(removed)
    assert wire.ids(key) == ["e1"]
    assert wire.program.ended[key] is None


def test_deeply_nested_and_broken_frames_are_ignored():
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    for text in ("[" * 100_000, "nonsense", "[]", "5", '{"type": 5}', '{"type":"events","events":5}', '{"type":"entityUpdated"}'):
        wire.machine.received(wire.newest, text)
        wire.run()
    wire.send({"type": "events", "events": [5, {"type": "later"}, {"type": "entityUpdated"}]})
    wire.event("e1", ["a"], unknown={"a": 1})
    assert wire.ids(key) == ["e1"]
    assert wire.state is StreamState.CONNECTED
