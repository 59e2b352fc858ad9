"""A thread with a loop of its own, for programs without asyncio and for notebooks, where a loop already runs.

Invariant: a wait in the calling thread ends within a moment after Ctrl-C, on every platform.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .errors import ClosedError

T = TypeVar("T")

#: Some platforms notice Ctrl-C only between two waits.
_SLICE = 0.25


class LoopThread:
    """Runs coroutines for a thread that has none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon, so that a program that forgets to close the stream ends all the same.
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="entity-stream", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Waits for a coroutine. Raises `TimeoutError` after `timeout` seconds."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a callback must not wait for its own stream; use entity_stream with asyncio instead")
        if self._is_stopping:
            work.close()
            raise ClosedError()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return self._wait(future, timeout)
        except concurrent.futures.CancelledError:
            # Another thread has stopped this one meanwhile.
            raise ClosedError() from None
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function in the thread of the loop, or here once that has ended."""

        async def work() -> T:
            return function()

        if not self._is_stopping:
            try:
                return self.run(work())
            except ClosedError:
                if not self._is_stopping:
                    raise
        self._thread.join()
        return function()

    def post(self, function: Callable[[], object]) -> None:
        """Calls a function in the thread of the loop, later and without its result."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """Ends the thread."""
        if not self._is_stopping:
            self._is_stopping = True
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def is_stopped(self) -> bool:
        """True once the thread has ended, or is about to."""
        return self._is_stopping

    def _wait(self, future: concurrent.futures.Future[T], timeout: float | None) -> T:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _SLICE if end is None else min(_SLICE, max(0.0, end - time.monotonic()))
            done, _ = concurrent.futures.wait([future], left)
            if done:
                return future.result()
            if not self._thread.is_alive():
                raise ClosedError()
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"no answer in {timeout:g} s")

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
