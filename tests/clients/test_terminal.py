"""Commands show colour and progress in a terminal, and neither of them in a pipe."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness import BINARY, PATIENCE, LocalSystem, Process
from terminal import Terminal, a_terminals_environment

ESCAPE = "\x1b"
CYAN = f"{ESCAPE}[36m"
LINE = '{"type":"entityUpdated","entityId":"urn:ngsi-ld:Room:001","entityType":"Room","data":{}}\n'


def listener(local: LocalSystem) -> list:
    return [BINARY, "listen", "demo", "--url", f"ws://localhost:{local.port}", "--count", "1"]


def counts(screen: str) -> list[int]:
    """The counts of published events on the screen, in order."""
    return [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) events? published", screen)]


def to(local: LocalSystem) -> list[str]:
    return ["--endpoint-url", local.url]


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    """A file with enough events for a progress bar."""
    file = tmp_path / "events.ndjson"
    file.write_text(LINE * 200_000)
    return file


def test_events_are_coloured_in_a_terminal_with_colour(local: LocalSystem):
    for variables, coloured in [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]:
        terminal = Terminal(listener(local), **variables)
        try:
            terminal.wait_for("listening")
            local.publish("demo", "Room", "urn:ngsi-ld:Room:001")
            assert terminal.wait() == 0
            assert (f"{CYAN}updated" in terminal.screen) == coloured, (variables, terminal.screen)
            assert (ESCAPE in terminal.screen) == coloured, (variables, terminal.screen)
            assert "urn:ngsi-ld:Room:001" in terminal.screen
        finally:
            terminal.close()


def test_events_are_not_coloured_in_a_pipe(local: LocalSystem):
    client = Process(listener(local), name="listen", env=a_terminals_environment())
    try:
        assert "listening" in client.next_line("the subscription")
        local.publish("demo", "Room", "urn:ngsi-ld:Room:001")
        assert client.wait() == 0
        assert " updated Room urn:ngsi-ld:Room:001 temperature=21.5" in client.output(), client.output()
        assert ESCAPE not in client.output()
    finally:
        client.kill()


def test_entities_are_a_table_that_is_drawn_again_in_its_place(local: LocalSystem):
    local.publish("demo", "Room", "urn:ngsi-ld:Room:001")
    watch = [BINARY, "listen", "demo", "--url", f"ws://localhost:{local.port}", "--entities"]
    for number, (variables, coloured) in enumerate([({}, True), ({"NO_COLOR": "1"}, False)], start=2):
        terminal = Terminal(watch, **variables)
        try:
            terminal.wait_for("match")
            local.publish("demo", "Room", f"urn:ngsi-ld:Room:00{number}")
            terminal.wait_for(f"{number} entities match; demo at ")
            assert terminal.interrupt() == 0
            *_, before, last = terminal.screen.split(f"{ESCAPE}[J")
            assert before.endswith(f"{ESCAPE}[{number + 2}A\r"), repr(before)
            assert ("=" + f"{ESCAPE}[0m" in last) == coloured, repr(last)
            title, *rows, footer = re.sub(rf"{ESCAPE}\[[0-9;]*m", "", last).splitlines()
            assert title.split() == ["ID", "TYPE", "VERSION", "AGE", "ATTRIBUTES"], repr(last)
            ids = [f"urn:ngsi-ld:Room:00{room}" for room in range(1, number + 1)]
            assert [row.split()[:2] for row in rows] == [[id, "Room"] for id in ids], repr(last)
            assert all(row.endswith("temperature=21.5 (partial)") for row in rows), repr(last)
            assert footer.startswith(f"{number} entities match; demo at ws://localhost:"), repr(last)
        finally:
            terminal.close()


def test_a_long_file_shows_its_progress_and_its_result(local: LocalSystem, long_file: Path):
    terminal = Terminal([BINARY, "publish", "demo", "--file", long_file, *to(local)])
    try:
        terminal.wait_until(lambda: len(set(counts(terminal.screen))) >= 3, "a growing number of events")
        assert re.search(r"[█░]+ +\d+%  [\d,]+ events published, [\d,.]+/s", terminal.screen), terminal.screen
        assert terminal.interrupt() == 1
        *_, last = terminal.screen.rstrip().splitlines()
        assert re.search(r"stopped after [\d,]+ events published: interrupted$", last), terminal.screen
        assert counts(terminal.screen) == sorted(counts(terminal.screen))
    finally:
        terminal.close()


def test_input_without_a_known_end_is_counted(local: LocalSystem):
    reading, writing = os.pipe()
    terminal = Terminal([BINARY, "publish", "demo", "--file", "-", *to(local)], stdin=reading)

    def fed_and_counted() -> bool:
        if len(set(counts(terminal.screen))) < 3:
            os.write(writing, LINE.encode())
            return False
        return True

    try:
        terminal.wait_until(fed_and_counted, "a growing number of events")
        assert "%" not in terminal.screen
        os.close(writing)
        assert terminal.wait() == 0
        *_, last = terminal.screen.rstrip().splitlines()
        assert re.search(r"[\d,]+ events published$", last), terminal.screen
    finally:
        terminal.close()
        os.close(reading)


def test_a_simulation_counts_as_it_runs(local: LocalSystem):
    terminal = Terminal([BINARY, "simulate", "demo", "--rate", "50", *to(local)])
    try:
        terminal.wait_until(lambda: len(set(counts(terminal.screen))) >= 5, "a growing number of events")
        assert terminal.interrupt() == 0
        assert counts(terminal.screen) == sorted(counts(terminal.screen))
        *_, last = terminal.screen.rstrip().splitlines()
        assert re.search(r"[\d,]+ events published, [\d,.]+/s$", last), terminal.screen
    finally:
        terminal.close()


def test_a_pipe_gets_the_sum_alone(local: LocalSystem, tmp_path: Path):
    few = tmp_path / "few.ndjson"
    few.write_text(LINE * 5_000)
    for arguments in (["publish", "demo", "--file", few], ["simulate", "demo", "--rate", "5000", "--count", "5000"]):
        command = [BINARY, *arguments, *to(local)]
        ended = subprocess.run(command, env=a_terminals_environment(), capture_output=True, text=True, timeout=4 * PATIENCE)
        assert ended.returncode == 0, ended.stderr
        (line,) = ended.stderr.splitlines()
        assert line.startswith("5,000 events published"), line
        assert ended.stdout == ""


def test_a_person_is_asked_before_dead_letters_are_deleted(local: LocalSystem):
    local.client("sqs").send_message(QueueUrl=f"{local.url}/000000000000/entity-stream-dead-letters", MessageBody="{}")
    for answer, code, left in [("n", 1, 1), ("y", 0, 0)]:
        terminal = Terminal([BINARY, "dead-letters", "purge", "--all", *to(local)])
        try:
            terminal.wait_for("[y/N]")
            terminal.type(answer)
            assert terminal.wait() == code, terminal.screen
            assert ("nothing was deleted" in terminal.screen) == (code == 1), terminal.screen
        finally:
            terminal.close()
        assert local.dead_letters().count('"kind"') == left
