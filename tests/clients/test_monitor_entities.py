"""The entities and the map of the monitor page, and its recovery after a restart, in headless Chromium."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, expect

from browser import chromium, until
from harness import PATIENCE, LocalSystem
from monitor import monitor, open_page, rows, show, shown_ids

expect.set_options(timeout=PATIENCE * 1000)


def publish(system: LocalSystem, entity_id: str, data: dict, entity_type: str = "Room", kind: str = "entityUpdated", **more):
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    detail = {"type": kind, "tenant": "demo", "entityId": entity_id, "entityType": entity_type, "data": data, "timestamp": timestamp, **more}
    entry = {"Source": "check", "DetailType": "check", "Detail": json.dumps(detail)}
    assert system.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def entities(page: Page):
    return page.locator("#entities-body .grid-row:visible")


def entity_ids(page: Page) -> list[str]:
    """The ids of the rows in the document, from top to bottom."""
    return page.evaluate("""[...document.querySelectorAll('#entities-body .grid-row:not([hidden])')]
        .sort((a, b) => a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))
        .map((row) => row.querySelector('.id').textContent)""")


def test_shows_the_latest_state_of_entities_from_before_and_after(local: LocalSystem):
    publish(local, "room-b", {"temperature": {"type": "Number", "value": 20.0}}, kind="entityCreated")
    publish(local, "car-a", {"speed": {"type": "Number", "value": 1}}, "Car", kind="entityCreated")
    with monitor(local) as page:
        show(page, "Entities")
        expect(page.locator("#entities-state")).to_have_text("2 entities")
        # The rows are drawn in the frame after the text.
        until(page, lambda: entity_ids(page) == ["car-a", "room-b"], "the rows")
        publish(local, "room-b", {"temperature": {"type": "Number", "value": 21.0}}, changedAttributes=["temperature"])
        expect(entities(page).filter(has_text="room-b").locator("mark.attribute")).to_have_text(["temperature 21.0"])
        expect(entities(page).filter(has_text="room-b").locator(".age")).to_have_text(re.compile(r"^\d+ s$"))
        expect(entities(page).filter(has_text="room-b").locator(".version")).to_have_text(re.compile(r"^\d+$"))
        publish(local, "room-c", {}, kind="entityCreated")
        expect(page.locator("#entities-state")).to_have_text("3 entities")
        publish(local, "car-a", {}, "Car", kind="entityDeleted")
        expect(page.locator("#entities-state")).to_have_text("2 entities")

        # The newest first, then the oldest first.
        page.get_by_role("button", name="Age").click()
        until(page, lambda: entity_ids(page) == ["room-c", "room-b"], "the newest first")
        page.get_by_role("button", name="Age").click()
        until(page, lambda: entity_ids(page) == ["room-b", "room-c"], "the oldest first")
        page.locator("#entities-search").fill("ROOM-C")
        expect(page.locator("#entities-state")).to_have_text("1 of 2")
        page.locator("#entities-search").fill("")

        # The filter of the page is the filter of its entities.
        page.get_by_label("Id pattern").fill("c$")
        expect(page.locator("#entities-state")).to_have_text("1 entity")
        with page.expect_download() as download:
            page.locator("#view-entities").get_by_role("button", name="Export").click()
        exported = json.loads(Path(download.value.path()).read_text())
        assert [entity["id"] for entity in exported] == ["room-c"]


def test_the_panel_shows_an_entity_with_its_past(local: LocalSystem):
    publish(local, "urn:ngsi-ld:Room:001", {"name": {"type": "Text", "value": "Hall"}, "co2": {"type": "Number", "value": 400.0}}, kind="entityCreated")
    with monitor(local) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        show(page, "Entities")
        entities(page).first.click()
        panel = page.locator("#entity")
        expect(panel.locator("h2")).to_have_text("urn:ngsi-ld:Room:001")
        co2 = panel.locator(".entity-row", has_text="co2")
        expect(co2.locator(".entity-value")).to_have_text("400.0")
        for value in (500, 450.5):
            publish(local, "urn:ngsi-ld:Room:001", {"name": {"type": "Text", "value": "Hall"}, "co2": {"type": "Number", "value": value}}, changedAttributes=["co2"])
            # The bus keeps no order between two changes that are under way at once.
            expect(co2.locator(".entity-value")).to_have_text(str(value))
        expect(co2.locator("svg")).to_have_attribute("aria-label", "3 values from 400 to 500")
        expect(panel.locator(".entity-row", has_text="name").locator("svg")).to_be_hidden()
        co2.get_by_role("button").click()
        expect(co2.locator(".previous span")).to_have_text(["500", "400.0"])

        def copied(button: str) -> str:
            # The button says "Copied" for a moment only, which a busy machine may miss.
            page.evaluate("navigator.clipboard.writeText('')")
            panel.get_by_role("button", name=button, exact=True).click()
            return until(page, lambda: page.evaluate("navigator.clipboard.readText()"), f"the text of {button}")

        state = json.loads(copied("Copy JSON"))
        assert (state["id"], state["data"]["co2"]["value"]) == ("urn:ngsi-ld:Room:001", 450.5)
        assert copied("Copy") == f"entity-stream listen demo --entities --id urn:ngsi-ld:Room:001 --url ws://localhost:{local.port}"
        assert copied("Copy curl").startswith(f"curl {local.url}/_local/events -H 'Content-Type: application/json' -d '")
        with page.expect_download() as download:
            panel.get_by_role("button", name="Export").click()
        exported = json.loads(Path(download.value.path()).read_text())
        assert [one["data"]["co2"]["value"] for one in exported["states"]] == [400, 500, 450.5]

        panel.get_by_role("button", name="Its events").click()
        expect(panel).to_be_hidden()
        expect(page.locator("#matches")).to_have_text("2 found")
        rows(page).first.locator(".summary").click()
        rows(page).first.get_by_role("button", name="Show the entity").click()
        expect(panel.locator("h2")).to_have_text("urn:ngsi-ld:Room:001")
        publish(local, "urn:ngsi-ld:Room:001", {}, kind="entityDeleted")
        expect(panel.get_by_role("alert")).to_contain_text("was deleted")
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()


FORMS = {
    "name": ({"type": "LanguageProperty", "languageMap": {"ja": "会議室", "en": "Room"}}, "会議室 / Room"),
    "owners": ({"type": "Relationship", "object": ["urn:a:1", "urn:a:2"]}, "urn:a:1, urn:a:2"),
    "speed": (
        [
            {"type": "Property", "value": 55, "unitCode": "KMH", "datasetId": "urn:ngsi-ld:dataset:gps"},
            {"type": "Property", "value": 54.5, "unitCode": "KMH"},
        ],
        "55 km/h (gps) · 54.5 km/h",
    ),
    "area": (
        {"type": "GeoProperty", "value": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}},
        "LineString [[1, 2], [3, 4]]",
    ),
    "level": ({"type": "VocabProperty", "vocab": "high"}, "high"),
    "list": ({"type": "ListProperty", "valueList": [1, 2.0]}, "1, 2.0"),
    "plain": ([1, 2], "[1, 2]"),
    "https://uri.etsi.org/ngsi-ld/default-context/weight": (
        {"type": "Relationship", "object": "https://example.com/a/long/way/that/nobody/reads/to/the/end/of/entity-4711"},
        None,
    ),
}  # fmt: skip


def test_the_forms_of_ngsi_ld_are_readable(local: LocalSystem):
    with monitor(local) as page:
        long_id = "urn:ngsi-ld:Sensor:" + "a-building-with-a-long-name:" * 4 + "floor-7:room-12"
        publish(local, long_id, {name: form for name, (form, _) in FORMS.items()}, kind="entityCreated")
        show(page, "Entities")
        entities(page).first.click()
        panel = page.locator("#entity")
        for name, (_, text) in FORMS.items():
            if text is not None:
                row = panel.locator(".entity-row").filter(has=page.locator(f".entity-attribute[title='{name}']"))
                expect(row.locator(".entity-value")).to_have_text(text)
        # The name of an attribute is the end of its URI. A long URI is shortened in the middle.
        weight = panel.locator(".entity-attribute[title$='/weight']")
        expect(weight.locator(".entity-name")).to_have_text("weight")
        expect(weight.locator(".entity-value")).to_have_text(re.compile(r"^https://example\.co.*….*/entity-4711$"))
        head, tail = entities(page).first.locator(".id-head"), entities(page).first.locator(".id-tail")
        assert head.evaluate("(node) => node.scrollWidth > node.clientWidth")
        assert tail.evaluate("(node) => node.scrollWidth <= node.clientWidth")
        assert long_id.endswith(tail.text_content())


def test_thousands_of_entities_are_a_short_document(local: LocalSystem):
    total = 3000
    client = local.client("events")
    for start in range(0, total, 10):
        batch = [
            {"type": "entityCreated", "tenant": "demo", "entityId": f"room-{number:05}", "entityType": "Room", "data": {"n": number}}
            for number in range(start, start + 10)
        ]
        entries = [{"Source": "check", "DetailType": "check", "Detail": json.dumps(detail)} for detail in batch]
        assert client.put_events(Entries=entries)["FailedEntryCount"] == 0
    with monitor(local) as page:
        page.keyboard.press("2")
        expect(page.locator("#entities-state")).to_have_text("3,000 entities", timeout=300_000)
        assert page.locator("#entities-body .grid-row").count() < 60
        page.keyboard.press("End")
        expect(entities(page).filter(has_text="room-02999")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("#entity h2")).to_have_text("room-02999")
        page.keyboard.press("ArrowUp")
        expect(page.locator("#entity h2")).to_have_text("room-02998")
        page.keyboard.press("Home")
        until(page, lambda: entity_ids(page)[0] == "room-00000", "the first row")
        assert page.locator("#entities-body .grid-row").count() < 60
        assert page.locator("#entities").get_attribute("aria-rowcount") == str(total + 1)


def test_the_map_shows_locations_of_every_form(local: LocalSystem):
    point = {"type": "Point", "coordinates": [135.75, 35.0]}
    publish(local, "ld", {"location": {"type": "GeoProperty", "value": point}}, kind="entityCreated")
    publish(local, "json", {"location": {"type": "geo:json", "value": {"type": "Point", "coordinates": [135.8, 35.0]}}}, kind="entityCreated")
    publish(local, "point", {"position": {"type": "geo:point", "value": "35.05, 135.8"}}, kind="entityCreated")
    publish(local, "nowhere", {"location": {"type": "geo:point", "value": "north of here"}}, kind="entityCreated")
    with monitor(local) as page:
        page.keyboard.press("3")
        expect(page.locator("#map-state")).to_have_text("3 of 4 entities with a location")
        # The map shows all points: one is at the upper right.
        box = page.locator("#map").bounding_box()

        def click(across: float, down: float):
            page.mouse.click(box["x"] + across, box["y"] + down)

        until(page, lambda: click(*pixel(page, PLACES, PLACES[2])) or page.locator("#entity:visible").count(), "the entity of the point")
        expect(page.locator("#entity h2")).to_have_text("point")
        page.locator("#entity").get_by_role("button", name="Close the entity").click()
        # A point moves, and the map follows: another point is where none was.
        publish(local, "point", {"position": {"type": "geo:point", "value": "35.2, 136.8"}})
        moved = [*PLACES[:2], [136.8, 35.2]]
        until(page, lambda: click(*pixel(page, moved, PLACES[1])) or page.locator("#entity:visible").count(), "the other entity")
        expect(page.locator("#entity h2")).to_have_text("json")
        page.locator("#entity").get_by_role("button", name="Close the entity").click()
        expect(page.locator("#map")).to_have_attribute("aria-label", re.compile("^Map: 3 of 4 entities"))
        publish(local, "ld", {}, kind="entityDeleted")
        expect(page.locator("#map-state")).to_have_text("2 of 3 entities with a location")
        page.locator("#map").focus()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("+")
        page.locator("#map-fit").click()


PLACES = [[135.75, 35], [135.8, 35], [135.8, 35.05]]


def pixel(page: Page, places: list[list[float]], place: list[float]) -> list[float]:
    """The pixel of a place on a map that shows all places, as the page's own modules compute it."""
    return page.evaluate("""async ([places, place]) => {
      const { Projection } = await import('/_local/monitor/projection.js');
      const projection = new Projection();
      const canvas = document.getElementById('map');
      projection.size = [canvas.clientWidth, canvas.clientHeight];
      projection.fit(places);
      return projection.pixel(place);
    }""", [places, place])


