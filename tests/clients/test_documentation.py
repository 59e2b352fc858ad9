"""The commands of the documentation, run as somebody would who reads a page from top to bottom with terminals beside it.

A page is run in a shell, block by block, from the root of the repository; what a block exports, the next one has. Every
```sh, ```bash, ```console and ```python block is run and has to succeed, and every ```js block that uses an AWS SDK, unless
the line before it is a marker:

    <!-- needs AWS -->                 it needs an account
    <!-- not run: REASON -->           it cannot be run here, for another reason
    <!-- keeps running: TEXT -->       it runs until Ctrl-C, in a terminal of its own: wait until it prints TEXT, and leave
                                       it running while the page goes on. The next one that runs `local` ends this one if
                                       it runs `local` too, because both want the same ports
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
# What the documentation says `local` listens on.
PORTS = (3000, 8000)

SHELL = ("sh", "bash", "shell", "zsh", "console")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)")
MARKER = re.compile(r"^\s*<!-- (?P<kind>needs AWS|not run|keeps running)(?:: (?P<text>.+))? -->\s*$")


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

    def script(self) -> str:
        if self.language != "console":
            return self.text
        # Of a session, what was typed: a line after a prompt, and those that it continues on.
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


class Reader:
    """Somebody who reads a page and types what it says."""

    def __init__(self, folder: Path):
        self.exports = folder / "exports"
        self.exports.touch()
        self.module = NODE_MODULES / "documented.mjs"
        self.running: list[tuple[Block, Process]] = []
        # Commands that are installed beside this Python, as `cargo lambda` is, are found by the search path.
        path = environment_without_aws()["PATH"]
        self.environment = environment_without_aws(PATH=f"{Path(sys.executable).parent}:{path}")

    def _start(self, block: Block) -> Process:
        if block.language == "python":
            command = [sys.executable, "-c", block.script()]
        elif block.language == "js":
            # Beside the packages that it imports: where Node.js looks for them.
            self.module.write_text(block.script())
            command = ["node", self.module]
        else:
            keep = f"export -p > '{self.exports}'"
            script = f"source '{self.exports}'\nset -euo pipefail\n{block.script()}\n"
            command = ["bash", "-c", script if block.kind == "keeps running" else f"{script}{keep}"]
        return Process(command, name=str(block), env=self.environment, cwd=REPOSITORY, stdin=subprocess.DEVNULL)

    def read(self, block: Block):
        if block.kind in ("needs AWS", "not run"):
            assert block.kind == "needs AWS" or block.marked, f"{block}: a block that is not run says why"
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
        assert block.marked, f"{block}: what does it print that shows that it is up?"

        def shown() -> bool:
            there = block.marked in process.output()
            if not there:
                process.expect_running()
            return there

        wait_until(shown, f"{block} to print {block.marked!r}", BUILD_PATIENCE)

    def end(self, which=lambda block: True):
        """Ctrl-C, in the reverse order."""
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
    """Whether nobody answers: on either loopback address, because `localhost` may mean both."""
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
    """The way from a page to its commands, on the README: else a slip in it would run nothing, and pass."""
    found = blocks("README.md")
    scripts = [block.script() for block in found]
    assert any("cargo run -- local --simulate demo" in script for script in scripts)
    assert sum(block.kind is None for block in found) >= 2, "some commands are run to their end"
    assert any(block.kind == "keeps running" for block in found)
