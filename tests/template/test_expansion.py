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
    "an identity provider whose keys are discovered": {"JwtIssuer": "https://id.example.com"},
    "authentication in the first message": {"AuthInBand": "true"},
    "in-band without authentication": {"AuthInBand": "true", "AuthEnabled": "false"},
    "one source": {"EventSource": "com.example.broker", "EventBusName": "city"},
    "no history": {"HistoryMinutes": "0"},
    "no entity state": {"EntityState": "false"},
    "neither history nor entity state": {"HistoryMinutes": "0", "EntityState": "false"},
    "entity state for a year": {"EntityStateDays": "365"},
    "a history of a day": {"HistoryMinutes": "1440"},
    "notifications of brokers": {"IngestEnabled": "true", "IngestTenantMap": "urn:ngsi-ld:tenant:default=city,a=b"},
    "notifications with an identity provider": {"IngestEnabled": "true", "JwtJwksUrl": "https://id.example.com/jwks"},
    "notifications for one source": {"IngestEnabled": "true", "EventSource": "com.example.broker", "EventBusName": "city"},
    "notifications and a partner's bus": {"IngestEnabled": "true", "EventBusName": "aws.partner/example.com/city"},
    "reserved concurrency": {"BroadcastReservedConcurrency": "20", "BroadcastConcurrency": "128", "BroadcastSplitAt": "9000"},
    "no access logs": {"ApiGatewayLogging": "off"},
    "access logs by a role that exists": {"ApiGatewayLogging": "account-role"},
    "alarms that tell somebody": {"AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms", "SilenceAlarmHours": "6"},
    "alarms by mail": {"AlarmEmail": "ops@city.test"},
    "mail without alarms": {"AlarmEmail": "ops@city.test", "SilenceAlarmHours": "6", "AlarmsEnabled": "false"},
    "a partner's bus": {"EventBusName": "aws.partner/example.com/city"},
    "pings to the function": {"PingRoute": "function"},
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
        "AWS::CloudWatch::Alarm": 18,
        "AWS::CloudWatch::Dashboard": 1,
        "AWS::DynamoDB::Table": 3,
        "AWS::Events::Rule": 2,
        "AWS::IAM::Role": 5,
        "AWS::Lambda::EventInvokeConfig": 1,
        "AWS::Lambda::Function": 4,
        "AWS::Lambda::Permission": 5,
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
    ping = {"MockedPingRoute", "PingIntegration", "PingIntegrationResponse", "PingRouteResponse"}
    assert changed(AuthInBand="true") == changed(PingRoute="function") == (set(), ping)
    assert changed(AuthInBand="true", AuthEnabled="false") == (set(), {"SigningSecret"})
    role = {"ApiGatewayLogsRole", "ApiGatewayAccount"}
    assert changed(ApiGatewayLogging="account-role") == (set(), role)
    assert changed(ApiGatewayLogging="off") == (set(), role | {"AccessLogGroup"})
    assert changed(DashboardEnabled="false") == (set(), {"DashboardOfStack"})
    domain = {"DomainName": "a.example.com", "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1"}
    assert changed(**domain) == ({"Domain", "DomainMapping"}, set())
    assert changed(**domain, HostedZoneId="Z1") == ({"Domain", "DomainMapping", "DomainAlias", "DomainAliasIpv6"}, set())
    history, state = {"HistoryWritesAlarm", "HistoryReadsAlarm"}, {"StateWritesAlarm", "StateReadsAlarm"}
    assert changed(HistoryMinutes="0") == (set(), history)
    assert changed(HistoryMinutes="1") == (set(), set())
    assert changed(EntityState="false") == (set(), state)
    assert changed(EntityStateDays="1") == (set(), set())
    table = {"HistoryTable", "HistoryThrottlesAlarm"}
    assert changed(HistoryMinutes="0", EntityState="false") == (set(), history | state | table)
    assert changed(ApiKeysTableName="keys") == (set(), {"ApiKeysTable"})
    assert changed(ApiKeysTableDeletionProtection="false") == (set(), set())
    assert changed(AlarmEmail="ops@city.test") == ({"AlarmTopic"}, set())
    assert changed(SilenceAlarmHours="1") == ({"SilenceAlarm"}, set())
    appeared, gone = changed(AlarmsEnabled="false")
    assert not appeared and len(gone) == 18 and all(name.endswith("Alarm") for name in gone)


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

    for table in (connections, on.resources["HistoryTable"]):
        assert table["DeletionPolicy"] == "Delete"
        assert not {"PointInTimeRecoverySpecification", "DeletionProtectionEnabled"} & set(table["Properties"])
        assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}


