"""The Rust client in a package outside the workspace: `examples/listen`, which docs/clients.md shows."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness import REPOSITORY, TARGET, LocalSystem, Process, environment_without_aws
from test_clients_page import block

EXAMPLE = REPOSITORY / "examples" / "listen"


@pytest.fixture(scope="module")
def listen() -> Path:
    """The built example. It shares the target folder, and so the dependencies that it builds in the same way."""
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET)}
    subprocess.run(["cargo", "build", "--locked"], cwd=EXAMPLE, env=environment, check=True)
    return TARGET / "debug" / "listen"


def test_the_page_shows_the_example():
    assert block("rust") == (EXAMPLE / "src" / "main.rs").read_text()


def test_example_shows_the_simulated_city_and_survives_a_restart(listen: Path):
    simulation = ("--simulate", "demo", "--simulate-rate", "20")
    system = LocalSystem(*simulation)
    client = Process([listen, f"ws://localhost:{system.port}"], name="the Rust example", env=environment_without_aws())
    again = None
    try:
        expect_rooms(client)
        system.stop()
        assert "; next attempt in " in next_line_that(client, lambda line: not is_room(line), "the lost connection")
        again = LocalSystem(*simulation, ports=(system.port, system.dynamodb_port))
        next_line_that(client, lambda line: line == "listening", "the subscription after the restart")
        next_line_that(client, is_room, "an event after the restart")
    finally:
        client.kill()
        system.process.kill()
        if again:
            again.process.kill()


def expect_rooms(client: Process):
    """The first lines: the subscription, perhaps after an event, and then rooms and nothing else."""
    lines = [client.next_line("a line") for _ in range(10)]
    assert lines.count("listening") == 1, lines
    assert sum(is_room(line) for line in lines) == 9, lines


def is_room(line: str) -> bool:
    entity_id, _, frame = line.partition(" ")
    if not frame.startswith("{"):
        return False
    event = json.loads(frame)
    return event["entityId"] == entity_id and event["entityType"] == "Room"


def next_line_that(client: Process, fits, what: str) -> str:
    while not fits(line := client.next_line(what)):
        pass
    return line
