"""The monitor page with entities that are gone, that are not there yet, or that no filter selects."""

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from browser import chromium
from harness import LocalSystem
from monitor import copied, exported, monitor, open_first_entity, publish_text as publish, rows, show


def subscriptions(*drafts: dict) -> str:
    """The address of the page with these subscriptions in its form."""
    return f"/#tenant=demo&subscriptions={quote(json.dumps(drafts))}"


def test_an_entity_that_leaves_the_filter_is_said_to_have_left(local: LocalSystem):
    with monitor(local, subscriptions({"q": "n>5"})) as page:
        expect(page.locator("#in-force")).to_have_text("n>5")
        expect(page.locator(".legend li")).to_have_text(["created", "updated", "deleted", "left"])
        publish(local, "room", '{"n":9}', "entityCreated")
        expect(rows(page)).to_have_count(1)
        publish(local, "room", '{"n":1}')
        expect(rows(page)).to_have_count(2)
        left = rows(page).first
        expect(left.locator(".kind")).to_have_text("left")
        expect(left.locator(".attributes")).to_have_text("does not match the filter any more")
        left.locator(".summary").click()
        expect(left.locator("pre")).to_contain_text("Such an event has no data.")


@pytest.mark.parametrize("ending", ["entityDeleted", "entityUpdated"])
def test_the_buttons_of_an_entity_that_is_gone_use_its_last_state(local: LocalSystem, ending: str):
    publish(local, "room", '{"n":9}', "entityCreated")
    with monitor(local, subscriptions({"q": "n>5"})) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        show(page, "Entities")
        open_first_entity(page, "room")
        publish(local, "room", '{"n":1}', ending)
        expect(page.locator("#entity").get_by_role("alert")).to_have_text("The entity does not match the filter any more, or was deleted.")
        assert json.loads(copied(page, "Copy JSON"))["data"] == {"n": 9}
        assert '"data":{"n":9}' in copied(page, "Copy curl")
        assert [state["data"] for state in json.loads(exported(page))["states"]] == [{"n": 9}]


def test_show_the_entity_says_that_there_is_none(local: LocalSystem):
    with monitor(local) as page:
        for entity_id in ("first", "second"):
            publish(local, entity_id, '{"n":1}', "entityCreated")
            publish(local, entity_id, "{}", "entityDeleted")
        expect(rows(page)).to_have_count(4)

        def show_entity(entity_id: str):
            show(page, "Events")
            row = rows(page).filter(has_text=entity_id).first
            row.locator(".summary").click()
            row.get_by_role("button", name="Show the entity").click()
            expect(page.locator("#entity h2")).to_have_text(entity_id)

        show_entity("first")
        expect(page.locator("#entity").get_by_role("alert")).to_have_text("The entity does not match the filter, or was deleted.")
        show_entity("second")
        # Only the entity that was asked for last appears.
        for entity_id in ("first", "second"):
            publish(local, entity_id, '{"n":2}', "entityCreated")
        expect(page.locator("#entities-state")).to_have_text("2 entities")
        expect(page.locator("#entity .entity-value")).to_have_text("2")
        expect(page.locator("#entity h2")).to_have_text("second")
        expect(page.locator("#entity").get_by_role("alert")).to_be_hidden()


def test_without_a_filter_in_force_the_entities_and_the_map_say_why(local: LocalSystem):
    publish(local, "room", '{"location":{"type":"Point","coordinates":[135.7,35]}}', "entityCreated")
    with chromium() as page:
        page.goto(f"{local.url}/#tenant=demo&pattern=(")
        expect(page.locator("#filter-error")).to_be_visible()
        refused = "The entities cannot be shown: the filter is not in force. Correct it, or select another subscription."
        show(page, "Entities")
        expect(page.locator("#entities-state")).to_have_text(refused)
        show(page, "Map")
        expect(page.locator("#map-state")).to_have_text(refused)
        page.get_by_label("Id pattern").fill("")
        expect(page.locator("#map-state")).to_have_text("1 of 1 entity with a location")
    with monitor(local, subscriptions({"off": True}, {"name": "rooms", "types": "Room"})) as page:
        show(page, "Entities")
        expect(page.locator("#entities-state")).to_contain_text("the selected subscription is off. Switch it on, or select another one.")
        page.locator("#subscriptions").get_by_role("button", name="rooms").click()
        expect(page.locator("#entities-state")).to_have_text("1 entity")


def test_without_a_connection_the_entities_say_so():
    system = LocalSystem("--auth")
    try:
        with chromium() as page:
            page.goto(system.url)
            expect(page.locator("#state-text")).to_have_text("Not connected")
            show(page, "Entities")
            expect(page.locator("#entities-state")).to_have_text("The entities cannot be shown: the page is not connected. Connect it above.")
        system.stop()
    finally:
        system.process.kill()
        print(system.process.output())