def past_variables(stack: Stack, function: str) -> tuple:
    """The variables of the history and of the entity state."""
    variables = stack.resources[function]["Properties"]["Environment"]["Variables"]
    return tuple(variables[name] for name in ("WS_HISTORY_TABLE", "HISTORY_MINUTES", "ENTITY_STATE", "ENTITY_STATE_DAYS"))


def test_two_functions_have_the_history_and_the_entity_state(on):
    for function in ("BroadcastFunction", "DefaultFunction"):
        assert past_variables(on, function) == ("<HistoryTable>", 60, "true", 7)
        assert past_variables(enabled(HistoryMinutes="1440"), function) == ("<HistoryTable>", 1440, "true", 7)
        assert past_variables(enabled(EntityStateDays="365"), function) == ("<HistoryTable>", 60, "true", 365)
    past = {"WS_HISTORY_TABLE", "HISTORY_MINUTES", "ENTITY_STATE", "ENTITY_STATE_DAYS"}
    for function, names in (("ConnectFunction", {"WS_HISTORY_TABLE", "ENTITY_STATE"}), ("DisconnectFunction", set())):
        variables = on.resources[function]["Properties"]["Environment"]["Variables"]
        assert past & set(variables) == names
    # It refuses URLs that ask for entity state where there is none. The default depends on whether there is a table.
    for value in ("true", "false"):
        connect = enabled(EntityState=value).resources["ConnectFunction"]
        assert connect["Properties"]["Environment"]["Variables"]["ENTITY_STATE"] == value
    assert on.outputs["HistoryTableName"] == "<HistoryTable>"


@pytest.mark.parametrize(
    ("parameters", "variables", "gone"),
    [
        ({"HistoryMinutes": "0"}, ("<HistoryTable>", 0, "true", 7), "WriteHistory|ReadHistory|NotRecorded|HistoryFaults"),
        (
            {"EntityState": "false"},
            ("<HistoryTable>", 60, "false", 7),
            "WriteState|ReadState|NotStored|StateConflicts|StateTooLarge|StateFaults",
        ),
        (
            {"HistoryMinutes": "0", "EntityState": "false"},
            ("", 0, "false", 7),
            "HistoryTable|WriteHistory|ReadHistory|NotRecorded|HistoryFaults"
            "|WriteState|ReadState|NotStored|StateConflicts|StateTooLarge|StateFaults",
        ),
    ],
)
def test_nothing_is_left_of_what_is_switched_off(on, parameters, variables, gone):
    without = enabled(**parameters)
    for function in ("BroadcastFunction", "DefaultFunction"):
        assert past_variables(without, function) == variables
    assert set(re.findall(gone, json.dumps(on.resources))) == set(gone.split("|"))
    for text in (json.dumps(without.resources), json.dumps(without.outputs)):
        assert not re.search(gone, text)


def test_the_functions_change_in_the_order_in_which_a_history_and_the_entity_state_end(on):
    """`default` stops to promise events and to give snapshots before `broadcast` stops to write what they come from."""
    ended = [enabled(HistoryMinutes="0"), enabled(EntityState="false"), enabled(HistoryMinutes="0", EntityState="false")]
    for without in ended:
        assert "<DefaultFunction>" in json.dumps(without.resources["BroadcastFunction"])
    # With both, either may change first. The epoch says since when the history is complete.
    assert "<DefaultFunction>" not in json.dumps(on.resources["BroadcastFunction"])
    for stack in (on, *ended):
        assert "<BroadcastFunction>" not in json.dumps(stack.resources["DefaultFunction"])


