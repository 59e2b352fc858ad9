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
        """The messages that wscat has printed, each after `< `. Without the last line, which may be incomplete."""
        lines = self.screen.replace("\r", "\n").split("\n")[:-1]
        return [line[line.index("< ") + 2 : line.rindex("}") + 1] for line in lines if "< {" in line]

    def wait_for_message(self, number: int):
        """Waits until wscat has printed so many messages. What is typed appears on the screen too, so that a part of an answer
        may stand there before the answer."""
        self.wait_until(lambda: len(self.received()) >= number, f"message {number}")


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
        terminal.wait_for_message(1)

        local.publish("smartcity", "Printer", "urn:ngsi-ld:Printer:001")
        local.publish("smartcity", "Room", "urn:ngsi-ld:Room:001")
        terminal.wait_for_message(2)
        terminal.type(json.dumps({"action": "unsubscribe", "requestId": "bye"}))
        terminal.wait_for_message(3)

        pong, event, unsubscribed = [json.loads(message) for message in terminal.received()]
        assert pong == {"type": "pong"}
        assert (event["type"], event["entityId"]) == ("entityUpdated", "urn:ngsi-ld:Room:001")
        assert unsubscribed == {"type": "unsubscribed", "requestId": "bye"}
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
