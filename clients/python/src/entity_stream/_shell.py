"""Carries out the effects of the core, with asyncio and websockets. It decides nothing."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ._blocking import apart, in_thread
from ._core.clock import SystemClock
from ._core.effects import Close, Effect, FetchToken, Open, Send, StreamState
from ._core.machine import Machine
from ._place import place
from ._sleep import LOOK, Sleep
from .errors import ConnectionFailed, EntityStreamError
from .filter import FRAME_BYTES
from .settings import Settings

T = TypeVar("T")
#: Close code, reason and HTTP status.
_End = tuple[int | None, str, int | None]

#: Far above the largest message of API Gateway, 128 KB.
_MESSAGE_BYTES = 16 * 1024 * 1024
_FAREWELL = 2.0
#: The steps of a loop in which a frame that has arrived reaches the core: the socket is read, and then a task wakes.
_READ_STEPS = 3

_log = logging.getLogger("entity_stream")
# The logger of websockets prints headers and messages, and they have tokens and values.
_silent = logging.Logger("entity_stream.silent", logging.CRITICAL + 1)


class Shell:
    """The tasks, the timer and the connections of one stream."""

    def __init__(self, settings: Settings, handle: Callable[[Effect], None]) -> None:
        self.machine = Machine(settings, SystemClock(), Random())
        self._settings, self._handle = settings, handle
        self._links: dict[int, tuple[asyncio.Task[_End], asyncio.Queue[str | None]]] = {}
        self._opened: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._token_call: asyncio.Future[Any] | None = None
        self._timer: asyncio.Handle | None = None
        #: The time of the timer.
        self._due_at = 0.0
        self._is_pumping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sleep = Sleep(self.machine.clock.monotonic(), self.machine.clock.wall())

    def check_loop(self) -> None:
        """Raises `RuntimeError` in another event loop than the one in use. Closes a stream whose loop has ended."""
        if self.machine.state is StreamState.CLOSED:
            return
        loop, former = asyncio.get_running_loop(), self._loop
        if loop is former:
            return
        is_in_use = bool(self._links or self._tasks or self._timer)
        if is_in_use and former is not None and not former.is_closed():
            raise RuntimeError("the stream is in use in another event loop; make a stream for each loop")
        self._loop = loop
        if former is not None and former.is_closed():
            self._loop_ended()

    def _loop_ended(self) -> None:
        """The loop of the stream is closed. Its tasks and its timer never run again."""
        is_in_use = bool(self._links or self._tasks) or self.machine.state not in (StreamState.IDLE, StreamState.FAILED)
        self._links.clear()
        self._opened.clear()
        self._tasks.clear()
        self._timer = self._token_call = None
        if is_in_use:
            self.machine.close()
            for link in list(self.machine.links):
                self.machine.closed(link, None)
            self.machine.effects = [each for each in self.machine.effects if not isinstance(each, (Open, FetchToken))]
            self._pump()

    def call(self, function: Callable[[], T]) -> T:
        """Calls the core, and carries out its effects."""
        result = function()
        self._pump()
        return result

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Carries nothing out until the end, so that the caller can first remember the numbers of its calls."""
        self.check_loop()
        was_pumping, self._is_pumping = self._is_pumping, True
        try:
            yield
        finally:
            self._is_pumping = was_pumping
        self._pump()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts a task that ends with the stream at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finished(self) -> None:
        """Waits until all connections are closed, and all tasks have ended."""
        while self._links:
            await asyncio.wait([task for task, _ in self._links.values()])
            # The callbacks of the tasks come after those of this wait.
            await asyncio.sleep(0)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            # A loop that the program closes next would otherwise warn of them.
            await asyncio.wait(tasks)

    def _pump(self) -> None:
        """Carries out the effects in their order, also those that a callback of the program causes."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self.machine.effects:
                effects, self.machine.effects = deque(self.machine.effects), []
                try:
                    while effects:
                        self._carry_out(effects.popleft())
                finally:
                    # An error that ends the program, such as `sys.exit` in a callback, leaves the rest for the next time.
                    self.machine.effects[:0] = effects
        finally:
            self._is_pumping = False
        self._set_timer()

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Open):
            queue: asyncio.Queue[str | None] = asyncio.Queue()
            task = asyncio.get_running_loop().create_task(self._link(effect.link, effect.token, queue))
            task.add_done_callback(partial(self._link_ended, effect.link))
            self._links[effect.link] = task, queue
        elif isinstance(effect, Send):
            self._put(effect.link, effect.text)
        elif isinstance(effect, Close):
            if effect.link in self._opened:
                self._put(effect.link, None)
                # A server that does not read keeps the close frame from being sent.
                asyncio.get_running_loop().call_later(2 * _FAREWELL, self._links[effect.link][0].cancel)
            elif effect.link in self._links:
                self._links[effect.link][0].cancel()
        elif isinstance(effect, FetchToken):
            self.start(self._fetch(effect.fetch))
        else:
            self._handle(effect)

    def _received(self, link: int, text: str) -> None:
        self.call(lambda: self.machine.received(link, text))

    def _put(self, link: int, text: str | None) -> None:
        if link in self._links:
            self._links[link][1].put_nowait(text)

    def _set_timer(self) -> None:
        deadline, now = self.machine.deadline(), self.machine.clock.monotonic()
        if self._timer is not None:
            if deadline is not None and max(deadline, self._due_at) <= now:
                # It is due already. A server that sends without a pause would otherwise put it off for ever.
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._due_at = min(now + LOOK, max(now, deadline))
            self._timer = asyncio.get_running_loop().call_later(self._due_at - now, self._due, _READ_STEPS)

    def _due(self, steps: int) -> None:
        """A deadline counts once the frames are read that arrived before it. The program may have held up the loop."""
        if steps > 0:
            self._timer = asyncio.get_running_loop().call_soon(self._due, steps - 1)
        else:
            self._timer = None
            self.call(self._elapsed)

    def _elapsed(self) -> None:
        clock = self.machine.clock
        if self._sleep.was_asleep(clock.monotonic(), clock.wall()):
            self.machine.wake()
        self.machine.elapsed()

    async def _fetch(self, fetch: int) -> None:
        error: EntityStreamError
        try:
            # The core has given up a little earlier.
            value = await asyncio.wait_for(apart(self._token()), self._settings.connect_timeout + 1)
        except EntityStreamError as raised:
            error = raised
        except Exception as raised:
            # Its text may have a credential.
            error = ConnectionFailed("token_unavailable", f"get_token raised {place(raised)}")
        else:
            return self.call(lambda: self.machine.token_fetched(fetch, value))
        self.call(lambda: self.machine.token_failed(fetch, error))

    async def _token(self) -> object:
        get_token = self._settings.get_token
        if get_token is None:
            return None
        if inspect.iscoroutinefunction(get_token):
            return await get_token()
        # It may wait for the network, and the loop has other work. A call that hangs is not repeated, only awaited again.
        if self._token_call is None or self._token_call.done():
            self._token_call = in_thread(get_token)
        value = await asyncio.shield(self._token_call)
        return await value if inspect.isawaitable(value) else value

    def _link_ended(self, link: int, task: asyncio.Task[_End]) -> None:
        # A callback of the task, because a task that is cancelled before it began runs no code of its own.
        self._opened.discard(link)
        self._links.pop(link, None)
        end: _End = (None, "", None)
        error = None if task.cancelled() else task.exception()
        is_ending = task.cancelled() or (error is not None and not isinstance(error, Exception))
        if is_ending and self.machine.has_open(link):
            # The core has not closed the connection, so the loop is ending. A task that began now would never run.
            self.call(self.machine.close)
        elif error is not None:
            # Its text may have a value of an entity.
            _log.error("a connection ended with %s", place(error))
        elif not task.cancelled():
            end = task.result()
        self.call(lambda: self.machine.closed(link, *end))

    async def _link(self, link: int, token: str | None, queue: asyncio.Queue[str | None]) -> _End:
        """Opens a connection and reads it to its end. Returns close code, reason and HTTP status."""
        protocols = None if token is None else [Subprotocol("access_token"), Subprotocol(token)]
        try:
            socket = await connect(
                self._settings.target(),
                subprotocols=protocols,
                additional_headers=self._settings.headers(),
                logger=_silent,
                open_timeout=None,
                ping_interval=None,
                close_timeout=_FAREWELL,
                max_size=_MESSAGE_BYTES,
            )
        except InvalidStatus as refusal:
            body = refusal.response.body or b""
            return None, body[:200].decode("utf-8", "replace").strip(), refusal.response.status_code
        except OSError as failure:
            return None, failure.strerror or type(failure).__name__, None
        except (WebSocketException, ValueError, EOFError) as failure:
            return None, type(failure).__name__, None
        writer = asyncio.get_running_loop().create_task(_write(socket, queue))
        self._opened.add(link)
        try:
            self.call(lambda: self.machine.opened(link))
            async for message in socket:
                if isinstance(message, str):
                    self._received(link, message)
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            socket.transport.abort()
        return socket.protocol.close_code, socket.protocol.close_reason or "", None


async def _write(socket: ClientConnection, queue: asyncio.Queue[str | None]) -> None:
    try:
        while (text := await queue.get()) is not None:
            if len(text) * 4 <= FRAME_BYTES or len(text.encode()) <= FRAME_BYTES:
                await socket.send(text)
            else:
                # API Gateway takes larger messages only in several frames.
                size = FRAME_BYTES // 4
                await socket.send([text[start : start + size] for start in range(0, len(text), size)])
        await socket.close()
    except ConnectionClosed:
        pass
