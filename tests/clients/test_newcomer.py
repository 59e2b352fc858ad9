"""The path of a newcomer through the first screen of the README: the first command, the page, the first event."""

import re
import subprocess
import time

from playwright.sync_api import expect

from browser import chromium
from harness import REPOSITORY, Process, environment_without_aws, wait_until
from monitor import rows
from test_documentation import PORTS, blocks, is_free

# The promise: events are on the page within one minute after the build.
PROMISE = 60.0


def test_events_are_on_the_page_within_a_minute_after_the_build():
    first, *_ = blocks("README.md")
    assert first.script().strip() == "cargo run -- local --simulate demo"
    subprocess.run(["cargo", "build", "--locked"], cwd=REPOSITORY, check=True)
    for port in PORTS:
        wait_until(lambda port=port: is_free(port), f"port {port} to be free")
    started = time.monotonic()
    process = Process(["bash", "-c", first.script()], name="the first command", env=environment_without_aws(), cwd=REPOSITORY)
    try:
        # The newcomer opens the address that the command prints.
        printed = wait_until(lambda: re.search(r"Monitor +(http://\S+)", process.output()), "the address of the page", PROMISE)
        with chromium() as page:
            page.goto(printed[1])
            expect(rows(page).first).to_be_visible(timeout=PROMISE * 1000)
        seconds = time.monotonic() - started
        assert seconds < PROMISE, f"the first event was on the page after {seconds:.1f} s"
        print(f"the first event was on the page after {seconds:.1f} s")
        assert process.interrupt() == 0, process.output()
    finally:
        process.kill()
