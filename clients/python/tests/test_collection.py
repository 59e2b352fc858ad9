"""The collection, the buffer, and the forms in which programs see entities."""

from __future__ import annotations

import asyncio
import itertools
from random import Random
from typing import Any

import pytest

from entity_stream import Entity, EntityEvent, Filter, OverflowError, RequestError
from entity_stream._core.collection import Collection
from entity_stream._core.seen import SeenEvents
from entity_stream._core.shown import Feed
from entity_stream._sleep import Sleep
from entity_stream.buffer import Buffer

#: The collections that the program loads, by what their events have.
WHOLES, PARTS = Feed(loads=True), Feed(loads=True, merges=True, follows=False)


def event(kind: str, entity: str, version: int | None, **fields: Any) -> EntityEvent:
    fields.setdefault("data", {"v": version})
    return EntityEvent(
        type=kind, id="e", tenant="demo", service_path="/", entity_id=entity, entity_type="Room", version=version, **fields
    )


def state(collection: Collection) -> dict[str, int | None]:
    return {entity.id: entity.version for entity in collection.entities()}


def test_the_order_of_messages_makes_no_difference():
    messages = [
        event("entityCreated", "a", 1),
        event("entityUpdated", "a", 2),
        event("entityDeleted", "a", 3),
        event("entityCreated", "a", 4),
        event("entityLeft", "a", 5, data=None),
        event("entityUpdated", "a", 6),
    ]
    for order in itertools.permutations(messages):
        collection = Collection()
        collection.connected(0)
        for message in order:
            collection.apply(message, 0)
            collection.apply(message, 0)
        assert state(collection) == {"a": 6}


def test_changes_lead_from_each_state_to_the_next():
    random = Random(5)
    collection = Collection()
    told: dict[str, Entity] = {}
    now = 0.0
    for step in range(20_000):
        now += random.random() * 10
        if random.random() < 0.01:
            collection.disconnected(now)
            collection.connected(now)
        if random.random() < 0.01:
            changes = collection.snapshot_complete(now)
        else:
            kind = random.choice(["entityCreated", "entityUpdated", "entityDeleted", "entityLeft", "entitySnapshot"])
            version = random.choice([None, step, step - random.randrange(50)])
            change = collection.apply(event(kind, random.choice("abcdef"), version), now)
            changes = [change] if change else []
        for each in changes:
            assert told.get(each.entity.id) == each.before
            if each.after is None:
                del told[each.entity.id]
            else:
                told[each.entity.id] = each.after
        assert told == {entity.id: entity for entity in collection.entities()}


def test_what_a_complete_snapshot_lacks_is_gone():
    collection = Collection()
    collection.connected(0)
    for name in "abc":
        collection.apply(event("entitySnapshot", name, 1), 0)
    assert collection.snapshot_complete(0) == []
    collection.disconnected(1)
    assert not collection.is_complete
    collection.connected(2)
    collection.apply(event("entityUpdated", "b", 2), 2)
    collection.apply(event("entitySnapshot", "c", 1), 2)
    removed = collection.snapshot_complete(2)
    assert [(change.kind, change.entity.id) for change in removed] == [("removed", "a")]
    assert collection.apply(event("entityUpdated", "a", 1), 3) is None
    assert collection.apply(event("entityUpdated", "a", 2), 3) is not None


def test_the_end_of_an_entity_is_remembered_for_a_quarter_of_an_hour():
    collection = Collection()
    collection.connected(0)
    collection.apply(event("entityDeleted", "a", 5), 0)
    collection.disconnected(60)
    collection.connected(7200)
    assert collection.apply(event("entityUpdated", "a", 4), 7200) is None
    assert collection.apply(event("entityUpdated", "a", 4), 7200 + 900) is not None


def test_attributes_are_merged_and_removed():
    collection = Collection(PARTS)
    collection.connected(0)
    collection.apply(event("entityCreated", "a", None, data={"x": 1, "y": 2}), 0)
    collection.apply(event("entityUpdated", "a", None, data={"x": 3}, changed_attributes=("x", "y")), 0)
    collection.apply(event("entityUpdated", "a", None, data={}, truncated=True), 0)
    (entity,) = collection.entities()
    assert (dict(entity.data), entity.is_partial) == ({"x": 3}, True)


