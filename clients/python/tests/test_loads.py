"""Collections that the program loads: events in any order, parts of entities, and events that do not tell what has changed."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from broker import Broker

from entity_stream import Change, Entity, EntityEvent, Filter
from entity_stream._core.collection import Collection
from entity_stream._core.shown import Feed

PARTS = Feed.of(Filter(), loads=True)
WHOLES = Feed.of(Filter(whole_entity=True), loads=True)


def event(version: int | None, data: dict[str, Any] | None, kind: str = "entityUpdated", **fields: Any) -> EntityEvent:
    given: dict[str, Any] = {"id": "e", "tenant": "demo", "service_path": "/", "entity_id": "a", "entity_type": "Room"}
    return EntityEvent(type=kind, version=version, data=data, **(given | fields))


def entity(data: dict[str, Any], name: str = "a") -> Entity:
    return Entity(tenant="demo", service_path="/", id=name, type="Room", data=data)


def collection_of(feed: Feed, loaded: dict[str, Any] | None = None) -> Collection:
    collection = Collection(feed)
    collection.connected(0)
    if loaded is not None:
        load(collection, loaded)
    return collection


def load(collection: Collection, data: dict[str, Any]) -> list[Change]:
    collection.load_begins()
    return collection.loaded([entity(data)], 0)


def data_of(collection: Collection) -> dict[str, Any] | None:
    return next((dict(each.data) for each in collection.entities()), None)


def apply(collection: Collection, *events: EntityEvent) -> list[Change | None]:
    return [collection.apply(each, 0) for each in events]


def test_a_smaller_version_sets_the_attributes_of_which_no_newer_version_is_known():
    collection = collection_of(PARTS, {"a": 0, "b": 0, "c": 0, "d": 0})
    newer = event(6, {"b": 6, "d": 6}, entity_type=("Room", "Hall"), changed_attributes=("b", "c", "d"), timestamp="six")
    older = event(5, {"a": 5, "b": 5, "c": 5}, changed_attributes=("a", "b", "c", "d"))
    apply(collection, newer, older)
    (found,) = collection.entities()
    assert (found.data, found.version, found.is_partial) == ({"a": 5, "b": 6, "d": 6}, 6, False)
    assert (found.type, found.timestamp) == (("Room", "Hall"), "six")
    assert (apply(collection, older), collection.is_in_doubt) == ([None], False)


def test_a_creation_that_comes_after_a_newer_change_ends_the_attributes_that_are_older():
    collection = collection_of(PARTS, {"a": 0, "b": 0})
    apply(collection, event(6, {"c": 6}), event(5, {"a": 5, "c": 5}, "entityCreated"), event(4, {"a": 4, "b": 4}))
    assert (data_of(collection), collection.is_in_doubt) == ({"a": 5, "c": 6}, False)


@pytest.mark.parametrize("kind", ["entityDeleted", "entityLeft"])
def test_an_end_that_comes_after_a_newer_change_asks_for_a_load(kind: str):
    collection = collection_of(PARTS, {"a": 0, "b": 0})
    apply(collection, event(6, {"c": 6}))
    assert (apply(collection, event(5, {}, kind)), collection.is_in_doubt) == ([None], True)
    load(collection, {"c": 6})
    assert apply(collection, event(4, {"a": 4}), event(5, {}, kind)) == [None, None]
    assert (data_of(collection), collection.is_in_doubt) == ({"c": 6}, False)


def test_a_part_of_an_entity_that_was_deleted_during_a_load_asks_for_another_one():
    collection = collection_of(PARTS)
    collection.load_begins()
    apply(collection, event(5, {}, "entityDeleted"), event(6, {"b": 6}))
    collection.loaded([entity({"a": 0, "b": 0})], 0)
    assert collection.is_in_doubt
    load(collection, {"b": 6})
    assert (data_of(collection), collection.is_in_doubt) == ({"b": 6}, False)


def test_an_entity_that_a_load_lacks_has_only_what_events_have_shown_since_its_beginning():
    collection = collection_of(PARTS, {"a": 0, "b": 0})
    collection.load_begins()
    apply(collection, event(6, {"b": 6}))
    collection.loaded([], 0)
    assert [(each.data, each.is_partial) for each in collection.entities()] == [({"b": 6}, True)]


@pytest.mark.parametrize("late", [event(6, {"a": 1}, late=True), event(6, {}, "entityDeleted", late=True)])
def test_a_late_event_changes_nothing_and_asks_for_a_load(late: EntityEvent):
    collection = collection_of(PARTS, {"a": 0, "b": 0})
    assert (apply(collection, late), collection.is_in_doubt) == ([None], True)
    # A late change that has changed nothing has the version of the change before it.
    apply(collection, event(6, {"b": 6}))
    assert data_of(collection) == {"a": 0, "b": 6}
    collection.load_begins()
    assert not collection.is_in_doubt
    collection.loaded([entity({"a": 1, "b": 6})], 0)
    # The load knew this one.
    apply(collection, event(5, {"a": 5}))
    assert data_of(collection) == {"a": 1, "b": 6}


def test_a_late_event_with_the_whole_entity_is_applied():
    for more, data, is_in_doubt in [({}, {"a": 1}, False), ({"partial": True}, None, True), ({"truncated": True}, None, True)]:
        collection = collection_of(WHOLES)
        apply(collection, event(6, {"a": 1}, late=True, **more))
        assert (data_of(collection), collection.is_in_doubt) == (data, is_in_doubt)
    collection = collection_of(PARTS, {"a": 0})
    apply(collection, event(6, None, "entityLeft", late=True))
    assert (data_of(collection), collection.is_in_doubt) == (None, False)


@pytest.mark.parametrize(
    ("filter", "fields", "data"),
    [
        (Filter(q="a>1"), {}, None),
        (Filter(geo_q={"georel": "near"}), {}, None),
        (Filter(q="a>1"), {"kind": "entityCreated"}, {"a": 7}),
        (Filter(whole_entity=True), {}, {"a": 7}),
        (Filter(whole_entity=True), {"partial": True}, None),
        (Filter(whole_entity=True), {"partial": True, "truncated": True, "data": {}}, None),
        (Filter(whole_entity=True), {"state": "unavailable", "data": {}}, None),
        # These have the attributes that were published.
        (Filter(), {}, {"a": 7, "b": 0}),
        (Filter(q="a>1"), {"state": "unavailable", "version": None}, {"a": 7, "b": 0}),
    ],
)
def test_a_replay_of_an_entity_as_it_is_now_asks_for_a_load(filter: Filter, fields: dict[str, Any], data: dict[str, Any] | None):
    collection = collection_of(Feed.of(filter, loads=True), {"a": 0, "b": 0})
    replay: dict[str, Any] = {"version": 7, "data": {"a": 7}, "replayed": True}
    apply(collection, event(**(replay | fields)))
    assert (data_of(collection), collection.is_in_doubt) == (data or {"a": 0, "b": 0}, data is None)
    load(collection, {"a": 7, "c": 0})
    assert (data_of(collection), collection.is_in_doubt) == ({"a": 7, "c": 0}, False)
    assert apply(collection, event(8, None, "entityLeft", replayed=True)) != [None]


def test_a_load_keeps_the_attributes_that_the_service_does_not_know():
    part = event(5, {"a": 2}, partial=True, changed_attributes=("a", "gone"))
    during = collection_of(WHOLES)
    during.load_begins()
    apply(during, part)
    assert [(each.data, each.is_partial) for each in during.entities()] == [({"a": 2}, True)]
    during.loaded([entity({"a": 1, "b": 1, "gone": 1})], 0)
    after = collection_of(WHOLES, {"a": 1, "b": 1, "gone": 1})
    apply(after, part)
    for collection in (during, after):
        assert [(each.data, each.version, each.is_partial) for each in collection.entities()] == [({"a": 2, "b": 1}, 5, False)]
        apply(collection, event(6, {"a": 3}))
        assert data_of(collection) == {"a": 3}, "the service knows the whole entity"
    snapshot = Collection()
    apply(snapshot, event(4, {"a": 1, "b": 1}, "entitySnapshot"), part)
    assert [(each.data, each.is_partial) for each in snapshot.entities()] == [({"a": 2}, True)]


def test_a_load_has_the_types_of_the_newest_event():
    collection = collection_of(PARTS)
    collection.load_begins()
    apply(collection, event(5, {"a": 5}, entity_type=("Room", "Hall")))
    collection.loaded([entity({"a": 0, "b": 0})], 0)
    assert [(each.type, each.data) for each in collection.entities()] == [(("Room", "Hall"), {"a": 5, "b": 0})]
    assert load(collection, {"a": 5, "b": 0})[0].kind == "updated", "the broker has one type"
    assert load(collection, {"a": 5, "b": 0}) == []


@pytest.mark.parametrize("feed", [Feed(), PARTS])
def test_an_event_without_a_version_shows_an_entity_again_that_had_left_and_not_one_that_was_deleted(feed: Feed):
    for kind, version, comes_back in [("entityLeft", 6, True), ("entityDeleted", 6, False), ("entityDeleted", None, False)]:
        collection = collection_of(feed)
        apply(collection, event(5, {"a": 5}, "entityCreated"), event(version, {}, kind))
        apply(collection, event(None, {"a": 7}, state="unavailable"))
        assert data_of(collection) == ({"a": 7} if comes_back else None), kind
        apply(collection, event(5, {"a": 5}))
        assert data_of(collection) == ({"a": 7} if comes_back else None), kind
        apply(collection, event(None, {"a": 8}, "entityCreated", state="unavailable"))
        assert data_of(collection) == {"a": 8}


def test_an_entity_that_is_too_large_for_the_service_keeps_its_attributes():
    collection = collection_of(Feed())
    for kind in ("entityUpdated", "entitySnapshot"):
        apply(collection, event(5, {"a": 5}), event(6, {}, kind, state="unavailable"))
        assert [(each.data, each.version, each.is_partial) for each in collection.entities()] == [({"a": 5}, 6, True)]


@pytest.mark.parametrize("has_late", [False, True])
@pytest.mark.parametrize("feed", [PARTS, WHOLES])
def test_events_in_any_order_lead_to_the_entities_of_the_broker(feed: Feed, has_late: bool):
    for seed in range(600):
        random = Random(seed)
        client = _Client(feed, Broker(random, has_late=has_late, merges=feed.merges), random)
        client.load(random.randrange(16))
        for _ in range(3):
            client.broker.run(client.receive, random.randrange(16))
            if client.collection.is_in_doubt or random.random() < 0.3:
                client.load(random.randrange(16))
        client.broker.finish(client.receive)
        if client.collection.is_in_doubt:
            client.load(0)
        assert {name: dict(each.data) for name, each in client.told.items()} == client.broker.read(), seed
        assert client.told == {each.id: each for each in client.collection.entities()}, seed


class _Client:
    """A collection, and the entities that follow from the changes that it has told."""

    def __init__(self, feed: Feed, broker: Broker, random: Random) -> None:
        self.collection, self.broker, self._random = collection_of(feed), broker, random
        self.told: dict[str, Entity] = {}

    def receive(self, event: EntityEvent) -> None:
        change = self.collection.apply(event, 0)
        self._tell([change] if change else [])

    def load(self, steps: int) -> None:
        """The broker reads its entities at a moment during the load."""
        self.collection.load_begins()
        moment = self._random.randint(0, steps)
        self.broker.run(self.receive, moment)
        entities = self.broker.read()
        self.broker.run(self.receive, steps - moment)
        self._tell(self.collection.loaded([entity(data, name) for name, data in entities.items()], 0))

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            name = change.entity.id
            assert self.told.get(name) == change.before
            if change.after is None:
                del self.told[name]
            else:
                self.told[name] = change.after
