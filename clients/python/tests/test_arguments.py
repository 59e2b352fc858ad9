"""A mistake in the arguments of a call raises at the call, and says what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from waiting import run

from entity_stream import DpopKey, Entities, EntityStream, Filter, sync
from entity_stream.filter import filter_in_force

NOWHERE = "ws://localhost:9"


async def later(_: object = None) -> Any: ...


def ignore(_: object) -> None: ...


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"entity_types": 5}, "entity_types has to be a list of strings"),
    ({"entity_types": "Room"}, "entity_types has to be a list of strings, not one string"),
    ({"entity_types": b"Room"}, "entity_types has to be a list of strings"),
    ({"entity_types": {"Room": 1}}, "entity_types has to be a list of strings"),
    ({"entity_ids": ["a", 5]}, "entity_ids has to be a list of strings"),
    ({"attributes": [None]}, "attributes has to be a list of strings"),
    ({"id_pattern": 5}, "id_pattern has to be a string, not int"),
    ({"q": ["a>1"]}, "q has to be a string, not list"),
    ({"service_path": b"/"}, "service_path has to be a string, not bytes"),
    ({"geo_q": "near"}, "geo_q has to be a dictionary, not str"),
    ({"geo_q": {"coordinates": {1, 2}}}, "geo_q has to be a dictionary of JSON values"),
    ({"geo_q": {"coordinates": [float("nan")]}}, "geo_q has to be a dictionary of JSON values"),
    ({"representation": "simplified"}, 'representation has to be "normalized" or "keyValues"'),
    ({"representation": 5}, "representation has to be a string, not int"),
]
SUBSCRIBE: list[tuple[dict[str, Any], str]] = [
    *FILTERS,
    ({"whole_entity": "yes"}, "whole_entity has to be True or False, not str"),
    ({"show_changes": 1}, "show_changes has to be True or False, not int"),
    ({"snapshots": True}, "a filter has no `snapshots`; did you mean `snapshot`?"),
    ({"onitem": print}, "a filter has no `onitem`; did you mean `on_item`?"),
    ({"filter": {"q": "a>1"}}, "the filter has to be a Filter, not dict"),
    ({"name": 5}, "name has to be"),
    ({"snapshot": "no"}, "snapshot has to be True or False, not str"),
    ({"since": "30"}, "since has to be"),
    ({"since": {"seconds": 30}}, "since has to be"),
    ({"since": True}, "since has to be"),
    ({"capacity": 1.5}, "capacity has to be a whole number"),
    ({"overflow": "drop"}, "overflow has to be"),
    ({"on_item": "print"}, "on_item has to be a function, not str"),
    ({"on_item": later}, "on_item has to be an ordinary function"),
]
ENTITIES: list[tuple[dict[str, Any], str]] = [
    *FILTERS,
    ({"on_changed": print}, "a filter has no `on_changed`; did you mean `on_change`?"),
    ({"name": ""}, "name has to be"),
    ({"load": [{"id": "a"}]}, "load has to be a function, not list"),
    ({"whole_entity": 0}, "whole_entity has to be True or False, not int"),
    ({"on_change": later}, "on_change has to be an ordinary function"),
]
VIEWS: list[tuple[dict[str, Any], str]] = [
    ({"kye": id}, "a view has no `kye`; did you mean `key`?"),
    ({"sort": id}, "a view has no `sort`; it has key, reverse, filter, limit, on_change"),
    ({"key": "temperature"}, "key has to be a function, not str"),
    ({"key": later}, "key has to be an ordinary function"),
    ({"filter": Filter()}, "filter has to be a function, not Filter"),
    ({"reverse": "no"}, "reverse has to be True or False, not str"),
    ({"limit": 0}, "limit has to be a whole number, at least 1"),
    ({"limit": "5"}, "limit has to be a whole number, at least 1"),
    ({"on_change": later}, "on_change has to be an ordinary function"),
]
CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"capacities": 5}, "changes has no `capacities`; did you mean `capacity`?"),
    ({"capacity": 0}, "capacity has to be a whole number"),
    ({"overflow": None}, "overflow has to be"),
]
STREAMS: list[tuple[dict[str, Any], str]] = [
    ({"get_token": "secret"}, "get_token has to be a function, not str"),
    ({"parse": "json"}, "parse has to be a function, not str"),
    ({"parse": later}, "parse has to be an ordinary function"),
    ({"debug": True}, "debug has to be a function, not bool"),
    ({"api_key": "secret"}, "api_key has to be a pair of strings"),
    ({"api_key": ("a:b", "secret")}, "api_key has to be a pair of strings"),
    ({"api_key": ("a", None)}, "api_key has to be a pair of strings"),
    ({"dpop": "secret", "get_token": later}, "dpop has to be a DpopKey, not str"),
    ({"group_id": 5}, "group_id has to be"),
    ({"tenant": None}, "tenant has to be"),
    ({"url": None}, "url has to be"),
    ({"ping_interval": "5"}, "ping_interval has to be"),
    ({"on_state": "print"}, "on_state has to be a function, not str"),
    ({"on_error": later}, "on_error has to be an ordinary function"),
    ({"on_verdict": later}, "on_verdict has to be an ordinary function"),
]


def refused(call: Callable[..., object], options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError)) as error:
        call(**options)
    assert text in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("options", "text"), STREAMS)
def test_the_options_of_a_stream(options: dict[str, Any], text: str):
    for form in (EntityStream, sync.EntityStream):
        refused(form, {"url": NOWHERE, "tenant": "demo", **options}, text)


def test_options_that_are_right():
    EntityStream(NOWHERE, "demo", get_token=later, dpop=DpopKey.generate(), parse=eval, debug=print, on_state=None)
    EntityStream(NOWHERE, "demo", api_key=["name", "key"], group_id="g")  # type: ignore[arg-type]
    assert Filter(entity_ids=(each for each in "ab"), entity_types=(), geo_q={}).entity_ids == ("a", "b")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def blocking() -> Iterator[sync.EntityStream]:
    with sync.EntityStream(NOWHERE, "demo") as stream:
        yield stream


@pytest.mark.parametrize(("options", "text"), SUBSCRIBE)
def test_the_options_of_subscribe(options: dict[str, Any], text: str, blocking: sync.EntityStream):
    refused(blocking.subscribe, options, text)
    if set(options) <= set(Filter.__annotations__):
        rooms = blocking.subscribe()
        refused(rooms.update, options, text)
        rooms.close()


@pytest.mark.parametrize(("options", "text"), ENTITIES)
def test_the_options_of_entities(options: dict[str, Any], text: str, blocking: sync.EntityStream):
    refused(blocking.entities, options, text)
    if set(options) <= {*Filter.__annotations__, "load"} - {"whole_entity"}:
        all = blocking.entities(load=list)
        refused(all.update, options, text)
        all.close()


@pytest.mark.parametrize(
    ("method", "options", "text"), [("view", *each) for each in VIEWS] + [("changes", *each) for each in CHANGES]
)
def test_the_options_of_views_and_loops(method: str, options: dict[str, Any], text: str, blocking: sync.EntityStream):
    async def check() -> None:
        async with EntityStream(NOWHERE, "demo") as stream:
            refused(getattr(stream.entities(), method), options, text)

    run(check())
    with blocking.entities() as all:
        refused(getattr(all, method), options, text)


def test_listeners_and_time_limits(blocking: sync.EntityStream):
    for add in (blocking.on, blocking.once):
        refused(add, {"name": "error", "listener": "print"}, "listener has to be a function, not str")
        refused(add, {"name": "error", "listener": later}, "listener has to be an ordinary function")
        refused(add, {"name": "errors", "listener": print}, "there is no event `errors`")
    with blocking.subscribe() as rooms, blocking.entities() as all:
        for wait in (rooms.wait_ready, rooms.next, rooms.update, all.wait_ready, all.update):
            refused(wait, {"timeout": "5"}, "timeout has to be a number of seconds, not str")
    with blocking.subscribe(on_item=ignore) as rooms:
        refused(rooms.items, {}, "on_item has no buffer")

    async def check() -> None:
        async with EntityStream(NOWHERE, "demo") as stream:
            all: Entities = stream.entities()
            for each in (all, stream.subscribe()):
                with pytest.raises(TypeError, match="timeout has to be"):
                    await each.wait_ready("5")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="load has to be"):
                await all.update(load=[])  # type: ignore[arg-type]

    asyncio.run(check())


def test_a_representation_of_a_later_server_is_ignored():
    answer = {"subscription": "a", "representation": "concise", "q": "a>1"}
    assert filter_in_force(answer, "a") == Filter(q="a>1")
