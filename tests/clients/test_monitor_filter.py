"""The filter builder of the monitor page, in headless Chromium."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from browser import chromium
from harness import PATIENCE, LocalSystem, wait_until
from monitor import connections, monitor, open_page, rows, shown_ids

expect.set_options(timeout=PATIENCE * 1000)

IN_FORCE = "✓ In force"


def more(page: Page):
    page.locator("#more > summary").click()


def message(page: Page) -> dict:
    """The message that the page shows."""
    return json.loads(page.locator("#message").text_content())


def tab(page: Page, name: str):
    return page.locator("#subscriptions").get_by_role("button", name=name)


def add(page: Page, name: str):
    tab(page, "+ Add").click()
    # The page replaces a name only if the server has answered about it.
    expect(page.locator("#filter-state")).to_have_text(IN_FORCE)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Name", exact=True).press("Enter")
    expect(tab(page, name)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#filter-state")).to_have_text(IN_FORCE)


def subscriptions(system: LocalSystem) -> list[tuple[str, dict]]:
    """The subscriptions in force on the page's connection, with their names, in the order of the names."""
    found = connections(system)
    if len(found) != 1:
        # The page is reloading.
        return []
    # The client gives each version of a subscription a name of its own. The default subscription has no name on the page.
    named = [(re.sub(r":\d+$", "", one.pop("subscription")), one) for one in found[0]["subscriptions"]]
    unnamed = [("" if name == "default" else name, one) for name, one in named]
    return sorted(unnamed, key=lambda entry: entry[0])


def expect_subscriptions(system: LocalSystem, expected: dict[str, dict]):
    """Waits for these subscriptions: the client adds the new version of a subscription before it removes the old one."""
    in_order = sorted(expected.items())
    wait_until(lambda: subscriptions(system) == in_order, f"the subscriptions {in_order}, and no others")


def test_builds_a_message_of_every_field_and_shows_what_is_in_force(local: LocalSystem):
    with monitor(local) as page:
        expect(page.get_by_label("Entity ids")).to_be_hidden()
        page.get_by_label("Entity types").fill("Vehicle, Bus")
        page.get_by_label("Id pattern").fill("^urn:")
        more(page)
        page.get_by_label("Entity ids").fill("urn:ngsi-ld:Vehicle:001, urn:ngsi-ld:Vehicle:002")
        page.get_by_label("created", exact=True).check()
        page.get_by_label("updated", exact=True).check()
        page.get_by_label("Watched attributes").fill("speed")
        page.get_by_label("Values (q)").fill('speed>50;status=="moving"')
        expect(page.get_by_label("Coordinates")).to_be_hidden()
        page.get_by_label("Location (geoQ)").select_option("at most a distance from")
        page.get_by_label("Distance in metres").fill("2000")
        page.get_by_label("Coordinates").fill("135.76, 35.01")
        page.get_by_label("Attribute of the location").fill("position")
        page.get_by_label("Service path").fill("/kyoto/#")
        page.get_by_label("Shown attributes").fill("speed, position")
        page.get_by_label("Representation").select_option("keyValues")
        expect(page.locator("#in-force")).to_contain_text("as keyValues")
        expect(page.locator("#filter-state")).to_have_text(IN_FORCE)
        filter_in_force = {
            "entityTypes": ["Vehicle", "Bus"],
            "entityIds": ["urn:ngsi-ld:Vehicle:001", "urn:ngsi-ld:Vehicle:002"],
            "idPattern": "^urn:",
            "notificationTrigger": ["entityCreated", "entityUpdated"],
            "watchedAttributes": ["speed"],
            "q": 'speed>50;status=="moving"',
            "geoQ": {
                "georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": [135.76, 35.01], "geoproperty": "position",
            },
            "servicePath": "/kyoto/#",
            "attributes": ["speed", "position"],
            "representation": "keyValues",
        }  # fmt: skip
        assert message(page) == {"action": "subscribe", **filter_in_force}
        in_force = page.locator("#in-force").inner_text()
        for part in ("Vehicle, Bus", "id ~ ^urn:", "changes of speed", "2000 Point [135.76,35.01]", "in /kyoto/#"):
            assert part in in_force
        expect_subscriptions(local, {"": {**filter_in_force, "attributes": ["position", "speed"]}})

        def publish(speed: int, longitude: float):
            data = {
                "speed": {"type": "Property", "value": speed},
                "status": {"type": "Property", "value": "moving"},
                "position": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [longitude, 35.01]}},
            }
            detail = {
                "type": "entityUpdated", "tenant": "demo", "entityId": "urn:ngsi-ld:Vehicle:001", "entityType": "Vehicle",
                "servicePath": "/kyoto/north", "data": data, "changedAttributes": ["speed"],
            }  # fmt: skip
            entry = {"Source": "check", "DetailType": "check", "Detail": json.dumps(detail)}
            assert local.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

        for speed, longitude in [(49, 135.76), (51, 136.76), (52, 135.77)]:
            publish(speed, longitude)
        expect(rows(page)).to_have_count(1)
        expect(rows(page).first.locator(".attribute").first).to_have_text("speed 52")

        # The address has it all.
        page.reload()
        expect(page.locator("#filter-state")).to_have_text(IN_FORCE)
        assert message(page) == {"action": "subscribe", **filter_in_force}
        expect(page.get_by_label("Values (q)")).to_have_value('speed>50;status=="moving"')


