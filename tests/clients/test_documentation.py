"""Runs the commands of the documentation, as a reader with several terminals does.

Each page runs in a shell, block by block, from the root of the repository. A block has the variables that earlier blocks
exported. Every ```sh, ```bash, ```console and ```python block has to succeed, and every ```js block that uses an AWS SDK. A
marker on the line before a block changes this:

    <!-- needs AWS -->                 The block needs an AWS account and is not run.
    <!-- not run: REASON -->           The block is not run for another reason.
    <!-- run by: RECIPE -->            The block is a recipe of the justfile, and `.ci/run` or `.ci/long` runs the recipe.
    <!-- keeps running: TEXT -->       The block runs until Ctrl-C, in a terminal of its own. The next block starts once this one
                                       has printed TEXT. A later block with `local` ends an earlier one with `local`, because
                                       both need the same ports.
"""

import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import NODE_MODULES, REPOSITORY, Process, environment_without_aws, wait_until

# A command may have to build first.
BUILD_PATIENCE = 600.0
# The ports of `local` in the documentation.
PORTS = (3000, 8000)

SHELL = ("sh", "bash", "shell", "zsh", "console")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)")
MARKER = re.compile(r"^\s*<!-- (?P<kind>needs AWS|not run|run by|keeps running)(?:: (?P<text>.+))? -->\s*$")


@dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    kind: str | None
    marked: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def script(self, temporary: Path = Path("/tmp")) -> str:
        """The commands, with a folder for their temporary files."""
        return self._typed().replace("/tmp/", f"{temporary}/")

    def _typed(self) -> str:
        if self.language != "console":
            return self.text
        # Takes the typed lines of a session: lines after a prompt, and their continuation lines.
        typed, continues = [], False
        for line in self.text.splitlines():
            if continues or line.startswith("$ "):
                typed.append(line.removeprefix("$ "))
                continues = line.endswith("\\")
        assert typed, f"{self}: a console block has its commands after `$ `"
        return "\n".join(typed)

    def runs_local(self) -> bool:
        return re.search(r"(cargo run --|entity-stream) local\b", self.script()) is not None


def blocks(page: str) -> list[Block]:
    found, open_block, before = [], None, ""
    for number, line in enumerate((REPOSITORY / page).read_text().splitlines(), start=1):
        fence = FENCE.match(line)
        if open_block is None and fence:
            marker = MARKER.match(before)
            kind, text = (marker["kind"], marker["text"]) if marker else (None, None)
            open_block = Block(page, number, fence["language"], "", kind, text)
            indent = fence["indent"]
        elif open_block is not None and fence and not fence["language"]:
            found.append(open_block)
            open_block = None
        elif open_block is not None:
            open_block.text += line.removeprefix(indent) + "\n"
        before = line
    return [block for block in found if block.language in (*SHELL, "python") or uses_aws_sdk(block)]


def uses_aws_sdk(block: Block) -> bool:
    return block.language == "js" and "@aws-sdk/" in block.text


def pages() -> list[str]:
    found = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *REPOSITORY.glob("docs/**/*.md")]
    found += [page for page in REPOSITORY.glob("clients/*/*.md")]
    return sorted(str(page.relative_to(REPOSITORY)) for page in found)


