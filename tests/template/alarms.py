"""CloudWatch: which metrics AWS's services emit, and whether an alarm rings over the values of a metric."""

import re
from dataclasses import dataclass, field

# The metrics of AWS's services that this stack watches, with the sets of dimensions under which they are emitted. Sources: the
# pages "metrics and dimensions" of the user guides of SQS, Lambda, API Gateway (WebSocket APIs), EventBridge and DynamoDB.
CATALOGUE = {
    "AWS/SQS": {
        "ApproximateNumberOfMessagesVisible": [{"QueueName"}],
        "NumberOfMessagesSent": [{"QueueName"}],
    },
    "AWS/Lambda": {
        name: [{"FunctionName"}]
        for name in (
            "AsyncEventAge", "AsyncEventsDropped", "ConcurrentExecutions", "DestinationDeliveryFailures", "Duration",
            "Errors", "Invocations", "Throttles",
        )
    },
    "AWS/ApiGateway": {
        name: [{"ApiId", "Stage"}]
        for name in ("ClientError", "ConnectCount", "ExecutionError", "IntegrationError", "MessageCount")
    },
    # A rule of the default bus has no EventBusName.
    "AWS/Events": {
        name: [{"RuleName"}, {"EventBusName", "RuleName"}] for name in ("FailedInvocations", "InvocationsFailedToBeSentToDlq")
    },
    "AWS/DynamoDB": {
        name: [{"TableName"}]
        for name in ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents")
    },
}  # fmt: skip


@dataclass(frozen=True)
class Metric:
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]

    @staticmethod
    def of(described: dict) -> "Metric":
        dimensions = frozenset((each["Name"], each["Value"]) for each in described["Dimensions"])
        return Metric(described["Namespace"], described["MetricName"], dimensions)


def metric(namespace: str, name: str, **dimensions: str) -> Metric:
    return Metric(namespace, name, frozenset(dimensions.items()))


@dataclass
class Series:
    """The values of metrics, one for each period. A period without a value has no data."""

    values: dict[Metric, list[float | None]] = field(default_factory=dict)

    def at(self, which: Metric, period: int) -> float | None:
        values = self.values.get(which, [])
        return values[period] if period < len(values) else None


class Alarm:
    """An alarm of the template."""

    def __init__(self, properties: dict):
        self.properties = properties
        self.expression, self.inputs = None, {}
        if "Metrics" in properties:
            (result,) = [each for each in properties["Metrics"] if each["ReturnData"]]
            self.expression = result["Expression"]
            self.inputs = {
                each["Id"]: Metric.of(each["MetricStat"]["Metric"]) for each in properties["Metrics"] if not each["ReturnData"]
            }
        else:
            self.inputs = {"value": Metric.of(properties)}

    def _value(self, series: Series, period: int) -> float | None:
        values = {name: series.at(which, period) for name, which in self.inputs.items()}
        if self.expression is None:
            return values["value"]
        if all(value is None for value in values.values()):
            # CloudWatch evaluates an expression only where one of its metrics has data.
            return None
        # CloudWatch's metric math, as Python. A metric without data makes an expression without FILL missing.
        code = re.sub(r"\bAND\b", "and", self.expression)
        functions = {
            "FILL": lambda value, other: other if value is None else value,
            "IF": lambda condition, yes, no: yes if condition else no,
        }
        try:
            return float(eval(code, {"__builtins__": {}}, values | functions))
        except TypeError:
            return None

    def rings(self, series: Series) -> bool:
        """Whether the alarm is in the state ALARM after these periods."""
        periods = self.properties["EvaluationPeriods"]
        needed = self.properties.get("DatapointsToAlarm", periods)
        breaching = 0
        for period in range(periods):
            value = self._value(series, period)
            if value is None:
                breaching += self.properties["TreatMissingData"] == "breaching"
                continue
            threshold = self.properties["Threshold"]
            breaching += {
                "GreaterThanThreshold": value > threshold,
                "LessThanThreshold": value < threshold,
            }[self.properties["ComparisonOperator"]]
        return breaching >= needed
