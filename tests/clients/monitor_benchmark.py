"""Measures how long the monitor page takes to show a keystroke while 1,000 events a second arrive.

    target/ci/venv/bin/python tests/clients/monitor_benchmark.py --seconds 20

Chromium renders without a GPU. A key is pressed in the search field of a tab every 100 ms. The time runs from the key event to the end
of the frame that follows it. The command fails if the 95th percentile is over 100 ms, or if events are missing.
"""

import argparse
import subprocess
import sys
import time

from playwright.sync_api import Page

from browser import chromium, until
from harness import BINARY, LocalSystem, environment_without_aws
from monitor import open_page

RATE = 1000
LIMIT = 100
PAUSE = 100

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
    count = RATE * seconds
    before = received(page)
    command = [BINARY, "simulate", "demo", "--rate", RATE, "--count", count, "--endpoint-url", system.url]
    flood = subprocess.Popen([str(part) for part in command], env=environment_without_aws(), stderr=subprocess.DEVNULL)
    started = time.monotonic()
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
    samples = page.evaluate("window.samples")
    middle, high, most = percentile(samples, 0.5), percentile(samples, 0.95), max(samples)
    print(
        f"{tab:8} {count / published:5.0f} events/s published, {count / arrived:5.0f} received; {len(samples)} keys: "
        f"median {middle:.0f} ms, p95 {high:.0f} ms, most {most:.0f} ms",
        flush=True,
    )
    return high <= LIMIT


def received(page: Page) -> int:
    return int(page.locator("#received").inner_text().replace(",", ""))


def main(seconds: int) -> int:
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
    sys.exit(main(parser.parse_args().seconds))
