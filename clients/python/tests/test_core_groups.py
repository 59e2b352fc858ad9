"""The state machine, step by step: members of groups take every event that the group has assigned to them."""

from __future__ import annotations

from model import Wire, subscribed

from entity_stream import StreamState


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


def test_a_member_that_closes_its_only_subscription_takes_its_events_until_the_connection_ends():
    wire = Wire(group_id="g", drain=10)
    key, _ = wire.subscribe("a")
    link = subscribed(wire, "a", ok=True)
    call = wire.machine.requests.remove(key)
    wire.run()
    assert wire.state is StreamState.IDLE
    removed = wire.read()
    wire.event("e1", ["a"])
    wire.answer(removed)
    wire.event("e2", ["a"])
    assert (call in wire.program.settled, wire.closing) == (False, [])
    wire.pass_time(1.1)
    assert wire.closing == [link]
    wire.event("e3", ["a"])
    wire.end()
    assert wire.ids(key) == ["e1", "e2", "e3"]
    assert (wire.program.ended[key], wire.program.settled[call]) == (None, None)


def test_a_member_that_closes_one_of_its_subscriptions_takes_its_events_until_it_is_quiet():
    wire = Wire(group_id="g", drain=10)
    wire.subscribe("keep")
    key, _ = wire.subscribe("a")
    subscribed(wire, "keep", "a", ok=True)
    call = wire.machine.requests.remove(key)
    wire.run()
    removed = wire.read()
    wire.event("e1", ["a"])
    wire.answer(removed)
    wire.pass_time(0.9)
    wire.event("e2", ["a"])
    wire.pass_time(0.9)
    assert call not in wire.program.settled
    wire.pass_time(0.2)
    assert wire.ids(key) == ["e1", "e2"]
    assert (wire.program.ended[key], wire.program.settled[call]) == (None, None)
    wire.subscribe("a")
    assert wire.read()["subscription"] == "a"


def test_a_member_whose_connection_is_never_quiet_closes_a_subscription_all_the_same():
    wire = Wire(group_id="g", drain=10)
    wire.subscribe("keep")
    key, _ = wire.subscribe("a")
    subscribed(wire, "keep", "a", ok=True)
    wire.machine.requests.remove(key)
    wire.run()
    wire.answer(wire.read())
    for number in range(20):
        assert key not in wire.program.ended
        wire.pass_time(0.5)
        wire.event(f"e{number}", ["keep"])
    assert wire.program.ended[key] is None


def test_a_member_that_loses_its_connection_closes_its_subscription():
    wire = Wire(group_id="g", drain=10)
    wire.subscribe("keep")
    key, _ = wire.subscribe("a")
    subscribed(wire, "keep", "a", ok=True)
    call = wire.machine.requests.remove(key)
    wire.run()
    wire.end()
    assert (wire.program.ended[key], wire.program.settled[call]) == (None, None)
    wire.machine.close()
    wire.run()
    assert wire.state is StreamState.CLOSED


def test_a_member_that_closes_a_subscription_and_the_stream_takes_all_events():
    wire = Wire(group_id="g", drain=10)
    keep, _ = wire.subscribe("keep")
    key, _ = wire.subscribe("a")
    subscribed(wire, "keep", "a", ok=True)
    call = wire.machine.requests.remove(key)
    wire.machine.close()
    wire.run()
    wire.event("e1", ["a", "keep"])
    wire.end()
    assert (wire.ids(key), wire.ids(keep)) == (["e1"], ["e1"])
    assert wire.program.settled[call] is None
    assert set(wire.program.ended) == {key, keep}
