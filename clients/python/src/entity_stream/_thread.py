"""A thread with a loop of its own, for programs without asyncio and for notebooks, where a loop already runs.

Invariant: a wait in the calling thread ends within a moment after Ctrl-C, on every platform.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Some platforms notice Ctrl-C only between two waits.
_SLICE = 0.25


class LoopThread:
    """Runs coroutines for a thread that has none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon, so that a program that forgets to close the stream ends all the same.
        self._thread = threading.Thread(target=self._run, name="entity-stream", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Waits for a coroutine. Raises `TimeoutError` after `timeout` seconds."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a callback must not wait for its own stream; use entity_stream with asyncio instead")
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("the stream has been closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return _wait(future, timeout)
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function in the thread of the loop."""

        async def work() -> T:
            return function()

        return self.run(work())

    def stop(self) -> None:
        """Ends the thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    @property
    def is_stopped(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        finally:
            self._loop.close()


def _wait(future: concurrent.futures.Future[T], timeout: float | None) -> T:
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _SLICE if end is None else min(_SLICE, max(0.0, end - time.monotonic()))
        done, _ = concurrent.futures.wait([future], left)
        if done:
            return future.result()
        if end is not None and time.monotonic() >= end:
            raise TimeoutError(f"no answer in {timeout:g} s")
