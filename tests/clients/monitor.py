"""The monitor page of a running system, and what it shows."""

import contextlib
import json
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect

from browser import Console, chromium, until
from harness import PATIENCE, LocalSystem

# Each file of tests can run alone.
expect.set_options(timeout=PATIENCE * 1000)


@contextlib.contextmanager
def monitor(system: LocalSystem, address: str = "/", *flags: str):
    """The connected page. It must not report an error until the end of the block."""
    with chromium(*flags) as page:
        console = Console(page)
        open_page(page, system, address)
        yield page
        console.expect_no_errors()


def open_page(page: Page, system: LocalSystem, address: str = "/"):
    page.goto(f"{system.url}{address}")
    expect(page.locator("#state-text")).to_have_text("Connected")


def rows(page: Page):
    return page.locator("#events .event")


def shown_ids(page: Page) -> list[str]:
    return page.locator("#events .id").all_text_contents()


def show(page: Page, tab: str):
    """Opens a tab of the page."""
    page.get_by_role("tab", name=tab).click()
    expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")


def status(system: LocalSystem) -> dict:
    return ask(system, "status")


def connections(system: LocalSystem) -> list[dict]:
    return ask(system, "connections")["connections"]


def ask(system: LocalSystem, path: str) -> dict:
    """The answer to a request that the page makes as well."""
    with urllib.request.urlopen(f"{system.url}/_local/{path}", timeout=PATIENCE) as response:
        return json.load(response)


def entry_of(detail: dict) -> dict[str, str]:
    """An entry of `PutEvents` with this detail."""
    return {"Source": "check", "DetailType": "check", "Detail": json.dumps(detail)}


def publish_text(system: LocalSystem, entity_id: str, data: str, kind: str = "entityUpdated", **more):
    """Publishes data as it is written."""
    detail = {"type": kind, "tenant": "demo", "entityId": entity_id, "entityType": "Room", "data": None, **more}
    entry = entry_of(detail)
    entry["Detail"] = entry["Detail"].replace('"data": null', f'"data": {data}')
    assert system.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def open_first_entity(page: Page, entity_id: str):
    """Opens the first row of the entities, which has this id."""
    page.locator("#entities-body .grid-row:visible").first.click()
    expect(page.locator("#entity h2")).to_have_text(entity_id)


def copied(page: Page, button: str) -> str:
    """The text that a button of the panel copies."""
    page.evaluate("navigator.clipboard.writeText('')")
    page.locator("#entity").get_by_role("button", name=button, exact=True).click()
    return until(page, lambda: page.evaluate("navigator.clipboard.readText()"), f"the text of {button}")


def exported(page: Page, part: str = "#entity") -> str:
    """The text of the file that a part of the page exports."""
    with page.expect_download() as download:
        page.locator(part).get_by_role("button", name="Export").click()
    return Path(download.value.path()).read_text()
