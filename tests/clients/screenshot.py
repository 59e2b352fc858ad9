"""Takes the pictures of the monitor page of a busy system.

    target/ci/venv/bin/python tests/clients/screenshot.py docs/images/monitor.png
    target/ci/venv/bin/python tests/clients/screenshot.py docs/images/monitor-map.png --tab Map

The names in it are Japanese: install a Japanese font first, such as Debian's `fonts-noto-cjk`. Then compress the picture without
loss, for example with `oxipng -o 4`, because the checks refuse a large one.
"""

import argparse
import asyncio
import contextlib
import threading
from pathlib import Path

import websockets

from browser import chromium, until
from harness import PATIENCE, LocalSystem

# The queries of the clients beside the page.
CLIENTS = [
    "tenant=demo&entityTypes=Room",
    "tenant=demo&entityTypes=Vehicle,Sensor&format=cloudevents",
    "tenant=demo&entityTypes=Vehicle&idPattern=:0[0-4].$&group_id=dispatch",
    "tenant=demo&entityTypes=Vehicle&idPattern=:0[0-4].$&group_id=dispatch",
    "tenant=factory",
]


@contextlib.contextmanager
def clients(system: LocalSystem):
    """Connections of other clients, open while the block runs."""
    loop = asyncio.new_event_loop()
    connected, leave = threading.Event(), asyncio.Event()

    async def listen(query: str):
        async with websockets.connect(f"ws://localhost:{system.port}/?{query}") as socket:
            with contextlib.suppress(websockets.ConnectionClosed):
                async for _ in socket:
                    pass

    async def stay():
        listeners = [asyncio.create_task(listen(query)) for query in CLIENTS]
        connected.set()
        await leave.wait()
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=[stay()])
    thread.start()
    connected.wait(PATIENCE)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join(PATIENCE)


def capture(path: Path, *, events: int, tab: str = "Events", dark: bool = False, width: int = 1360, height: int = 850):
    """Takes the picture of a tab after a number of events."""
    path.parent.mkdir(parents=True, exist_ok=True)
    system = LocalSystem("--simulate", "demo", "--simulate-rate", "8")
    try:
        with clients(system), chromium() as page:
            page.emulate_media(color_scheme="dark" if dark else "light")
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{system.url}/")
            # The page sees the past of an entity from now on.
            page.get_by_role("tab", name="Entities").click()
            received = page.locator("#received")
            until(page, lambda: int(received.inner_text().replace(",", "")) >= events, f"{events} events", 300)
            if tab != "Events":
                page.locator("#entities-search").fill("vehicle")
                page.locator("#entities-body .grid-row:visible").first.click()
                page.locator("#entities-search").fill("")
            page.get_by_role("tab", name=tab).click()
            page.mouse.move(0, 0)
            page.wait_for_timeout(1000)
            page.screenshot(path=path)
        system.stop()
    finally:
        system.process.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take the picture of the monitor page.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--events", type=int, default=500, help="how many events to wait for")
    parser.add_argument("--tab", default="Events", help="Events, Entities or Map")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1360)
    parser.add_argument("--height", type=int, default=850)
    arguments = parser.parse_args()
    capture(**vars(arguments))