@pytest.mark.parametrize("minutes", ["-1", "1441", "an hour", ""])
def test_the_template_and_the_functions_accept_the_same_histories(minutes):
    code = (REPOSITORY / "crates/runtime/src/config/history.rs").read_text()
    parameter = source()["Parameters"]["HistoryMinutes"]
    (most,) = re.findall(r"const MOST_MINUTES: u64 = ([0-9* ]+);", code)
    (default,) = re.findall(r"const DEFAULT_MINUTES: u64 = ([0-9]+);", code)
    assert (parameter["MinValue"], parameter["MaxValue"], parameter["Default"]) == (0, eval(most), int(default))
    with pytest.raises(AssertionError, match="HistoryMinutes cannot be"):
        enabled(HistoryMinutes=minutes)


def test_the_template_and_the_functions_accept_the_same_days_of_entity_state():
    code = (REPOSITORY / "crates/runtime/src/config/entity_state.rs").read_text()
    parameter = source()["Parameters"]["EntityStateDays"]
    (most,) = re.findall(r"const MOST_DAYS: usize = ([0-9]+);", code)
    (default,) = re.findall(r"const DEFAULT_DAYS: usize = ([0-9]+);", code)
    assert (parameter["MinValue"], parameter["MaxValue"], parameter["Default"]) == (1, int(most), int(default))
    for days in ("0", "366", "-1", "a week", ""):
        with pytest.raises(AssertionError, match="EntityStateDays cannot be"):
            enabled(EntityStateDays=days)


