"""Calls functions of the program that may block.

Invariant: the calls run in daemon threads, so one that never returns does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine of the program. A cancellation inside of it is an error, and does not cancel the caller."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
    if task.cancelled():
        raise RuntimeError("the function was cancelled")
    return task.result()


def in_thread(function: Callable[[], T]) -> asyncio.Future[T]:
    """Calls a function in a thread of its own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    # Its error may come after the last wait. It may have a credential, so asyncio must not log it.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    context = contextvars.copy_context()

    def settle(set_it: Callable[[], None]) -> None:
        # The caller may have been cancelled, and its loop may be closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if future.done() else set_it())

    def work() -> None:
        try:
            result = context.run(function)
        except BaseException as error:
            # A future takes no StopIteration.
            raised = RuntimeError("the function raised StopIteration") if isinstance(error, StopIteration) else error
            settle(lambda: future.set_exception(raised))
        else:
            settle(lambda: future.set_result(result))

    threading.Thread(target=work, name="entity-stream-call", daemon=True).start()
    return future
