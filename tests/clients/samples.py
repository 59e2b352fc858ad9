"""The sample events, and their answers according to events/README.md."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

EVENTS = Path(__file__).resolve().parents[2] / "events"


@dataclass(frozen=True)
class Sample:
    """A sample, for example `connect/no-token`, and the last column of its line."""

    name: str
    promise: str

    @property
    def file(self) -> Path:
        return EVENTS / f"{self.name}.json"

    def check(self, answer: dict, dead_letters: str):
        """Compares the answer of the function, and the dead letters since, with the promise. No client is connected."""
        function, _, _ = self.name.partition("/")
        if function == "broadcast":
            undeliverable = 1 if "dead letter" in self.promise else 0
            assert (answer["undeliverable"], answer["delivered"]) == (undeliverable, 0), answer
            event = json.loads(self.file.read_text())
            first = event[0] if isinstance(event, list) else event
            assert (first["id"] in dead_letters) == bool(undeliverable)
        else:
            status = int(self.promise.split()[0].strip(",")) if function in ("connect", "ingest") else 200
            assert answer["statusCode"] == status, answer
            selects = "sec-websocket-protocol" in json.dumps(answer).lower()
            assert ("selects `access_token`" in self.promise) == selects, answer


@cache
def samples() -> dict[str, Sample]:
    """All samples in events/README.md, by name."""
    listed, folder = {}, None
    for line in (EVENTS / "README.md").read_text().splitlines():
        if heading := re.match(r"## `(\w+)/`", line):
            folder = heading[1]
        elif row := re.match(r"\| `([\w-]+)` \|(?:.*\|)? (.*) \|$", line):
            listed[f"{folder}/{row[1]}"] = Sample(f"{folder}/{row[1]}", row[2])
    return listed