def test_ingest_is_a_function_behind_a_url(on):
    added, removed = changed(IngestEnabled="true")
    assert removed == set() and added == {
        "IngestFunction", "IngestRole", "IngestLogs", "IngestUrl", "IngestUrlPermission", "IngestPermission",
        "IngestFaultsAlarm", "RefusedNotificationsAlarm",
    }  # fmt: skip
    stack = enabled(IngestEnabled="true", EventSource="com.example.broker", EventBusName="city")
    assert stack.outputs["NotifyUrl"] == "<IngestUrl>.FunctionUrlnotify", "the attribute ends with a slash"
    assert stack.resources["IngestUrl"]["Properties"] == {"TargetFunctionArn": "<IngestFunction>.Arn", "AuthType": "NONE"}
    # Everyone may call the URL, and only the URL.
    for name, action, condition in (
        ("IngestUrlPermission", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("IngestPermission", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        permission = stack.resources[name]["Properties"]
        assert permission == {"Action": action, "FunctionName": "<IngestFunction>", "Principal": "*"} | condition
    variables = stack.resources["IngestFunction"]["Properties"]["Environment"]["Variables"]
    assert (variables["INGEST_SOURCE"], variables["EVENT_BUS_NAME"]) == ("com.example.broker", "city")
    (statement,) = [each for each in stack.resources["IngestRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
                    if each["Sid"] == "Publish"]  # fmt: skip
    assert statement["Resource"] == "arn:aws:events:eu-west-1:123456789012:event-bus/city"


def test_without_authentication_or_with_a_partners_bus_there_is_no_ingest():
    for parameters in ({"AuthEnabled": "false"}, {"EventBusName": "aws.partner/example.com/city"}):
        assert enabled(IngestEnabled="true", **parameters).resources.keys() == enabled(**parameters).resources.keys()
    (rule,) = [rule for name, rule in source()["Rules"].items() if name == "IngestNeedsAuthentication"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "IngestEnabled"}, "true"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "AuthEnabled"}, "true"]}


@pytest.mark.parametrize("value", ["city", "=city", "a=b c", "a=b,", "a=" + "x" * 64])
def test_a_tenant_map_that_cannot_work_is_refused(value):
    with pytest.raises(AssertionError, match="IngestTenantMap cannot be"):
        enabled(IngestEnabled="true", IngestTenantMap=value)


@pytest.mark.parametrize("parameter", ["JwtAudience", "JwtTenantClaims"])
def test_a_list_with_an_empty_entry_is_refused(parameter):
    for value in ("web", "es, web", "custom:tenant,https://stream.example.com/tenant"):
        enabled(**{parameter: value})
    for value in (",", " ", "web,", ",web", "web, ,es"):
        with pytest.raises(AssertionError, match=f"{parameter} cannot be"):
            enabled(**{parameter: value})


def test_keys_and_the_secret_are_retained(on):
    """They survive EventStreamingEnabled=false, an update without that parameter, and the deletion of the stack."""
    for name in ("ApiKeysTable", "SigningSecret"):
        assert on.resources[name]["DeletionPolicy"] == on.resources[name]["UpdateReplacePolicy"] == "Retain"


def test_everything_is_reached_by_ipv6(on):
    (api,) = on.of_type("AWS::ApiGatewayV2::Api").values()
    assert api["IpAddressType"] == "dualstack"
    (domain,) = enabled(**VARIANTS["a domain"]).of_type("AWS::ApiGatewayV2::DomainName").values()
    assert domain["DomainNameConfigurations"][0]["IpAddressType"] == "dualstack"
    records = list(enabled(**VARIANTS["a domain with a record"]).of_type("AWS::Route53::RecordSet").values())
    assert [record["Type"] for record in records] == ["A", "AAAA"]
    assert records[0] | {"Type": "AAAA"} == records[1]


def test_an_existing_table_of_api_keys_is_adopted():
    stack = enabled(ApiKeysTableName="keys-of-another-stack")
    assert list(stack.of_type("AWS::DynamoDB::Table")) == ["ConnectionsTable", "HistoryTable"]
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
            "ApplicationLogLevel": "TRACE",
            "SystemLogLevel": "INFO",
            "LogGroup": f"<{name.removesuffix('Function')}Logs>",
        }
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Role"] == f"<{name.removesuffix('Function')}Role>.Arn"
    for name, function in enabled(Architecture="arm64", LogLevel="DEBUG").of_type("AWS::Lambda::Function").items():
        assert function["Architectures"] == ["arm64"] and function["Environment"]["Variables"]["RUST_LOG"] == "DEBUG"
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
    permissions = {
        each["FunctionName"]: each
        for name, each in on.of_type("AWS::Lambda::Permission").items()
        if name not in ("ChangesPermission", "ContinuationsPermission")
    }
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
    assert len(permissions) == 3
    for rule in ("Changes", "Continuations"):
        permission = on.resources[f"{rule}Permission"]["Properties"]
        assert permission["FunctionName"] == "<BroadcastFunction>"
        assert permission["Principal"] == "events.amazonaws.com"
        assert permission["SourceArn"] == f"<{rule}Rule>.Arn"


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
    route = on.resources["MockedPingRoute"]["Properties"]
    assert (route["RouteKey"], route["RouteResponseSelectionExpression"]) == ("ping", "$default")
    assert route["Target"] == "integrations/<PingIntegration>"
    integration = on.resources["PingIntegration"]["Properties"]
    response = on.resources["PingIntegrationResponse"]["Properties"]
    assert integration["IntegrationType"] == "MOCK"
    assert response["IntegrationId"] == "<PingIntegration>"
    assert on.resources["PingRouteResponse"]["Properties"]["RouteId"] == "<MockedPingRoute>"
    for each in (integration, response):
        assert each["TemplateSelectionExpression"] == "\\$default"

    message = json.loads(json.loads((EVENTS / "default" / f"{sample}.json").read_text())["body"])
    mocked = velocity(integration["RequestTemplates"]["$default"], message)
    assert mocked["statusCode"] == 200
    answer = velocity(response["ResponseTemplates"]["$default"], mocked)
    expected = {"type": "pong"} | ({"requestId": message["requestId"]} if "requestId" in message else {})
    assert answer == expected


