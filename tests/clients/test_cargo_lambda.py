"""The five function binaries under `cargo lambda watch`, behind the local gateway."""

import json
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from harness import PATIENCE, REPOSITORY, LocalSystem, Process, environment_without_aws, free_port, wait_until
from samples import EVENTS, samples

# `cargo lambda watch` builds a function at its first invocation. This may take minutes on a small machine.
BUILD_PATIENCE = 600.0


class Functions:
    """`cargo lambda watch` over this workspace."""

    def __init__(self, port: int, **variables: str):
        self.port = port
        # cargo-lambda is installed beside this Python. cargo finds this subcommand only through PATH.
        search_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = environment_without_aws(PATH=search_path, **variables)
        command = ["cargo", "lambda", "watch", "--ignore-changes", "--invoke-port", port]
        self.process = Process(command, name="cargo lambda watch", env=self.environment, cwd=REPOSITORY)
        try:
            wait_until(self._accepts_connections, "cargo lambda watch to accept connections")
        except BaseException:
            self.process.kill()
            raise

    def _accepts_connections(self) -> bool:
        self.process.expect_running()
        try:
            socket.create_connection(("localhost", self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def invoke(self, function: str, event: Path) -> dict:
        """Runs `cargo lambda invoke` as in docs/local.md."""
        command = ["cargo", "lambda", "invoke", function, "--data-file", str(event.relative_to(REPOSITORY))]
        invocation = Process(
            [*command, "--invoke-port", str(self.port)],
            name=" ".join(command),
            env=self.environment,
            cwd=REPOSITORY,
        )
        try:
            wait_until(lambda: self._is_over(invocation), invocation.name, BUILD_PATIENCE)
            assert invocation.wait() == 0, f"{invocation.name} failed:\n{invocation.output()}"
            return json.loads(invocation.output())
        finally:
            invocation.kill()

    def _is_over(self, invocation: Process) -> bool:
        # If a function does not build or start, its invocation waits for ever.
        assert "command exited" not in self.process.output(), f"cargo lambda watch:\n{self.process.output()}"
        return invocation.child.poll() is not None


@pytest.fixture(scope="module")
def deployed():
    """The functions, with the local gateway in front of them."""
    lambda_port = free_port()
    system = LocalSystem("--lambda-endpoint", f"http://localhost:{lambda_port}")
    functions = None
    try:
        functions = Functions(
            lambda_port,
            EVENT_STREAMING_ENABLED="true",
            AUTH_ENABLED="false",
            INGEST_ENABLED="true",
            WS_CONNECTIONS_TABLE=system.table(),
            WS_API_ENDPOINT=f"{system.url}/local",
            DEAD_LETTER_QUEUE_URL=f"{system.url}/000000000000/entity-stream-dead-letters",
            EVENT_BUS_NAME="default",
            BROADCAST_SPLIT_AT="2",
            AWS_ENDPOINT_URL_EVENTBRIDGE=system.url,
            AWS_ENDPOINT_URL_DYNAMODB=system.dynamodb_url,
            AWS_ENDPOINT_URL_SQS=system.url,
            AWS_REGION="us-east-1",
            AWS_ACCESS_KEY_ID="local",
            AWS_SECRET_ACCESS_KEY="local",
        )
        yield system, functions
        system.stop()
        functions.process.interrupt()
    finally:
        system.process.kill()
        print(system.process.output())
        if functions:
            functions.process.kill()
            print(functions.process.output())


def test_the_readme_lists_every_sample():
    assert sorted(samples()) == sorted(str(file.relative_to(EVENTS).with_suffix("")) for file in EVENTS.glob("*/*.json"))


# These tests run before the gateway is used, because they build the functions. The gateway waits only 29 seconds.
@pytest.mark.parametrize("sample", samples())
def test_cargo_lambda_invoke(deployed, sample):
    system, functions = deployed
    function, _, _ = sample.partition("/")
    answer = functions.invoke(function, samples()[sample].file)
    samples()[sample].check(answer, system.dead_letters())


def test_a_change_arrives_through_the_real_binaries(deployed):
    system, _ = deployed
    with connect(system.websocket_url("harbour"), open_timeout=PATIENCE, subprotocols=["access_token", "not-a-real-token"]) as client:
        assert client.subprotocol == "access_token"
        client.send(json.dumps({"action": "subscribe", "entityTypes": ["Room"], "requestId": "1"}))
        assert json.loads(client.recv(timeout=PATIENCE)) == {
            "type": "subscribed",
            "entityTypes": ["Room"],
            "requestId": "1",
        }

        system.publish("harbour", "Printer", "urn:ngsi-ld:Printer:001")
        event_id = system.publish("harbour", "Room", "urn:ngsi-ld:Room:001", '{"a":12345678901234567890,"b":1.0}')
        message = client.recv(timeout=PATIENCE)
        assert json.loads(message)["id"] == event_id
        assert '"data":{"a":12345678901234567890,"b":1.0}' in message

        client.send("not json")
        assert json.loads(client.recv(timeout=PATIENCE))["code"] == "invalid_json"
    wait_until(
        lambda: not any(pk.startswith("T#harbour#") for pk, _ in system.table_keys()),
        "the real $disconnect to forget the connection",
    )


def test_the_real_binary_hands_on_more_than_its_share(deployed):
    """With `BROADCAST_SPLIT_AT=2`, each of six clients gets the event exactly once."""
    system, _ = deployed
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(system.websocket_url("marina"), open_timeout=PATIENCE)) for _ in range(6)]
        event_id = system.publish("marina", "Berth", "urn:ngsi-ld:Berth:001")
        for client in clients:
            assert json.loads(client.recv(timeout=PATIENCE))["id"] == event_id
        for client in clients:
            client.send(json.dumps({"action": "ping"}))
            assert json.loads(client.recv(timeout=PATIENCE)) == {"type": "pong"}, "and once only"
    assert "Berth" not in system.dead_letters()


def test_a_refusal_of_the_real_binary_reaches_the_client(deployed):
    system, _ = deployed
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://localhost:{system.port}?tenant=a%23b")
    assert refused.value.response.status_code == 400
