"""The monitor page with the keyboard and in small windows: everything can be reached, and nothing covers or cuts it off."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from browser import chromium, until
from harness import BINARY, LocalSystem, Process, environment_without_aws
from monitor import monitor, open_page, publish_text, rows, show

SMALL = {"width": 390, "height": 844}


def focused(page: Page, selector: str) -> bool:
    return page.evaluate("(selector) => document.activeElement.matches(selector)", selector)


@pytest.mark.parametrize("start", ["#tab-events", "#pause", "#simulation-partial", "#help-open", "#more summary"])
def test_arrow_keys_move_through_the_events_from(local: LocalSystem, start: str):
    with monitor(local) as page:
        for number in range(2):
            publish_text(local, f"room-{number}", "{}", "entityCreated")
        expect(rows(page)).to_have_count(2)
        page.locator(start).focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(rows(page).nth(1).locator(".summary")).to_be_focused()
        # From a button of an opened row as well.
        page.keyboard.press("Enter")
        rows(page).nth(1).get_by_role("button", name="Copy JSON").focus()
        page.keyboard.press("ArrowUp")
        expect(rows(page).nth(0).locator(".summary")).to_be_focused()


def test_arrow_keys_move_through_the_entities_from_tabs_and_heads(local: LocalSystem):
    with monitor(local) as page:
        # The entities are below the rate in a small window.
        page.set_viewport_size(SMALL | {"height": 400})
        for number in range(3):
            publish_text(local, f"room-{number}", "{}", "entityCreated")
        show(page, "Entities")
        expect(page.locator("#entities-state")).to_have_text("3 entities")
        current = page.locator("#entities-body .grid-row[data-current]")
        page.locator("#tab-entities").focus()
        page.keyboard.press("ArrowDown")
        expect(current.locator(".id")).to_have_text("room-0")
        expect(current).to_be_in_viewport(ratio=0.99)
        # The focus is where assistive technology reads the current row.
        expect(page.locator("#entities")).to_be_focused()
        expect(page.locator("#entities")).to_have_attribute("aria-activedescendant", current.get_attribute("id"))
        page.keyboard.press("Tab")
        assert focused(page, "[data-sort='type'] button"), "a head can be reached"
        page.keyboard.press("ArrowDown")
        expect(current.locator(".id")).to_have_text("room-1")
        # Left and right choose a tab.
        page.locator("#tab-entities").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#tab-events")).to_be_focused()


def test_arrow_keys_scroll_the_tables_and_leave_fields_alone(local: LocalSystem):
    malform(local, 30)
    with monitor(local) as page:
        page.set_viewport_size({"width": 1360, "height": 600})
        show(page, "Dead letters")
        expect(page.locator("#letters tr[data-id]")).to_have_count(30)
        table = page.locator("#view-letters .scroll")
        page.locator("#tab-letters").focus()
        page.keyboard.press("ArrowDown")
        until(page, lambda: table.evaluate("(node) => node.scrollTop") > 0, "the table to move")
        show(page, "Events")
        page.locator("#simulation-rate").focus()
        page.keyboard.press("ArrowUp")
        expect(page.locator("#simulation-rate")).to_be_focused()
        page.locator("#georel").evaluate("(node) => { node.closest('details').open = true; node.focus(); }")
        page.keyboard.press("ArrowDown")
        expect(page.locator("#georel")).to_be_focused()


def malform(system: LocalSystem, count: int = 1):
    """Publishes changes that cannot be delivered."""
    detail = json.dumps({"type": "entityUpdated", "tenant": "x" * 64, "entityId": "r", "entityType": "Room", "data": {}})
    entries = [{"Source": "c", "DetailType": "c", "Detail": detail}] * 10
    for start in range(0, count, 10):
        answer = system.client("events").put_events(Entries=entries[: min(10, count - start)])
        assert answer["FailedEntryCount"] == 0


def test_an_opened_dead_letter_comes_into_view_with_its_whole_reason(local: LocalSystem):
    malform(local, 20)
    with monitor(local) as page:
        page.set_viewport_size({"width": 1360, "height": 600})
        show(page, "Dead letters")
        expect(page.locator("#letters tr[data-id]")).to_have_count(20)
        last = page.locator("#letters tr[data-id]").last
        reason = last.locator(".reason").get_attribute("title")
        last.get_by_role("button", name="Show").click()
        details = page.locator("#letters .letter-details")
        expect(details.locator("pre")).to_be_in_viewport(ratio=0.99)
        expect(details.locator(".letter-reason")).to_have_text(reason)
        assert details.locator(".letter-reason").evaluate("(node) => node.scrollWidth <= node.clientWidth")
        expect(last).to_be_in_viewport()


def test_the_chosen_tab_is_in_view(local: LocalSystem):
    with monitor(local) as page:
        page.set_viewport_size(SMALL)
        for key, name in (("5", "letters"), ("1", "events"), ("4", "connections")):
            page.keyboard.press(key)
            expect(page.locator(f"#tab-{name}")).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize("width", [390, 800, 1360])
def test_the_number_of_new_events_covers_nothing(local: LocalSystem, width: int):
    with monitor(local) as page:
        page.set_viewport_size({"width": width, "height": 850})
        publish_text(local, "first", "{}", "entityCreated")
        rows(page).first.locator(".summary").click()
        before = rows(page).first.bounding_box()
        publish_text(local, "second", "{}", "entityCreated")
        pill = page.locator("#new-events")
        expect(pill).to_have_text("↑ 1 new")
        assert rows(page).first.bounding_box() == before, "the list stands still"
        box = pill.bounding_box()
        assert box["y"] + box["height"] <= page.locator("#events").bounding_box()["y"]
        assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_the_connections_are_readable_in_a_small_window(local: LocalSystem):
    with monitor(local) as page:
        page.set_viewport_size(SMALL)
        show(page, "Connections")
        cells = page.locator("#connections tr").first.locator("th, td")
        labels = cells.evaluate_all("(all) => all.map((cell) => getComputedStyle(cell, '::before').content.replaceAll('\"', ''))")
        assert labels == ["Tenant", "Subscriptions", "Format", "Group", "Client", "Connected"]
        for cell in cells.all():
            box = cell.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= SMALL["width"]
        assert page.locator("#view-connections .scroll").evaluate("(node) => node.scrollWidth <= node.clientWidth")


def test_a_partial_entity_says_why(local: LocalSystem):
    publish_text(local, "known", '{"n":1}', "entityCreated")
    publish_text(local, "unknown", '{"n":1}')
    with monitor(local) as page:
        show(page, "Entities")
        expect(page.locator("#entities-state")).to_have_text("2 entities")
        hint = page.locator("#entity .hint")
        page.locator("#entities-body .grid-row", has_text="unknown").click()
        expect(hint).to_contain_text("Partial: attributes may be missing")
        page.locator("#entities-body .grid-row").filter(has=page.get_by_text("known", exact=True)).click()
        expect(page.locator("#entity h2")).to_have_text("known")
        expect(hint).to_be_hidden()


@pytest.mark.parametrize("entity_id", ["-x", "--url=ws://other", "it's $HOME `id`", "=ls", "urn:a:1", "a b"])
def test_the_command_of_an_entity_is_one_that_a_shell_can_run(local: LocalSystem, entity_id: str):
    with monitor(local) as page:
        command = page.evaluate("""async (id) => (await import('/_local/monitor/command.js')).listenCommand({ tenant: 'demo', id })""", entity_id)
        # The shell and the command line read the id as it is: the command prints the entity.
        publish_text(local, entity_id, '{"n":4711}', "entityCreated")
        process = Process(["bash", "-c", command.replace("entity-stream", str(BINARY), 1)], name=command, env=environment_without_aws())
        try:
            while "4711" not in process.next_line("the entity"):
                pass
        finally:
            process.kill()


def test_the_notice_about_a_lost_system_stays_during_attempts():
    system = LocalSystem()
    try:
        with chromium() as page:
            open_page(page, system)
            page.evaluate("""() => {
              const notice = document.getElementById('notice');
              window.seen = [notice.hidden];
              const look = () => { if (window.seen.at(-1) !== notice.hidden) window.seen.push(notice.hidden); };
              new MutationObserver(look).observe(notice, { attributes: true, attributeFilter: ['hidden'] });
            }""")
            system.stop()
            expect(page.locator("#notice")).to_be_visible()
            for _ in range(2):
                page.locator("#retry").click()
                expect(page.locator("#state-text")).to_have_text(re.compile("^Reconnecting in"))
            assert page.evaluate("window.seen") == [True, False]
    finally:
        system.process.kill()
