"""Each role allows exactly the calls of its function's binary, and each function has exactly the variables that it reads.

The operations are read from the binary. The SDK names an operation in a header, `DynamoDB_20120810.GetItem`, and the linker
removes unreachable code. The names in a binary are therefore the operations that it can call.

A binary does not tell which table an operation is for. The tests therefore run it on the sample events, and with API keys, behind
a proxy that records the operations on each table.
"""

import base64
import json
import re
import subprocess

import botocore.session
import pytest

from harness import BINARY
from lambda_process import Function
from recorder import Recorder
from samples import EVENTS, samples
from stack import REPOSITORY, Stack
from test_packages import FUNCTIONS, built, local, variables  # noqa: F401

@pytest.fixture(scope="module")
def on() -> Stack:
    """The stack with all functions."""
    return Stack(EventStreamingEnabled="true", IngestEnabled="true")


SERVICES = {"dynamodb": "dynamodb", "sqs": "sqs", "events": "events", "secretsmanager": "secretsmanager"}

# The calls that Lambda itself makes with a function's role.
PLATFORM = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}

# A transaction has no permission of its own. It needs the permissions of its parts.
PARTS = {"put": "PutItem", "delete": "DeleteItem", "update": "UpdateItem", "condition_check": "ConditionCheckItem"}


def source(*crates: str) -> str:
    files = [file for crate in crates for file in sorted((REPOSITORY / "crates" / crate / "src").glob("**/*.rs"))]
    return "\n".join(file.read_text() for file in files)


def operations(binary: bytes) -> set[str]:
    """The operations in a binary, as `dynamodb:GetItem`."""
    found = set()
    for prefix, service in SERVICES.items():
        model = botocore.session.get_session().get_service_model(service)
        names = sorted(model.operation_names, key=len, reverse=True)
        target = model.metadata["targetPrefix"].encode()
        for match in re.finditer(rb"(?=" + re.escape(target) + rb"\.([A-Za-z]+))", binary):
            # Strings in a binary have no separator, so the next string may follow directly. The longest matching name counts.
            text = match[1].decode()
            found.add(f"{prefix}:{next(name for name in names if text.startswith(name))}")
    return found


def actions_of(binary: bytes) -> set[str]:
    actions = set()
    for operation in operations(binary):
        if operation == "dynamodb:TransactWriteItems":
            parts = re.findall(r"TransactWriteItem::builder\(\)\s*\.(\w+)\(", source("connections"))
            assert parts
            actions |= {f"dynamodb:{PARTS[part]}" for part in parts}
        else:
            actions.add(operation)
    if b"/@connections/" in binary:
        actions.add("execute-api:ManageConnections")
    return actions


def statements(stack: Stack, function: str) -> list[dict]:
    (policy,) = stack.resources[f"{function.capitalize()}Role"]["Properties"]["Policies"]
    return policy["PolicyDocument"]["Statement"]


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


def allowed(stack: Stack, function: str) -> set[str]:
    return {action for statement in statements(stack, function) for action in listed(statement["Action"])}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_what_the_binary_calls_and_nothing_else(on, built, function):  # noqa: F811
    assert allowed(on, function) - PLATFORM == actions_of(built[function].read_bytes())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_names_its_resources(on, function):
    api = "arn:aws:execute-api:eu-west-1:123456789012:<Api>/live"
    resources = {
        "dynamodb": {"<ConnectionsTable>.Arn", "<HistoryTable>.Arn", "<ApiKeysTable>.Arn"},
        "secretsmanager": {"<SigningSecret>"},
        "sqs": {"<DeadLetterQueue>.Arn"},
        "events": {"arn:aws:events:eu-west-1:123456789012:event-bus/default"},
        "execute-api": {f"{api}/POST/@connections/*", f"{api}/DELETE/@connections/*"},
        "logs": {f"<{function.capitalize()}Logs>.Arn"},
        # X-Ray has no resource-level permissions.
        "xray": {"*"},
    }
    for statement in statements(on, function):
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            service, _, name = action.partition(":")
            assert "*" not in name
            assert set(listed(statement["Resource"])) <= resources[service], statement
    managed = on.resources[f"{function.capitalize()}Role"]["Properties"].get("ManagedPolicyArns", [])
    assert not managed


