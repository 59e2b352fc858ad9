"""Runs a scenario of clients/conformance: the steps of the client here, all others in the scripted server."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import time
from collections.abc import Callable
from typing import Any

from paths import CONFORMANCE_SERVER

from entity_stream import (
    Change,
    Entities,
    EntityEvent,
    EntityStream,
    EntityStreamError,
    Filter,
    Item,
    Recovered,
    StateChange,
    Subscription,
    Verdict,
)

PATIENCE = 20.0
NAMES = {
    "pingIntervalMs": "ping_interval",
    "pongTimeoutMs": "pong_timeout",
    "connectTimeoutMs": "connect_timeout",
    "requestTimeoutMs": "request_timeout",
    "backoffMinMs": "backoff_min",
    "backoffMaxMs": "backoff_max",
    "stableAfterMs": "stable_after",
    "renewBeforeMs": "renew_before",
    "rotateAfterMs": "rotate_after",
    "drainMs": "drain",
}
FIELDS = {
    "entityTypes": "entity_types",
    "entityIds": "entity_ids",
    "idPattern": "id_pattern",
    "notificationTrigger": "notification_trigger",
    "watchedAttributes": "watched_attributes",
    "q": "q",
    "geoQ": "geo_q",
    "servicePath": "service_path",
    "attributes": "attributes",
    "representation": "representation",
    "wholeEntity": "whole_entity",
    "showChanges": "show_changes",
}


class Tokens:
    """The scenario's token function."""

    def __init__(self, tokens: list[dict[str, Any]]) -> None:
        self._tokens, self._calls, self._last = tokens, 0, ""

    def __call__(self) -> str:
        token = self._tokens[min(self._calls, len(self._tokens) - 1)]
        self._calls += 1
        if token.get("fails"):
            raise RuntimeError("no token")
        if not token.get("again"):
            issued = time.time() + token.get("behind", 0)
            claims = {"iat": issued, "exp": issued + token["life"], "jti": str(self._calls), "sub": "a", "tenant": "demo"}
            self._last = ".".join(_part(each) for each in ({"alg": "none"}, claims)) + ".x"
        return self._last


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class Runner:
    """One scenario."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self._steps: list[dict[str, Any]] = scenario["steps"]
        self._options: dict[str, Any] = scenario.get("options", {})
        self._events: dict[str, list[str]] = {}
        self._items: list[tuple[str, Item]] = []
        self._verdicts: list[Verdict] = []
        self._states: list[StateChange] = []
        self._errors: list[EntityStreamError] = []
        self._changes: dict[str, list[list[str]]] = {}
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._entities: dict[str, Entities] = {}
        self._marks: dict[str, float] = {}
        self._closing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        server = await asyncio.create_subprocess_exec(
            CONFORMANCE_SERVER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert server.stdin is not None
        assert server.stdout is not None
        url = json.loads(await server.stdout.readline())["url"]
        stream = self._stream = EntityStream(url, "demo", **self._stream_options())
        try:
            for number, step in enumerate(self._steps):
                try:
                    if method := self._method(step):
                        made = method(step)
                        if inspect.isawaitable(made):
                            await made
                        continue
                    server.stdin.write(json.dumps(step).encode() + b"\n")
                    answer = json.loads(await asyncio.wait_for(server.stdout.readline(), PATIENCE + 5))
                    assert "error" not in answer, answer["error"]
                except (AssertionError, asyncio.TimeoutError) as error:
                    raise AssertionError(f"step {number} {json.dumps(step)}: {error}\n{self._told()}") from None
        finally:
            server.kill()
            await server.wait()
            await asyncio.wait_for(stream.aclose(), PATIENCE)
            for task in self._calls.values():
                task.cancel()

    def _stream_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {NAMES[name]: value / 1000 for name, value in self._options.items() if name in NAMES}
        if tokens := self._options.get("tokens"):
            options["get_token"] = Tokens(tokens)
        if group := self._options.get("groupId"):
            options["group_id"] = group
        if way := self._options.get("authenticate"):
            options["authenticate"] = way
        unknown = set(self._options) - set(NAMES) - {"tokens", "groupId", "authenticate"}
        assert not unknown, f"unknown options {unknown}"
        return {
            **options,
            "on_state": self._states.append,
            "on_error": self._errors.append,
            "on_verdict": self._verdicts.append,
        }

    def _method(self, step: dict[str, Any]) -> Callable[[dict[str, Any]], Any] | None:
        found = next((name for name in step if hasattr(self, f"step_{name}")), None)
        return getattr(self, f"step_{found}") if found else None

    def _told(self) -> str:
        return "\n".join(
            [
                f"events {self._events}",
                f"verdicts {self._verdicts}",
                f"states {[(each.state.value, each.error) for each in self._states]}",
                f"errors {[(each.code, str(each)) for each in self._errors]}",
                f"changes {self._changes}",
            ]
        )

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"waited for {what}"
            await asyncio.sleep(0.005)

    # Steps of the client.

    def step_subscribe(self, step: dict[str, Any]) -> None:
        name = step["as"]
        if "afterRejectionOf" in step:
            self._calls[name] = asyncio.ensure_future(self._subscribe_after(step))
        else:
            self._calls[name] = asyncio.ensure_future(self._subscribe(step))

    async def _subscribe_after(self, step: dict[str, Any]) -> None:
        await asyncio.wait([self._calls[step["afterRejectionOf"]]])
        await self._subscribe(step)

    def _subscribe(self, step: dict[str, Any]) -> asyncio.Future[None]:
        name = step["as"]
        self._events[name] = []

        def take(item: Item) -> None:
            if isinstance(item, EntityEvent) and not item.is_snapshot:
                self._events[name].append(item.id)

        since = step["since"]["seconds"] if "since" in step else None
        try:
            made = self._stream.subscribe(
                _filter(step["subscribe"]), name=name, snapshot=step.get("snapshot", False), since=since, on_item=take
            )
        except EntityStreamError as error:
            return asyncio.ensure_future(_raise(error))
        self._subscriptions[name] = made
        return asyncio.ensure_future(_wait(made))

    def step_entities(self, step: dict[str, Any]) -> None:
        name = step["as"]
        told = self._changes[name] = []

        def take(change: Change) -> None:
            told.append([change.kind, change.entity.id])

        self._entities[name] = self._stream.entities(_filter(step["entities"]), name=name, on_change=take)
        self._calls[name] = asyncio.ensure_future(_ready(self._entities[name]))

    def step_update(self, step: dict[str, Any]) -> None:
        self._calls[step["as"]] = asyncio.ensure_future(self._subscriptions[step["update"]].update(_filter(step["to"])))

    def step_closeSubscription(self, step: dict[str, Any]) -> None:
        name = step["closeSubscription"]
        over = self._subscriptions.get(name) or self._entities[name]
        self._calls[f"close {name}"] = asyncio.ensure_future(over.aclose())

    def step_close(self, step: dict[str, Any]) -> None:
        self._closing = asyncio.ensure_future(self._stream.aclose())

    def step_wake(self, step: dict[str, Any]) -> None:
        self._stream.wake()

    def step_mark(self, step: dict[str, Any]) -> None:
        self._marks[step["mark"]] = time.time()

    async def step_untilDone(self, step: dict[str, Any]) -> None:
        await asyncio.wait_for(asyncio.shield(self._calls[step["untilDone"]]), PATIENCE)

    async def step_untilRejected(self, step: dict[str, Any]) -> None:
        call = self._calls[step["untilRejected"]]
        await self._until(call.done, "the end of the call")
        error = call.exception()
        assert isinstance(error, EntityStreamError), f"the call ended with {error!r}"
        assert error.code == step["code"], f"{error.code}: {error}"

    async def step_untilFailed(self, step: dict[str, Any]) -> None:
        subscription, code = self._subscriptions[step["untilFailed"]], step["code"]
        is_told = lambda: "closed" in repr(subscription) and any(each.code == code for each in self._errors)  # noqa: E731
        await self._until(is_told, "the end of the subscription")

    async def step_untilEvents(self, step: dict[str, Any]) -> None:
        def there() -> list[str]:
            if "of" in step:
                return sorted(self._events[step["of"]])
            return sorted({each for events in self._events.values() for each in events})

        await self._until(lambda: there() == sorted(step["untilEvents"]), "the events")

    async def step_untilVerdict(self, step: dict[str, Any]) -> None:
        expected = step["untilVerdict"]

        def is_there() -> bool:
            if len(self._verdicts) < step.get("times", 1):
                return False
            last = self._verdicts[-1]
            shown = {"recovered": last.replayed} if isinstance(last, Recovered) else {"notRecovered": last.reason}
            return bool(shown == expected) and len(self._verdicts) >= step.get("times", 1)

        await self._until(is_there, "the verdict")

    async def step_untilEntities(self, step: dict[str, Any]) -> None:
        entities = self._entities[step["of"]]
        await self._until(lambda: {key: each.data for key, each in entities.items()} == step["untilEntities"], "entities")

    def step_changes(self, step: dict[str, Any]) -> None:
        assert self._changes[step["of"]] == step["changes"]

    async def step_untilState(self, step: dict[str, Any]) -> None:
        def times() -> int:
            return sum(each.state.value == step["untilState"] for each in self._states)

        await self._until(lambda: times() >= step.get("times", 1), "the state")

    def step_missedSinceAtMost(self, step: dict[str, Any]) -> None:
        times = [each.missed_since for each in self._states if each.state.value == "connected"]
        since = times[-1] or getattr(self._verdicts[-1], "missed_since", None)
        assert since is not None, "no time"
        assert since.timestamp() <= self._marks[step["missedSinceAtMost"]]

    async def step_untilClosed(self, step: dict[str, Any]) -> None:
        assert self._closing is not None
        await asyncio.wait_for(asyncio.shield(self._closing), PATIENCE)

    async def step_untilError(self, step: dict[str, Any]) -> None:
        await self._until(lambda: any(each.code == step["untilError"] for each in self._errors), "the error")

    def step_noError(self, step: dict[str, Any]) -> None:
        assert all(each.code != step["noError"] for each in self._errors)


def _filter(fields: dict[str, Any]) -> Filter:
    types = fields.get("entityTypes")
    if isinstance(types, dict):
        many = [chr(0x4E00 + index) * types["characters"] for index in range(types["repeatType"])]
        fields = {**fields, "entityTypes": many}
    return Filter(**{FIELDS[name]: value for name, value in fields.items()})


async def _wait(subscription: Subscription) -> None:
    await subscription.ready


async def _ready(entities: Entities) -> None:
    await entities.ready


async def _raise(error: EntityStreamError) -> None:
    raise error
