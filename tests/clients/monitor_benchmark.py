"""Measures how long the monitor page takes to show a keystroke while 1,000 events a second arrive.

    target/ci/venv/bin/python tests/clients/monitor_benchmark.py --seconds 20

The system is the one that `cargo build --profile bench` makes: on two cores, a debug build leaves none for Chromium at this rate.
Chromium renders without a GPU. A key is pressed in the search field of a tab every 100 ms. The time runs from the key event to the end
of the frame that follows it. "Busy" is the processor time of the page's main thread, as a share of a core, at 1,000 events a second.
Other programs on the machine make the times longer, and leave that share as it is. The command fails if the 95th percentile is over
100 ms, if the events are published more slowly, or if events are missing.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import CDPSession, Page

import harness
from browser import chromium, until
from harness import TARGET, LocalSystem, environment_without_aws
from monitor import open_page

RATE = 1000
LIMIT = 100
PAUSE = 100
# The least share of the rate that counts as the rate.
REACHED = 0.98

# The tabs, and the fields in which the keys are pressed. The map has none of its own.
FIELDS = {"Events": "#search", "Entities": "#entities-search", "Map": "#pattern"}

WATCH = """() => {
  window.samples = [];
  addEventListener('keydown', ({ timeStamp }) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => window.samples.push(performance.now() - timeStamp);
    port2.postMessage(null);
  }), true);
}"""


def percentile(samples: list[float], share: float) -> float:
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]


def measure(system: LocalSystem, page: Page, tab: str, seconds: int) -> bool:
    page.get_by_role("tab", name=tab).click()
    page.evaluate("window.samples = []")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    count = RATE * seconds
    before = received(page)
    command = [harness.BINARY, "simulate", "demo", "--rate", RATE, "--count", count, "--endpoint-url", system.url]
    flood = subprocess.Popen([str(part) for part in command], env=environment_without_aws(), stderr=subprocess.DEVNULL)
    started, worked = time.monotonic(), work(session)
    field = page.locator(FIELDS[tab])
    if tab == "Map":
        # A filter would exclude the events. Keys that change no text are drawn all the same.
        keys = ["ArrowLeft", "ArrowRight"]
    else:
        keys = ["V", "e", "Backspace", "Backspace"]
    field.focus()
    pressed = 0
    while flood.poll() is None:
        page.keyboard.press(keys[pressed % len(keys)])
        pressed += 1
        page.wait_for_timeout(PAUSE)
    published = time.monotonic() - started
    if tab != "Map":
        field.fill("")
    until(page, lambda: received(page) >= before + count, f"{count} events", 300)
    arrived = time.monotonic() - started
    busy = (work(session) - worked) / count * RATE
    session.detach()
    samples = page.evaluate("window.samples")
    middle, high, most = percentile(samples, 0.5), percentile(samples, 0.95), max(samples)
    print(
        f"{tab:8} {count / published:5.0f} events/s published, {count / arrived:5.0f} received; {len(samples)} keys: "
        f"median {middle:.0f} ms, p95 {high:.0f} ms, most {most:.0f} ms; busy {busy:.0%}",
        flush=True,
    )
    return high <= LIMIT and count / published >= RATE * REACHED


def work(session: CDPSession) -> float:
    """The processor time of the page's main thread so far, in seconds."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def received(page: Page) -> int:
    return int(page.locator("#received").inner_text().replace(",", ""))


def main(seconds: int, binary: Path) -> int:
    harness.BINARY = binary
    system = LocalSystem()
    try:
        with chromium() as page:
            open_page(page, system)
            page.evaluate(WATCH)
            good = [measure(system, page, tab, seconds) for tab in FIELDS]
    finally:
        system.process.kill()
    return 0 if all(good) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the keystrokes of the busy monitor page.")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--binary", type=Path, default=TARGET / "release" / "entity-stream", help="the command of a build")
    sys.exit(main(**vars(parser.parse_args())))
