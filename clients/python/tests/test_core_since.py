"""The state machine, step by step: rewinds, refused resumes, and requests that overtake one another."""

from __future__ import annotations

import json

import pytest
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


@pytest.mark.parametrize(
    ("since", "wait", "seconds"), [(30, 0, 30), (30, 0.4, 31), (29.5, 0.4, 30), (29.5, 0.9, 31), (0, 2.5, 3)]
)
def test_a_rewind_never_loses_a_part_of_a_second(since: float, wait: float, seconds: int):
    wire = Wire()
    wire.subscribe("a", since=since)
    wire.clock.now += wait
    wire.connect()
    assert wire.read()["since"] == {"seconds": seconds}


def test_the_pause_between_two_rewinds_counts_from_the_answer_to_the_first():
    wire = Wire()
    wire.subscribe("a", since=30)
    wire.subscribe("b", since=60)
    wire.connect()
    request = wire.read()
    wire.pass_time(4)
    wire.answer(request, **POSITION, recovered=True, replayed=0)
    for seconds in (74, 300):
        wire.pass_time(9.5)
        assert wire.sent[wire.newest] == []
        wire.pass_time(0.5)
        request = wire.read()
        assert request["since"] == {"seconds": seconds}
        if seconds == 74:
            wire.pass_time(3)
            wire.subscribe("c", since=290)
            wire.answer(request, **POSITION, recovered=True, replayed=0)
    refuse(wire, request, "limit_exceeded")
    wire.pass_time(9.5)
    assert wire.sent[wire.newest] == []
    wire.pass_time(0.5)
    assert wire.read()["since"] == {"seconds": 310}


def test_a_rewind_that_is_closed_while_it_waits_holds_up_no_other_request():
    wire = Wire()
    wire.subscribe("a", since=30)
    subscribed(wire, "a", **POSITION, recovered=True, replayed=0)
    past, call = wire.subscribe("past", since=60)
    other, _ = wire.subscribe("other")
    assert wire.sent[wire.newest] == []
    wire.machine.requests.remove(past)
    wire.run()
    assert isinstance(wire.program.settled[call], ClosedError)
    assert wire.read()["subscription"] == "other"
    assert other not in wire.program.ended


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


def test_a_rewind_that_is_added_while_the_stream_waits_has_a_message_of_its_own():
    wire = Wire()
    kept, _ = wire.subscribe("kept")
    subscribed(wire, "kept")
    wire.end()
    past, _ = wire.subscribe("past", since=3600)
    fresh, call = wire.subscribe("fresh")
    wire.connect()
    request = wire.read()
    assert [each["subscription"] for each in request["subscriptions"]] == ["kept", "fresh"]
    assert request["since"] == {"position": "p1", "session": "s"}
    wire.event("e1", ["kept", "fresh"], replayed=True)
    wire.answer(request, position="p2", session="t", recovered=True, replayed=1)
    wire.event("e2", ["kept", "fresh"], replayed=True)
    assert wire.program.settled[call] is None
    wire.pass_time(10)
    request = wire.read()
    assert (request["subscription"], request["since"]) == ("past", {"seconds": 3611})
    wire.event("e0", ["past"], replayed=True)
    wire.answer(request, position="p2", session="t", recovered=True, replayed=1)
    assert [wire.ids(key) for key in (kept, fresh, past)] == [["e1", "e2"], ["e2"], ["e0"]]
    assert (wire.program.items[kept][1], wire.program.items[past][1]) == (Recovered(1), Recovered(1))


def test_a_stream_whose_subscriptions_are_all_new_has_missed_nothing():
    wire = Wire()
    old, _ = wire.subscribe("old")
    subscribed(wire, "old")
    wire.end()
    wire.subscribe("past", since=3600)
    wire.machine.requests.remove(old)
    wire.run()
    wire.connect()
    request = wire.read()
    assert (request["subscriptions"][0]["subscription"], request["since"]["seconds"]) == ("past", 3601)
    wire.answer(request, position="p2", session="t", recovered=True, replayed=0)
    assert wire.program.verdicts == [Recovered(0)]


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


def test_the_only_subscription_fails_at_the_second_refusal_of_its_resume():
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    wire.end()
    wire.connect()
    refuse(wire, wire.read(), "limit_exceeded")
    wire.end()
    link = wire.connect()
    refuse(wire, wire.read(), "limit_exceeded")
    error = wire.program.ended[key]
    assert isinstance(error, RequestError)
    assert error.code == "limit_exceeded"
    assert (wire.state, wire.closing[-1]) == (StreamState.IDLE, link)
    wire.end()
    _, call = wire.subscribe("a")
    subscribed(wire, "a")
    assert wire.program.settled[call] is None


def test_a_refused_resume_of_a_subscription_that_is_closed_meanwhile():
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    wire.end()
    wire.connect()
    request = wire.read()
    _, call = wire.subscribe("b")
    closing = wire.machine.requests.remove(key)
    wire.run()
    refuse(wire, request, "invalid_q")
    request = wire.read()
    assert [each["subscription"] for each in request["subscriptions"]] == ["b"]
    wire.answer(request, **POSITION)
    refuse(wire, wire.read(), "not_subscribed")
    assert (wire.program.settled[call], wire.program.settled[closing]) == (None, None)
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


def test_frames_that_are_no_messages_are_ignored():
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    for text in ("[]", "5", '{"type": 5}', '{"type":"events","events":5}', '{"type":"entityUpdated"}'):
        wire.machine.received(wire.newest, text)
        wire.run()
    wire.send({"type": "events", "events": [5, {"type": "later"}, {"type": "entityUpdated"}]})
    wire.event("e1", ["a"], unknown={"a": 1})
    assert wire.ids(key) == ["e1"]
    assert wire.state is StreamState.CONNECTED
    assert wire.program.troubles == []


def parse(text: str) -> object:
    if "secret" in text:
        raise KeyError(text)
    return json.loads(text)


def test_frames_that_cannot_be_read_are_told_and_skipped():
    wire = Wire(parse=parse)
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    for text in ("[" * 100_000, "nonsense", '{"secret": 1}'):
        wire.machine.received(wire.newest, text)
        wire.run()
    assert [error.code for error in wire.program.troubles] == ["unreadable"] * 3
    assert not any("secret" in str(error) for error in wire.program.troubles)
    wire.send({"type": "error", "code": [[]], "message": "m"})
    wire.event("e1", ["a"], entityType={"deep": []})
    assert [each.entity_type for each in wire.program.events[key]] == [""]
    assert wire.state is StreamState.CONNECTED


def test_a_conflict_is_tried_again():
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    _, added = wire.subscribe("b")
    for _ in range(3):
        refuse(wire, wire.read(), "conflict")
        assert wire.sent[wire.newest] == []
        wire.pass_time(0.6)
    wire.answer(wire.read(), **POSITION)
    assert wire.program.settled[added] is None
    updated = wire.machine.requests.update(key, Filter(q="a>1"))
    wire.run()
    for _ in range(4):
        refuse(wire, wire.read(), "conflict")
        wire.pass_time(0.6)
    assert isinstance(wire.program.settled[updated], RequestError)
    removed = wire.machine.requests.remove(key)
    wire.run()
    refuse(wire, wire.read(), "conflict")
    wire.pass_time(0.6)
    request = wire.read()
    assert (request["action"], request["subscription"]) == ("unsubscribe", "a")
    wire.answer(request)
    assert wire.program.settled[removed] is None
    assert wire.state is StreamState.CONNECTED
