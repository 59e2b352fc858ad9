"""Servers that do not read, and functions of the program that do not return."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from local import LocalSystem, environment
from paths import PACKAGE
from waiting import PATIENCE, run, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from entity_stream import DebugEntry, EntityStream, EntityStreamError
from entity_stream._core import leaving

ANSWER = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that accepts connections and reads nothing after the handshake."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    accepted: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            accepted.append(peer)
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += peer.recv(1)
            key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")).split()[1]
            peer.sendall(ANSWER.format(base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()).encode())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)
    for each in [listener, *accepted]:
        each.close()


def test_a_server_that_does_not_read_does_not_keep_the_stream(deaf: str):
    async def check() -> None:
        stream = EntityStream(deaf, "demo")
        # More than the buffers of the two sockets take.
        for _ in range(60):
            stream.subscribe(entity_ids=[os.urandom(255).hex() for _ in range(49)])
        await until(lambda: bool(stream._shell._opened))
        (link,) = stream._shell._opened
        await until(lambda: stream._shell._links[link][1].empty())
        start = time.monotonic()
        await stream.aclose()
        assert time.monotonic() - start < 10

    run(check())


def test_events_that_arrive_while_the_program_holds_up_the_loop_are_not_lost(monkeypatch: pytest.MonkeyPatch):
    """Without silence to wait for, the subscription of a member of a group ends with the next step of the loop."""
    monkeypatch.setattr(leaving, "QUIET", 0.0)
    answered, is_sent = threading.Event(), threading.Event()

    def handle(peer: ServerConnection) -> None:
        for text in peer:
            request = json.loads(text)
            removes = request["action"] == "unsubscribe"
            peer.send(json.dumps({"type": "unsubscribed" if removes else "subscribed", "requestId": request["requestId"]}))
            if removes:
                assert answered.wait(PATIENCE)
                event = {"type": "entityUpdated", "id": "e1", "entityId": "u", "entityType": "T", "tenant": "demo"}
                peer.send(json.dumps({**event, "data": {}, "subscriptions": [request["subscription"]]}))
                is_sent.set()

    def debug(entry: DebugEntry) -> None:
        if entry.what == "unsubscribed":
            answered.set()
            assert is_sent.wait(PATIENCE)

    async def check(url: str) -> None:
        async with EntityStream(url, "demo", group_id="g", debug=debug) as stream:
            keep, rooms = stream.subscribe(), stream.subscribe()
            await asyncio.gather(keep.wait_ready(PATIENCE), rooms.wait_ready(PATIENCE))
            await rooms.aclose()
            assert [event.id async for event in rooms] == ["e1"]

    with serve(handle, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        run(check(f"ws://127.0.0.1:{server.socket.getsockname()[1]}"))
        server.shutdown()


def test_a_flood_of_events_holds_up_no_deadline():
    """The server sends events until the client sends a ping."""
    actions: list[str] = []
    is_over = threading.Event()

    def read(peer: ServerConnection) -> None:
        for text in peer:
            actions.append(json.loads(text)["action"])
            is_over.set()

    def handle(peer: ServerConnection) -> None:
        event = {"type": "entityUpdated", "entityId": "u", "entityType": "T", "tenant": "demo", "data": {}}
        with contextlib.suppress(ConnectionClosed):
            request = json.loads(peer.recv())
            peer.send(json.dumps({"type": "subscribed", "requestId": request["requestId"]}))
            threading.Thread(target=read, args=[peer], daemon=True).start()
            for number in itertools.count():
                if is_over.is_set():
                    return
                peer.send(json.dumps({**event, "id": f"e{number}", "subscriptions": ["s1"]}))

    async def check(url: str) -> None:
        async with EntityStream(url, "demo", ping_interval=0.05) as stream:
            await stream.subscribe(on_item=lambda _: None).wait_ready(PATIENCE)
            await until(is_over.is_set)
        assert actions[0] == "ping"

    with serve(handle, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        run(check(f"ws://127.0.0.1:{server.socket.getsockname()[1]}"))
        server.shutdown()


def test_a_get_token_that_hangs_is_called_once():
    async def check() -> None:
        calls: list[threading.Event] = []

        def get_token() -> str:
            calls.append(threading.Event())
            calls[-1].wait(PATIENCE)
            raise OSError

        errors: list[EntityStreamError] = []
        options = {"connect_timeout": 0.05, "backoff_min": 0.01, "backoff_max": 0.01}
        stream = EntityStream("ws://localhost:9", "demo", get_token=get_token, on_error=errors.append, **options)  # type: ignore[arg-type]
        stream.subscribe()
        await until(lambda: len(errors) >= 4)
        assert len(calls) == 1
        assert {error.code for error in errors} == {"token_unavailable"}
        calls[0].set()
        await until(lambda: len(calls) == 2)
        calls[1].set()
        await stream.aclose()

    run(check())


@pytest.mark.parametrize("work", ["get_token=hang", "load=hang"])
def test_a_function_that_hangs_does_not_keep_the_process(work: str, local: LocalSystem, tenant: str):
    token, load = (work, "") if work.startswith("get_token") else ("", work)
    script = f"""
import asyncio, time
from entity_stream import EntityStream
called = []
def hang():
    called.append(True)
    time.sleep({2 * PATIENCE})
async def main():
    async with EntityStream({local.url!r}, {tenant!r}, {token}) as stream:
        stream.entities({load})
        while not called:
            await asyncio.sleep(0.01)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", script], env=environment(PYTHONPATH=str(PACKAGE / "src")), timeout=PATIENCE, check=True)
