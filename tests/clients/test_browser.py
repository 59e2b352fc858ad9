"""The unmodified browser clients of the seeds in headless Chromium."""

import functools
import http.server
import json
import subprocess
import threading
from contextlib import contextmanager

import pytest

from browser import Console, chromium
from harness import BINARY, SEEDS, LocalSystem, environment_without_aws


class Seeds(http.server.SimpleHTTPRequestHandler):
    """Serves the seeds, as any web server on this machine would."""

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=SEEDS)

    def do_GET(self):
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@contextmanager
def served(handler):
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"localhost:{server.server_port}"
        finally:
            server.shutdown()


def page_system(page_port: int):
    """A flag for the port of the pages, which use `localhost:3000`. Chromium maps it, so the pages stay unchanged."""
    return f"--host-resolver-rules=MAP localhost:3000 localhost:{page_port}"


def test_a_page_from_a_file_connects_only_if_it_may():
    for flags, text in [([], "Unexpected response code: 403"), (["--allow-origin", "null"], "Connection successful")]:
        system = LocalSystem(*flags)
        try:
            with chromium(page_system(system.port)) as page:
                console = Console(page)
                page.goto((SEEDS / "quick-start.html").as_uri())
                console.wait_for(text)
            system.stop()
            assert ("--allow-origin null" in system.process.output()) == (not flags), "the log names the option"
        finally:
            system.process.kill()


def test_quick_start_page_shows_published_changes(local: LocalSystem):
    with served(Seeds) as site, chromium(page_system(local.port)) as page:
        console = Console(page)
        page.goto(f"http://{site}/quick-start.html")
        console.wait_for("Connection successful")
        local.wait_for_interest("demo", "Room")

        local.publish("demo", "Printer", "urn:ngsi-ld:Printer:001")
        local.publish("demo", "Room", "urn:ngsi-ld:Room:001", '{"temperature":{"type":"Number","value":23.5}}')
        shown = page.locator("#events div")
        shown.first.wait_for()
        local.publish("demo", "Sensor", "urn:ngsi-ld:Sensor:001", "{}")
        shown.nth(1).wait_for()

        # The page shows exactly these two: no event outside its filter, and no answer that it did not request.
        assert shown.all_inner_texts() == [
            'entityUpdated: urn:ngsi-ld:Room:001 - {"temperature":{"type":"Number","value":23.5}}',
            "entityUpdated: urn:ngsi-ld:Sensor:001 - {}",
        ]
        console.expect_no_errors()
        local.stop()
        console.wait_for("Disconnected")


class Broker(http.server.BaseHTTPRequestHandler):
    """The surroundings of the JavaScript client: its page, and `/auth/login` on the same host."""

    def __init__(self, script: str, token: str, *arguments):
        self.script = script
        self.token = token
        super().__init__(*arguments)

    def do_GET(self):
        self.respond("text/html; charset=utf-8", f"<!DOCTYPE html><title>client</title><script>{self.script}</script>")

    def do_POST(self):
        assert self.path == "/auth/login", self.path
        self.rfile.read(int(self.headers["Content-Length"]))
        self.respond("application/json", json.dumps({"accessToken": self.token}))

    def respond(self, content_type: str, body: str):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@contextmanager
def authenticated_client(stream_url: str, token: str = "not-a-real.access-token.at-all"):
    """The JavaScript client in a page. Only its two placeholder URLs are replaced."""
    script = (SEEDS / "javascript-with-authentication.js").read_text()
    with http.server.ThreadingHTTPServer(("localhost", 0), None) as server:
        for placeholder, url in [
            ("https://your-api.example.com", f"http://localhost:{server.server_port}"),
            ("wss://your-api.execute-api.ap-northeast-1.amazonaws.com/prod", stream_url),
        ]:
            assert script.count(placeholder) == 1, f"{placeholder} is in the client {script.count(placeholder)} times"
            script = script.replace(placeholder, url)
        server.RequestHandlerClass = functools.partial(Broker, script, token)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with chromium() as page:
                console = Console(page)
                page.goto(f"http://localhost:{server.server_port}/")
                yield console
        finally:
            server.shutdown()


# The URL has a stage on API Gateway; locally the stage is optional.
@pytest.mark.parametrize("stage", ["", "/local"])
def test_javascript_client_with_token_logs_events(local: LocalSystem, stage: str):
    with authenticated_client(f"ws://localhost:{local.port}{stage}") as console:
        # A browser drops the connection unless the response of the handshake selects an offered sub-protocol.
        console.wait_for("Authenticated connection successful")
        local.wait_for_interest("demo", "Vehicle")

        local.publish("demo", "Room", "urn:ngsi-ld:Room:001")
        event_id = local.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:042", '{"speed":50}')
        logged = console.wait_for("Event received")
        event = json.loads(logged[logged.index("{") :])
        assert (event["id"], event["entityId"], event["data"]) == (event_id, "urn:ngsi-ld:Vehicle:042", {"speed": 50})
        console.expect_no_errors()

        local.stop()
        assert "1001" in console.wait_for("Disconnected")
        received = [text for _, text in console.messages if "Event received" in text]
        assert len(received) == 1, f"the client should log one event; it logged {received}"


SECRET = "the secret of this check, and of nothing else"


def test_javascript_client_is_accepted_with_a_token_in_the_sub_protocol():
    system = LocalSystem(AUTH_ENABLED="true", JWT_SECRET=SECRET)
    mint = [BINARY, "token", "--tenant", "demo"]
    token = subprocess.run(mint, env=environment_without_aws(JWT_SECRET=SECRET), capture_output=True, text=True, check=True)
    try:
        with authenticated_client(f"ws://localhost:{system.port}", token.stdout.strip()) as console:
            console.wait_for("Authenticated connection successful")
            system.wait_for_interest("demo", "Vehicle")
            system.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:042")
            console.wait_for("Event received")
            console.expect_no_errors()
        system.stop()
        assert token.stdout.strip() not in system.process.output(), "the log contains a token"
    finally:
        system.process.kill()
        print(system.process.output())


def test_javascript_client_gets_1008_when_it_is_refused():
    system = LocalSystem(AUTH_ENABLED="true", JWT_SECRET=SECRET)
    try:
        with authenticated_client(f"ws://localhost:{system.port}") as console:
            console.wait_for("Authentication error: Token is invalid or expired")
        system.stop()
    finally:
        system.process.kill()
        print(system.process.output())