def test_a_load_keeps_what_events_have_changed_meanwhile():
    def loaded(name: str, value: int) -> Entity:
        return Entity(tenant="demo", service_path="/", id=name, type="Room", data={"v": value})

    collection = Collection(WHOLES)
    collection.connected(0)
    collection.apply(event("entityCreated", "old", 1), 0)
    collection.load_begins()
    collection.apply(event("entityUpdated", "a", 7), 0)
    collection.apply(event("entityDeleted", "b", 7), 0)
    changes = collection.loaded([loaded("a", 1), loaded("b", 1), loaded("c", 1)], 0)
    assert [(change.kind, change.entity.id) for change in changes] == [("added", "c"), ("removed", "old")]
    assert {entity.id: entity.data["v"] for entity in collection.entities()} == {"a": 7, "c": 1}


@pytest.mark.parametrize(("merges", "version"), [(True, None), (True, 5), (False, None)])
def test_a_load_is_merged_with_the_parts_that_events_have_brought_meanwhile(merges: bool, version: int | None):
    def loaded(name: str, **data: int) -> Entity:
        return Entity(tenant="demo", service_path="/", id=name, type="Room", data=data)

    def update(name: str, more: int | None, *, changed: tuple[str, ...] | None = None, **data: int) -> None:
        collection.apply(event("entityUpdated", name, more, data=data, changed_attributes=changed), 0)

    def values() -> dict[str, Any]:
        return {entity.id: entity.data for entity in collection.entities()}

    collection = Collection(PARTS if merges else WHOLES)
    collection.connected(0)
    update("stale", version, a=1, b=1)
    collection.load_begins()
    update("a", version, a=5)
    update("removed", version, changed=("a", "b"), a=5)
    collection.apply(event("entityCreated", "whole", version, data={"a": 5}), 0)
    collection.apply(event("entityDeleted", "again", version), 0)
    update("again", None if version is None else version + 1, a=5)
    read = [loaded(name, a=1, b=1, c=1) for name in ("a", "removed", "whole", "again", "stale")]
    collection.loaded(read, 0)
    whole = {"a": 1, "b": 1, "c": 1}
    expected = {"a": whole | {"a": 5}, "removed": {"a": 5, "c": 1}, "whole": {"a": 5}, "again": whole | {"a": 5}, "stale": whole}
    assert values() == expected
    assert not any(entity.is_partial for entity in collection.entities())
    # A gap swallows a change of b.
    collection.disconnected(0)
    collection.connected(0)
    collection.load_begins()
    update("a", None if version is None else version + 2, a=6)
    changes = collection.loaded([loaded("a", a=5, b=2)], 0)
    assert ("updated", "a") in [(change.kind, change.entity.id) for change in changes]
    assert values() == {"a": {"a": 6, "b": 2}}


def test_a_load_completes_an_entity_that_the_service_knows_in_part():
    collection = Collection(WHOLES)
    collection.connected(0)
    collection.load_begins()
    collection.apply(event("entityUpdated", "a", 5, data={"a": 5}, partial=True), 0)
    collection.apply(event("entityUpdated", "b", 5, data={}, truncated=True), 0)
    both = [Entity(tenant="demo", service_path="/", id=name, type="Room", data={"a": 1, "b": 1}) for name in "ab"]
    collection.loaded(both, 0)
    found = [(dict(entity.data), entity.version, entity.is_partial) for entity in collection.entities()]
    # The load may be older than the event that was too large.
    assert found == [({"a": 5, "b": 1}, 5, False), ({"a": 1, "b": 1}, 5, True)]


def test_an_old_event_does_not_keep_a_load_from_showing_the_present():
    collection = Collection(PARTS)
    collection.connected(0)
    collection.apply(event("entityCreated", "a", 5, data={"a": 1}), 0)
    collection.load_begins()
    collection.apply(event("entityUpdated", "a", 4, data={"a": 0}), 0)
    collection.loaded([Entity(tenant="demo", service_path="/", id="a", type="Room", data={"a": 2})], 0)
    assert [dict(entity.data) for entity in collection.entities()] == [{"a": 2}]