def matches(pattern: dict, event: dict) -> bool:
    """EventBridge's matching of literal values, and of all but one. The rules need no other operator."""
    for name, wanted in pattern.items():
        if name not in event:
            return False
        if isinstance(wanted, dict):
            if not isinstance(event[name], dict) or not matches(wanted, event[name]):
                return False
        else:
            values = event[name] if isinstance(event[name], list) else [event[name]]
            if isinstance(wanted[0], dict):
                assert list(wanted[0]) == ["anything-but"], f"these checks do not support the operator {wanted}"
                if not any(value != wanted[0]["anything-but"] for value in values):
                    return False
                continue
            assert all(isinstance(value, str) for value in wanted), f"these checks do not support the operator {wanted}"
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


def rules_that_match(stack: Stack, event: dict) -> list[str]:
    rules = stack.of_type("AWS::Events::Rule")
    return [name for name, rule in rules.items() if matches(rule["EventPattern"], event)]


def test_the_rules_match_the_samples_and_nothing_else(on):
    assert len(samples()) > 15
    # The rules do not match these events. They reach the function only in another way.
    without_type = {"undeliverable-type-missing-0", "undeliverable-type-unknown-0"}
    for name, event in samples().items():
        continued = event["source"] == continuation_source()
        expected = ["ContinuationsRule" if continued else "ChangesRule"]
        assert rules_that_match(on, event) == ([] if name in without_type else expected), name

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
        assert rules_that_match(on, event) == [], event


def test_a_rule_for_one_source_matches_that_source_and_continuations():
    stack = enabled(EventSource="com.example.broker")
    example = samples()["updated-0"]
    continuation = example | {"source": continuation_source(), "detail-type": "EntityStreamContinuation"}
    assert rules_that_match(stack, example | {"source": "com.example.broker"}) == ["ChangesRule"]
    assert rules_that_match(stack, continuation) == ["ContinuationsRule"]
    assert rules_that_match(stack, example | {"source": "com.example.another"}) == []
    # A change is no continuation, whatever its source is.
    assert rules_that_match(stack, example | {"source": continuation_source()}) == []


def test_continuations_of_a_partners_bus_use_the_default_bus():
    """Only partners can put events on a partner's bus."""
    bus = "aws.partner/example.com/city"
    for name, expected in [(bus, "default"), ("city", "city"), ("default", "default")]:
        stack = enabled(EventBusName=name)
        assert stack.resources["ChangesRule"]["Properties"]["EventBusName"] == name
        assert stack.resources["ContinuationsRule"]["Properties"]["EventBusName"] == expected
        function = stack.resources["BroadcastFunction"]["Properties"]
        assert function["Environment"]["Variables"]["EVENT_BUS_NAME"] == expected
        policies = json.dumps(stack.resources["BroadcastRole"])
        assert f"event-bus/{expected}" in policies


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("BroadcastConcurrency", ["", "1", "64", "10000"], ["0", "00", "01", "10001", "99999", "x", "-1"]),
        ("BroadcastSplitAt", ["", "1", "9000", "999999", "1000000"], ["0", "007", "1000001", "9999999", "x"]),
        ("BroadcastReservedConcurrency", ["", "1", "20", "99999"], ["0", "05", "100000", "many"]),
        (
            "AllowedOrigins",
            ["", "https://a.example.com", "http://localhost:5173, https://*.example.com", "https://a.test:65535"],
            ["https://a.test:65536", "https://a.test:99999", "app.example.com", "*", "https://", "https://a.test/", "https://a.test,", "ftp://a.test", "https://*"],
        ),
        ("AlarmEmail", ["", "ops@city.test"], ["ops", "ops@", "a b@city.test"]),
        ("EventBusName", ["default", "city", "aws.partner/example.com/1"], ["", "a bus"]),
        ("PingRoute", ["mock", "function"], ["", "none"]),
        ("EntityState", ["true", "false"], ["", "on"]),
        ("EntityStateDays", ["1", "7", "365"], ["0", "366", "-1", "a week", ""]),
        (
            "JwtJwksUrl",
            ["", "https://id.example.com/jwks", "https://id.test:8443", "https://id.test/a/b?v=1&w=(2)"],
            ["http://id.test/jwks", "https://", "https:///jwks", "https://id.test/a b", "https://id.test:99999/jwks"],
        ),
    ],
)
def test_the_template_refuses_what_cannot_work(parameter, good, bad):
    for value in good:
        enabled(**{parameter: value})
    for value in bad:
        with pytest.raises(AssertionError, match=f"{parameter} cannot be"):
            enabled(**{parameter: value})


