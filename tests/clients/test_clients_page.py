"""The Python, terminal and wscat examples of docs/clients.md. The TypeScript client's own tests run its examples."""

import json
import re
import shlex
import subprocess
import sys

from harness import BINARY, REPOSITORY, LocalSystem, Process, environment_without_aws
from test_wscat import wscat

PAGE = (REPOSITORY / "docs" / "clients.md").read_text()
URL = "ws://localhost:3000"
SECRET = "the signing secret of this check alone"


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    # The own tests of the Python client run the examples with it.
    (block,) = [each for each in found if "from entity_stream" not in each]
    return block


def python_client(**variables: str) -> Process:
    environment = environment_without_aws(PYTHONUNBUFFERED="1", **variables)
    return Process([sys.executable, "-c", block("python")], name="the Python example", env=environment)


def test_python_example_shows_each_change_and_survives_a_restart(local: LocalSystem):
    client = python_client(ENTITY_STREAM_URL=f"ws://localhost:{local.port}")
    again = None
    try:
        assert client.next_line("the subscription") == "listening"
        for number in range(3):
            local.publish("demo", "Printer", f"urn:ngsi-ld:Printer:{number}")
            local.publish("demo", "Room", f"urn:ngsi-ld:Room:{number}", '{"temperature":21.5}')
            line = client.next_line(f"event {number}")
            assert line == f"entityUpdated urn:ngsi-ld:Room:{number} {{'temperature': 21.5}}"
        local.publish("demo", "Room", "urn:ngsi-ld:Room:large", json.dumps({"note": "x" * 200_000}))
        line = client.next_line("an event without its data")
        assert line == "entityUpdated urn:ngsi-ld:Room:large (too large: read the entity)"

        local.stop()
        again = LocalSystem(ports=(local.port, local.dynamodb_port))
        assert client.next_line("the subscription after the restart") == "listening"
        again.publish("demo", "Room", "urn:ngsi-ld:Room:9")
        assert "urn:ngsi-ld:Room:9" in client.next_line("an event after the restart")
    finally:
        client.kill()
        if again:
            again.process.kill()


def test_python_example_is_accepted_with_a_token_and_stops_without_one():
    system = LocalSystem(AUTH_ENABLED="true", JWT_SECRET=SECRET)
    url = f"ws://localhost:{system.port}"
    mint = [BINARY, "token", "--tenant", "demo"]
    environment = environment_without_aws(JWT_SECRET=SECRET)
    token = subprocess.run(mint, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    refused, client = python_client(ENTITY_STREAM_URL=url), python_client(ENTITY_STREAM_URL=url, ENTITY_STREAM_TOKEN=token)
    try:
        assert client.next_line("the subscription") == "listening"
        assert refused.wait() == 1
        assert "refused: " in refused.output(), refused.output()
        system.stop()
    finally:
        client.kill()
        refused.kill()
        system.process.kill()


def test_listen_prints_these_lines(local: LocalSystem):
    """The commands of the page, and the lines that the page shows below two of them."""
    section = PAGE.partition("## A terminal\n")[2].partition("\n## ")[0]
    scripts = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    commands = [command for script in scripts for command in commands_of(script)]
    assert all(command[:3] == ["cargo", "run", "--"] for command in commands), commands
    (publish,) = [command[3:] for command in commands if command[3] == "publish"]
    # Those with a time limit are about past events, and run with the other commands of the documentation.
    listeners = [command[3:] for command in commands if command[3] == "listen" and "--timeout" not in command]
    url = ["--url", f"ws://localhost:{local.port}"]
    running = [Process([BINARY, *arguments, *url], name="listen", env=environment_without_aws()) for arguments in listeners]
    try:
        for listener in running:
            assert listener.next_line("the subscription").startswith("listening to demo at ")
        subprocess.run([BINARY, *publish, "--endpoint-url", local.url], env=environment_without_aws(), check=True)
        shown = re.findall(r"^```log\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        # The page shows no lines below the command in the middle.
        for listener, expected in zip(running[::2], shown, strict=True):
            lines = [listener.next_line("the change") for _ in expected.splitlines()]
            assert sorted(map(without_time, lines)) == sorted(map(without_time, expected.splitlines()))
    finally:
        for listener in running:
            listener.kill()


def commands_of(script: str) -> list[list[str]]:
    words = shlex.split(script.replace("\\\n", ""))
    starts = [index for index, word in enumerate(words) if word == "cargo"]
    return [words[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def without_time(line: str) -> str:
    return line.partition(" ")[2]


def test_wscat_session_of_the_page_has_these_answers(local: LocalSystem):
    command, connected, *lines = block("text").splitlines()
    assert command.startswith("$ npx wscat ") and connected.startswith("Connected")
    _, _, *arguments = shlex.split(command.removeprefix("$ ").replace(URL, f"ws://localhost:{local.port}"))
    terminal = wscat(arguments)
    try:
        terminal.wait_for(connected)
        for number, (typed, answer) in enumerate(zip(lines[::2], lines[1::2], strict=True), start=1):
            assert typed.startswith("> ") and answer.startswith("< "), (typed, answer)
            terminal.type(typed.removeprefix("> "))
            # The answer to a message may come before that to an earlier one.
            terminal.wait_for_message(number)
        expected = [json.loads(line.removeprefix("< ")) for line in lines if line.startswith("< ")]
        received = [json.loads(message) for message in terminal.received()]
        # The page shows an ellipsis in place of a position or a session, which differ.
        assert [{name: "…" if name in ("position", "session") else value for name, value in each.items()} for each in received] == expected
    finally:
        terminal.close()
