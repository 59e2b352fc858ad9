"""The wheel and the sdist, as a user installs them, and the examples of the documentation."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import examples
from local import PATIENCE, LocalSystem, environment, guarded, mint
from paths import PACKAGE, REPOSITORY

from entity_stream.sync import EntityStream

#: The longest time for a build or an installation, in seconds.
BUILD = 300.0

SCRIPT = """
import asyncio, sys
from entity_stream.sync import EntityStream

def listen():
    with EntityStream(sys.argv[1], "demo") as stream:
        rooms = stream.subscribe(entity_types=["Room"], snapshot=True)
        rooms.wait_ready(timeout=30)
        assert rooms.next(timeout=30).entity_type == "Room"

async def in_a_running_loop():
    listen()

listen()
asyncio.run(in_a_running_loop())
print("done")
"""


@pytest.fixture(scope="module")
def city() -> Iterator[LocalSystem]:
    with LocalSystem("--simulate", "demo", "--simulate-rate", "20") as system, EntityStream(system.url, "demo") as stream:
        # Examples read the rooms that are there.
        assert stream.subscribe(entity_types=["Room"], snapshot=True).next(PATIENCE) is not None
        stream.close()
        yield system


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the sdist. The wheel is built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(PACKAGE)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD)
    return folder


def test_both_have_the_licences_the_types_and_no_tests(built: Path):
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    in_wheel = zipfile.ZipFile(wheel).namelist()
    with tarfile.open(sdist) as archive:
        in_sdist = archive.getnames()
    for names in (in_wheel, in_sdist):
        for name in ("LICENSE-APACHE", "LICENSE-MIT", "entity_stream/py.typed", "entity_stream/sync.py"):
            assert any(each.endswith(name) for each in names), name
        assert not any("test" in each for each in names)
    for licence in REPOSITORY.glob("LICENSE-*"):
        assert (PACKAGE / licence.name).read_bytes() == licence.read_bytes()


def test_the_links_of_the_readme_work_from_a_package_page():
    text = (PACKAGE / "README.md").read_text()
    headings = {
        re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert link.startswith("https://") or link.removeprefix("#") in headings, link


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_it_works_in_a_fresh_environment(kind: str, built: Path, city: LocalSystem, tmp_path: Path):
    (package,) = built.glob(kind)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=BUILD)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(package)]
    subprocess.run(install, check=True, timeout=BUILD)
    done = subprocess.run([str(python), "-c", SCRIPT, city.url], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    missing = "from entity_stream.dataframe import to_dataframe; to_dataframe([], is_normalized=True)"
    done = subprocess.run([str(python), "-c", missing], capture_output=True, text=True, timeout=60)
    assert 'pip install "entity-stream[pandas]"' in done.stderr


class Running:
    """A program that prints lines until it is interrupted."""

    def __init__(self, source: str, folder: Path, **variables: str) -> None:
        variables = {"PYTHONPATH": str(PACKAGE / "src"), **variables}
        self.child = subprocess.Popen(
            [sys.executable, "-c", source],
            cwd=folder,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self._killer = threading.Timer(PATIENCE, self.child.kill)
        self._killer.start()

    def lines(self, count: int) -> list[str]:
        assert self.child.stdout is not None
        return [self.child.stdout.readline() for _ in range(count)]

    def interrupt(self) -> str:
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGINT)
        _, errors = self.child.communicate()
        self._killer.cancel()
        return errors


#: Python's exit code if the output cannot be written at its end, here because the interrupt comes at that moment.
UNWRITTEN = 120


def check(source: str, system: LocalSystem, folder: Path, **variables: str) -> None:
    """An example prints lines, and ends by itself or promptly after Ctrl-C."""
    running = Running(source.replace("ws://localhost:3000", system.url), folder, **variables)
    lines = running.lines(3)
    errors = running.interrupt()
    assert all(lines), errors
    code = running.child.returncode
    is_interrupted = code == UNWRITTEN and "KeyboardInterrupt" in errors
    assert code in (0, 1, -signal.SIGINT, 128 + signal.SIGINT) or is_interrupted, errors
    assert "Traceback" not in errors or "KeyboardInterrupt" in errors, errors
    assert "Task was destroyed" not in errors, errors


PAGES: list[tuple[Path, str | None]] = [
    (PACKAGE / "README.md", None),
    (REPOSITORY / "docs" / "clients.md", "Python"),
    (REPOSITORY / "docs" / "tutorial-notebook.md", None),
]
FOUND = [found for page, section in PAGES for found in examples(page, section)]
# tests/clients runs the example without this library.
EXAMPLES = [each for each in FOUND if "from entity_stream" in each]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example(number: int, city: LocalSystem, tmp_path: Path):
    source = EXAMPLES[number]
    if "get_token" not in source:
        check(source, city, tmp_path)
        if "place.json" in source:
            # Another process continues at the stored place.
            assert (tmp_path / "place.json").exists()
            check(source, city, tmp_path)
        return
    with guarded("--simulate", "demo", "--simulate-rate", "20") as system:
        bound = ["--dpop", str(tmp_path / "key.pem")] if "dpop=" in source else []
        check(source, system, tmp_path, ENTITY_STREAM_TOKEN=mint(*bound))


def test_the_examples_are_found():
    assert len(EXAMPLES) >= 12