def test_events_are_known_for_a_quarter_of_an_hour_online():
    seen = SeenEvents(pairs=3)
    seen.online.online(0)
    assert seen.new_for("a", [1, 2], 0) == [1, 2]
    assert seen.new_for("a", [2, 3], 0) == [3]
    seen.online.offline(60)
    seen.online.online(9000)
    assert seen.new_for("a", [1], 9000) == []
    assert seen.new_for("b", [1], 9000) == [1]
    assert len(seen) == 3
    assert seen.new_for("a", [1], 9000) == [1]
    assert seen.new_for("b", [1], 9000 + 901) == [1]


def test_a_full_buffer_drops_the_oldest_or_fails():
    async def check() -> None:
        reported: list[OverflowError] = []
        buffer = Buffer[int](2, "drop-oldest", reported.append)
        buffer.push(0, counts=False)
        for number in range(1, 6):
            buffer.push(number)
        assert (await buffer.next(10), buffer.dropped, len(reported)) == ([0, 4, 5], 3, 1)
        buffer = Buffer[int](2, "fail", reported.append)
        for number in range(5):
            buffer.push(number)
        assert [await buffer.next(), await buffer.next()] == [[0], [1]]
        with pytest.raises(OverflowError):
            await buffer.next()
        assert await buffer.next() == []

    asyncio.run(check())


def test_a_cancelled_loop_loses_nothing():
    async def check() -> None:
        buffer = Buffer[int](10, "fail", print)
        first, second = (asyncio.create_task(buffer.next()) for _ in range(2))
        await asyncio.sleep(0)
        buffer.push(1)
        first.cancel()
        assert await asyncio.wait_for(second, 1) == [1]

    asyncio.run(check())


def test_a_sleep_of_the_machine_is_noticed():
    sleep = Sleep(100, 5000)
    assert not sleep.was_asleep(130, 5030)
    assert sleep.was_asleep(160, 5960)
    assert not sleep.was_asleep(190, 5990)
    assert not sleep.was_asleep(220, 4000)


def test_filters():
    assert Filter(entity_types=["Room"], q="a>1", whole_entity=True, id_pattern="").to_wire() == {
        "entityTypes": ["Room"],
        "q": "a>1",
        "wholeEntity": True,
    }
    with pytest.raises(TypeError, match="entity_types has to be a list"):
        Filter(entity_types="Room")
    with pytest.raises(TypeError, match="entityTypes"):
        Filter(entityTypes=["Room"])  # type: ignore[call-arg]
    with pytest.raises(RequestError, match="32768"):
        Filter(entity_types=["字" * 256] * 49).check_size()
    assert Filter(q="a>1", show_changes=True).for_entities() == Filter(q="a>1", whole_entity=True)
    for name in ("notification_trigger", "watched_attributes"):
        with pytest.raises(TypeError, match=name):
            Filter(**{name: ["entityCreated"]}).for_entities()  # type: ignore[arg-type]


def test_a_repr_shows_no_value():
    shown = repr(event("entityUpdated", "a", 1, data={"name": "secret"}, previous={"name": "secret"}))
    assert "secret" not in shown
    assert "secret" not in repr(Entity(tenant="d", service_path="/", id="a", type="R", data={"name": "secret"}))


def test_what_a_program_keeps_can_be_in_a_set():
    one, other = (event("entityUpdated", "a", n, data={"n": [n]}, previous={"n": [0]}, context=["x"]) for n in (1, 2))
    assert len({one, other, one}) == 2
    entity, same = (Entity(tenant="d", service_path="/", id="a", type="R", data={"n": [n]}) for n in (1, 1))
    assert {entity, same} == {entity}
    near = {"georel": "near", "geometry": "Point", "coordinates": [1, 2]}
    assert {Filter(geo_q=near, entity_types=["Room"]): 1}[Filter(geo_q=near, entity_types=["Room"])] == 1