def recipe(name: str) -> str:
    """Returns the commands of a recipe of the justfile."""
    just = Path(sys.executable).parent / "just"
    result = subprocess.run([just, "--dry-run", name], cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stderr


class Reader:
    """A reader of a page, with terminals for its commands."""

    def __init__(self, folder: Path):
        self.exports = folder / "exports"
        self.exports.touch()
        # The page finds no files of an earlier run.
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.module = NODE_MODULES / "documented.mjs"
        self.running: list[tuple[Block, Process]] = []
        # PATH contains the commands that are installed beside this Python, for example `cargo lambda`.
        path = environment_without_aws()["PATH"]
        self.environment = environment_without_aws(PATH=f"{Path(sys.executable).parent}:{path}")
        # The contexts of the person who runs the tests are left alone.
        self.environment |= {"XDG_CONFIG_HOME": str(folder / "config")}
        self.environment.pop("ENTITY_STREAM_URL", None)

    def _start(self, block: Block) -> Process:
        if block.language == "python":
            command = [sys.executable, "-c", block.script(self.temporary)]
        elif block.language == "js":
            # The module is beside the packages that it imports, where Node.js looks for them.
            self.module.write_text(block.script(self.temporary))
            command = ["node", self.module]
        else:
            keep = f"export -p > '{self.exports}'"
            script = f"source '{self.exports}'\nset -euo pipefail\n{block.script(self.temporary)}\n"
            command = ["bash", "-c", script if block.kind == "keeps running" else f"{script}{keep}"]
        return Process(command, name=str(block), env=self.environment, cwd=REPOSITORY, stdin=subprocess.DEVNULL)

    def read(self, block: Block):
        if block.kind in ("needs AWS", "not run"):
            assert block.kind == "needs AWS" or block.marked, f"{block}: a block with `not run` needs a reason"
            return
        if block.kind == "run by":
            assert recipe(block.marked) == block.script(), f"{block} differs from the recipe {block.marked}"
            scripts = [(REPOSITORY / ".ci" / name).read_text() for name in ("run", "long")]
            step = re.compile(rf"^step .* just {block.marked}$", re.MULTILINE)
            assert any(step.search(script) for script in scripts), f"{block}: no script in .ci runs {block.marked}"
            return
        if block.runs_local():
            self.end(lambda other: other.runs_local())
            for port in PORTS:
                wait_until(lambda port=port: is_free(port), f"port {port}, which {block} needs, to be free")
        process = self._start(block)
        if block.kind != "keeps running":
            try:
                code = process.wait(BUILD_PATIENCE)
                assert code == 0, f"{block} ended with {code}:\n{process.output()}"
            finally:
                process.kill()
            return
        self.running.append((block, process))
        assert block.marked, f"{block}: `keeps running` needs a text that the block prints once it is up"

        def shown() -> bool:
            there = block.marked in process.output()
            if not there:
                process.expect_running()
            return there

        wait_until(shown, f"{block} to print {block.marked!r}", BUILD_PATIENCE)

    def end(self, which=lambda block: True):
        """Ends the running blocks with Ctrl-C, in reverse order."""
        chosen = [entry for entry in reversed(self.running) if which(entry[0])]
        for block, process in chosen:
            self.running.remove((block, process))
            try:
                code = process.interrupt()
            finally:
                process.kill()
            ended_well = code in (0, 128 + signal.SIGINT, -signal.SIGINT)
            assert ended_well, f"{block} ended with {code} after Ctrl-C:\n{process.output()}"

    def kill(self):
        for _, process in self.running:
            process.kill()


def is_free(port: int) -> bool:
    """True if the port is free on both loopback addresses, because `localhost` may mean either."""
    for family, host in [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]:
        try:
            with socket.socket(family) as client:
                client.settimeout(1)
                client.connect((host, port))
            return False
        except OSError:
            pass
    return True


@pytest.mark.parametrize("page", pages())
def test_every_command_of_the_page_runs(page, tmp_path):
    reader = Reader(tmp_path)
    try:
        for block in blocks(page):
            reader.read(block)
        reader.end()
    finally:
        reader.kill()


def test_the_commands_are_found():
    """Checks on the README that commands are found. Otherwise a mistake in the parser would run no command, and pass."""
    found = blocks("README.md")
    scripts = [block.script() for block in found]
    assert any("cargo run -- local --simulate demo" in script for script in scripts)
    assert sum(block.kind is None for block in found) >= 2, "some commands are run to their end"
    assert any(block.kind == "keeps running" for block in found)


def test_the_first_screen_has_the_commands_that_do_everything():
    """The README begins with the two commands for a new machine. This file runs the first, and `.ci/run` the second."""
    first_screen = [block for block in blocks("README.md") if block.line <= 60]
    commands = {block.script().strip(): (block.kind, block.marked) for block in first_screen}
    assert commands["cargo run -- local --simulate demo"][0] == "keeps running"
    assert commands["cargo test --workspace"] == ("run by", "test")
