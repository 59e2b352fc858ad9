"""The places of the repository that the tests use."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGE = REPOSITORY / "clients" / "python"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
SCENARIOS = REPOSITORY / "clients" / "conformance" / "scenarios"
ENTITY_STREAM = TARGET / "debug" / "entity-stream"
CONFORMANCE_SERVER = Path(os.environ.get("CONFORMANCE_SERVER", TARGET / "debug" / "conformance-server"))
