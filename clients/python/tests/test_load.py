"""Collections that the program loads, and updates, against a server that the test cuts and stops."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from waiting import PATIENCE, run, until
from websockets.asyncio.server import ServerConnection, serve

from entity_stream import Change, ClosedError, EntityStream, EntityStreamError, LoadError, RequestError, _source


class Server:
    """Accepts every subscription. It resumes, and sends the events that a test gives it."""

    def __init__(self) -> None:
        self.peers: list[ServerConnection] = []
        self.refuses = False
        #: The requests for subscriptions that have come.
        self.asked: list[dict[str, Any]] = []
        #: The query that is refused, and the one for which the connection is closed.
        self.refused: str | None = None
        self.closes_for: str | None = None
        #: The event that a resume replays.
        self.replayed: dict[str, Any] | None = None
        self.log: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __aenter__(self) -> Server:
        self._server = await serve(self._handle, "127.0.0.1", 0, process_request=self._request)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _request(self, peer: ServerConnection, _: Any) -> Any:
        return peer.respond(503, "later") if self.refuses else None

    async def _handle(self, peer: ServerConnection) -> None:
        self.peers.append(peer)
        async for text in peer:
            request = json.loads(text)
            if request["action"] == "subscribe":
                self.asked.append(request)
            await self.may_answer.wait()
            if request["action"] == "unsubscribe":
                await peer.send(json.dumps({"type": "unsubscribed", "requestId": request["requestId"]}))
                continue
            await self._subscribe(peer, request)

    async def _subscribe(self, peer: ServerConnection, request: dict[str, Any]) -> None:
        wanted = request.get("subscriptions", [request])
        queries = [each.get("q") for each in wanted]
        if self.closes_for is not None and self.closes_for in queries:
            return await peer.close(1009)
        if self.refused is not None and self.refused in queries:
            error = {
                "type": "error",
                "code": "invalid_q",
                "message": "no",
                "action": "subscribe",
                "requestId": request["requestId"],
            }
            return await peer.send(json.dumps(error))
        if self.replayed is not None and "since" in request:
            await self.event(**self.replayed)
        self.log += [f"accepted {query}" for query in queries]
        answer = {"type": "subscribed", "requestId": request["requestId"], "position": "p1", "session": "s"}
        shown = [each for each in wanted if each.get("snapshot")]
        for each in shown:
            await self.event(type="entitySnapshot", entityId=each["q"], subscriptions=[each["subscription"]], version=1)
        answer |= {"snapshot": len(shown)} if shown else {}
        await peer.send(json.dumps(answer | ({"recovered": True, "replayed": 0} if "since" in request else {})))

    async def event(self, **fields: Any) -> None:
        event = {"id": "e1", "entityId": "u", "entityType": "T", "tenant": "demo", "data": {}, "subscriptions": ["s1"]}
        await self.peers[-1].send(json.dumps(event | fields))


def test_a_loaded_entity_has_a_service_path():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:

            def load() -> list[dict[str, Any]]:
                return [{"id": "u", "type": "T", "a": 0}, {"id": "v", "type": "T", "servicePath": "/rome"}]

            for path, usual in (("/madrid", "/madrid"), ("/madrid/#", "/madrid"), ("/#", "/"), (None, "/")):
                async with stream.entities(load=load, service_path=path) as entities:
                    await entities.wait_ready(PATIENCE)
                    assert [(each.service_path, each.data) for each in entities.all()] == [(usual, {"a": 0}), ("/rome", {})]
            entities = stream.entities(load=load, service_path="/madrid", name="loaded")
            await entities.wait_ready(PATIENCE)
            fields: dict[str, Any] = {"servicePath": "/madrid", "subscriptions": ["loaded"]}
            await server.event(type="entityUpdated", version=2, **fields)
            await until(lambda: entities["u"].version == 2)
            await server.event(type="entityDeleted", version=3, **fields, id="e2")
            await until(lambda: list(entities) == ["v"])

    run(check())


def test_a_load_is_complete_though_on_change_raises():
    async def check() -> None:
        told: list[str] = []

        def on_change(change: Change) -> None:
            told.append(change.entity.id)
            raise KeyError

        async with Server() as server, EntityStream(server.url, "demo") as stream:
            entities = stream.entities(load=lambda: [{"id": "u", "type": "T"}, {"id": "v", "type": "T"}], on_change=on_change)
            await entities.wait_ready(PATIENCE)
            assert (told, list(entities)) == (["u", "v"], ["u", "v"])

    run(check())


def test_a_load_that_outlives_its_connection_completes_nothing():
    async def check() -> None:
        loads: list[asyncio.Future[list[dict[str, Any]]]] = []

        async def load() -> list[dict[str, Any]]:
            loads.append(asyncio.get_running_loop().create_future())
            return await loads[-1]

        async with Server() as server, EntityStream(server.url, "demo", backoff_min=0.05, backoff_max=0.05) as stream:
            entities = stream.entities(load=load)
            await until(lambda: len(loads) == 1)
            server.refuses = True
            server.peers[0].transport.abort()
            await until(lambda: stream.state == "waiting")
            loads[0].set_result([{"id": "u", "type": "T"}])
            await until(entities._source._loading.done)  # type: ignore[union-attr]
            assert not entities.is_complete
            server.refuses = False
            await until(lambda: len(loads) == 2)
            loads[1].set_result([{"id": "v", "type": "T"}])
            await entities.wait_ready(PATIENCE)
            assert (list(entities), entities.is_complete) == (["v"], True)

    run(check())


def test_a_load_that_fails_is_reported_and_tried_again():
    entity = {"id": "u", "type": "T"}
    wrong: list[tuple[Any, str]] = [
        (None, "load has to return a list of entities"),
        (entity, "load has to return a list of entities"),
        (["u"], "load has to return entities as dictionaries with an `id`"),
        ([{"type": "T"}], "load has to return entities as dictionaries with an `id`"),
        ([{"id": 5, "type": "T"}], "load has to return entities as dictionaries with an `id`"),
        ([{"id": "u"}], "load has to return entities with a `type`"),
        ([{"id": "u", "type": [5]}], "load has to return entities with a `type`"),
    ]

    async def check(is_async: bool) -> None:
        calls: list[None] = []

        def load() -> Any:
            calls.append(None)
            if len(calls) == 1:
                raise OSError("a secret")
            return wrong[len(calls) - 2][0] if len(calls) < len(wrong) + 2 else [entity]

        async def load_later() -> Any:
            return load()

        errors: list[EntityStreamError] = []
        async with Server() as server, EntityStream(server.url, "demo", on_error=errors.append) as stream:
            entities = stream.entities(load=load_later if is_async else load)
            await entities.wait_ready(PATIENCE)
            assert list(entities) == ["u"]
            assert all(isinstance(each, LoadError) for each in errors)
            assert str(errors[0]).startswith("load raised OSError at test_load.py:")
            assert isinstance(errors[0].__cause__, OSError)
            for error, (_, text) in zip(errors[1:], wrong, strict=True):
                assert str(error).startswith(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "FIRST_PAUSE", 0.01)
        patch.setattr(_source, "LONGEST_PAUSE", 0.01)
        for is_async in (False, True):
            run(check(is_async))


def test_a_collection_that_is_closed_is_not_loaded_again():
    async def check() -> None:
        errors: list[EntityStreamError] = []

        def load() -> Any:
            raise OSError

        async with Server() as server, EntityStream(server.url, "demo", on_error=errors.append) as stream:
            entities = stream.entities(load=load)
            await until(lambda: len(errors) == 1)
            await entities.aclose()
            await until(entities._source._loading.done)  # type: ignore[union-attr]
            with pytest.raises(ClosedError):
                await entities.ready
            assert len(errors) == 1

    run(check())


def test_a_load_may_be_a_generator_that_blocks():
    async def check() -> None:
        threads: list[threading.Thread] = []

        def load() -> Iterator[dict[str, Any]]:
            threads.append(threading.current_thread())
            yield {"id": "u", "type": "T"}

        async with Server() as server, EntityStream(server.url, "demo") as stream:
            entities = stream.entities(load=load)
            await entities.wait_ready(PATIENCE)
            assert list(entities) == ["u"]
            assert threading.current_thread() not in threads

    run(check())


def test_a_load_that_raises_stop_iteration_has_failed():
    async def check() -> None:
        errors: list[EntityStreamError] = []
        async with Server() as server, EntityStream(server.url, "demo", on_error=errors.append) as stream:
            stream.entities(load=iter([]).__next__)
            await until(lambda: [each.code for each in errors] == ["load_failed"])

    run(check())


def test_an_update_that_is_cancelled_shows_the_filter_in_force():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:
            rooms = stream.subscribe(entity_types=["A"])
            await rooms.wait_ready(PATIENCE)
            server.may_answer.clear()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(rooms.update(entity_types=["B"]), 0.05)
            assert rooms.filter.entity_types == ("A",)
            server.may_answer.set()
            await until(lambda: rooms.filter.entity_types == ("B",))
        assert rooms.filter.entity_types == ("B",)

    run(check())


def test_a_late_change_loads_the_entities_once_more():
    async def check() -> None:
        loads: list[asyncio.Future[list[dict[str, Any]]]] = []

        async def load() -> list[dict[str, Any]]:
            loads.append(asyncio.get_running_loop().create_future())
            return await loads[-1]

        async def late(version: int) -> None:
            await server.event(type="entityUpdated", id=f"e{version}", data={"a": version}, version=version, late=True)
            await until(lambda: f"e{version}" in seen)

        def answer(place: int, value: int) -> None:
            loads[place].set_result([{"id": "u", "type": "T", "a": value}])

        seen: list[str] = []
        async with Server() as server, EntityStream(server.url, "demo", backoff_min=0.01, backoff_max=0.02) as stream:
            stream.on("event", lambda event: seen.append(event.id))
            entities = stream.entities(load=load, whole_entity=False)
            await until(lambda: len(loads) == 1)
            # The load that is under way may have been read before the change.
            await late(1)
            answer(0, 0)
            await entities.wait_ready(PATIENCE)
            await until(lambda: len(loads) == 2)
            assert (entities["u"].data, entities.is_complete) == ({"a": 0}, False)
            answer(1, 1)
            await until(lambda: entities.is_complete)
            assert entities["u"].data == {"a": 1}
            await late(2)
            await late(3)
            assert not entities.is_complete
            await until(lambda: len(loads) == 3)
            # The lost connection ends the load, and the next one begins it again.
            server.peers[-1].transport.abort()
            await until(lambda: len(server.peers) == 2)
            answer(2, 2)
            await until(lambda: len(loads) == 4)
            assert not entities.is_complete
            answer(3, 3)
            await until(lambda: entities.is_complete)
            assert (entities["u"].data, len(loads)) == ({"a": 3}, 4)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "LOAD_INTERVAL", 0.01)
        run(check())


def test_what_was_removed_while_the_connection_was_lost_is_not_in_an_entity_that_is_loaded_again():
    async def check() -> None:
        loads: list[dict[str, Any]] = []

        def load() -> list[dict[str, Any]]:
            loads.append({"x": 1, "y": 1} if not loads else {"x": 2, "z": 2})
            return [{"id": "u", "type": "T", **loads[-1]}]

        async with Server() as server, EntityStream(server.url, "demo", backoff_min=0.01, backoff_max=0.02) as stream:
            server.replayed = {"type": "entityUpdated", "data": {"x": 2}, "version": 7, "replayed": True}
            entities = stream.entities(load=load, whole_entity=False, q="x>0")
            await entities.wait_ready(PATIENCE)
            server.peers[-1].transport.abort()
            await until(lambda: entities.is_complete and len(loads) == 2)
            assert entities["u"].data == {"x": 2, "z": 2}

    run(check())


@pytest.mark.parametrize("is_refused", [False, True])
@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_an_update_while_the_stream_connects_takes_effect_or_is_refused(is_loaded: bool, is_open: bool, is_refused: bool):
    async def check() -> None:
        log: list[str] = []

        def load_of(q: str) -> Any:
            def load() -> list[dict[str, Any]]:
                log.append(f"load {q}")
                return [{"id": q, "type": "T"}]

            return load if is_loaded else None

        async with Server() as server, EntityStream(server.url, "demo", backoff_min=0.01, backoff_max=0.02) as stream:
            server.may_answer.clear()
            server.refused, server.log = ("n>1" if is_refused else None), log
            entities = stream.entities(q="n>0", load=load_of("n>0"))
            if is_open:
                await until(lambda: bool(server.asked))
            updating = asyncio.ensure_future(entities.update(q="n>1", load=load_of("n>1")))
            await until(lambda: bool(server.asked))
            server.may_answer.set()
            if is_refused:
                with pytest.raises(RequestError):
                    await asyncio.wait_for(updating, PATIENCE)
            else:
                await asyncio.wait_for(updating, PATIENCE)
            await entities.wait_ready(PATIENCE)
            await until(lambda: entities.is_complete)
            assert list(entities) == ["n>0" if is_refused else "n>1"]
            if is_refused:
                assert "load n>1" not in log
            elif is_loaded:
                assert log.index("accepted n>1") < log.index("load n>1")

    run(check())


def test_a_message_that_closes_the_connection_makes_a_collection_incomplete_until_the_next_one():
    async def check() -> None:
        told: list[bool] = []
        async with Server() as server, EntityStream(server.url, "demo", backoff_min=0.01, backoff_max=0.02) as stream:
            entities = stream.entities(load=lambda: [{"id": "u", "type": "T"}])
            await entities.wait_ready(PATIENCE)
            stream.on("state", lambda _: told.append(entities.is_complete))
            server.closes_for = "n>1"
            with pytest.raises(RequestError):
                await asyncio.wait_for(entities.update(q="n>1"), PATIENCE)
            await until(lambda: entities.is_complete and len(server.peers) == 2)
            assert False in told
            assert list(entities) == ["u"]

    run(check())
