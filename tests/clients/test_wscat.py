"""`wscat` in a terminal, as in the seeds."""

import json
import shlex
import shutil

from harness import NODE_MODULES, SEEDS, LocalSystem
from terminal import Terminal

PLACEHOLDER = "wss://{api-id}.execute-api.{region}.amazonaws.com/{stage}"


def seed_session(url: str) -> tuple[list[str], list[str]]:
    """The command and the lines to type from the seeds' `wscat` example."""
    lines = (SEEDS / "wscat.txt").read_text().splitlines()
    (command,) = [line for line in lines if line.startswith("wscat")]
    assert command.count(PLACEHOLDER) == 1
    typed = [line.removeprefix("> ") for line in lines if line.startswith("> ")]
    return shlex.split(command.replace(PLACEHOLDER, url)), typed


class Wscat(Terminal):
    def received(self) -> list[str]:
        """The messages that wscat has printed, each after `< `."""
        lines = self.screen.replace("\r", "\n").split("\n")
        return [line[line.index("< ") + 2 : line.rindex("}") + 1] for line in lines if "< {" in line]


def wscat(arguments: list[str]) -> Wscat:
    assert shutil.which("node"), "node is missing"
    program = NODE_MODULES / ".bin" / "wscat"
    assert program.exists(), f"{program} is missing: run `npm ci` in tests/clients"
    return Wscat([str(program), "--no-color", *arguments])


def test_wscat_session(local: LocalSystem):
    (_, *arguments), (subscribe, ping) = seed_session(f"ws://localhost:{local.port}")
    assert "Authorization: Bearer YOUR_TOKEN" in arguments
    terminal = wscat(arguments)
    try:
        terminal.wait_for("Connected")
        terminal.type(subscribe)
        local.wait_for_interest("smartcity", "Room")
        terminal.type(ping)
        terminal.wait_for('{"type":"pong"}')

        local.publish("smartcity", "Printer", "urn:ngsi-ld:Printer:001")
        local.publish("smartcity", "Room", "urn:ngsi-ld:Room:001")
        terminal.wait_for("urn:ngsi-ld:Room:001")
        terminal.type(json.dumps({"action": "unsubscribe", "requestId": "bye"}))
        terminal.wait_for('{"type":"unsubscribed","requestId":"bye"}')

        types = [json.loads(message)["type"] for message in terminal.received()]
        assert types == ["pong", "entityUpdated", "unsubscribed"], terminal.screen
        local.stop()
        terminal.wait_for("Disconnected (code: 1001")
    finally:
        terminal.close()


def test_wscat_is_refused_without_a_tenant(local: LocalSystem):
    terminal = wscat(["-c", f"ws://localhost:{local.port}"])
    try:
        terminal.wait_for("Unexpected server response: 400")
    finally:
        terminal.close()