def test_copies_the_message(local: LocalSystem):
    with monitor(local) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_label("Entity types").fill("Room")
        expect(page.locator("#filter-state")).to_have_text(IN_FORCE)
        page.locator("#message-part > summary").click()
        page.locator("#copy-message").click()
        expect(page.locator("#copy-message")).to_have_text("Copied")
        copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
        assert copied == {"action": "subscribe", "entityTypes": ["Room"]}


WRONG = [
    ("Entity types", "x" * 257, "entityTypes"),
    ("Id pattern", "urn:(?=Room)", "look-around"),
    ("Entity ids", "x" * 513, "entityIds"),
    ("Watched attributes", "x" * 257, "watchedAttributes"),
    ("Values (q)", "speed>>1", "q"),
    ("Service path", "madrid", "servicePath begins with a slash"),
    ("Shown attributes", "x" * 257, "attributes"),
    ("Coordinates", "north of here", "geoQ.coordinates"),
    ("Distance in metres", "far", "geoQ.georel"),
    ("Attribute of the location", "x" * 257, "geoQ.geoproperty"),
    ("Geometry", "Polygon", "geoQ.geometry: near measures from a Point"),
]


@pytest.mark.parametrize(("label", "wrong", "explanation"), WRONG, ids=[label for label, *_ in WRONG])
def test_an_error_of_the_server_stands_at_its_field(local: LocalSystem, label: str, wrong: str, explanation: str):
    with monitor(local) as page:
        more(page)
        if explanation.startswith("geoQ"):
            page.get_by_label("Location (geoQ)").select_option("at most a distance from")
            page.get_by_label("Distance in metres").fill("10")
            page.get_by_label("Coordinates").fill("135.7, 35.0")
        expect(page.locator("[aria-invalid=true]")).to_have_count(0)
        field = page.get_by_label(label, exact=True)
        if label == "Geometry":
            page.get_by_label("Coordinates").fill("[[[135.7,35.0],[135.8,35.0],[135.8,35.1],[135.7,35.0]]]")
            field.select_option(wrong)
        else:
            field.fill(wrong)
        error = page.locator("#filter-error")
        expect(error).to_contain_text(explanation)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.locator("[aria-invalid=true]")).to_have_count(1)
        assert "filter-error" in field.get_attribute("aria-describedby")
        # It stands below the field.
        assert error.evaluate("(error, field) => error.parentElement.contains(field)", field.element_handle())
        expect(page.locator("#filter-state")).to_contain_text("Not in force")
        if label == "Geometry":
            field.select_option("Point")
        else:
            field.fill("")
        if label in ("Coordinates", "Distance in metres", "Geometry"):
            page.get_by_label("Location (geoQ)").select_option("anywhere")
        expect(error).to_be_hidden()
        expect(page.locator("[aria-invalid=true]")).to_have_count(0)


def test_an_error_behind_more_opens_it(local: LocalSystem):
    with monitor(local) as page:
        drafts = json.dumps([{"q": "speed>>1"}])
        page.goto(f"{local.url}/#tenant=demo&subscriptions={drafts}")
        expect(page.locator("#filter-error")).to_be_visible()
        expect(page.get_by_label("Values (q)")).to_be_visible()


