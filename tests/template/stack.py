"""The stack that CloudFormation creates from template.yaml: the SAM translator's expansion, with conditions and parameters."""

import copy
import re
from functools import cache
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = REPOSITORY / "template.yaml"

# The pseudo parameters of CloudFormation.
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/stream/1",
    "AWS::StackName": "stream",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()


class NoManagedPolicies:
    """Managed policies for the translator, which would ask AWS for their names. The template uses ARNs."""

    def load(self):
        return {}


def source() -> dict:
    """The template as written."""
    return yaml_parse(TEMPLATE.read_text())


@cache
def expanded(parameters: tuple) -> dict:
    template = source()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # A URI as after `sam package`, because the translator accepts no folders.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(template, dict(parameters), NoManagedPolicies())


def in_range(parameter: dict, value: str) -> bool:
    """Whether CloudFormation takes a value for a parameter, as far as numbers are concerned."""
    if parameter["Type"] != "Number":
        return True
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return False
    return parameter.get("MinValue", float(value)) <= float(value) <= parameter.get("MaxValue", float(value))


class Stack:
    """The stack with these parameters. `resources` and `outputs` contain the existing ones. A reference to a missing one is an
    error, as in a deployment with CloudFormation."""

    def __init__(self, **parameters: str):
        given = {name: str(value) for name, value in parameters.items()}
        template = copy.deepcopy(expanded(tuple(sorted(given.items()))))
        declared = template["Parameters"]
        unknown = set(given) - set(declared)
        assert not unknown, f"the template has no parameters {unknown}"
        for name, value in given.items():
            allowed = [str(each) for each in declared[name].get("AllowedValues", [value])]
            assert value in allowed, f"{name} cannot be {value}"
            assert re.fullmatch(declared[name].get("AllowedPattern", "(?s:.*)"), value), f"{name} cannot be {value}"
            assert in_range(declared[name], value), f"{name} cannot be {value}"
        self.parameters = {name: given.get(name, str(declared[name].get("Default"))) for name in declared} | PSEUDO
        self._numbers = {name for name in declared if declared[name]["Type"] == "Number"}
        self.conditions = template.get("Conditions", {})
        self._present = {
            name: resource
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self.condition(resource["Condition"])
        }
        self.references: set[str] = set()
        self.resources = {name: self._resolve(resource, name) for name, resource in self._present.items()}
        self.outputs = {
            name: self._resolve(output["Value"], f"output {name}")
            for name, output in template.get("Outputs", {}).items()
            if "Condition" not in output or self.condition(output["Condition"])
        }

    def condition(self, name: str) -> bool:
        return self._decide(self.conditions[name])

    def of_type(self, resource_type: str) -> dict[str, dict]:
        """The properties of all resources of a type."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == resource_type
        }

    def _decide(self, expression) -> bool:
        ((function, argument),) = expression.items()
        match function:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                left, right = (str(self._resolve(side, "a condition")) for side in argument)
                return left == right
            case "Fn::And":
                return all(self._decide(each) for each in argument)
            case "Fn::Or":
                return any(self._decide(each) for each in argument)
            case "Fn::Not":
                return not self._decide(argument[0])
        raise AssertionError(f"no such condition function: {function}")

    def _refer(self, target: str, where: str):
        """The placeholder of a resource: its name in angle brackets."""
        if target in self.parameters:
            return self.parameters[target]
        assert target in self._present, f"{where} refers to {target}, which does not exist with these parameters"
        self.references.add(target)
        return f"<{target}>"

    def _ref(self, target: str, where: str):
        """What `Ref` returns. For a rule of a custom bus that is the bus and the name, as CloudFormation's coverage roadmap says
        in issues 1131 and 1949."""
        reference = self._refer(target, where)
        if target in self.parameters or self._present[target]["Type"] != "AWS::Events::Rule":
            return reference
        bus = self._resolve(self._present[target]["Properties"].get("EventBusName", "default"), where)
        return reference if bus == "default" else f"{bus}|{reference}"

    def _resolve(self, value, where: str):
        if isinstance(value, list):
            items = [self._resolve(item, where) for item in value]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            match function:
                case "Ref":
                    if argument == "AWS::NoValue":
                        return NO_VALUE
                    value = self._ref(argument, where)
                    return int(value) if argument in self._numbers else value
                case "Fn::GetAtt":
                    target, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
                    return f"{self._refer(target, where)}.{attribute}"
                case "Fn::Sub":
                    return self._substitute(argument, where)
                case "Fn::If":
                    condition, yes, no = argument
                    return self._resolve(yes if self.condition(condition) else no, where)
                case "Fn::Split":
                    delimiter, text = argument
                    return self._resolve(text, where).split(delimiter)
                case "Fn::Select":
                    index, values = argument
                    return self._resolve(values, where)[int(index)]
                case "Fn::Equals":
                    return self._decide(value)
            assert not function.startswith("Fn::"), f"{where} uses {function}, which these checks do not support"
        if "DependsOn" in value and "Type" in value:
            needed = value["DependsOn"]
            for target in needed if isinstance(needed, list) else [needed]:
                self._refer(target, where)
        resolved = {key: self._resolve(item, f"{where}.{key}") for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def _substitute(self, argument, where: str):
        text, variables = argument if isinstance(argument, list) else (argument, {})
        variables = {name: self._resolve(value, where) for name, value in variables.items()}

        def replacement(match):
            if match[1] in variables:
                return variables[match[1]]
            target, _, attribute = match[1].partition(".")
            if target not in self.parameters and attribute:
                return f"{self._refer(target, where)}.{attribute}"
            return self._ref(match[1], where)

        return re.sub(r"\$\{([^}!]+)\}", replacement, text)
