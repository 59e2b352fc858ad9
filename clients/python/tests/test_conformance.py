"""The scenarios that every client runs."""

import asyncio
import json
from pathlib import Path

import pytest
from conformance import Runner
from paths import SCENARIOS


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.json")), ids=lambda path: path.stem)
def test_scenario(path: Path):
    asyncio.run(Runner(json.loads(path.read_text())).run())


def test_the_scenarios_are_found():
    assert len(list(SCENARIOS.glob("*.json"))) >= 50
