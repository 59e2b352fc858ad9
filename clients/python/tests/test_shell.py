"""Servers that do not read, and functions of the program that do not return."""

from __future__ import annotations

import base64
import hashlib
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

from entity_stream import EntityStream, EntityStreamError

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