def test_the_template_and_the_functions_have_the_same_limits():
    code = (REPOSITORY / "crates/runtime/src/config/broadcast.rs").read_text()
    for parameter, constant in [("BroadcastConcurrency", "MOST_CONCURRENCY"), ("BroadcastSplitAt", "MOST_SPLIT_AT")]:
        (most,) = re.findall(rf"const {constant}: usize = ([0-9_]+);", code)
        enabled(**{parameter: str(int(most))})
        with pytest.raises(AssertionError, match=f"{parameter} cannot be"):
            enabled(**{parameter: str(int(most) + 1)})


def test_the_example_of_an_alarm_address_is_refused():
    (rule,) = [each for each in source()["Rules"].values() if "AlarmEmail" in json.dumps(each)]
    assert rule["Assertions"][0]["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, "alarms@example.com"]}]}
    assert "AlarmEmail=alarms@example.com" in (REPOSITORY / "samconfig.toml").read_text()


def continuation_source() -> str:
    """The source of the function's continuation events."""
    code = "".join(file.read_text() for file in sorted((REPOSITORY / "crates/broadcast/src").glob("**/*.rs")))
    (name,) = set(re.findall(r'const \w*SOURCE\w*: &str = "([^"]+)"', code))
    return name


def test_retries_of_events_end_after_the_maximum_age(on):
    for rule in on.of_type("AWS::Events::Rule").values():
        (target,) = rule["Targets"]
        assert target["Arn"] == "<BroadcastFunction>.Arn"
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 600
        assert target["DeadLetterConfig"] == {"Arn": "<DeadLetterQueue>.Arn"}
    asynchronous = on.resources["BroadcastFunctionEventInvokeConfig"]["Properties"]
    assert asynchronous["MaximumEventAgeInSeconds"] == 600
    assert asynchronous["DestinationConfig"]["OnFailure"]["Destination"] == "<DeadLetterQueue>.Arn"
    # The age allows three attempts of a minute each, and Lambda's waits between them.
    timeout = on.resources["BroadcastFunction"]["Properties"]["Timeout"]
    assert 3 * timeout + 60 + 120 <= int(on.parameters["MaximumEventAge"])


def test_the_rules_may_write_to_the_queue(on):
    allow, deny = on.resources["DeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": ["<ChangesRule>.Arn", "<ContinuationsRule>.Arn"]}}
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_outputs(on):
    assert on.outputs == {
        "WebSocketUrl": "wss://<Api>.execute-api.eu-west-1.amazonaws.com/live",
        "ManagementEndpoint": "https://<Api>.execute-api.eu-west-1.amazonaws.com/live",
        "ConnectFunctionName": "<ConnectFunction>",
        "DisconnectFunctionName": "<DisconnectFunction>",
        "DefaultFunctionName": "<DefaultFunction>",
        "BroadcastFunctionName": "<BroadcastFunction>",
        "TableName": "<ConnectionsTable>",
        "HistoryTableName": "<HistoryTable>",
        "ApiKeysTableName": "<ApiKeysTable>",
        "SigningSecretArn": "<SigningSecret>",
        "EventBus": "default",
        "DeadLetterQueueUrl": "<DeadLetterQueue>",
    }
    domain = enabled(**VARIANTS["a domain"])
    assert domain.outputs["WebSocketUrl"] == "wss://stream.example.com"
    assert domain.outputs["RegionalDomainName"] == "<Domain>.RegionalDomainName"
    # The custom domain does not serve @connections.
    assert domain.outputs["ManagementEndpoint"] == on.outputs["ManagementEndpoint"]
    endpoint = domain.resources["BroadcastFunction"]["Properties"]["Environment"]["Variables"]["WS_API_ENDPOINT"]
    assert endpoint == domain.outputs["ManagementEndpoint"]