def test_a_restart_with_data_loses_no_event(tmp_path: Path):
    data = tmp_path / "data"
    system = LocalSystem("--data", str(data))
    try:
        with chromium() as page:
            open_page(page, system)
            show(page, "Entities")
            publish(system, "before", {}, kind="entityCreated")
            expect(page.locator("#entities-state")).to_have_text("1 entity")
            # Without its network, the page cannot be the first to come back.
            page.context.set_offline(True)
            system.stop()
            system = LocalSystem("--data", str(data), ports=(system.port, system.dynamodb_port))
            for number in range(3):
                publish(system, f"meanwhile-{number}", {}, kind="entityCreated")
            expect(page.locator("#state-text")).not_to_have_text("Connected")
            page.context.set_offline(False)
            expect(page.locator("#state-text")).to_have_text("Connected")
            # On a busy machine, the last of them may still be under way and arrive without the history.
            expect(page.locator("#recovery")).to_have_text(re.compile("^Recovered: no event is missing. [1-3] events? came from the history.$"))
            publish(system, "after", {}, kind="entityCreated")
            expect(page.locator("#entities-state")).to_have_text("5 entities")
            everything = ["after", "before", "meanwhile-0", "meanwhile-1", "meanwhile-2"]
            until(page, lambda: sorted(entity_ids(page)) == everything, "the rows")
            show(page, "Events")
            expect(rows(page)).to_have_count(5)
            assert sorted(shown_ids(page)) == ["after", "before", "meanwhile-0", "meanwhile-1", "meanwhile-2"]
            replayed = rows(page).locator(".matched", has_text="replayed").count()
            assert 1 <= replayed <= 3
            expect(page.locator("#replayed")).to_have_text(str(replayed))
            expect(page.locator("#reconnects")).to_have_text("1")
            system.stop()
    finally:
        system.process.kill()
        print(system.process.output())


