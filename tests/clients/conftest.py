"""Fixtures of the checks."""

import pytest

from harness import LocalSystem


@pytest.fixture
def local():
    """A local system for one check. Its log is shown if the check fails."""
    system = LocalSystem()
    try:
        yield system
        system.stop()
    finally:
        system.process.kill()
        print(system.process.output())
