"""Fixtures of the tests."""

from collections.abc import Iterator

import pytest
from local import LocalSystem


@pytest.fixture(scope="session")
def local() -> Iterator[LocalSystem]:
    """A local system. Each test has a tenant of its own."""
    with LocalSystem() as system:
        yield system


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """A tenant for one test."""
    return "t" + str(abs(hash(request.node.name)))[:16]
