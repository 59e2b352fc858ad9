"""The packages in Lambda's runtime interface emulator, by `sam local`. `.ci/docker` makes Docker ready where that is possible."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import BINARY, PATIENCE, LocalSystem, Process, environment_without_aws, free_port
from samples import EVENTS, samples
from stack import REPOSITORY
from test_packages import BUILD, TOOLS, built  # noqa: F401

FUNCTIONS = {"connect": "ConnectFunction", "disconnect": "DisconnectFunction", "default": "DefaultFunction"}


def docker_runs() -> bool:
    return shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not docker_runs(), reason="no Docker daemon runs")


def settings(system: LocalSystem, folder: Path) -> Path:
    """The variables of `local-invoke.json` for another port. A container reaches the host through its bridge."""
    text = (REPOSITORY / "local-invoke.json").read_text()
    text = text.replace(":3000", f":{system.port}").replace(":8000", f":{system.dynamodb_port}")
    (folder / "local-invoke.json").write_text(text)
    return folder / "local-invoke.json"


def sam_local(command: str, *arguments: str | Path, variables: Path) -> list:
    options = ["--template", BUILD / "template.yaml", "--env-vars", variables, "--skip-pull-image"]
    return [TOOLS / "sam", "local", command, *arguments, *options, "--add-host", "host.docker.internal:host-gateway"]


ENVIRONMENT = environment_without_aws(SAM_CLI_TELEMETRY="0", AWS_DEFAULT_REGION="us-east-1")


@pytest.mark.parametrize("sample", ["connect/no-token", "default/ping", "disconnect/idle-1001", "broadcast/updated"])
def test_sam_local_invoke(built, sample, tmp_path):  # noqa: F811
    """Runs the commands of docs/deploying.md on other ports."""
    system = LocalSystem("--host", "0.0.0.0")
    try:
        function = f"{sample.partition('/')[0].capitalize()}Function"
        command = sam_local("invoke", function, "--event", EVENTS / f"{sample}.json", variables=settings(system, tmp_path))
        result = subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        samples()[sample].check(json.loads(result.stdout.splitlines()[-1]), system.dead_letters())
    finally:
        system.process.kill()


def test_doctor_finds_nothing_wrong_with_sam_local_start_lambda(built, tmp_path):  # noqa: F811
    """The local system invokes the packages in their containers, and a change passes through all of them."""
    port = free_port()
    names = [option for name, function in FUNCTIONS.items() for option in (f"--{name}-function", function)]
    names += ["--broadcast-function", "BroadcastFunction"]
    system = LocalSystem("--host", "0.0.0.0", "--lambda-endpoint", f"http://127.0.0.1:{port}", *names)
    variables = settings(system, tmp_path)
    # Containers that stay are quick enough for a handshake; the first one of each function takes seconds.
    command = sam_local("start-lambda", "--port", str(port), "--warm-containers", "EAGER", variables=variables)
    lambdas = Process(command, name="sam", env=ENVIRONMENT, cwd=REPOSITORY)
    try:
        while "Running on" not in lambdas.next_line("sam local to listen", seconds=10 * PATIENCE):
            pass
        command = [BINARY, "doctor", "demo", "--url", f"ws://localhost:{system.port}", "--timeout", "60s"]
        result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        assert result.returncode == 0, f"{result.stdout}\n{result.stderr}\n{lambdas.output()}"
    finally:
        lambdas.kill()
        system.process.kill()
