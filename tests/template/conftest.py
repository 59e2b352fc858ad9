"""Fixtures of the checks."""

import os
import sys
from pathlib import Path

import pytest

from stack import Stack

# The checks of the packages use the harness of the clients' checks.
sys.path.append(str(Path(__file__).parents[1] / "clients"))

# No check may use an AWS account.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"}


@pytest.fixture(scope="session")
def on() -> Stack:
    """The stack with one parameter: EventStreamingEnabled."""
    return Stack(EventStreamingEnabled="true")


def pytest_collection_modifyitems(items):
    """Marks the checks that need `sam build`."""
    for item in items:
        if "built" in item.fixturenames:
            item.add_marker("packages")
