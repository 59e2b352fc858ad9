"""Each alarm rings for its signal and for nothing else, and each metric is one that AWS or our code emits."""

import json
import re
from pathlib import Path

import pytest

from alarms import CATALOGUE, Alarm, Metric, Series, metric
from stack import REPOSITORY, Stack
from test_expansion import VARIANTS, enabled

NAMESPACE, DIMENSION = "EntityStream", "FunctionName"

# They exist only with ingest, which a partner's bus does not have.
INGEST = {"IngestFaultsAlarm", "RefusedNotificationsAlarm"}


def alarms(stack: Stack) -> dict[str, Alarm]:
    return {name: Alarm(each) for name, each in stack.of_type("AWS::CloudWatch::Alarm").items()}


class Services:
    """The signals of AWS's services and of our functions, as the metrics that they emit in one minute."""

    def __init__(self, bus: str = "default"):
        self.bus = bus

    def rule(self, name: str, rule: str) -> Metric:
        # Only partners put events on a partner's bus, so the rule of continuations is not there.
        on_default = self.bus == "default" or (rule == "ContinuationsRule" and self.bus.startswith("aws.partner/"))
        bus = {} if on_default else {"EventBusName": self.bus}
        return metric("AWS/Events", name, RuleName=f"<{rule}>", **bus)

    def function(self, name: str, function: str) -> Metric:
        return metric("AWS/Lambda", name, FunctionName=f"<{function}Function>")

    def api(self, name: str) -> Metric:
        return metric("AWS/ApiGateway", name, ApiId="<Api>", Stage="live")

    def ours(self, name: str, function: str) -> Metric:
        return metric(NAMESPACE, name, FunctionName=f"<{function}Function>")

    def queue(self, name: str) -> Metric:
        return metric("AWS/SQS", name, QueueName="<DeadLetterQueue>.QueueName")

    def table(self, name: str, table: str) -> Metric:
        return metric("AWS/DynamoDB", name, TableName=f"<{table}>")

    def signals(self) -> dict[str, tuple[dict[Metric, float], set[str]]]:
        """What happens: the metrics of one minute, and the alarms that ring if it goes on."""
        return {
            "an event becomes a dead letter": (
                {self.queue("NumberOfMessagesSent"): 1, self.queue("ApproximateNumberOfMessagesVisible"): 1},
                {"NewDeadLettersAlarm", "DeadLettersAlarm"},
            ),
            "an old dead letter waits": ({self.queue("ApproximateNumberOfMessagesVisible"): 1}, {"DeadLettersAlarm"}),
            "Lambda cannot write a dead letter": (
                {self.function("DestinationDeliveryFailures", "Broadcast"): 1}, {"LostEventsAlarm"},
            ),
            "Lambda drops an event": ({self.function("AsyncEventsDropped", "Broadcast"): 1}, {"LostEventsAlarm"}),
            "EventBridge cannot write a dead letter": (
                {self.rule("InvocationsFailedToBeSentToDlq", "ChangesRule"): 1}, {"LostEventsAlarm"},
            ),
            "EventBridge cannot write the dead letter of a continuation": (
                {self.rule("InvocationsFailedToBeSentToDlq", "ContinuationsRule"): 1}, {"LostEventsAlarm"},
            ),
            "a broadcast fails": ({self.function("Errors", "Broadcast"): 1}, {"BroadcastErrorsAlarm"}),
            "a handshake fails": ({self.function("Errors", "Connect"): 1}, {"ClientErrorsAlarm"}),
            "a message fails": ({self.function("Errors", "Default"): 1}, {"ClientErrorsAlarm"}),
            "an end fails": ({self.function("Errors", "Disconnect"): 1}, {"ClientErrorsAlarm"}),
            "connect answers 503": ({self.ours("HandshakeFaults", "Connect"): 1}, {"HandshakeFaultsAlarm"}),
            "default answers internal": ({self.ours("MessageFaults", "Default"): 1}, {"MessageFaultsAlarm"}),
            "API Gateway cannot invoke": ({self.api("IntegrationError"): 1}, {"ApiErrorsAlarm"}),
            "API Gateway fails itself": ({self.api("ExecutionError"): 1}, {"ApiErrorsAlarm"}),
            "the stage throttles": ({self.api("ClientError"): 500}, {"ApiThrottlesAlarm"}),
            "a client sends nonsense": ({self.api("ClientError"): 1}, set()),
            "handshakes are throttled by Lambda": ({self.function("Throttles", "Connect"): 1}, {"ThrottlesAlarm"}),
            "broadcasts are throttled by Lambda": ({self.function("Throttles", "Broadcast"): 1}, {"ThrottlesAlarm"}),
            "reads of the table are throttled": (
                {self.table("ReadThrottleEvents", "ConnectionsTable"): 1}, {"TableThrottlesAlarm"},
            ),
            "writes of the table are throttled": (
                {self.table("WriteThrottleEvents", "ConnectionsTable"): 1}, {"TableThrottlesAlarm"},
            ),
            "reads of API keys are throttled": ({self.table("ReadThrottleEvents", "ApiKeysTable"): 1}, {"TableThrottlesAlarm"}),
            "writes of API keys are throttled": ({self.table("WriteThrottleEvents", "ApiKeysTable"): 1}, {"TableThrottlesAlarm"}),
            "reads of the history are throttled": (
                {self.table("ReadThrottleEvents", "HistoryTable"): 1}, {"HistoryThrottlesAlarm"},
            ),
            "writes of the history are throttled": (
                {self.table("WriteThrottleEvents", "HistoryTable"): 1}, {"HistoryThrottlesAlarm"},
            ),
            "an event is not written into the history": (
                {self.ours("NotRecorded", "Broadcast"): 1, self.function("Errors", "Broadcast"): 1},
                {"HistoryWritesAlarm", "BroadcastErrorsAlarm"},
            ),
            "the history cannot be read": ({self.ours("HistoryFaults", "Default"): 1}, {"HistoryReadsAlarm"}),
            "an event is not merged into the entity state": (
                {self.ours("NotStored", "Broadcast"): 1, self.function("Errors", "Broadcast"): 1},
                {"StateWritesAlarm", "BroadcastErrorsAlarm"},
            ),
            "the entity state cannot be read": ({self.ours("StateFaults", "Default"): 1}, {"StateReadsAlarm"}),
            "an entity changes from several sides at once": ({self.ours("StateConflicts", "Broadcast"): 9}, set()),
            "an entity is too large for the entity state": ({self.ours("StateTooLarge", "Broadcast"): 9}, set()),
            "events arrive late": ({self.ours("EventAge", "Broadcast"): 60_000}, {"EventAgeAlarm"}),
            "events arrive in time": ({self.ours("EventAge", "Broadcast"): 900}, set()),
            "no delivery succeeds": ({self.ours("Failed", "Broadcast"): 3}, {"NothingDeliveredAlarm"}),
            "all deliveries are refused": ({self.ours("Rejected", "Broadcast"): 3}, {"NothingDeliveredAlarm"}),
            "some deliveries fail": ({self.ours("Failed", "Broadcast"): 3, self.ours("Delivered", "Broadcast"): 90}, set()),
            "clients are refused": ({metric(NAMESPACE, "Refusals", FunctionName="<ConnectFunction>", reason="expired"): 9}, set()),
            "a notification does not reach the bus": ({self.ours("IngestFaults", "Ingest"): 1}, {"IngestFaultsAlarm"}),
            "a notification fails": ({self.function("Errors", "Ingest"): 1}, {"IngestFaultsAlarm"}),
            "notifications are throttled by Lambda": ({self.function("Throttles", "Ingest"): 1}, {"IngestFaultsAlarm"}),
            "a broker sends what cannot be published": (
                {self.ours("RefusedNotifications", "Ingest"): 1}, {"RefusedNotificationsAlarm"},
            ),
            "a stranger sends notifications": (
                {metric(NAMESPACE, "Refusals", FunctionName="<IngestFunction>", reason="no_credential"): 9}, set(),
            ),
            "all is well": (
                {
                    self.ours("Delivered", "Broadcast"): 900, self.ours("Connections", "Connect"): 20,
                    self.function("Errors", "Broadcast"): 0, self.function("Errors", "Connect"): 0,
                    self.function("Throttles", "Default"): 0, self.queue("ApproximateNumberOfMessagesVisible"): 0,
                    self.api("ClientError"): 0, self.api("IntegrationError"): 0,
                },
                set(),
            ),
        }  # fmt: skip


