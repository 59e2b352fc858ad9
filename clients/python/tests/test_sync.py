"""The blocking form against the local system."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from local import LocalSystem, environment, room
from paths import PACKAGE
from waiting import stored

from entity_stream import AuthenticationError, ClosedError, EntityEvent, Filter, RequestError, SnapshotComplete, StreamState
from entity_stream.sync import EntityStream

PATIENCE = 20.0


def test_events_timeouts_and_ends(local: LocalSystem, tenant: str):
    with EntityStream(local.url, tenant) as stream:
        rooms = stream.subscribe(entity_types=["Room"], name="rooms")
        assert rooms.wait_ready(PATIENCE) == Filter(entity_types=["Room"])
        assert (rooms.name, stream.state) == ("rooms", StreamState.CONNECTED)
        with pytest.raises(TimeoutError):
            rooms.next(timeout=0.05)
        ids = local.publish(*[room(n, data={"n": n}) for n in range(3)], tenant=tenant)
        events = [rooms.next(timeout=PATIENCE) for _ in range(3)]
        assert sorted(event.id for event in events if event) == sorted(ids)
        assert rooms.update(entity_types=["Hall"], timeout=PATIENCE) == Filter(entity_types=["Hall"])
        with pytest.raises(RequestError):
            rooms.update(q="(")
        assert rooms.filter.entity_types == ("Hall",)
        closing = threading.Timer(0.2, stream.close)
        closing.start()
        assert list(rooms) == []
        closing.join()
    assert stream.state is StreamState.CLOSED
    assert rooms.next() is None
    with pytest.raises(ClosedError):
        stream.subscribe()
    stream.close()


def test_entities_and_a_table(local: LocalSystem, tenant: str):
    normalized: dict[str, Any] = {
        "temperature": {"type": "Property", "value": 20.5},
        "isIn": {"type": "Relationship", "object": "urn:b"},
    }
    normalized["note"] = {"type": "Property", "value": {"type": "Text", "value": "x"}}
    local.publish(*[room(n, type="entityCreated", data=normalized) for n in range(4)], tenant=tenant)
    stored(local, tenant, 4)
    with EntityStream(local.url, tenant) as stream:
        for representation in ("normalized", "keyValues"):
            with stream.entities(entity_types=["Room"], representation=representation) as rooms:  # type: ignore[arg-type]
                rooms.wait_ready(PATIENCE)
                assert (len(rooms), rooms.is_complete) == (4, True)
                assert list(rooms) == [each.id for each in rooms.values()]
                one = rooms.get("urn:ngsi-ld:Room:0001", service_path="/")
                assert one is rooms.get("urn:ngsi-ld:Room:0001") is not None
                assert rooms.get("urn:ngsi-ld:Room:0001", "none", service_path="/a") == "none"
                table = rooms.to_dataframe()
                assert list(table["temperature"]) == [20.5] * 4
                assert list(table["isIn"]) == ["urn:b"] * 4
                assert set(table["type"]) == {"Room"}
                # A value that looks like an attribute.
                assert list(table["note"]) == [{"type": "Text", "value": "x"}] * 4
        changes = rooms.changes()
        assert [next(changes).kind for _ in range(4)] == ["added"] * 4
        assert list(changes) == []


def test_an_empty_table(local: LocalSystem, tenant: str):
    with EntityStream(local.url, tenant) as stream, stream.entities() as none:
        none.wait_ready(PATIENCE)
        assert none.to_dataframe().empty


def test_snapshots_and_changes(local: LocalSystem, tenant: str):
    local.publish(room(1, data={"n": 1}), tenant=tenant)
    stored(local, tenant, 1)
    with EntityStream(local.url, tenant) as stream:
        items = stream.subscribe(snapshot=True).items()
        found: list[Any] = [next(items) for _ in range(2)]
        assert isinstance(found[0], EntityEvent)
        assert isinstance(found[1], SnapshotComplete)
        rooms = stream.entities(entity_types=["Room"])
        rooms.wait_ready(PATIENCE)
        changes = rooms.changes()
        assert next(changes).kind == "added"
        local.publish(room(1, data={"n": 2}), tenant=tenant)
        change = next(changes)
        assert change.before is not None
        assert (change.kind, change.before["n"], change.entity["n"]) == ("updated", 1, 2)


def test_it_works_where_a_loop_runs(local: LocalSystem, tenant: str):
    async def notebook() -> None:
        with EntityStream(local.url, tenant) as stream:
            rooms = stream.subscribe()
            rooms.wait_ready(PATIENCE)
            local.publish(room(1, data={}), tenant=tenant)
            assert rooms.next(timeout=PATIENCE) is not None

    asyncio.run(notebook())


@pytest.mark.parametrize("since", [float("inf"), float("nan"), -1, True])
def test_since_is_a_number_of_seconds(since: float):
    with EntityStream("ws://localhost:9", "demo") as stream, pytest.raises(ValueError, match="since has to be"):
        stream.subscribe(since=since)


def test_a_failed_stream_ends_the_loop():
    def get_token() -> str:
        raise AuthenticationError("logged_out", "log in again")

    with EntityStream("ws://localhost:9", "demo", get_token=get_token) as stream:
        rooms = stream.subscribe()
        with pytest.raises(AuthenticationError) as error:
            list(rooms)
        assert error.value.code == "logged_out"


@pytest.mark.parametrize("url", ["ws://localhost:9", None], ids=["connecting", "connected"])
def test_ctrl_c_ends_a_loop_at_once(url: str | None, local: LocalSystem, tenant: str):
    script = f"""
from entity_stream.sync import EntityStream
with EntityStream({url or local.url!r}, {tenant!r}) as stream:
    rooms = stream.subscribe(snapshot=True)
    print("listening", flush=True)
    for event in rooms:
        pass
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment(PYTHONPATH=str(PACKAGE / "src")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "listening\n"
        start = time.monotonic()
        os.killpg(child.pid, signal.SIGINT)
        _, errors = child.communicate(timeout=PATIENCE)
        assert time.monotonic() - start < 10
        assert "\nKeyboardInterrupt\n" in errors
        assert "Task was destroyed" not in errors
    finally:
        child.kill()
