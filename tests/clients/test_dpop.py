"""Proof of possession with WebCrypto, in Chromium and in Node.js: the code of docs/identity.md."""

import base64
import hashlib
import hmac
import http.server
import json
import re
import shutil
import threading
import time

import pytest

from browser import Console, chromium
from harness import REPOSITORY, LocalSystem, Process, environment_without_aws

SECRET = "a-secret-of-more-than-thirty-two-bytes"

LISTEN = """
  const key = await createKey();
  const isReadable = await crypto.subtle.exportKey('pkcs8', key.privateKey).then(() => true, () => false);
  if (isReadable) throw new Error('the private key can be read');
  const other = await createKey();
  const token = await mint(key.thumbprint);
  const refusal = await openStream(url, token, other).then(() => 'none', (error) => error.message);
  console.log(`refused: ${refusal}`);
  const stream = await openStream(url, token, key);
  stream.onmessage = ({ data }) => console.log(`event: ${data}`);
  console.log('bound');
"""


def script() -> str:
    page = (REPOSITORY / "docs" / "identity.md").read_text()
    (block,) = re.findall(r"^```js\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return block


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def mint(thumbprint: str) -> str:
    """A token of the tenant `demo` that is bound to this key."""
    claims = {"sub": "alice", "role": "user", "tenant": "demo", "exp": int(time.time()) + 600, "cnf": {"jkt": thumbprint}}
    signed = ".".join(part(json.dumps(value).encode()) for value in ({"alg": "HS256"}, claims))
    signature = hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{part(signature)}"


@pytest.fixture
def guarded():
    system = LocalSystem("--refuse-with", "status", AUTH_ENABLED="true", JWT_SECRET=SECRET)
    try:
        yield system
        system.stop()
    finally:
        system.process.kill()


class Page(http.server.BaseHTTPRequestHandler):
    """A page with the code, on an origin of this machine. WebCrypto needs one."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(f"<!DOCTYPE html><title>client</title><script>{script()}</script>".encode())

    def log_message(self, *_):
        pass


def check(system: LocalSystem, wait_for):
    """Waits for the lines of the client, and publishes the event that it has to receive."""
    assert wait_for("refused: ").endswith("the DPoP proof is signed with another key than that of the token")
    wait_for("bound")
    event_id = system.publish("demo", "Room", "urn:ngsi-ld:Room:001")
    line = wait_for("event: ")
    assert json.loads(line.split("event: ", 1)[1])["id"] == event_id


def test_a_browser_binds_a_key_that_no_script_can_read(guarded: LocalSystem):
    with http.server.ThreadingHTTPServer(("localhost", 0), Page) as server, chromium() as page:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            console = Console(page)
            page.expose_function("mint", mint)
            page.goto(f"http://localhost:{server.server_port}/")
            url = f"ws://localhost:{guarded.port}/?tenant=demo"
            page.evaluate(f"async (url) => {{ {LISTEN} }}", url)
            check(guarded, console.wait_for)
            console.expect_no_errors()
        finally:
            server.shutdown()


def test_node_binds_a_key(guarded: LocalSystem, tmp_path):
    # Node.js has no login here: the test signs a token for the thumbprint that the program prints.
    program = tmp_path / "client.mjs"
    program.write_text(
        f"""
        import {{ createInterface }} from 'node:readline/promises';
        {script()}
        const lines = createInterface({{ input: process.stdin }});
        const mint = (thumbprint) => {{
          console.log(`thumbprint: ${{thumbprint}}`);
          return new Promise((resolve) => lines.once('line', resolve));
        }};
        const url = process.argv[2];
        {LISTEN}
        """
    )
    command = [shutil.which("node"), "--experimental-websocket", program, f"ws://localhost:{guarded.port}/?tenant=demo"]
    process = Process(command, name="the client in Node.js", env=environment_without_aws(), stdin=-1)
    try:

        def wait_for(text: str) -> str:
            while text not in (line := process.next_line(text)):
                pass
            return line

        thumbprint = wait_for("thumbprint: ").split()[-1]
        process.child.stdin.write(f"{mint(thumbprint)}\n")
        process.child.stdin.flush()
        check(guarded, wait_for)
    finally:
        process.kill()
