"""The monitor page at four widths, light and dark: pictures for a reader, no overflow, and nothing that axe-core objects to."""

import json

import pytest
from playwright.sync_api import Page

import screenshot
from browser import until
from harness import REPOSITORY, LocalSystem
from monitor import entry_of, monitor, show

ARTIFACTS = REPOSITORY / "artifacts"
AXE = REPOSITORY / "tests/clients/node_modules/axe-core/axe.min.js"
SIZES = [(390, 844), (800, 1000), (1360, 850), (1920, 1080)]
TABS = ["Events", "Entities", "Map", "Connections", "Dead letters"]

# Events of the forms that are hard to show.
HARD = [
    {
        "type": "entityCreated", "tenant": "demo", "entityType": "https://uri.etsi.org/ngsi-ld/default-context/AirQualityObserved",
        "entityId": "urn:ngsi-ld:AirQualityObserved:a-city-with-a-long-name:a-district-with-a-long-name:station-0042",
        "data": {
            "location": {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [[[135.75, 35.0], [135.76, 35.0], [135.76, 35.01], [135.75, 35.0]]]}},
            "https://uri.etsi.org/ngsi-ld/default-context/refDevice": {"type": "Relationship", "object": ["urn:ngsi-ld:Device:1", "urn:ngsi-ld:Device:2"]},
            "no2": [{"type": "Property", "value": 41.5, "unitCode": "GQ", "datasetId": "urn:ngsi-ld:dataset:roof"}, {"type": "Property", "value": 44, "unitCode": "GQ"}],
        },
    },
    {"type": "entityUpdated", "entityId": "urn:ngsi-ld:Room:001", "entityType": "Room", "data": {}},
]  # fmt: skip


def offences(page: Page) -> list[str]:
    """What axe-core finds, with the elements. It takes longer for a part of the page than for the whole page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"][:3]]


def overflow(page: Page) -> int:
    """The pixels by which the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_fits_every_window_and_is_accessible(scheme: str):
    ARTIFACTS.mkdir(exist_ok=True)
    system = LocalSystem("--simulate", "demo", "--simulate-rate", "8")
    try:
        with screenshot.clients(system), monitor(system) as page:
            page.emulate_media(color_scheme=scheme)
            system.client("events").put_events(Entries=[entry_of(detail) for detail in HARD])
            received = page.locator("#received")
            show(page, "Entities")
            until(page, lambda: int(received.inner_text()) >= 60, "60 events")
            problems = []
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                for tab in TABS:
                    show(page, tab)
                    picture(page, scheme, width, tab.lower().replace(" ", "-"), problems)
                    if tab == "Events":
                        page.locator("#events .summary").nth(2).click()
                        picture(page, scheme, width, "event", problems)
                        page.keyboard.press("Escape")
                    if tab == "Entities":
                        page.locator("#entities-search").fill("vehicle")
                        page.locator("#entities-body .grid-row:visible").first.click()
                        page.locator("#entity .entity-attribute", has_text="speed").click()
                        picture(page, scheme, width, "entity", problems)
                        page.locator("#entities-search").fill("AirQuality")
                        page.locator("#entities-body .grid-row:visible").first.click()
                        picture(page, scheme, width, "entity-forms", problems)
                        page.locator("#entities-search").fill("")
                        page.get_by_role("button", name="Close the entity").click()
                page.locator("#help-open").click()
                picture(page, scheme, width, "help", problems)
                page.locator("#help-close").click()
            assert not problems, "\n".join(problems)
        system.stop()
    finally:
        system.process.kill()
        print(json.dumps(system.process.lines[-5:]))


def picture(page: Page, scheme: str, width: int, name: str, problems: list[str]):
    page.wait_for_timeout(300)  # Colours change slowly, and a point moves to its place.
    page.screenshot(path=ARTIFACTS / f"monitor-{width}-{scheme}-{name}.png")
    where = f"{name} at {width} pixels"
    if (wider := overflow(page)) > 0:
        problems.append(f"{where} is {wider} pixels too wide")
    problems.extend(f"{where}: {offence}" for offence in offences(page))