def test_says_that_events_may_be_missing():
    system = LocalSystem()
    try:
        with chromium() as page:
            open_page(page, system)
            system.publish("demo", "Room", "before")
            expect(rows(page)).to_have_count(1)
            system.stop()
            system = LocalSystem(ports=(system.port, system.dynamodb_port))
            expect(page.locator("#recovery")).to_contain_text("may be missing, because the system has no history of them")
            system.stop()
    finally:
        system.process.kill()
        print(system.process.output())


def test_keys_work_from_anywhere_and_help_lists_them(local: LocalSystem):
    with monitor(local) as page:
        for number in range(30):
            publish(local, f"room-{number}", {"n": number}, kind="entityCreated")
        expect(rows(page)).to_have_count(30)
        page.locator("#simulate").focus()
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.className") == "summary"
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        # The data of the opened row is in view.
        expect(rows(page).last.locator("pre")).to_be_in_viewport(ratio=0.9)
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible()
        expect(page.locator("#help")).to_contain_text("The time from the change until the page received the event")
        page.keyboard.press("2")
        page.keyboard.press("Escape")
        expect(page.locator("#help")).to_be_hidden()
        expect(page.locator("#view-events")).to_be_visible()
        page.keyboard.press("2")
        expect(page.locator("#view-entities")).to_be_visible()
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "entities-search"


def test_times_of_an_event(local: LocalSystem):
    with monitor(local) as page:
        publish(local, "old", {}, timestamp="2020-01-02T03:04:05.678Z")
        row = rows(page).first
        expect(row.locator("time")).to_have_text(re.compile(r":04:05\.678$"))
        expect(row.locator(".age")).to_have_text(re.compile(r"^\d+ d$"))
        expect(row.locator(".lag")).to_have_text(re.compile(r"^\d+ d$"))
        publish(local, "new", {})
        expect(rows(page).first.locator(".lag")).to_have_text(re.compile(r"^−?[\d.]+ m?s$"))
        row = rows(page).last
        row.locator(".summary").click()
        expect(row.locator(".facts")).to_contain_text("2020-01-02T03:04:05.678")
        expect(row.locator(".facts")).to_contain_text("Received")
