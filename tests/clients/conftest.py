"""Fixtures of the checks."""

import pytest

from harness import LocalSystem


@pytest.fixture
def local():
    """The local system, started for this check alone. Its log is shown if the check fails."""
    system = LocalSystem()
    try:
        yield system
        system.stop()
    finally:
        system.process.kill()
        print(system.process.output())
