"""Callbacks of the blocking form, which run in the stream's own thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from queue import Queue
from typing import Any

import pytest
from local import LocalSystem, room

from entity_stream import ClosedError, StreamState
from entity_stream._thread import LoopThread
from entity_stream.sync import EntityStream, Subscription

PATIENCE = 20.0


class Loop(threading.Thread):
    """A thread with a loop over a subscription."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(daemon=True)
        self._subscription, self.raised = subscription, list[BaseException]()
        self.start()

    def run(self) -> None:
        try:
            for _ in self._subscription:
                pass
        except BaseException as error:
            self.raised.append(error)

    def ended(self) -> bool:
        self.join(PATIENCE)
        return not self.is_alive() and self.raised == []


def in_a_callback(stream: EntityStream, local: LocalSystem, tenant: str, work: Callable[[], Any]) -> Any:
    """Calls a function in a callback. Returns its result or its error."""
    results: Queue[Any] = Queue()

    def on_item(_: object) -> None:
        try:
            results.put(work())
        except Exception as error:
            results.put(error)

    with stream.subscribe(on_item=on_item) as rooms:
        rooms.wait_ready(PATIENCE)
        with pytest.raises(TypeError, match="on_item"):
            rooms.next()
        local.publish(room(1, data={}), tenant=tenant)
        return results.get(timeout=PATIENCE)


def test_a_callback_must_not_wait_for_its_own_stream(local: LocalSystem, tenant: str):
    with EntityStream(local.url, tenant) as stream:
        other = stream.subscribe()
        error = in_a_callback(stream, local, tenant, lambda: other.wait_ready(PATIENCE))
        assert isinstance(error, RuntimeError)
        assert "own stream" in str(error)


def test_a_callback_can_read_a_collection_and_subscribe(local: LocalSystem, tenant: str):
    local.publish(*[room(n, data={"n": 1}) for n in range(3)], tenant=tenant)
    sizes: Queue[Any] = Queue()
    with EntityStream(local.url, tenant) as stream:
        rooms = stream.entities(on_change=lambda _: sizes.put((len(rooms), len(rooms.all()))))
        rooms.wait_ready(PATIENCE)
        assert [sizes.get(timeout=PATIENCE) for _ in range(3)] == [(1, 1), (2, 2), (3, 3)]
        halls = in_a_callback(stream, local, tenant, lambda: stream.subscribe(entity_types=["Hall"]))
        halls.wait_ready(PATIENCE)
        assert in_a_callback(stream, local, tenant, halls.close) is None
        assert list(halls) == []


def test_a_callback_can_close_the_stream(local: LocalSystem, tenant: str):
    with EntityStream(local.url, tenant) as stream:
        loop = Loop(stream.subscribe())
        assert in_a_callback(stream, local, tenant, stream.close) is None
        assert loop.ended()
    assert stream.state is StreamState.CLOSED


def test_sys_exit_in_a_callback_closes_the_stream(local: LocalSystem, tenant: str):
    with EntityStream(local.url, tenant) as stream:
        loop = Loop(stream.subscribe())
        stream.subscribe(on_item=lambda _: sys.exit()).wait_ready(PATIENCE)
        local.publish(room(1, data={}), tenant=tenant)
        assert loop.ended()
        assert stream.state is StreamState.CLOSED
        with pytest.raises(ClosedError):
            stream.subscribe()
    assert stream.state is StreamState.CLOSED


class Buffers(set[Any]):
    """The buffers of a collection, and the threads that took some out."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: Queue[threading.Thread] = Queue()

    def discard(self, buffer: Any) -> None:
        super().discard(buffer)
        self.threads.put(threading.current_thread())


def test_a_loop_over_changes_that_is_left_ends_in_the_thread_of_the_stream(local: LocalSystem, tenant: str):
    local.publish(room(1, data={}), tenant=tenant)
    with EntityStream(local.url, tenant) as stream:
        rooms = stream.entities()
        rooms.wait_ready(PATIENCE)
        buffers = rooms._entities._buffers = Buffers()
        for change in rooms.changes():
            assert (change.kind, len(buffers)) == ("added", 1)
            break
        assert buffers.threads.get(timeout=PATIENCE) is stream._thread._thread
        assert len(buffers) == 0


def test_a_wait_that_begins_as_the_thread_ends():
    thread = LoopThread()
    thread._loop.call_soon_threadsafe(thread._loop.stop)
    thread._thread.join(PATIENCE)
    assert thread.is_stopped
    # Another thread has looked before.
    thread._is_stopping = False

    async def work() -> None: ...

    with pytest.raises(ClosedError):
        thread.run(work())
