"""Shared parts of the checks: the local system as a process, clients for its APIs, and waits with a deadline."""

import errno
import itertools
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
BINARY = TARGET / "debug" / "entity-stream"
SEEDS = Path(__file__).parent / "seeds"
NODE_MODULES = Path(__file__).parent / "node_modules"

# The time limit for each wait. It is generous, because the machine may be building at the same time.
PATIENCE = 30.0


# Ports below those that the machine assigns by itself, so that no other program gets one between its choice and its use, or while
# a system restarts. Each process begins elsewhere, and takes no port twice.
PORTS = range(12_000, 32_000)
_candidates = itertools.cycle(PORTS)
for _ in range(os.getpid() * 211 % len(PORTS)):
    next(_candidates)


def free_port() -> int:
    return next(port for port in _candidates if _is_unused(port))


def _is_unused(port: int) -> bool:
    for family, host in [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]:
        try:
            with socket.socket(family) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True


def wait_until(condition, what: str, seconds: float = PATIENCE):
    """Calls `condition` until it is truthy and returns the result."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}; the last answer was {answer!r}")
        time.sleep(0.05)


def environment_without_aws(**additional: str) -> dict[str, str]:
    """The environment without the AWS settings of the machine, because the local system must not need any."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return inherited | additional

# A process in the background of a non-interactive script ignores Ctrl-C, and its children inherit that. Some tests end their
# children with Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Process:
    """A child process. Its output is collected line by line, and tests can wait for lines."""

    def __init__(self, command: list, *, name: str, env: dict[str, str] | None = None, **options):
        self.name = name
        self.lines: list[str] = []
        self._new_lines: queue.Queue[str] = queue.Queue()
        self.child = subprocess.Popen(
            [str(part) for part in command],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A process group of its own, so that its children can be stopped with it.
            process_group=0,
            **options,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.append(line.rstrip("\n"))
            self._new_lines.put(line.rstrip("\n"))

    def output(self) -> str:
        return "\n".join(self.lines)

    def next_line(self, what: str, seconds: float = PATIENCE) -> str:
        """The next line of the output that was not returned yet."""
        try:
            return self._new_lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(
                f"{self.name}: waited {seconds:.0f} s for {what}; its output so far:\n{self.output()}"
            ) from None

    def expect_running(self):
        code = self.child.poll()
        assert code is None, f"{self.name} ended with {code}; its output:\n{self.output()}"

    def wait(self, seconds: float = PATIENCE) -> int:
        """Waits until the process ends by itself."""
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds:.0f} s; its output:\n{self.output()}") from None
        self._reader.join(PATIENCE)
        return code

    def interrupt(self, seconds: float = PATIENCE) -> int:
        """Sends Ctrl-C to the whole group, as a terminal does."""
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGINT)
        return self.wait(seconds)

    def kill(self):
        """Kills the process group if it still runs, at the end of a check."""
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()


class LocalSystem:
    """`entity-stream local` on free ports, or on the ports of a system that has ended."""

    def __init__(self, *flags: str, ports: tuple[int, int] | None = None, **variables: str):
        assert BINARY.exists(), f"{BINARY} is missing: run `cargo build` first"
        self.port, self.dynamodb_port = ports or (free_port(), free_port())
        command = [BINARY, "local", "--port", self.port, "--dynamodb-port", self.dynamodb_port, *flags]
        self.process = Process(command, name="entity-stream local", env=environment_without_aws(**variables))
        self.url = f"http://localhost:{self.port}"
        self.dynamodb_url = f"http://localhost:{self.dynamodb_port}"
        try:
            wait_until(self._is_healthy, "the local system to be healthy")
        except BaseException:
            self.process.kill()
            raise

    def _is_healthy(self) -> bool:
        self.process.expect_running()
        try:
            with urllib.request.urlopen(f"{self.url}/_local/health", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def stop(self):
        """Stops the system with Ctrl-C and checks that it exits with 0."""
        code = self.process.interrupt()
        assert code == 0, f"entity-stream local must exit with 0 after Ctrl-C, not {code}:\n{self.process.output()}"

    def websocket_url(self, tenant: str, **parameters: str) -> str:
        query = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"ws://localhost:{self.port}?tenant={tenant}{query}"

    def dead_letters(self) -> str:
        with urllib.request.urlopen(f"{self.url}/_local/dead-letters", timeout=PATIENCE) as response:
            return response.read().decode()

    def client(self, service: str, endpoint: str | None = None):
        """A boto3 client of the gateway and the event bus."""
        return aws_client(service, endpoint or self.url)

    def dynamodb(self):
        return aws_client("dynamodb", self.dynamodb_url)

    def table(self) -> str:
        """The name of the table of connections."""
        return "entity-stream-connections"

    def api_keys_table(self) -> str:
        """The name of the table of API keys."""
        return "entity-stream-api-keys"

    def history_table(self) -> str:
        """The name of the table of the history."""
        return "entity-stream-history"

    def table_keys(self) -> set[tuple[str, str]]:
        pages = self.dynamodb().get_paginator("scan").paginate(TableName=self.table(), ConsistentRead=True)
        return {(item["pk"]["S"], item["sk"]["S"]) for page in pages for item in page["Items"]}

    def connection_ids(self) -> list[str]:
        """The ids of the registered connections, from the table. No API tells a client its own id."""
        return [pk.removeprefix("C#") for pk, _ in self.table_keys() if pk.startswith("C#")]

    def wait_for_interest(self, tenant: str, entity_type: str):
        """Waits for the effect of a `subscribe` without `requestId`, which gets no answer."""
        partition = f"T#{tenant}#{entity_type}"
        wait_until(lambda: any(pk == partition for pk, _ in self.table_keys()), f"an interest in {partition}")

    def publish(self, tenant: str, entity_type: str, entity_id: str, data: str = '{"temperature":21.5}') -> str:
        """Publishes one update with the text of `data` unchanged. Returns the event's id."""
        detail = json.dumps(
            {"type": "entityUpdated", "tenant": tenant, "entityId": entity_id, "entityType": entity_type, "data": None}
        ).replace("null", data)
        answer = self.client("events").put_events(Entries=[entry(detail)])
        assert answer["FailedEntryCount"] == 0, answer
        return answer["Entries"][0]["EventId"]


def entry(detail: str) -> dict[str, str]:
    return {"Source": "com.example.broker", "DetailType": "Entity Change", "Detail": detail}


def aws_client(service: str, endpoint: str):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        # One attempt, because a check needs the first answer and not the one after retries.
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=PATIENCE, read_timeout=PATIENCE),
    )