@pytest.mark.parametrize("bus", ["default", "city", "aws.partner/example.com/city"])
@pytest.mark.parametrize("signal", Services().signals())
def test_a_signal_rings_its_alarms_and_no_other(signal, bus):
    minute, expected = Services(bus).signals()[signal]
    if bus.startswith("aws.partner/"):
        expected = expected - INGEST
    series = Series({which: [value] * 5 for which, value in minute.items()})
    assert {name for name, alarm in alarms(enabled(EventBusName=bus, IngestEnabled="true")).items() if alarm.rings(series)} == expected


def test_every_alarm_has_a_signal(on):
    rung = set().union(*(expected for _, expected in Services().signals().values()))
    assert rung == set(alarms(enabled(IngestEnabled="true"))) == set(alarms(on)) | INGEST


def test_without_any_data_no_alarm_rings(on):
    assert [name for name, alarm in alarms(on).items() if alarm.rings(Series())] == []


def test_each_new_dead_letter_rings(on):
    """A second dead letter rings although the first is still in the queue."""
    alarm, sent = alarms(on)["NewDeadLettersAlarm"], Services().queue("NumberOfMessagesSent")
    states = [alarm.rings(Series({sent: [value]})) for value in (1, None, 1, 0)]
    assert states == [True, False, True, False]