def test_named_subscriptions_are_added_renamed_and_removed(local: LocalSystem):
    with monitor(local) as page:
        expect(page.locator("#remove")).to_be_hidden()
        add(page, "map")
        page.get_by_label("Entity types").fill("Vehicle")
        expect(page.locator("#in-force")).to_have_text("Vehicle")
        assert message(page) == {"action": "subscribe", "subscription": "map", "entityTypes": ["Vehicle"]}
        add(page, "list")
        page.get_by_label("Id pattern").fill(":04.$")
        expect(page.locator("#in-force")).to_have_text("id ~ :04.$")
        expect_subscriptions(local, {"": {}, "map": {"entityTypes": ["Vehicle"]}, "list": {"idPattern": ":04.$"}})

        # Each row names the subscriptions that the event matches.
        local.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:041")
        expect(rows(page).first.locator(".matched")).to_have_text("default, list, map")
        tab(page, "Default").click()
        expect(page.get_by_label("Name", exact=True)).to_be_hidden()
        expect(page.get_by_label("Id pattern")).to_have_value("")
        page.get_by_role("button", name="Switch off").click()
        expect(page.locator("#filter-state")).to_contain_text("Off.")
        # The table of connections may be two seconds old.
        expect_subscriptions(local, {"map": {"entityTypes": ["Vehicle"]}, "list": {"idPattern": ":04.$"}})
        local.publish("demo", "Room", "urn:ngsi-ld:Room:001")
        local.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:001")
        expect(rows(page)).to_have_count(2)
        expect(rows(page).first.locator(".matched")).to_have_text("map")

        # A new connection begins without the default subscription, and restores the others with one message.
        page.reload()
        expect(page.locator("#state-text")).to_have_text("Connected")
        expect(tab(page, "Default (off)")).to_be_visible()
        tab(page, "map").click()
        expect(page.locator("#filter-state")).to_have_text(IN_FORCE)
        assert message(page)["subscription"] == "map"
        expect_subscriptions(local, {"map": {"entityTypes": ["Vehicle"]}, "list": {"idPattern": ":04.$"}})

        # A new name replaces the former one.
        page.get_by_label("Name", exact=True).fill("cars")
        page.get_by_label("Name", exact=True).press("Enter")
        expect(page.locator("#connections")).to_contain_text("cars")
        expect(page.locator("#connections")).not_to_contain_text("map")
        expect_subscriptions(local, {"cars": {"entityTypes": ["Vehicle"]}, "list": {"idPattern": ":04.$"}})

        page.get_by_role("button", name="Remove").click()
        expect(tab(page, "cars")).to_have_count(0)
        expect(page.locator("#connections")).not_to_contain_text("cars")
        expect_subscriptions(local, {"list": {"idPattern": ":04.$"}})
        page.get_by_role("button", name="Switch on").click()
        expect(page.locator("#connections .line")).to_have_count(2)
        expect_subscriptions(local, {"": {}, "list": {"idPattern": ":04.$"}})


def test_names_that_are_wrong_or_taken(local: LocalSystem):
    with monitor(local) as page:
        add(page, "map")
        tab(page, "+ Add").click()
        name = page.get_by_label("Name", exact=True)
        for wrong, explanation in [("a b", "A-Z a-z 0-9"), ("map", "Another subscription"), ("", "default subscription"), ("default", "default subscription")]:
            name.fill(wrong)
            name.press("Enter")
            expect(page.locator("#filter-error")).to_contain_text(explanation)
            expect(name).to_have_attribute("aria-invalid", "true")
        # The removal of a draft that has the name of another one leaves the other one alone.
        name.fill("map")
        name.press("Enter")
        expect(page.locator("#filter-error")).to_contain_text("Another subscription")
        page.get_by_role("button", name="Remove").click()
        tab(page, "+ Add").click()
        expect(page.locator("#filter-state")).to_have_text(IN_FORCE)
        wait_until(lambda: [name for name, _ in subscriptions(local)] == ["", "map", "subscription-1"], "three subscriptions")
        name.fill("")
        name.press("Enter")
        tab(page, "map").click()
        expect(page.locator("#filter-error")).to_be_hidden()
        expect(tab(page, "No name (refused)")).to_be_visible()


