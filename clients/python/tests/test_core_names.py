"""The state machine, step by step: the names of subscriptions on the connection."""

from __future__ import annotations

from model import POSITION, Wire, subscribed

from entity_stream import Filter


def test_a_chosen_name_is_free_again_after_an_update_and_a_close():
    wire = Wire()
    wire.subscribe("other")
    key, _ = wire.subscribe("my.rooms")
    subscribed(wire, "other", "my.rooms")
    for name in ("my.rooms.1", "my.rooms"):
        wire.machine.requests.update(key, Filter(q="a>1"))
        wire.run()
        added = wire.read()
        assert added["subscription"] == name
        assert wire.machine.subscriptions.has_name("my.rooms")
        wire.answer(added, **POSITION)
        wire.answer(wire.read())
    wire.machine.requests.update(key, Filter(q="a>2"))
    wire.machine.requests.remove(key)
    wire.run()
    wire.answer(wire.read(), **POSITION)
    for _ in range(2):
        wire.answer(wire.read())
    assert not wire.machine.subscriptions.has_name("my.rooms")
    wire.subscribe("my.rooms")
    assert wire.read()["subscription"] == "my.rooms"


def test_the_name_of_a_refused_update_is_free_again():
    wire = Wire()
    key, _ = wire.subscribe("a")
    subscribed(wire, "a")
    wire.machine.requests.update(key, Filter(q="("))
    wire.run()
    request = wire.read()
    wire.send({"type": "error", "code": "invalid_q", "message": "no", "requestId": request["requestId"]})
    wire.subscribe(request["subscription"])
    assert wire.read()["subscription"] == request["subscription"]


def test_the_name_of_an_update_that_a_close_overtakes_is_free_again():
    wire = Wire()
    wire.subscribe("other")
    key, _ = wire.subscribe("a")
    subscribed(wire, "other", "a")
    wire.machine.requests.update(key, Filter(q="a>1"))
    wire.machine.requests.update(key, Filter(q="a>2"))
    wire.machine.requests.remove(key)
    wire.end()
    wire.subscribe("a.1")
    wire.subscribe("a.2")
    wire.connect()
    assert [each["subscription"] for each in wire.read()["subscriptions"]] == ["other", "a.1", "a.2"]