def test_one_bad_minute_is_enough_for_what_is_lost_and_not_for_what_is_repeated(on):
    for name, alarm in alarms(on).items():
        once = "DeadLetter" in name or "Lost" in name
        assert (alarm.properties["EvaluationPeriods"] == 1) == once, name


@pytest.mark.parametrize(
    ("parameters", "watched"),
    [
        ({"HistoryMinutes": "0"}, {"HistoryWritesAlarm", "HistoryReadsAlarm"}),
        ({"EntityState": "false"}, {"StateWritesAlarm", "StateReadsAlarm"}),
        (
            {"HistoryMinutes": "0", "EntityState": "false"},
            {"HistoryWritesAlarm", "HistoryReadsAlarm", "StateWritesAlarm", "StateReadsAlarm", "HistoryThrottlesAlarm"},
        ),
    ],
)
def test_no_alarm_and_no_widget_watches_what_is_switched_off(on, parameters, watched):
    without = enabled(**parameters)
    assert set(alarms(on)) - set(alarms(without)) == watched
    of_past = {which for name in watched for which in alarms(on)[name].inputs.values()}
    assert of_past <= dashboard(on) and not of_past & dashboard(without)


@pytest.mark.parametrize("variant", [name for name, parameters in VARIANTS.items() if "DashboardEnabled" not in parameters])
def test_no_widget_covers_another(variant):
    body = json.loads(enabled(**VARIANTS[variant]).resources["DashboardOfStack"]["Properties"]["DashboardBody"])
    places = [(each["x"], each["y"]) for each in body["widgets"]]
    assert len(set(places)) == len(places)
    assert {(each["width"], each["height"]) for each in body["widgets"]} == {(12, 6)}


def test_silence_rings_only_if_it_is_asked_for(on):
    assert "SilenceAlarm" not in alarms(on)
    silence = alarms(enabled(SilenceAlarmHours="3"))["SilenceAlarm"]
    assert silence.properties["Period"] * silence.properties["EvaluationPeriods"] == 3 * 3600
    invocations = Services().function("Invocations", "Broadcast")
    assert silence.rings(Series()) and silence.rings(Series({invocations: [0, 0, 0]}))
    assert not silence.rings(Series({invocations: [None, 1, None]}))


def our_code() -> str:
    crates = ("broadcast", "connect", "default", "history", "ingest", "runtime")
    files = [file for crate in crates for file in sorted((REPOSITORY / "crates" / crate / "src").glob("**/*.rs"))]
    return "".join(file.read_text() for file in files)


