"""The clients of three languages keep copies of a simulated city. Their connections are cut, swallowed and replaced, and their
tokens expire. At the end each copy equals the simulation's own state.

`just mirrors SECONDS` runs it; the drops are as many as 20 in ten minutes, and three at least.
"""

import json
import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from proxy import Proxy

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.append(str(REPOSITORY / "tests/clients"))
from harness import BINARY, PATIENCE, TARGET, LocalSystem, Process, environment_without_aws  # noqa: E402

SECONDS = int(os.environ.get("ENTITY_STREAM_MIRROR_SECONDS", "20"))
DROPS = max(3, SECONDS // 30)
# The time between two drops. A token is renewed, at half of its life, and a connection is replaced within it.
INTERVAL = SECONDS / (DROPS + 1)
ROTATE_MS = int(max(INTERVAL * 0.5, min(4.5, INTERVAL * 0.9)) * 1000)
# A token that is a second old already has to outlive a handshake that the proxy swallows, on a slow machine too.
TOKEN_LIFE = max(8, int(INTERVAL * 0.6))
RATE = 20
SECRET = "a secret of these mirrors, and of no other system"

MIRRORS = {
    "TypeScript": ["node", REPOSITORY / "clients/typescript/build/test/mirror.js"],
    "Python": [sys.executable, REPOSITORY / "clients/python/tests/mirror.py"],
    "Rust": [TARGET / "debug/examples/mirror"],
}


def mint(file: Path) -> None:
    """Replaces the token in the file by a fresh one."""
    command = [BINARY, "token", "--tenant", "demo", "--expires-in", f"{TOKEN_LIFE}s"]
    minted = Process(command, name="token", env=environment_without_aws(JWT_SECRET=SECRET))
    assert minted.wait() == 0, minted.output()
    token = next(line for line in minted.lines if line.count(".") == 2)
    fresh = file.with_suffix(".new")
    fresh.write_text(token)
    fresh.rename(file)


class Mirror:
    """A program that keeps a copy of all entities."""

    def __init__(self, name: str, url: str, tokens: Path, log):
        source = REPOSITORY / "clients/python/src"
        settings = {"MIRROR_URL": url, "MIRROR_TOKEN_FILE": str(tokens), "MIRROR_ROTATE_MS": str(ROTATE_MS), "PYTHONPATH": str(source)}
        self.name = name
        self.child = subprocess.Popen(
            [str(part) for part in MIRRORS[name]], env=environment_without_aws(**settings),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, process_group=0,
        )

    def copy(self) -> dict:
        """What the program holds at present."""
        assert self.child.poll() is None, f"{self.name} has ended"
        self.child.stdin.write("show\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def end(self) -> None:
        self.child.stdin.close()
        try:
            assert self.child.wait(PATIENCE) == 0, f"{self.name} ended with {self.child.returncode}"
        finally:
            self.child.kill()


def differences(expected: dict, held: dict) -> str:
    """The ids that are missing, too many or different; no more than a few."""
    missing, more = sorted(expected.keys() - held.keys()), sorted(held.keys() - expected.keys())
    other = sorted(each for each in expected.keys() & held.keys() if expected[each] != held[each])
    return f"missing {missing[:5]}, too many {more[:5]}, different {other[:5]} {[held[each] for each in other[:1]]}"


def test_each_copy_equals_the_simulation(tmp_path: Path):
    rng, tokens, state = random.Random(7), tmp_path / "token", tmp_path / "city.json"
    mint(tokens)
    system = LocalSystem(AUTH_ENABLED="true", JWT_SECRET=SECRET)
    with ExitStack() as ending, open(tmp_path / "mirrors.log", "w+") as log:
        ending.callback(system.process.kill)
        proxy = Proxy(system.port)
        mirrors = [Mirror(name, f"ws://127.0.0.1:{proxy.port}", tokens, log) for name in MIRRORS]
        for mirror in mirrors:
            ending.callback(mirror.child.kill)
        command = [
            BINARY, "simulate", "demo", "--rate", RATE, "--count", RATE * SECONDS, "--seed", "7", "--state", state,
            "--endpoint-url", system.url,
        ]
        simulation = Process(command, name="simulate", env=environment_without_aws())
        ending.callback(simulation.kill)

        began, drops, swallows_until = time.monotonic(), 0, None
        next_drop, next_token = began + INTERVAL, began
        while simulation.child.poll() is None:
            now = time.monotonic()
            if now >= next_token:
                mint(tokens)
                next_token = now + 1
            if swallows_until is not None and now >= swallows_until:
                proxy.swallow(False)
                swallows_until = None
            if drops < DROPS and now >= next_drop:
                drops, next_drop = drops + 1, next_drop + INTERVAL * rng.uniform(0.8, 1.2)
                # Every fourth time the connections stay open and carry nothing, until the clients notice it or it is over.
                if drops % 4 == 3:
                    proxy.swallow(True)
                    swallows_until = now + rng.uniform(0.5, min(12, INTERVAL * 0.8))
                else:
                    proxy.cut()
            time.sleep(0.05)
        proxy.swallow(False)
        assert simulation.wait() == 0, simulation.output()
        assert drops == DROPS
        expected = json.loads(state.read_text())
        assert len(expected) > 10

        end = time.monotonic() + PATIENCE
        for mirror in mirrors:
            while True:
                copy = mirror.copy()
                if copy["complete"] and copy["entities"] == expected:
                    break
                if time.monotonic() > end:
                    log.seek(0)
                    pytest.fail(f"{mirror.name}: {differences(expected, copy['entities'])}; complete: {copy['complete']}\n{log.read()[-6000:]}")
                mint(tokens)
                time.sleep(0.2)
        print(
            f"{SECONDS} s, {RATE * SECONDS} events, {len(expected)} entities at the end; {drops} drops, {proxy.opened} connections, "
            f"{proxy.most_at_once} at once"
        )
        assert proxy.most_at_once > len(mirrors), "no connection was replaced while it was open"
        for mirror in mirrors:
            mirror.end()
        assert SECRET not in system.process.output()
