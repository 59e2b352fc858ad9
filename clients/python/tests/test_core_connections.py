"""The state machine, step by step: connections, tokens and groups."""

from __future__ import annotations

import base64
import json

import pytest
from model import POSITION, Wire, subscribed

from entity_stream import (
    AuthenticationError,
    ConnectionFailed,
    StreamState,
)


def token(behind: float, life: float, wire: Wire, mark: str = "a") -> str:
    issued = wire.clock.wall() + behind
    claims = base64.urlsafe_b64encode(json.dumps({"iat": issued, "exp": issued + life, "m": mark}).encode()).decode().rstrip("=")
    return f"e30.{claims}.x"


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


def fetched(wire: Wire, value: str) -> None:
    wire.machine.token_fetched(wire.program.fetches.pop(), value)
    wire.run()


def renewal_refused(wire: Wire) -> str:
    """The server refuses a renewal, and the token in use ends. Returns the refused token."""
    _, refused = wire.subscribe("a"), token(0, 600, wire, "b")
    fetched(wire, token(0, 100, wire))
    subscribed(wire, "a")
    wire.pass_time(51)
    fetched(wire, refused)
    request = wire.read()
    wire.send({"type": "error", "code": "unauthorized", "message": "no", "requestId": request["requestId"]})
    assert wire.state is StreamState.CONNECTED
    wire.pass_time(50)
    assert wire.state in (StreamState.WAITING, StreamState.CONNECTING)
    wire.end()
    wire.pass_time(1)
    return refused


def test_the_refusal_of_a_renewal_is_no_refused_attempt():
    wire = Wire(get_token=lambda: None)
    renewal_refused(wire)
    fetched(wire, "second")
    wire.end(status=401)
    assert wire.state is StreamState.WAITING
    wire.pass_time(1)
    fetched(wire, "third")
    wire.end(status=401)
    assert wire.state is StreamState.FAILED


def test_a_token_that_a_renewal_was_refused_for_is_not_sent_again():
    wire = Wire(get_token=lambda: None)
    refused = renewal_refused(wire)
    for state in (StreamState.WAITING, StreamState.FAILED):
        fetched(wire, refused)
        assert wire.state is state
        wire.pass_time(1)
    assert refused not in wire.tokens.values()


def test_a_token_that_a_replacement_was_refused_for_is_not_sent_again():
    wire = Wire(get_token=lambda: None, rotate_after=100)
    wire.subscribe("a")
    fetched(wire, "first")
    main = subscribed(wire, "a")
    wire.pass_time(101)
    fetched(wire, "second")
    wire.end(status=401)
    assert wire.state is StreamState.CONNECTED
    wire.end(main)
    wire.pass_time(1)
    fetched(wire, "second")
    assert list(wire.tokens.values()) == ["first", "second"]
    assert wire.state is StreamState.WAITING
    wire.pass_time(1)
    fetched(wire, "third")
    assert wire.tokens[wire.newest] == "third"


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


@pytest.mark.parametrize(
    ("status", "state"),
    [(400, StreamState.FAILED), (404, StreamState.FAILED), (429, StreamState.WAITING), (503, StreamState.WAITING)],
)
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