def check(which: Metric, code: str):
    """Fails unless AWS or our code emits this metric with these dimensions."""
    names = {name for name, _ in which.dimensions}
    if which.namespace == NAMESPACE:
        assert f'"{which.name}"' in code, f"the code does not count {which.name}"
        assert names == {DIMENSION}
    else:
        assert names in CATALOGUE[which.namespace][which.name], f"{which} is not emitted"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_alarm_watches_a_metric_that_is_emitted(variant):
    code = our_code()
    assert set(re.findall(r'const NAMESPACE: &str = "(\w+)"', code)) == {NAMESPACE}
    assert set(re.findall(r'const DIMENSION: &str = "(\w+)"', code)) == {DIMENSION}
    for alarm in alarms(enabled(**VARIANTS[variant])).values():
        for which in alarm.inputs.values():
            check(which, code)


def dashboard(stack: Stack) -> set[Metric]:
    """The metrics that the dashboard shows. It also searches for the refusals of each reason."""
    shown = set()
    body = json.loads(stack.resources["DashboardOfStack"]["Properties"]["DashboardBody"])
    for widget in body["widgets"]:
        before: list[str] = []
        for row in widget["properties"]["metrics"]:
            if isinstance(row[0], dict):
                assert 'MetricName="Refusals"' in row[0]["expression"]
                continue
            parts = [part for part in row if isinstance(part, str)]
            if parts[0] == "...":
                parts = before[: len(before) - len(parts) + 1] + parts[1:]
            else:
                parts = [old if part == "." else part for part, old in zip(parts, before + [""] * len(parts))]
            before = parts
            shown.add(Metric(parts[0], parts[1], frozenset(zip(parts[2::2], parts[3::2]))))
    return shown


@pytest.mark.parametrize("variant", [name for name, parameters in VARIANTS.items() if "DashboardEnabled" not in parameters])
def test_the_dashboard_shows_what_alarms_watch(variant):
    code, stack = our_code(), enabled(**VARIANTS[variant])
    shown = dashboard(stack)
    for which in shown:
        check(which, code)
    assert {which for alarm in alarms(stack).values() for which in alarm.inputs.values()} - shown == set()
    assert {"Invocations", "ConcurrentExecutions", "AsyncEventAge", "EventAge"} <= {which.name for which in shown}


def test_alarms_notify_everybody_who_is_named(on):
    topic = "arn:aws:sns:eu-west-1:123456789012:alarms"
    for parameters, told in [
        ({}, []),
        ({"AlarmTopicArn": topic}, [topic]),
        ({"AlarmEmail": "ops@city.test"}, ["<AlarmTopic>"]),
        ({"AlarmTopicArn": topic, "AlarmEmail": "ops@city.test", "SilenceAlarmHours": "24"}, [topic, "<AlarmTopic>"]),
    ]:
        stack = enabled(**parameters)
        for name, alarm in alarms(stack).items():
            assert alarm.properties["AlarmActions"] == alarm.properties["OKActions"] == told, name
            missing = "breaching" if name == "SilenceAlarm" else "notBreaching"
            assert alarm.properties["TreatMissingData"] == missing
        subscribed = [each["Subscription"] for each in stack.of_type("AWS::SNS::Topic").values()]
        address = parameters.get("AlarmEmail")
        assert subscribed == ([[{"Protocol": "email", "Endpoint": address}]] if address else [])


def test_metrics_survive_every_level_of_the_log():
    """Lambda treats a line without a level as INFO, and drops it where the level of the application's logs is WARN or ERROR."""
    for level in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR"):
        stack = enabled(LogLevel=level)
        for name, function in stack.of_type("AWS::Lambda::Function").items():
            assert function["LoggingConfig"]["ApplicationLogLevel"] in ("TRACE", "DEBUG", "INFO"), name
            # Lambda would drop lines that the function is told to write.
            assert function["LoggingConfig"]["ApplicationLogLevel"] == "TRACE"
            assert function["Environment"]["Variables"]["RUST_LOG"] == level
