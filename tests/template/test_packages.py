"""`sam build` builds packages that Lambda can run, that are small enough, and that answer every sample event."""

import io
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness import LocalSystem, environment_without_aws
from lambda_process import Function
from samples import EVENTS, samples
from stack import REPOSITORY

TOOLS = Path(sys.executable).parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
BUILD = TARGET / "ci" / "sam-build"

FUNCTIONS = ["connect", "disconnect", "default", "broadcast", "ingest"]
MEGABYTE = 1_000_000

# The glibc version of Amazon Linux 2023.
GLIBC = (2, 34)


@pytest.fixture(scope="session")
def built() -> dict[str, Path]:
    """The bootstrap file of each function, built by `sam build` for this machine's architecture, with zig as `docs/deploying.md`
    recommends: Debian's own linker would ask for a newer system library than Lambda has."""
    shutil.rmtree(BUILD, ignore_errors=True)
    architecture = "arm64" if platform.machine() == "aarch64" else "x86_64"
    overrides = f"EventStreamingEnabled=true IngestEnabled=true Architecture={architecture}"
    command = [TOOLS / "sam", "build", "--build-dir", BUILD]
    environment = environment_without_aws(
        PATH=f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
        SAM_CLI_TELEMETRY="0",
        AWS_DEFAULT_REGION="us-east-1",
    )
    result = subprocess.run(
        [*command, "--parameter-overrides", overrides], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert (BUILD / "template.yaml").exists()
    return {name: BUILD / f"{name.capitalize()}Function" / "bootstrap" for name in FUNCTIONS}


@pytest.fixture(scope="session")
def local():
    """The local system, which provides table, queue, bus and @connections for the functions."""
    system = LocalSystem()
    try:
        yield system
    finally:
        system.process.kill()


@pytest.fixture(scope="session")
def variables(local) -> dict[str, str]:
    return {
        "EVENT_STREAMING_ENABLED": "true",
        "AUTH_ENABLED": "false",
        "INGEST_ENABLED": "true",
        "WS_CONNECTIONS_TABLE": local.table(),
        "WS_HISTORY_TABLE": local.history_table(),
        "WS_API_ENDPOINT": f"{local.url}/local",
        "DEAD_LETTER_QUEUE_URL": f"{local.url}/000000000000/entity-stream-dead-letters",
        "EVENT_BUS_NAME": "default",
        "AWS_ENDPOINT_URL_DYNAMODB": local.dynamodb_url,
        "AWS_ENDPOINT_URL": local.url,
    }


@pytest.fixture(scope="session")
def functions(built, variables):
    running = {name: Function(bootstrap, **variables) for name, bootstrap in built.items()}
    yield running
    for function in running.values():
        function.stop()


def test_a_package_is_one_file_that_runs(built):
    for name, bootstrap in built.items():
        assert os.listdir(bootstrap.parent) == ["bootstrap"], name
        assert os.access(bootstrap, os.X_OK), name


def test_a_panic_is_answered_and_the_next_event_served(built):
    """`cargo lambda build` sets `panic = "abort"` unless the workspace sets another value. Only with unwinding does a panic fail
    one invocation and not the process. The functions do not panic, so an example does; it is built as they are."""
    command = [TOOLS / "cargo-lambda", "lambda", "build", "--release", "--package", "entity-stream-runtime", "--example", "panics"]
    environment = environment_without_aws(PATH=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    function = Function(TARGET / "lambda" / "panics" / "bootstrap")
    try:
        with pytest.raises(AssertionError, match="panic"):
            function.invoke(b'{"panic":true}')
        assert function.invoke(b"{}") == {"answered": True}
    finally:
        function.stop()


def test_the_system_library_is_not_newer_than_lambdas(built):
    for name, bootstrap in built.items():
        wanted = {tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(\d+\.\d+)", bootstrap.read_bytes())}
        assert wanted and max(wanted) <= GLIBC, f"{name} needs glibc {max(wanted)}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_package_is_small(built, name, capsys):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(built[name], "bootstrap")
    size = len(archive.getvalue())
    with capsys.disabled():
        print(f"\n{name}: {size / MEGABYTE:.2f} MB zipped, {built[name].stat().st_size / MEGABYTE:.2f} MB")
    assert size <= 4 * MEGABYTE


@pytest.mark.parametrize("sample", samples())
def test_a_function_answers_its_samples(functions, local, sample):
    name, _, _ = sample.partition("/")
    file = EVENTS / f"{sample}.json"
    answer = functions[name].invoke(file.read_bytes())
    samples()[sample].check(answer, local.dead_letters())


def test_a_connection_is_counted_in_one_line(functions, built, variables):
    """The line has CloudWatch's embedded metric format and names the metrics and their dimensions."""
    function = Function(built["connect"], **variables)
    function.invoke((EVENTS / "connect" / "no-token.json").read_bytes())
    function.invoke((EVENTS / "connect" / "tenant-missing.json").read_bytes())
    function.stop()
    metrics = [line for line in map(json.loads, function.lines) if "_aws" in line]
    assert len(metrics) == 1, function.lines
    assert (metrics[0]["Connections"], metrics[0]["FunctionName"]) == (1, "ConnectFunction")
    (described,) = metrics[0]["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == "EntityStream" and described["Dimensions"] == [["FunctionName"]]
    assert [metric["Name"] for metric in described["Metrics"]] == ["Connections"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_starts_in_little_memory(built, variables, name, capsys):
    """Prints the figures of BENCHMARKS.md. The time is not checked, because it depends on the load of the machine."""
    times, peak = [], 0
    for _ in range(20):
        function = Function(built[name], **variables)
        times.append(function.started_in * 1000)
        peak = max(peak, function.peak_memory())
        function.stop()
    with capsys.disabled():
        fastest, median = min(times), statistics.median(times)
        print(f"\n{name}: first request for an event after {fastest:.1f} ms (median {median:.1f}), {peak} KiB resident")
    assert peak <= 12 * 1024
