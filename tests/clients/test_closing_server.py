"""The examples of docs/clients.md against a server that accepts each connection and closes it at once."""

import contextlib
import re
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from browser import chromium
from harness import wait_until
from test_clients_page import PAGE, URL, python_client

# Waits that start anew with each connection would make hundreds of connections in this time.
SECONDS = 8
MOST_CONNECTIONS = 16


class ClosingServer:
    def __init__(self):
        self.connections = 0
        self.server = serve(self.handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, connection):
        self.connections += 1
        # A server that closes while a message is on its way waits ten seconds for the end of the connection.
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            connection.recv(timeout=0.2)
        connection.close()

    def judge(self):
        """Counts for a while, from the second connection on: the example is a client that comes back."""
        wait_until(lambda: self.connections >= 2, "the second connection")
        time.sleep(SECONDS)
        assert 3 <= self.connections <= MOST_CONNECTIONS


@pytest.fixture
def closing_server():
    server = ClosingServer()
    yield server
    server.server.shutdown()


def test_python_example_waits_longer_each_time(closing_server):
    client = python_client(ENTITY_STREAM_URL=closing_server.url)
    try:
        closing_server.judge()
        client.expect_running()
    finally:
        client.kill()


def test_page_example_waits_longer_each_time(closing_server):
    (page_html,) = re.findall(r"^```html\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    with chromium() as page:
        page.set_content(page_html.replace(URL, closing_server.url))
        closing_server.judge()
