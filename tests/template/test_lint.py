"""The SAM CLI, cfn-lint and checkov accept the template."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from stack import REPOSITORY, TEMPLATE, Stack

HERE = Path(__file__).parent
TOOLS = Path(sys.executable).parent
# .ci/run installs the scanner beside this environment.
SCANNER = Path(os.environ.get("CHECKOV", TOOLS.parents[1] / "checkov" / "bin" / "checkov"))


def run(*command) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=REPOSITORY)


def test_sam_validate():
    result = run(TOOLS / "sam", "validate", "--lint", "--template", TEMPLATE)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "is a valid SAM Template" in result.stdout


def test_cfn_lint():
    # The available resource types differ between regions.
    regions = ["us-east-1", "eu-central-1", "ap-northeast-1"]
    result = run(TOOLS / "cfn-lint", "--non-zero-exit-code", "informational", "--regions", *regions, "--", TEMPLATE)
    assert result.returncode == 0, result.stdout + result.stderr


def exceptions() -> list[str]:
    return re.findall(r"^  - (CKV\w+)", (HERE / "scanner.yaml").read_text(), re.MULTILINE)


def scan(stack: Stack, directory: Path, *flags) -> dict:
    """Scans the deployed stack, because in a template the scanner skips resources with a false condition."""
    file = directory / "stack.json"
    file.write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": stack.resources}))
    result = run(SCANNER, *flags, "--file", file, "--output", "json")
    assert result.returncode in (0, 1) and result.stdout, result.stderr
    return json.loads(result.stdout)


def test_policy_scan(on, tmp_path):
    report = scan(on, tmp_path, "--config-file", HERE / "scanner.yaml")
    failed = [f"{check['check_id']} {check['check_name']}: {check['resource']}" for check in report["results"]["failed_checks"]]
    assert not failed, "\n".join(failed)
    # The scanner has really looked at the resources.
    assert report["summary"]["passed"] > 50 and report["summary"]["parsing_errors"] == 0, report["summary"]


def test_every_exception_is_needed(on, tmp_path):
    report = scan(on, tmp_path, "--skip-download", "--framework", "cloudformation")
    needed = {check["check_id"] for check in report["results"]["failed_checks"]}
    assert set(exceptions()) == needed