def allowed_on(stack: Stack, function: str, table: str) -> set[str]:
    """The operations that a role allows on a table."""
    actions = set()
    for statement in statements(stack, function):
        if f"<{table}>.Arn" in listed(statement["Resource"]):
            actions |= {action.removeprefix("dynamodb:") for action in listed(statement["Action"])}
    return actions


@pytest.fixture(scope="module")
def recorded(built, local, variables):  # noqa: F811
    """The operations of each function on each table, while it handled the sample events and handshakes with API keys."""
    created = subprocess.run(
        [BINARY, "keys", "create", "robot", "--tenant", "smartcity", "--dynamodb-url", local.dynamodb_url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    publisher = subprocess.run(
        [BINARY, "keys", "create", "orion", "--role", "publisher", "--tenant", "smartcity", "--dynamodb-url", local.dynamodb_url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    recorder = Recorder(local.dynamodb_url)
    guarded = {"AUTH_ENABLED": "true", "JWT_SECRET": "0123456789abcdef" * 2, "WS_API_KEYS_TABLE": local.api_keys_table()}
    operations = {}
    try:
        for name in FUNCTIONS:
            recorder.operations.clear()
            for settings in ({}, guarded):
                process = Function(built[name], **variables | settings | {"AWS_ENDPOINT_URL_DYNAMODB": recorder.url})
                for sample in samples():
                    if sample.startswith(f"{name}/"):
                        process.invoke((EVENTS / f"{sample}.json").read_bytes())
                if name == "broadcast":
                    process.invoke(two_events())
                if name == "connect" and settings:
                    for key in (created.stdout.strip(), "es_wrong"):
                        process.invoke(handshake_with_key("robot", key))
                if name == "ingest" and settings:
                    for key in (publisher.stdout.strip(), "es_wrong"):
                        process.invoke(notification_with_key("orion", key))
                process.stop()
            operations[name] = {table: set(found) for table, found in recorder.operations.items()}
        return operations
    finally:
        recorder.stop()


def two_events() -> bytes:
    """Events that `broadcast` writes into the history with one call."""
    event = json.loads((EVENTS / "broadcast" / "updated.json").read_text())
    return json.dumps([event | {"id": "one"}, event | {"id": "two"}]).encode()


def notification_with_key(name: str, key: str) -> bytes:
    event = json.loads((EVENTS / "ingest" / "ngsi-v2.json").read_text())
    event["headers"]["authorization"] = "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()
    return json.dumps(event).encode()


def handshake_with_key(name: str, key: str) -> bytes:
    event = json.loads((EVENTS / "connect" / "no-token.json").read_text())
    basic = "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()
    event["headers"]["Authorization"] = basic
    event["multiValueHeaders"]["Authorization"] = [basic]
    return json.dumps(event).encode()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_the_recorded_operations_on_each_table(on, recorded, local, function):  # noqa: F811
    found = recorded[function]
    assert set(found) <= {local.table(), local.history_table(), local.api_keys_table()}
    # No sample leads to every operation on the table of connections, such as the cleanup after a failed registration.
    assert found.get(local.table(), set()) <= allowed_on(on, function, "ConnectionsTable")
    # No sample of `default` has a connection that asks for past events.
    assert found.get(local.history_table(), set()) <= allowed_on(on, function, "HistoryTable")
    assert found.get(local.api_keys_table(), set()) == allowed_on(on, function, "ApiKeysTable")


def test_only_connect_and_ingest_read_api_keys(on):
    for function in ("connect", "ingest"):
        assert allowed_on(on, function, "ApiKeysTable") == {"GetItem", "UpdateItem"}
    # This operation is in the binary of `connect` for the API keys only.
    assert "GetItem" not in allowed_on(on, "connect", "ConnectionsTable")
    for function in set(FUNCTIONS) - {"connect", "ingest"}:
        assert not allowed_on(on, function, "ApiKeysTable")


def test_broadcast_writes_the_history_as_its_role_allows(on, recorded, local):  # noqa: F811
    # Only a slow attempt reads entities together, and a sample is slow or not.
    found = recorded["broadcast"][local.history_table()] | {"BatchGetItem"}
    assert found == allowed_on(on, "broadcast", "HistoryTable")


def past(**parameters: str) -> Stack:
    return Stack(EventStreamingEnabled="true", IngestEnabled="true", **parameters)


def test_one_function_writes_the_history_and_another_reads_it(on):
    history = past(EntityState="false")
    assert allowed_on(history, "broadcast", "HistoryTable") == {"PutItem", "BatchWriteItem"}
    assert allowed_on(history, "default", "HistoryTable") == {"GetItem", "Query"}
    for function in ("connect", "disconnect"):
        assert not allowed_on(on, function, "HistoryTable")
    # These operations are in the binaries for the history only.
    assert "PutItem" not in allowed_on(on, "broadcast", "ConnectionsTable")
    assert "Query" not in allowed_on(on, "default", "ConnectionsTable")


def test_one_function_writes_the_entity_state_and_another_reads_it(on):
    # `broadcast` also reads an entity, to merge a late change for example, and those of a slow attempt. No function deletes one: a
    # deletion leaves a marker.
    broadcast = {"GetItem", "BatchGetItem", "PutItem", "UpdateItem", "BatchWriteItem"}
    for stack in (on, past(HistoryMinutes="0")):
        assert allowed_on(stack, "broadcast", "HistoryTable") == broadcast
        assert allowed_on(stack, "default", "HistoryTable") == {"GetItem", "Query", "BatchGetItem"}
        for function in ("connect", "disconnect"):
            assert not allowed_on(stack, function, "HistoryTable")


@pytest.mark.parametrize(
    ("parameters", "gone"),
    [
        ({"HistoryMinutes": "0"}, {"WriteHistory", "ReadHistory"}),
        ({"EntityState": "false"}, {"WriteState", "ReadState"}),
        ({"HistoryMinutes": "0", "EntityState": "false"}, {"WriteHistory", "ReadHistory", "WriteState", "ReadState"}),
    ],
)
def test_no_role_has_a_permission_for_what_is_switched_off(on, parameters, gone):
    without = past(**parameters)
    for function in FUNCTIONS:
        kept = [each for each in statements(on, function) if each["Sid"] not in gone]
        assert statements(without, function) == kept
        if len(parameters) == 2:
            assert not allowed_on(without, function, "HistoryTable")


def test_no_function_creates_or_revokes_api_keys(on):
    for function in FUNCTIONS:
        assert not allowed_on(on, function, "ApiKeysTable") & {"PutItem", "DeleteItem", "BatchWriteItem", "Scan"}


@pytest.mark.parametrize("function", ["default", "broadcast"])
def test_only_functions_that_close_connections_may_close_them(on, function):
    calls = set(re.findall(r"management_api\s*\.(post|close)", source(function)))
    (statement,) = [each for each in statements(on, function) if each["Action"] == "execute-api:ManageConnections"]
    methods = {resource.split("/")[2] for resource in listed(statement["Resource"])}
    assert methods == {{"post": "POST", "close": "DELETE"}[call] for call in calls}


def test_without_authentication_no_function_reads_secrets_or_keys():
    stack = Stack(EventStreamingEnabled="true", AuthEnabled="false")
    # Without authentication there is no ingest.
    for function in set(FUNCTIONS) - {"ingest"}:
        assert "secretsmanager:GetSecretValue" not in allowed(stack, function)
    assert not allowed_on(stack, "connect", "ApiKeysTable")
    given = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-AbCdEf"
    (secret,) = [
        statement
        for statement in statements(Stack(EventStreamingEnabled="true", JwtSecretArn=given), "default")
        if statement["Action"] == "secretsmanager:GetSecretValue"
    ]
    assert secret["Resource"] == given


def variables_of(binary: bytes) -> set[str]:
    """The variables in a binary."""
    known = re.findall(r'name: "(\w+)"', (REPOSITORY / "crates/runtime/src/environment.rs").read_text())
    assert len(known) > 15
    # JWT_SECRET_ARN begins with JWT_SECRET, which is also a variable.
    return {name for name in known if re.search(rb"(?<!_)" + name.encode() + rb"(?!_[A-Z])", binary)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_exactly_the_variables_that_it_reads(on, built, function):  # noqa: F811
    variables = on.resources[f"{function.capitalize()}Function"]["Properties"]["Environment"]["Variables"]
    # On AWS no variable contains the secret, and Lambda sets the level of its own filter from LoggingConfig.
    elsewhere = {"JWT_SECRET", "AWS_LAMBDA_LOG_LEVEL"}
    assert set(variables) == variables_of(built[function].read_bytes()) - elsewhere
