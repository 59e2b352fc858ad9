"""The resources that the template deploys, with streaming on and off, and with typical parameters."""

import json
import re
from pathlib import Path

import pytest

from stack import REPOSITORY, Stack, source

EVENTS = REPOSITORY / "events"
FUNCTIONS = ["BroadcastFunction", "ConnectFunction", "DefaultFunction", "DisconnectFunction"]

# One variant for each branch of a condition.
VARIANTS = {
    "as it comes": {},
    "without authentication": {"AuthEnabled": "false"},
    "a secret of one's own": {"JwtSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-AbCdEf"},
    "an identity provider": {"JwtJwksUrl": "https://id.example.com/jwks", "JwtIssuer": "https://id.example.com"},
    "authentication in the first message": {"AuthInBand": "true"},
    "in-band without authentication": {"AuthInBand": "true", "AuthEnabled": "false"},
    "one source": {"EventSource": "com.example.broker", "EventBusName": "city"},
    "reserved concurrency": {"BroadcastReservedConcurrency": "20", "BroadcastConcurrency": "128", "BroadcastSplitAt": "9000"},
    "no access logs": {"ApiGatewayLogging": "off"},
    "access logs by a role that exists": {"ApiGatewayLogging": "account-role"},
    "alarms that tell somebody": {"AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms"},
    "unobserved": {"AlarmsEnabled": "false", "DashboardEnabled": "false"},
    "a domain": {"DomainName": "stream.example.com", "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1"},
    "a domain with a record": {
        "DomainName": "stream.example.com",
        "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1",
        "HostedZoneId": "Z123",
    },
    "arm64": {"Architecture": "arm64"},
    "API keys that exist": {"ApiKeysTableName": "keys-of-another-stack"},
    "API keys without protection": {"ApiKeysTableDeletionProtection": "false"},
    "API keys that exist, without authentication": {"ApiKeysTableName": "keys-of-another-stack", "AuthEnabled": "false"},
}


def enabled(**parameters) -> Stack:
    return Stack(EventStreamingEnabled="true", **parameters)


def count(stack: Stack) -> dict[str, int]:
    counts: dict[str, int] = {}
    for resource in stack.resources.values():
        counts[resource["Type"]] = counts.get(resource["Type"], 0) + 1
    return counts


def test_switched_off_nothing_is_deployed():
    for parameters in VARIANTS.values():
        stack = Stack(EventStreamingEnabled="false", **parameters)
        assert stack.resources == {} and stack.outputs == {}


def test_streaming_is_off_unless_asked_for():
    assert Stack().resources == {}


def test_one_parameter_deploys_everything(on):
    assert count(on) == {
        "AWS::ApiGateway::Account": 1,
        "AWS::ApiGatewayV2::Api": 1,
        "AWS::ApiGatewayV2::Integration": 4,
        "AWS::ApiGatewayV2::IntegrationResponse": 1,
        "AWS::ApiGatewayV2::Route": 4,
        "AWS::ApiGatewayV2::RouteResponse": 1,
        "AWS::ApiGatewayV2::Stage": 1,
        "AWS::CloudWatch::Alarm": 5,
        "AWS::CloudWatch::Dashboard": 1,
        "AWS::DynamoDB::Table": 2,
        "AWS::Events::Rule": 1,
        "AWS::IAM::Role": 5,
        "AWS::Lambda::EventInvokeConfig": 1,
        "AWS::Lambda::Function": 4,
        "AWS::Lambda::Permission": 4,
        "AWS::Logs::LogGroup": 5,
        "AWS::SQS::Queue": 1,
        "AWS::SQS::QueuePolicy": 1,
        "AWS::SecretsManager::Secret": 1,
    }


def test_every_parameter_has_a_default():
    assert [name for name, parameter in source()["Parameters"].items() if "Default" not in parameter] == []


# Building the stack resolves every reference and fails for a missing target.
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_reference_resolves(variant):
    stack = enabled(**VARIANTS[variant])
    # Every resource is used as well. Resources of these types act by themselves and need no reference.
    ends = {
        "AWS::ApiGatewayV2::ApiMapping",
        "AWS::ApiGatewayV2::IntegrationResponse",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::RouteResponse",
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Permission",
        "AWS::Route53::RecordSet",
        "AWS::SQS::QueuePolicy",
    }
    unused = {name for name, resource in stack.resources.items() if resource["Type"] not in ends} - stack.references
    assert not unused


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_condition_lets_a_resource_of_the_transform_escape(variant):
    """SAM drops the Condition of some resources. These would be deployed with streaming off."""
    stack = Stack(EventStreamingEnabled="false", **VARIANTS[variant])
    assert stack.resources == {}