def test_the_limit_of_subscriptions_is_told_by_the_server(local: LocalSystem):
    with monitor(local) as page:
        for number in range(1, 16):
            tab(page, "+ Add").click()
            expect(tab(page, f"subscription-{number}").last).to_have_attribute("aria-pressed", "true")
            expect(page.locator("#filter-state")).to_have_text(IN_FORCE)
        tab(page, "+ Add").click()
        expect(page.locator("#filter-error")).to_contain_text("at most 16 subscriptions")
        expect(page.locator("[aria-invalid=true]")).to_have_count(0)
        wait_until(lambda: len(subscriptions(local)) == 16, "16 subscriptions")


def test_restores_the_others_if_one_is_refused_after_a_reconnect():
    system = LocalSystem()
    try:
        # Chromium writes each failed attempt to connect to its console.
        with chromium() as page:
            open_page(page, system)
            add(page, "map")
            page.get_by_label("Entity types").fill("Vehicle")
            expect(page.locator("#in-force")).to_have_text("Vehicle")
            add(page, "list")
            page.get_by_label("Entity types").fill("Room")
            expect(page.locator("#in-force")).to_have_text("Room")
            system.stop()
            expect(page.locator("#state-text")).to_contain_text("Reconnecting in")
            page.get_by_label("Id pattern").fill("(")
            system = LocalSystem(ports=(system.port, system.dynamodb_port))
            expect(page.locator("#state-text")).to_have_text("Connected")
            expect(page.locator("#filter-error")).to_contain_text("unclosed group")
            expect(tab(page, "list (refused)")).to_be_visible()
            expect_subscriptions(system, {"": {}, "map": {"entityTypes": ["Vehicle"]}, "list": {"entityTypes": ["Room"]}})
            tab(page, "map").click()
            expect(page.locator("#filter-error")).to_be_hidden()
            expect(page.locator("#filter-state")).to_have_text(IN_FORCE)
            system.publish("demo", "Room", "urn:ngsi-ld:Room:001")
            expect(rows(page)).to_have_count(1)
            assert shown_ids(page) == ["urn:ngsi-ld:Room:001"]
            system.stop()
    finally:
        system.process.kill()
        print(system.process.output())


def test_views_of_one_event_are_not_repeats(local: LocalSystem):
    with monitor(local) as page:
        add(page, "bare")
        more(page)
        page.get_by_label("Representation").select_option("keyValues")
        expect(page.locator("#in-force")).to_have_text("as keyValues")
        local.publish("demo", "Room", "r", '{"temperature":{"type":"Number","value":1.0}}')
        expect(rows(page)).to_have_count(2)
        expect(rows(page).locator(".matched", has_text="bare")).to_have_count(1)
        expect(rows(page).locator(".matched", has_text="default")).to_have_count(1)
        expect(page.locator("#received")).to_have_text("2")


def test_an_address_of_any_content_is_read(local: LocalSystem):
    with monitor(local) as page:
        hostile = ["{", "[]", "[null]", '[{"name":7,"q":{}}]', '[{"name":"a"},{"name":"a","types":"Room"},{"georel":"x"}]', "7"]
        for drafts in hostile:
            page.goto(f"{local.url}/?{len(drafts)}#tenant=demo&subscriptions={drafts}")
            expect(page.locator("#state-text")).to_have_text("Connected")


def test_the_builder_needs_no_mouse(local: LocalSystem):
    with monitor(local) as page:
        press = page.keyboard.press
        tab(page, "+ Add").focus()
        press("Enter")
        assert page.evaluate("document.activeElement.id") == "name"
        page.keyboard.type("map")
        press("Tab")
        expect(tab(page, "map")).to_have_attribute("aria-pressed", "true")
        assert page.evaluate("document.activeElement.id") == "remove"
        page.locator("#more > summary").focus()
        press("Enter")
        press("Tab")
        assert page.evaluate("document.activeElement.id") == "ids"
        press("Tab")
        press("Space")
        expect(page.locator("#in-force")).to_have_text("created only")
        page.locator("#remove").focus()
        press("Enter")
        expect(tab(page, "map")).to_have_count(0)
        assert page.evaluate("document.activeElement.textContent") == "Default"
