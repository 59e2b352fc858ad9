"""Runs a function's binary as Lambda does: the process gets events from a Runtime API and writes logs to its output."""

import http.server
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 30.0


class RuntimeApi(http.server.ThreadingHTTPServer):
    """The Runtime API. It provides events, accepts answers, and records the time of the first request for an event."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: queue.Queue[bytes] = queue.Queue()
        self.answers: queue.Queue[tuple[bool, bytes]] = queue.Queue()
        self.asked = threading.Event()
        self.asked_at = 0.0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return "127.0.0.1:{}".format(self.server_address[1])

    def handle_error(self, request, client_address):
        """Ignores errors: a process that ends closes its connections."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.server.asked.is_set():
            self.server.asked_at = time.perf_counter()
            self.server.asked.set()
        event = self.server.events.get()
        self.send_response(200)
        self.send_header("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000001")
        self.send_header("lambda-runtime-deadline-ms", str(int((time.time() + 29) * 1000)))
        self.send_header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:f")
        self.send_header("content-length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.answers.put((self.path.endswith("/response"), body))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Function:
    """A running bootstrap file. `started_in` is the time from its start to its first request for an event."""

    def __init__(self, bootstrap: Path, *, runner: Sequence[str] = (), **variables: str):
        self.api = RuntimeApi()
        environment = {
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_LAMBDA_FUNCTION_NAME": bootstrap.parent.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": "group",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        } | variables
        self.lines: list[str] = []
        started = time.perf_counter()
        self.child = subprocess.Popen([*runner, bootstrap], env=environment, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.child.stdout), daemon=True)
        self._reader.start()
        if not self.api.asked.wait(PATIENCE):
            self.stop()
            raise AssertionError(f"{bootstrap} requested no event; its log:\n{''.join(self.lines)}")
        self.started_in = self.api.asked_at - started

    def invoke(self, event: bytes) -> dict:
        self.api.events.put(event)
        success, body = self.api.answers.get(timeout=PATIENCE)
        assert success, f"the function failed: {body.decode()}\n{''.join(self.lines)}"
        return json.loads(body)

    def peak_memory(self) -> int:
        """The peak of resident memory, in KiB."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1])

    def stop(self):
        self.child.kill()
        self.child.wait()
        self._reader.join(PATIENCE)
        self.api.shutdown()