def changed(**parameters) -> tuple[set, set]:
    """The resources that exist only with these parameters, and those that exist only without them."""
    with_them, without = enabled(**parameters).resources, enabled().resources
    return set(with_them) - set(without), set(without) - set(with_them)


def test_each_switch_adds_and_removes_its_resources():
    assert changed(AuthEnabled="false") == (set(), {"SigningSecret"})
    assert changed(JwtJwksUrl="https://id.example.com/jwks") == (set(), {"SigningSecret"})
    assert changed(JwtSecretArn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:a") == (set(), {"SigningSecret"})
    ping = {"PingRoute", "PingIntegration", "PingIntegrationResponse", "PingRouteResponse"}
    assert changed(AuthInBand="true") == (set(), ping)
    assert changed(AuthInBand="true", AuthEnabled="false") == (set(), {"SigningSecret"})
    role = {"ApiGatewayLogsRole", "ApiGatewayAccount"}
    assert changed(ApiGatewayLogging="account-role") == (set(), role)
    assert changed(ApiGatewayLogging="off") == (set(), role | {"AccessLogGroup"})
    assert changed(DashboardEnabled="false") == (set(), {"DashboardOfStack"})
    domain = {"DomainName": "a.example.com", "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1"}
    assert changed(**domain) == ({"Domain", "DomainMapping"}, set())
    assert changed(**domain, HostedZoneId="Z1") == ({"Domain", "DomainMapping", "DomainAlias"}, set())
    assert changed(ApiKeysTableName="keys") == (set(), {"ApiKeysTable"})
    assert changed(ApiKeysTableDeletionProtection="false") == (set(), set())
    appeared, gone = changed(AlarmsEnabled="false")
    assert not appeared and len(gone) == 5 and all(name.endswith("Alarm") for name in gone)


def test_authentication_is_on_and_the_secret_is_read_by_its_arn(on):
    for name in ("ConnectFunction", "DefaultFunction"):
        variables = on.resources[name]["Properties"]["Environment"]["Variables"]
        assert (variables["AUTH_ENABLED"], variables["JWT_SECRET_ARN"]) == ("true", "<SigningSecret>")
        # No function has the secret itself as a variable.
        assert "JWT_SECRET" not in variables
    generated = on.resources["SigningSecret"]["Properties"]["GenerateSecretString"]
    assert generated["PasswordLength"] >= 32
    assert on.outputs["SigningSecretArn"] == "<SigningSecret>"


def test_api_keys_outlive_the_stack_and_connections_do_not(on):
    keys, connections = on.resources["ApiKeysTable"], on.resources["ConnectionsTable"]
    assert (keys["DeletionPolicy"], keys["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert keys["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert keys["Properties"]["DeletionProtectionEnabled"] == "true"
    # An expired key stays listed until it is revoked.
    assert "TimeToLiveSpecification" not in keys["Properties"]
    unprotected = enabled(ApiKeysTableDeletionProtection="false").resources["ApiKeysTable"]["Properties"]
    assert unprotected["DeletionProtectionEnabled"] == "false"

    assert connections["DeletionPolicy"] == "Delete"
    assert not {"PointInTimeRecoverySpecification", "DeletionProtectionEnabled"} & set(connections["Properties"])


def test_an_existing_table_of_api_keys_is_adopted():
    stack = enabled(ApiKeysTableName="keys-of-another-stack")
    assert list(stack.of_type("AWS::DynamoDB::Table")) == ["ConnectionsTable"]
    variables = stack.resources["ConnectFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["WS_API_KEYS_TABLE"] == stack.outputs["ApiKeysTableName"] == "keys-of-another-stack"
    assert "arn:aws:dynamodb:eu-west-1:123456789012:table/keys-of-another-stack" in json.dumps(stack.resources["ConnectRole"])


def test_the_name_of_a_table_of_api_keys_is_checked():
    for name in ("ab", "a b", "arn:aws:dynamodb:eu-west-1:123456789012:table/keys", "x" * 256):
        with pytest.raises(AssertionError, match="ApiKeysTableName cannot be"):
            enabled(ApiKeysTableName=name)


def test_the_functions(on):
    functions = on.of_type("AWS::Lambda::Function")
    assert sorted(functions) == FUNCTIONS
    for name, function in functions.items():
        assert (function["Runtime"], function["Handler"]) == ("provided.al2023", "bootstrap")
        assert function["Architectures"] == ["x86_64"]
        assert function["LoggingConfig"] == {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "INFO",
            "LogGroup": f"<{name.removesuffix('Function')}Logs>",
        }
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Role"] == f"<{name.removesuffix('Function')}Role>.Arn"
    for name, function in enabled(Architecture="arm64", LogLevel="DEBUG").of_type("AWS::Lambda::Function").items():
        assert function["Architectures"] == ["arm64"] and function["LoggingConfig"]["ApplicationLogLevel"] == "DEBUG"
    assert "ReservedConcurrentExecutions" not in functions["BroadcastFunction"]
    reserved = enabled(BroadcastReservedConcurrency="20").resources["BroadcastFunction"]["Properties"]
    assert reserved["ReservedConcurrentExecutions"] == "20"


def test_logs_are_kept_for_a_while_only(on):
    groups = enabled(LogRetentionDays="7").of_type("AWS::Logs::LogGroup")
    assert len(groups) == 5 and all(group["RetentionInDays"] == 7 for group in groups.values())


def test_access_logs_hold_neither_queries_nor_headers(on):
    stage = on.resources["Stage"]["Properties"]
    used = set(re.findall(r"\$context\.([\w.]+)", stage["AccessLogSettings"]["Format"]))
    assert json.loads(stage["AccessLogSettings"]["Format"]).keys() >= {"connectionId", "routeKey", "status"}
    harmless = {
        "requestId", "requestTime", "connectionId", "eventType", "routeKey", "status", "identity.sourceIp", "connectedAt",
        "integrationStatus", "integrationLatency", "error.responseType", "integrationErrorMessage",
    }  # fmt: skip
    assert used == harmless
    settings = stage["DefaultRouteSettings"]
    assert (settings["DataTraceEnabled"], settings["LoggingLevel"]) == (False, "OFF")
    assert "AccessLogSettings" not in enabled(ApiGatewayLogging="off").resources["Stage"]["Properties"]


def test_the_stage_waits_for_the_account_to_have_a_role(on):
    assert on.resources["Stage"]["Properties"]["Tags"]["AccessLogsRole"] == "<ApiGatewayAccount>"


def test_every_route_leads_to_its_function_and_only_it_may_invoke_it(on):
    routes = {route["RouteKey"]: route for route in on.of_type("AWS::ApiGatewayV2::Route").values()}
    permissions = {each["FunctionName"]: each for each in on.of_type("AWS::Lambda::Permission").values()}
    assert sorted(routes) == ["$connect", "$default", "$disconnect", "ping"]
    for key, name in [("$connect", "Connect"), ("$disconnect", "Disconnect"), ("$default", "Default")]:
        integration = on.resources[routes[key]["Target"].removeprefix("integrations/<").removesuffix(">")]["Properties"]
        assert integration["IntegrationType"] == "AWS_PROXY"
        assert f"/functions/<{name}Function>.Arn/invocations" in integration["IntegrationUri"]
        # The route is one-way, because a two-way route would send an empty frame for every message.
        assert "RouteResponseSelectionExpression" not in routes[key]
        permission = permissions[f"<{name}Function>"]
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["SourceArn"] == f"arn:aws:execute-api:eu-west-1:123456789012:<Api>/live/{key}"
    assert permissions["<BroadcastFunction>"]["Principal"] == "events.amazonaws.com"
    assert permissions["<BroadcastFunction>"]["SourceArn"] == "<ChangesRule>.Arn"


def velocity(template: str, body: dict) -> dict:
    """Evaluates a mapping template for a body. Supports the few parts of Velocity that the templates use."""
    lookups = dict(re.findall(r"#set\(\$(\w+) = \$input\.path\('\$\.(\w+)'\)\)\n", template))
    text = re.sub(r"#set\(.*\)\n", "", template)

    def condition(match):
        name, inner = match[1], match[2]
        assert match[0].startswith(f"#if(${name} && ${name} != '')")
        return inner if body.get(lookups[name]) else ""

    text = re.sub(r"#if\(\$(\w+) && \$\w+ != ''\)(.*?)#end", condition, text)
    text = re.sub(r"\$input\.json\('\$\.(\w+)'\)", lambda match: json.dumps(body[match[1]]), text)
    assert "#" not in text and "$" not in text, f"these checks cannot read {template}"
    return json.loads(text)


@pytest.mark.parametrize("sample", ["ping", "ping-with-request-id"])
def test_a_mock_answers_ping(on, sample):
    route = on.resources["PingRoute"]["Properties"]
    assert (route["RouteKey"], route["RouteResponseSelectionExpression"]) == ("ping", "$default")
    assert route["Target"] == "integrations/<PingIntegration>"
    integration = on.resources["PingIntegration"]["Properties"]
    response = on.resources["PingIntegrationResponse"]["Properties"]
    assert integration["IntegrationType"] == "MOCK"
    assert response["IntegrationId"] == "<PingIntegration>"
    assert on.resources["PingRouteResponse"]["Properties"]["RouteId"] == "<PingRoute>"
    for each in (integration, response):
        assert each["TemplateSelectionExpression"] == "\\$default"

    message = json.loads(json.loads((EVENTS / "default" / f"{sample}.json").read_text())["body"])
    mocked = velocity(integration["RequestTemplates"]["$default"], message)
    assert mocked["statusCode"] == 200
    answer = velocity(response["ResponseTemplates"]["$default"], mocked)
    expected = {"type": "pong"} | ({"requestId": message["requestId"]} if "requestId" in message else {})
    assert answer == expected


def matches(pattern: dict, event: dict) -> bool:
    """EventBridge's matching of literal values. The rule needs no other operator."""
    for name, wanted in pattern.items():
        if name not in event:
            return False
        if isinstance(wanted, dict):
            if not isinstance(event[name], dict) or not matches(wanted, event[name]):
                return False
        else:
            assert all(isinstance(value, str) for value in wanted), f"these checks do not support the operator {wanted}"
            values = event[name] if isinstance(event[name], list) else [event[name]]
            if not any(value in wanted for value in values):
                return False
    return True


def samples() -> dict[str, dict]:
    """All events in the samples of the broadcast function, also those in arrays."""
    events = {}
    for file in sorted((EVENTS / "broadcast").glob("*.json")):
        content = json.loads(file.read_text())
        for number, event in enumerate(content if isinstance(content, list) else [content]):
            events[f"{file.stem}-{number}"] = event
    return events


def pattern(stack: Stack) -> dict:
    return stack.resources["ChangesRule"]["Properties"]["EventPattern"]


def test_the_rule_matches_the_samples_and_nothing_else(on):
    assert len(samples()) > 15
    # The rule does not match these events. They reach the function only in another way.
    without_type = {"undeliverable-type-missing-0", "undeliverable-type-unknown-0"}
    matched = {name for name, event in samples().items() if matches(pattern(on), event)}
    assert matched == set(samples()) - without_type

    example = samples()["updated-0"]
    unrelated = [
        example | {"detail": {"state": "running", "instance-id": "i-1"}},
        example | {"detail": example["detail"] | {"type": "entityupdated"}},
        example | {"detail": example["detail"] | {"type": "entityUpdatedX"}},
        example | {"detail": {"entity": {"type": "entityUpdated"}}},
        example | {"detail": {"type": {"name": "entityUpdated"}}},
        example | {"detail": {}},
        {"type": "entityUpdated", "source": "x"},
    ]
    for event in unrelated:
        assert not matches(pattern(on), event), event


def test_a_rule_for_one_source_also_matches_continuations():
    rule = pattern(enabled(EventSource="com.example.broker"))
    example = samples()["updated-0"]
    assert matches(rule, example | {"source": "com.example.broker"})
    assert matches(rule, example | {"source": continuation_source(), "detail-type": "EntityStreamContinuation"})
    assert not matches(rule, example | {"source": "com.example.another"})


def continuation_source() -> str:
    """The source of the function's continuation events."""
    code = "".join(file.read_text() for file in sorted((REPOSITORY / "crates/broadcast/src").glob("**/*.rs")))
    (name,) = set(re.findall(r'const \w*SOURCE\w*: &str = "([^"]+)"', code))
    return name


def test_retries_of_events_end_after_the_maximum_age(on):
    (target,) = on.resources["ChangesRule"]["Properties"]["Targets"]
    assert target["Arn"] == "<BroadcastFunction>.Arn"
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 600
    assert target["DeadLetterConfig"] == {"Arn": "<DeadLetterQueue>.Arn"}
    asynchronous = on.resources["BroadcastFunctionEventInvokeConfig"]["Properties"]
    assert asynchronous["MaximumEventAgeInSeconds"] == 600
    assert asynchronous["DestinationConfig"]["OnFailure"]["Destination"] == "<DeadLetterQueue>.Arn"
    # The age allows three attempts of a minute each, and Lambda's waits between them.
    timeout = on.resources["BroadcastFunction"]["Properties"]["Timeout"]
    assert 3 * timeout + 60 + 120 <= int(on.parameters["MaximumEventAge"])


def test_the_rule_may_write_to_the_queue(on):
    allow, deny = on.resources["DeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": "<ChangesRule>.Arn"}}
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_outputs(on):
    assert on.outputs == {
        "WebSocketUrl": "wss://<Api>.execute-api.eu-west-1.amazonaws.com/live",
        "ManagementEndpoint": "https://<Api>.execute-api.eu-west-1.amazonaws.com/live",
        "TableName": "<ConnectionsTable>",
        "ApiKeysTableName": "<ApiKeysTable>",
        "SigningSecretArn": "<SigningSecret>",
        "EventBus": "default",
        "DeadLetterQueueUrl": "<DeadLetterQueue>",
    }
    domain = enabled(**VARIANTS["a domain"])
    assert domain.outputs["WebSocketUrl"] == "wss://stream.example.com"
    # The custom domain does not serve @connections.
    assert domain.outputs["ManagementEndpoint"] == on.outputs["ManagementEndpoint"]
    endpoint = domain.resources["BroadcastFunction"]["Properties"]["Environment"]["Variables"]["WS_API_ENDPOINT"]
    assert endpoint == domain.outputs["ManagementEndpoint"]


def test_alarms_and_dashboard_watch_metrics_that_exist(on):
    """The code counts every metric of our own namespace."""
    code = "".join(
        file.read_text() for crate in ("broadcast", "connect", "default", "runtime")
        for file in sorted((REPOSITORY / "crates" / crate / "src").glob("**/*.rs"))
    )  # fmt: skip
    (namespace,) = set(re.findall(r'const NAMESPACE: &str = "(\w+)"', code))
    (dimension,) = set(re.findall(r'const DIMENSION: &str = "(\w+)"', code))
    watched = set()
    for alarm in on.of_type("AWS::CloudWatch::Alarm").values():
        if alarm.get("Namespace") == namespace:
            watched.add(alarm["MetricName"])
            assert [each["Name"] for each in alarm["Dimensions"]] == [dimension]
    body = json.loads(on.resources["DashboardOfStack"]["Properties"]["DashboardBody"])
    for widget in body["widgets"]:
        namespaces = ["", "", ""]
        for metric in widget["properties"]["metrics"]:
            texts = [part for part in metric if isinstance(part, str)]
            if texts and texts[0] != "...":
                namespaces = [new if new != "." else old for new, old in zip(texts[:3], namespaces)]
                if namespaces[0] == namespace:
                    watched.add(namespaces[1])
                    assert namespaces[2] == dimension
    assert {"EventAge", "Delivered", "Connections"} <= watched
    for name in watched:
        assert f'"{name}"' in code, f"the code does not count {name}"
    assert '"Refusals"' in code and "Refusals" in json.dumps(body)


def test_alarms_notify_the_topic_and_stay_ok_without_events():
    topic = VARIANTS["alarms that tell somebody"]["AlarmTopicArn"]
    for alarm in enabled(AlarmTopicArn=topic).of_type("AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]
        assert alarm["TreatMissingData"] == "notBreaching"
    for alarm in enabled().of_type("AWS::CloudWatch::Alarm").values():
        assert "AlarmActions" not in alarm
