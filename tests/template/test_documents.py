"""The documentation of the deployment and the template agree."""

import re
import subprocess

from alarms import Alarm
from costs import CONNECTIONS_OF_SUBJECT, EXAMPLES, HISTORY_SECONDS, MESSAGES_A_SECOND, SIZES, STATE_DAYS, size_row, worst
from stack import REPOSITORY, Stack, source

DOCS = REPOSITORY / "docs"


def rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    text = (DOCS / document).read_text()
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_parameter_is_documented_with_its_default():
    documented = {name.strip("` "): default.strip("`") for name, default, *_ in (
        re.match(r"\| (`\w+`) \| (.*?) ?\| (.*) \|", line).groups()
        for line in (DOCS / "configuration.md").read_text().split("## Variables")[0].splitlines()
        if line.startswith("| `")
    )}  # fmt: skip
    assert documented == {name: str(each["Default"]) for name, each in source()["Parameters"].items()}


def test_parameters_have_the_same_description_in_documentation_and_template():
    text = (DOCS / "configuration.md").read_text()
    for name, parameter in source()["Parameters"].items():
        description = " ".join(parameter["Description"].split())
        assert f"| {description}" in text, f"{name}: {description}"


def test_every_variable_is_documented_with_the_parameter_that_sets_it(on):
    documented = {row[0].strip("`"): row[-1] for row in rows("configuration.md", "Variables of the functions")}
    functions = [each for each in source()["Resources"].values() if each["Type"] == "AWS::Serverless::Function"]
    for function in functions:
        for variable, value in function["Properties"]["Environment"]["Variables"].items():
            for parameter in set(re.findall(r"\w+", str(value))) & set(source()["Parameters"]) - {"StageName"}:
                assert f"`{parameter}`" in documented[variable], f"{variable} is set by {parameter}"


def test_every_parameter_that_is_mentioned_exists():
    known = set(source()["Parameters"])
    for document in ("README.md", "docs/deploying.md", "docs/operating.md", "docs/costs.md", "samconfig.toml"):
        text = (REPOSITORY / document).read_text()
        for name in re.findall(r"\b([A-Z]\w+)=[\w-]+", text):
            assert name in known or name.isupper(), f"{document} mentions {name}"


def test_every_alarm_is_explained():
    alarms = set(Stack(EventStreamingEnabled="true", IngestEnabled="true", SilenceAlarmHours="1").of_type("AWS::CloudWatch::Alarm"))
    assert {row[0].strip("`") for row in rows("operating.md", "Alarms")} == alarms
    text = (DOCS / "operating.md").read_text()
    assert set(re.findall(r"^### (\w+Alarm)$", text, re.MULTILINE)) == alarms


def test_the_commands_of_an_operator_can_be_pasted():
    """The page sets each variable that its commands use, from outputs of the stack."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (DOCS / "operating.md").read_text(), re.MULTILINE | re.DOTALL)
    script = "\n".join(blocks)
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""
    set_by_page = set(re.findall(r"^(?:export )?(\w+)=|^for (\w+) in", script, re.MULTILINE))
    used = set(re.findall(r"\$\{?([A-Za-z]\w*)", script))
    assert used <= {name for names in set_by_page for name in names}
    outputs = set(re.findall(r"\$\(output (\w+)\)", script))
    assert len(outputs) > 5 and outputs <= set(source()["Outputs"])


def test_every_metric_is_explained():
    documented = {row[0].split("`")[1] for row in rows("operating.md", "Metrics")}
    code = "".join(file.read_text() for file in sorted((REPOSITORY / "crates").glob("*/src/**/*.rs")))
    counted = set(re.findall(r'counter!\("(\w+)"', code)) | set(re.findall(r'\("(\w+)", summary\.\w+\)', code))
    counted |= set(re.findall(r'^const \w+: &str = "((?:Refusals|Connections|EventAge|HandshakeFaults|MessageFaults|IngestFaults|Notifications|RefusedNotifications|Ingested))";', code, re.MULTILINE))
    assert documented == counted


def test_every_output_is_explained():
    text = (DOCS / "deploying.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \| ", text, re.MULTILINE)) == set(source()["Outputs"])


def test_the_examples_of_costs_are_computed():
    text = (DOCS / "costs.md").read_text()
    for example in EXAMPLES:
        assert example.row() in text
        assert example.history_row() in text
        assert example.state_row() in text
    for size in SIZES:
        assert size_row(size) in text
    parameters = source()["Parameters"]
    assert HISTORY_SECONDS == 60 * parameters["HistoryMinutes"]["Default"]
    assert STATE_DAYS == parameters["EntityStateDays"]["Default"]
    # The deliveries a second are within an account's quota.
    assert all(example.events * example.audience <= 10_000 for example in EXAMPLES)


def test_the_fixed_costs_are_computed(on):
    """CloudWatch charges for each metric that an alarm reads, and for each metric of our own."""
    watched = sum(len(Alarm(each).inputs) for each in on.of_type("AWS::CloudWatch::Alarm").values())
    counted = len(rows("operating.md", "Metrics")) - 1  # Refusals are counted by their reason.
    text = " ".join((DOCS / "costs.md").read_text().split())
    assert f"{0.10 * watched:.2f} for the alarms (0.10 for each of {watched} metrics that they read)" in text
    assert f"0.30 for each metric of Entity Stream that occurs (up to {counted}, and one more for each" in text


def test_the_most_that_a_minute_costs_is_computed():
    section = (DOCS / "costs.md").read_text().split("## The most that one client can cost\n", 1)[1].split("\n## ", 1)[0]
    assert [line for line in section.splitlines() if line.startswith("|")][2:] == [each.row() for each in worst()]
    parameters = source()["Parameters"]
    assert parameters["ThrottlingRateLimit"]["Default"] == MESSAGES_A_SECOND
    assert parameters["MaxConnectionsPerSubject"]["Default"] == CONNECTIONS_OF_SUBJECT
    for each in worst():
        for name in re.findall(r"`([A-Z]\w+)", each.who + each.limit):
            assert name in parameters, f"{name} limits {each.what}"


def test_the_profiles_deploy():
    profiles = re.findall(r'^parameter_overrides = "(.*)"$', (REPOSITORY / "samconfig.toml").read_text(), re.MULTILINE)
    assert len(profiles) == 3
    for overrides in profiles:
        assert Stack(**dict(pair.split("=") for pair in overrides.split())).resources
