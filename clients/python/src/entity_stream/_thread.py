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

from ._checks import check_timeout
from .errors import ClosedError

T = TypeVar("T")

#: Some platforms notice Ctrl-C only between two waits.
_SLICE = 0.25
#: The longest wait for the end of the thread, in seconds. Ctrl-C can come while the caller holds a lock that the thread needs.
_LONGEST_END = 10.0


class LoopThread:
    """Runs coroutines for a thread that has none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon, so that a program that forgets to close the stream ends all the same.
        self._is_stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="entity-stream", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Waits for a coroutine. Raises `TimeoutError` after `timeout` seconds."""
        try:
            self.check_caller()
            check_timeout(timeout)
        except (RuntimeError, TypeError):
            work.close()
            raise
        if self._is_stopping:
            work.close()
            raise ClosedError()
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            # The thread has just ended.
            work.close()
            raise ClosedError() from None
        try:
            return self._wait(future, timeout)
        except concurrent.futures.CancelledError:
            # Another thread has stopped this one meanwhile.
            raise ClosedError() from None
        except ClosedError:
            # The thread may have ended before it began the work.
            work.close()
            raise
        except BaseException:
            future.cancel()
            raise

    def check_caller(self) -> None:
        """Raises `RuntimeError` in the thread of the loop, which must not wait for itself."""
        if self.is_current:
            raise RuntimeError("a callback must not wait for its own stream; use entity_stream with asyncio instead")

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Starts a coroutine, in the thread of the loop only. It does not wait."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function in the thread of the loop, or here once that has ended."""
        if self.is_current:
            return function()

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
        """Ends the thread, and waits ten seconds at most. In the thread itself, it does not wait for that."""
        if not self._is_stopping:
            self._is_stopping = True
            self.post(self._loop.stop)
        if not self.is_current:
            self._thread.join(_LONGEST_END)

    @property
    def is_current(self) -> bool:
        """True in the thread of the loop, so in a callback."""
        return threading.current_thread() is self._thread

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
            if not self._thread.is_alive() and not future.done():
                raise ClosedError()
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"no answer in {timeout:g} s")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            # `sys.exit` in a callback ends this thread.
            with contextlib.suppress(SystemExit):
                self._loop.run_forever()
        finally:
            self._is_stopping = True
            try:
                self._loop.run_until_complete(self._cancel())
            finally:
                self._loop.close()

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
