"""Every combination of the template's switches. A reference is checked with all values of the parameters on which its own
conditions and the conditions of its target depend, so each combination is covered without expanding each of them."""

import itertools
import json
import re
from collections.abc import Iterator

import pytest

from stack import PSEUDO, Stack, expanded

# Every value that makes a difference to a condition. The parameters without conditions do not occur.
VALUES = {
    "EventStreamingEnabled": ["true", "false"],
    "AuthEnabled": ["true", "false"],
    "JwtSecretArn": ["", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-AbCdEf"],
    "JwtJwksUrl": ["", "https://id.example.com/jwks"],
    "JwtIssuer": ["", "https://id.example.com"],
    "AuthInBand": ["true", "false"],
    "EventBusName": ["default", "city", "aws.partner/example.com/city"],
    "EventSource": ["", "com.example.broker"],
    "IngestEnabled": ["true", "false"],
    "HistoryMinutes": ["60", "0"],
    "EntityState": ["true", "false"],
    "BroadcastReservedConcurrency": ["", "20"],
    "PingRoute": ["mock", "function"],
    "ApiGatewayLogging": ["create-role", "account-role", "off"],
    "AlarmsEnabled": ["true", "false"],
    "AlarmTopicArn": ["", "arn:aws:sns:eu-west-1:123456789012:alarms"],
    "AlarmEmail": ["", "ops@city.test"],
    "SilenceAlarmHours": ["0", "6"],
    "DashboardEnabled": ["true", "false"],
    "ApiKeysTableName": ["", "keys-of-another-stack"],
    "DomainName": ["", "stream.example.com"],
    "HostedZoneId": ["", "Z1"],
}

Guard = tuple[tuple[str, bool], ...]


class Template:
    """The expanded template, before its conditions are evaluated."""

    def __init__(self):
        self.text = expanded((("EventStreamingEnabled", "true"),))
        self.resources, self.conditions = self.text["Resources"], self.text["Conditions"]

    def parameters(self, condition: str) -> set[str]:
        """The parameters on which a condition depends."""
        found: set[str] = set()
        pending = [self.conditions[condition]]
        while pending:
            each = pending.pop()
            if isinstance(each, list):
                pending += each
            elif isinstance(each, dict):
                if set(each) == {"Condition"}:
                    pending.append(self.conditions[each["Condition"]])
                elif set(each) == {"Ref"}:
                    found.add(each["Ref"])
                else:
                    pending += each.values()
        return found

    def guard(self, condition: str | None) -> Guard:
        return ((condition, True),) if condition else ()

    def references(self) -> Iterator[tuple[str, str, Guard]]:
        """Each reference to a resource: where it is, its target, and the conditions under which it exists."""
        for section in ("Resources", "Outputs"):
            for name, each in self.text.get(section, {}).items():
                for target, guard in self._walk(each, self.guard(each.get("Condition"))):
                    if target in self.resources:
                        yield f"{section}.{name}", target, guard

    def _walk(self, value, guard: Guard) -> Iterator[tuple[str, Guard]]:
        if isinstance(value, list):
            for each in value:
                yield from self._walk(each, guard)
        elif isinstance(value, dict):
            if set(value) == {"Fn::If"}:
                condition, yes, no = value["Fn::If"]
                yield from self._walk(yes, guard + ((condition, True),))
                yield from self._walk(no, guard + ((condition, False),))
            elif set(value) == {"Ref"}:
                yield value["Ref"], guard
            elif set(value) == {"Fn::GetAtt"}:
                target = value["Fn::GetAtt"]
                yield target[0] if isinstance(target, list) else target.split(".")[0], guard
            elif set(value) == {"Fn::Sub"}:
                argument = value["Fn::Sub"]
                text, variables = argument if isinstance(argument, list) else (argument, {})
                for name in re.findall(r"\$\{([^}!]+)\}", text):
                    if name not in variables:
                        yield name.split(".")[0], guard
                yield from self._walk(list(variables.values()), guard)
            else:
                needed = value.get("DependsOn", []) if "Type" in value else []
                for target in needed if isinstance(needed, list) else [needed]:
                    yield target, guard
                for each in value.values():
                    yield from self._walk(each, guard)


@pytest.fixture(scope="module")
def template() -> Template:
    return Template()


def decide(template: Template, name: str, values: dict[str, str]) -> bool:
    evaluated = Stack.__new__(Stack)
    evaluated.parameters, evaluated.conditions, evaluated._numbers = values | PSEUDO, template.conditions, set()
    return evaluated.condition(name)


def combinations(template: Template, *guards: Guard) -> Iterator[dict[str, str]]:
    names = sorted(set().union(*(template.parameters(name) for guard in guards for name, _ in guard)))
    for values in itertools.product(*(VALUES[name] for name in names)):
        yield dict(zip(names, values))


def holds(template: Template, guard: Guard, values: dict[str, str]) -> bool:
    return all(decide(template, name, values) == wanted for name, wanted in guard)


def test_every_parameter_of_a_condition_has_its_values(template):
    used = set().union(*(template.parameters(name) for name in template.conditions))
    assert used == set(VALUES)
    for name, values in VALUES.items():
        parameter = template.text["Parameters"][name]
        if "AllowedValues" in parameter:
            assert set(values) == {str(each) for each in parameter["AllowedValues"]}, name


def unresolved(template: Template) -> tuple[list[str], int]:
    """The references that have no target in some combination, and the number of references that were checked."""
    found, checked = [], 0
    for where, target, guard in template.references():
        needed = template.guard(template.resources[target].get("Condition"))
        for values in combinations(template, guard, needed):
            if holds(template, guard, values):
                checked += 1
                if not holds(template, needed, values):
                    found.append(f"{where} refers to {target}, which does not exist with {values}")
    return found, checked


def test_every_reference_resolves_in_every_combination(template):
    found, checked = unresolved(template)
    assert found == [] and checked > 150


def test_a_reference_without_a_target_is_found():
    broken = Template()
    broken.resources = broken.resources | {"Probe": {"Type": "A::B::C", "Condition": "Streaming", "P": {"Ref": "SigningSecret"}}}
    broken.text = broken.text | {"Resources": broken.resources}
    found, _ = unresolved(broken)
    assert found and all("Resources.Probe refers to SigningSecret" in each for each in found)
    # Without authentication, with a secret of one's own, with the keys of an identity provider, and with its discovery.
    assert len(found) == 15


def test_nothing_exists_without_streaming_in_any_combination(template):
    for section in ("Resources", "Outputs"):
        for name, each in template.text[section].items():
            guard = template.guard(each.get("Condition"))
            assert guard, f"{name} exists always"
            for values in combinations(template, guard):
                assert values["EventStreamingEnabled"] == "true" or not holds(template, guard, values), name


def test_no_role_names_every_resource_except_for_traces(template):
    """X-Ray has no resource-level permissions."""
    statements = []

    def collect(value):
        if isinstance(value, list):
            for each in value:
                collect(each)
        elif isinstance(value, dict):
            if "Effect" in value and "Resource" in value:
                statements.append(value)
            for each in value.values():
                collect(each)

    collect(template.resources)
    assert len(statements) > 10
    for statement in statements:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if '"*"' in json.dumps(statement["Resource"]):
            assert statement["Effect"] == "Allow" and all(action.startswith("xray:") for action in actions), statement
        if statement["Effect"] == "Allow":
            assert not any("*" in action for action in actions), statement
