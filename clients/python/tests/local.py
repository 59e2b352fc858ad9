"""The local system as a process, and a publisher."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from paths import ENTITY_STREAM

PATIENCE = 30.0
SECRET = "a secret of these tests, and of no other system"

# A process in the background of a non-interactive script ignores Ctrl-C, and its children inherit that. The local system ends
# with Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | more


class LocalSystem:
    """`entity-stream local`."""

    def __init__(self, *flags: str, ports: tuple[int, int] | None = None, **variables: str) -> None:
        assert ENTITY_STREAM.exists(), f"{ENTITY_STREAM} is missing: run `just build` first"
        for chance in range(3):
            self.ports = ports or (free_port(), free_port())
            command = [str(ENTITY_STREAM), "local", "--port", str(self.ports[0]), "--dynamodb-port", str(self.ports[1]), *flags]
            self.process = subprocess.Popen(
                command, env=environment(**variables), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
            )
            self.url = f"ws://localhost:{self.ports[0]}"
            self.http = f"http://localhost:{self.ports[0]}"
            if self._starts():
                return
            # Another test may have taken a port between the two moments.
            assert chance < 2, "the local system has ended"

    def _starts(self) -> bool:
        end = time.monotonic() + PATIENCE
        while True:
            is_healthy = self._is_healthy()
            if self.process.poll() is not None:
                return False
            if is_healthy:
                return True
            assert time.monotonic() < end, "the local system does not start"
            time.sleep(0.05)

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.http}/_local/health", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def publish(self, *changes: dict[str, Any], tenant: str = "demo") -> list[str]:
        """Publishes changes, ten at a time. Returns the ids of their events."""
        ids: list[str] = []
        for start in range(0, len(changes), 10):
            details = [
                {"type": "entityUpdated", "tenant": tenant, "entityType": "Room", **each} for each in changes[start : start + 10]
            ]
            entries = [{"Source": "test", "DetailType": "Entity Change", "Detail": json.dumps(each)} for each in details]
            headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSEvents.PutEvents"}
            body = json.dumps({"Entries": entries}).encode()
            with urllib.request.urlopen(urllib.request.Request(self.http, body, headers), timeout=PATIENCE) as response:
                answer = json.load(response)
            assert answer["FailedEntryCount"] == 0, answer
            ids += [each["EventId"] for each in answer["Entries"]]
        return ids

    def notify(self, entity_ids: list[str], tenant: str) -> None:
        """Publishes rooms as a broker does, many at a time: the attribute `n` is the place in the list."""
        for start in range(0, len(entity_ids), 100):
            rooms = list(enumerate(entity_ids))[start : start + 100]
            entities = [{"id": each, "type": "Room", "n": {"type": "Number", "value": n}} for n, each in rooms]
            body = json.dumps({"subscriptionId": "s", "data": entities}).encode()
            headers = {"Content-Type": "application/json", "Fiware-Service": tenant}
            request = urllib.request.Request(f"{self.http}/notify", body, headers)
            end = time.monotonic() + PATIENCE
            while not _accepts(request):
                assert time.monotonic() < end, "the notification is not accepted"
                time.sleep(0.1)

    def stop(self) -> None:
        """Stops the system with Ctrl-C."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def __enter__(self) -> LocalSystem:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _accepts(request: urllib.request.Request) -> bool:
    """Sends a notification. A broker sends it again after 503, which a busy machine answers."""
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return bool(response.status == 204)
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False


def mint(*arguments: str, life: str = "1h", tenant: str = "demo") -> str:
    """A token, made by `entity-stream token`."""
    command = [str(ENTITY_STREAM), "token", "--tenant", tenant, "--expires-in", life, *arguments]
    done = subprocess.run(command, env=environment(JWT_SECRET=SECRET), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def guarded(*flags: str, **variables: str) -> LocalSystem:
    """A system that requires tokens."""
    return LocalSystem(*flags, AUTH_ENABLED="true", JWT_SECRET=SECRET, **variables)


def room(number: int, **fields: Any) -> dict[str, Any]:
    """A change of a room."""
    return {"entityId": f"urn:ngsi-ld:Room:{number:04}", **fields}


def data_file(folder: Path) -> tuple[str, str]:
    return "--data", str(folder / "tables.db")
