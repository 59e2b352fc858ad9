"""A server and a network in memory, with a clock that only tests move. The core runs against it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from entity_stream import EntityEvent, EntityStreamError, NotRecovered, Recovered, StreamState
from entity_stream._core.effects import Close, Deliver, Effect, Ended, FetchToken, Open, Send, Settled, StateChange, Told, Trouble
from entity_stream._core.machine import Machine
from entity_stream.settings import Settings


class TestClock:
    """Both times of a test."""

    __test__ = False

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + 1_700_000_000


#: The place of a first answer.
POSITION = {"position": "p1", "session": "s"}


@dataclass
class Peer:
    """A connection, as the server sees it."""

    id: int
    is_open: bool = False
    #: The messages that the server has sent and the client has not received.
    outbox: list[dict[str, Any]] = field(default_factory=list)
    names: dict[str, dict[str, Any]] = field(default_factory=dict)


class Program:
    """The items and answers that the program has received."""

    def __init__(self) -> None:
        self.events: dict[int, list[EntityEvent]] = {}
        self.verdicts: list[Recovered | NotRecovered] = []
        self.items: dict[int, list[Any]] = {}
        self.states: list[StateChange] = []
        self.settled: dict[int, EntityStreamError | None] = {}
        self.ended: dict[int, EntityStreamError | None] = {}
        self.troubles: list[EntityStreamError] = []
        self.fetches: list[int] = []

    def take(self, effect: Effect) -> None:
        if isinstance(effect, Deliver):
            assert effect.subscription not in self.ended, "nothing comes after the end"
            self.items.setdefault(effect.subscription, []).append(effect.item)
            if isinstance(effect.item, EntityEvent):
                self.events.setdefault(effect.subscription, []).append(effect.item)
        elif isinstance(effect, Told):
            self.verdicts.append(effect.verdict)
        elif isinstance(effect, StateChange):
            self.states.append(effect)
        elif isinstance(effect, Settled):
            assert effect.call not in self.settled, "a call is settled once"
            self.settled[effect.call] = effect.error
        elif isinstance(effect, Ended):
            assert effect.subscription not in self.ended, "a subscription ends once"
            self.ended[effect.subscription] = effect.error
        elif isinstance(effect, Trouble):
            self.troubles.append(effect.error)
        elif isinstance(effect, FetchToken):
            self.fetches.append(effect.fetch)


class Wire:
    """A machine, its program, and the connections that it opens. A test plays the server."""

    def __init__(self, seed: int = 1, **options: Any) -> None:
        self.clock = TestClock()
        self.settings = Settings(url="ws://localhost", tenant="demo", **options)
        self.machine = Machine(self.settings, self.clock, Random(seed))
        self.program = Program()
        self.peers: dict[int, Peer] = {}
        self.sent: dict[int, list[dict[str, Any]]] = {}
        self.closing: list[int] = []
        self.tokens: dict[int, str | None] = {}

    def run(self) -> None:
        """Carries out the effects of the machine."""
        while self.machine.effects:
            effects, self.machine.effects = self.machine.effects, []
            for effect in effects:
                if isinstance(effect, Open):
                    self.peers[effect.link] = Peer(effect.link)
                    self.sent[effect.link], self.tokens[effect.link] = [], effect.token
                elif isinstance(effect, Send):
                    self.sent[effect.link].append(json.loads(effect.text))
                elif isinstance(effect, Close):
                    self.closing.append(effect.link)
                else:
                    self.program.take(effect)

    def pass_time(self, seconds: float) -> None:
        """Moves the clock, with a stop at each deadline."""
        end = self.clock.now + seconds
        for _ in range(100_000):
            deadline = self.machine.deadline()
            if deadline is None or deadline > end:
                break
            self.clock.now = max(self.clock.now, deadline)
            self.machine.elapsed()
            after = self.machine.deadline()
            assert after is None or after > self.clock.now, "a step at the deadline moves it"
            self.run()
        else:
            raise AssertionError("the machine spins")
        self.clock.now = end

    @property
    def newest(self) -> int:
        return max(self.peers)

    def open(self, link: int | None = None) -> int:
        """The handshake of a connection succeeds."""
        number = self.newest if link is None else link
        self.machine.opened(number)
        self.peers[number].is_open = True
        self.run()
        return number

    def connect(self) -> int:
        """Waits for the next attempt, and accepts it."""
        before = set(self.peers)
        for _ in range(100):
            if set(self.peers) - before or (self.peers and not self.peers[self.newest].is_open):
                return self.open()
            self.pass_time(1)
        raise AssertionError("the client does not connect")

    def read(self, link: int | None = None) -> dict[str, Any]:
        """The next message of the client."""
        return self.sent[self.newest if link is None else link].pop(0)

    def send(self, message: dict[str, Any], link: int | None = None) -> None:
        self.machine.received(self.newest if link is None else link, json.dumps(message))
        self.run()

    def answer(self, request: dict[str, Any], link: int | None = None, **fields: Any) -> None:
        kind = {"subscribe": "subscribed", "unsubscribe": "unsubscribed", "authenticate": "authenticated"}
        answer = {"type": kind.get(request["action"], request["action"]), "requestId": request["requestId"]}
        self.send({**answer, **fields}, link)

    def event(self, event_id: str, names: list[str], link: int | None = None, **fields: Any) -> None:
        event = {"type": "entityUpdated", "id": event_id, "tenant": "demo", "servicePath": "/", "entityId": "urn:1"}
        self.send({**event, "entityType": "Room", "data": {}, "subscriptions": names, **fields}, link)

    def end(self, link: int | None = None, code: int = 1006, status: int | None = None) -> None:
        """A connection ends."""
        number = self.newest if link is None else link
        self.peers.pop(number).is_open = False
        self.machine.closed(number, code, "", status)
        self.run()

    def subscribe(
        self, name: str | None = None, *, snapshot: bool = False, since: float | None = None, **fields: Any
    ) -> tuple[int, int]:
        from entity_stream import Filter

        made = self.machine.requests.add(Filter(**fields), name, snapshot=snapshot, since=since)
        self.run()
        return made

    @property
    def state(self) -> StreamState:
        return self.machine.state

    def ids(self, key: int) -> list[str]:
        return [event.id for event in self.program.events.get(key, [])]


def subscribed(wire: Wire, *names: str, **answer: object) -> int:
    """Opens the connection and answers its first message."""
    link = wire.connect()
    request = wire.read(link)
    assert [each["subscription"] for each in request["subscriptions"]] == list(names)
    wire.answer(request, link, **(answer or POSITION))
    return link
