"""The monitor page of a running system, in headless Chromium."""

import functools
import http.server
import json
import re
import subprocess
import threading

from playwright.sync_api import Page, expect

import screenshot
from browser import Console, chromium, until
from harness import BINARY, PATIENCE, REPOSITORY, LocalSystem, environment_without_aws
from monitor import monitor, open_page, rows, show, shown_ids, status

SECRET = "the secret of this check, and of nothing else"

expect.set_options(timeout=PATIENCE * 1000)


def set_filter(page: Page, *, types: str = "", pattern: str = ""):
    page.get_by_label("Entity types").fill(types)
    page.get_by_label("Id pattern").fill(pattern)


def test_shows_the_published_changes_that_match_the_filter(local: LocalSystem):
    with monitor(local) as page:
        data = '{"temperature":{"type":"Number","value":1.0},"count":12345678901234567890123}'
        local.publish("demo", "Room", "urn:ngsi-ld:Room:001", data)
        expect(rows(page)).to_have_count(1)
        expect(rows(page).first.locator(".kind")).to_have_text("updated")
        expect(rows(page).first.locator(".type")).to_have_text("Room")
        # The page keeps numbers as they were published; `JSON.parse` would change them.
        expect(rows(page).first.locator(".attribute")).to_have_text(["temperature 1.0", "count 12345678901234567890123"])

        set_filter(page, types="Vehicle", pattern=":04.$")
        # Not the state alone: on a slow machine, the types come into force before the pattern is there.
        expect(page.locator("#in-force")).to_have_text("Vehicle · id ~ :04.$")
        local.publish("demo", "Room", "urn:ngsi-ld:Room:041")
        local.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:030")
        local.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:042")
        expect(rows(page)).to_have_count(2)
        assert shown_ids(page) == ["urn:ngsi-ld:Vehicle:042", "urn:ngsi-ld:Room:001"]

        # The address contains the filter, and the filter is in force after a reload.
        assert "types=Vehicle" in page.url and "tenant=demo" in page.url
        page.reload()
        expect(page.locator("#filter-state")).to_have_text("✓ In force")
        assert page.get_by_label("Id pattern").input_value() == ":04.$"
        local.publish("demo", "Room", "urn:ngsi-ld:Room:041")
        local.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:043")
        expect(rows(page)).to_have_count(1)
        assert shown_ids(page) == ["urn:ngsi-ld:Vehicle:043"]

        # A chip with a received type also changes the filter.
        page.locator(".chip", has_text="Vehicle").click()
        expect(page.locator(".chip", has_text="Vehicle")).to_have_attribute("aria-pressed", "false")
        assert page.get_by_label("Entity types").input_value() == ""


def test_changed_attributes_stand_out_and_the_data_opens(local: LocalSystem):
    with monitor(local) as page:
        detail = {
            "type": "entityUpdated", "tenant": "demo", "entityId": "r", "entityType": ["Room", "Office"],
            "data": {"name": {"type": "Text", "value": "Room 1"}, "co2": {"type": "Number", "value": 500}},
            "changedAttributes": ["co2", "gone"],
        }  # fmt: skip
        local.client("events").put_events(
            Entries=[{"Source": "check", "DetailType": "check", "Detail": json.dumps(detail)}]
        )
        row = rows(page).first
        expect(row.locator("mark.attribute")).to_have_text(["gone ", "co2 500"])
        expect(row.locator("span.attribute")).to_have_text(["name Room 1"])
        row.locator(".summary").click()
        expect(row.locator("pre mark")).to_have_text(['"co2"'])
        expect(row.locator(".facts")).to_contain_text("Room, Office")
        row.get_by_role("button", name="Only this type").click()
        assert page.get_by_label("Entity types").input_value() == "Room, Office"
        row.get_by_role("button", name="Only this entity").click()
        assert page.get_by_label("Id pattern").input_value() == "^r$"
        expect(page.locator("#filter-state")).to_have_text("✓ In force")

    # An event over the size limit arrives without its data and has the size of the data.
    with monitor(local) as page:
        local.publish("demo", "Map", "map", json.dumps({"tiles": "x" * 190_000}))
        expect(rows(page).first.locator(".attributes")).to_contain_text("too large to be carried: 190,")
        rows(page).first.locator(".summary").click()
        expect(rows(page).first.locator("pre")).to_contain_text("more than one message carries")


VALUES = {
    "speed": ({"type": "Property", "value": 43.5, "unitCode": "KMH", "observedAt": "2026-01-02T03:04:05Z"}, "43.5 km/h"),
    "co2": ({"type": "Number", "value": 612, "metadata": {"unitCode": {"type": "Text", "value": "59"}}}, "612 ppm"),
    "pressure": ({"type": "Property", "value": 7, "unitCode": "E34"}, "7 E34"),
    "location": ({"type": "GeoProperty", "value": {"type": "Point", "coordinates": [135.7, 35.0]}}, "[135.7, 35.0]"),
    "depot": ({"type": "Relationship", "object": "urn:ngsi-ld:Depot:001"}, "urn:ngsi-ld:Depot:001"),
    "name": ({"type": "LanguageProperty", "languageMap": {"ja": "会議室", "en": "Room"}}, "会議室 / Room"),
}


def test_values_of_both_formats_are_readable(local: LocalSystem):
    with monitor(local) as page:
        data = json.dumps({name: attribute for name, (attribute, _) in VALUES.items()})
        local.publish("demo", "Room", "urn:ngsi-ld:Room:001", data)
        shown = [f"{name} {text}" for name, (_, text) in VALUES.items()]
        expect(rows(page).first.locator(".attribute")).to_have_text(shown)


def test_a_bad_pattern_is_explained_by_the_server_and_changes_nothing(local: LocalSystem):
    with monitor(local, "/#tenant=demo&pattern=Room") as page:
        expect(page.locator("#filter-state")).to_have_text("✓ In force")
        # JavaScript accepts this pattern; Rust does not.
        page.get_by_label("Id pattern").fill("urn:(?=Room)")
        error = page.locator("#filter-error")
        expect(error).to_contain_text("look-around")
        expect(page.get_by_label("Id pattern")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#filter-state")).to_contain_text("Not in force")
        # This sensor does not match the next pattern either, because it may still be under way then.
        local.publish("demo", "Sensor", "urn:ngsi-ld:Sensor:001")
        local.publish("demo", "Room", "urn:ngsi-ld:Room:001")
        expect(rows(page)).to_have_count(1)
        assert shown_ids(page) == ["urn:ngsi-ld:Room:001"]

        page.get_by_label("Id pattern").fill("Vehicle")
        expect(error).to_be_hidden()
        expect(page.locator("#filter-state")).to_have_text("✓ In force")
        local.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:002")
        expect(rows(page)).to_have_count(2)


def test_survives_a_restart_of_the_system():
    system = LocalSystem()
    try:
        with chromium() as page:
            open_page(page, system)
            set_filter(page, types="Room")
            expect(page.locator("#filter-state")).to_have_text("✓ In force")
            # A filter that is written while the server is down, and that the server then refuses, does not come into force.
            system.stop()
            expect(page.locator("#state-text")).to_contain_text("Reconnecting in")
            expect(page.locator("#notice")).to_contain_text("cannot be reached")
            page.get_by_label("Id pattern").fill("(")

            system = LocalSystem(ports=(system.port, system.dynamodb_port))
            expect(page.locator("#state-text")).to_have_text("Connected")
            expect(page.locator("#notice")).to_be_hidden()
            expect(page.locator("#reconnects")).to_have_text("1")
            expect(page.locator("#filter-error")).to_contain_text("unclosed group")
            system.publish("demo", "Vehicle", "urn:ngsi-ld:Vehicle:001")
            system.publish("demo", "Room", "urn:ngsi-ld:Room:001")
            expect(rows(page)).to_have_count(1)
            assert shown_ids(page) == ["urn:ngsi-ld:Room:001"]
            system.stop()
    finally:
        system.process.kill()
        print(system.process.output())


def test_publishes_a_change_as_it_is_written(local: LocalSystem):
    with monitor(local) as page:
        page.get_by_label("Entity id", exact=True).fill("urn:ngsi-ld:Room:007")
        page.get_by_label("Data", exact=True).fill('{"level": 1.0, "id": 12345678901234567890}')
        page.get_by_role("button", name="Publish").click()
        row = rows(page).first
        expect(row.locator("mark.attribute")).to_have_text(["level 1.0", "id 12345678901234567890"])
        expect(page.locator("#published")).to_contain_text("✓ ")

        page.get_by_label("Data", exact=True).fill('{"level": 1,}')
        page.get_by_label("Data", exact=True).press("Control+Enter")
        expect(page.locator("#publish-error")).to_contain_text("no JSON object")
        page.get_by_label("Data", exact=True).fill("[1]")
        page.get_by_role("button", name="Publish").click()
        expect(page.locator("#publish-error")).to_contain_text("something else")
        expect(rows(page)).to_have_count(1)

        page.locator("#change").select_option("entityDeleted")
        page.get_by_role("button", name="Publish").click()
        expect(rows(page).first.locator(".kind")).to_have_text("deleted")
        expect(page.locator("#publish-error")).to_be_hidden()
    # The server answers a refused change with 400, and Chromium writes this to its console.
    with chromium() as page:
        open_page(page, local)
        page.get_by_label("Entity id", exact=True).fill("")
        page.get_by_role("button", name="Publish").click()
        expect(page.locator("#publish-error")).to_contain_text("entityId has 1 to 2048 characters")
    assert local.dead_letters() == "[]"


HOSTILE = [
    "<img src=x onerror=window.hacked=1>",
    "\"><script>window.hacked=1</script>",
    "javascript:window.hacked=1",
    "__proto__",
    "${window.hacked=1}",
    "\u202egnp.exe",
]


def test_the_content_of_events_is_shown_as_text(local: LocalSystem):
    with chromium() as page:
        console = Console(page)
        page.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error('violation', e.violatedDirective))")
        open_page(page, local)
        for hostile in HOSTILE:
            data = json.dumps({hostile: {"type": hostile, "value": hostile}, "constructor": {"value": {"value": hostile}}})
            detail = {
                "type": "entityUpdated", "tenant": "demo", "entityId": hostile, "entityType": hostile,
                "servicePath": hostile, "changedAttributes": [hostile], "timestamp": hostile, "data": None,
            }  # fmt: skip
            text = json.dumps(detail).replace("null", data)
            answer = local.client("events").put_events(Entries=[{"Source": "c", "DetailType": "c", "Detail": text}])
            assert answer["FailedEntryCount"] == 0
        # Publishers may nest data deeply.
        local.publish("demo", "Deep", "deep", '{"a":' * 3000 + "1" + "}" * 3000)
        expect(rows(page)).to_have_count(len(HOSTILE) + 1)
        assert sorted(shown_ids(page)) == sorted(["deep", *HOSTILE])
        for row in rows(page).all():
            row.locator(".summary").click()
            expect(row.locator("pre")).to_be_visible()
        assert page.locator("#events img, #events script").count() == 0
        assert page.evaluate("window.hacked") is None
        expect(page.locator("pre", has_text="onerror").first).to_contain_text(json.dumps(HOSTILE[0]))
        console.expect_no_errors()

        # The content security policy would also stop a mistake of the page.
        for mistake in ["body.innerHTML = '<b>x</b>'", "body.setAttribute('onclick', 'window.hacked=1')"]:
            thrown = page.evaluate(f"(() => {{ try {{ document.{mistake}; }} catch (error) {{ return error.name; }} }})()")
            assert thrown == "TypeError", f"{mistake}: {thrown}"
        console.wait_for("violation")


# Ten seconds of events would show no more than these three.
FLOOD = 3000


def test_a_thousand_events_per_second_leave_the_page_usable(local: LocalSystem):
    with monitor(local) as page:
        flood = subprocess.Popen(
            [BINARY, "simulate", "demo", "--rate", "1000", "--count", str(FLOOD), "--endpoint-url", local.url],
            env=environment_without_aws(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        most, typed = 0, ""
        while flood.poll() is None:
            most = max(most, rows(page).count())
            # The page follows the typing of a user.
            typed = "Ve" if typed else "V"
            page.locator("#search").fill(typed)
            assert page.locator("#search").input_value() == typed
        assert flood.returncode == 0, flood.stderr.read()
        page.locator("#search").fill("")
        # The limit is long because a busy machine needs time to deliver all events. The page is not the cause.
        expect(page.locator("#received")).to_have_text(f"{FLOOD:,}", timeout=300_000)
        assert most <= 300
        until(page, lambda: rows(page).count() == 300, "a full list")
        local.publish("demo", "Room", "the-last-one")
        expect(page.locator("#events .id").first).to_have_text("the-last-one")
        assert rows(page).count() == 300
        expect(page.locator("#received")).to_have_text(f"{FLOOD + 1:,}")
        expect(page.locator("#peak")).to_contain_text("per second")


def test_the_page_tells_how_far_the_bus_is_behind(local: LocalSystem):
    with monitor(local) as page:
        backlog = page.locator("#backlog")
        expect(backlog).to_be_hidden()
        # No machine delivers the highest rate with a debug build.
        page.locator("#simulation-rate").fill("10000")
        page.get_by_role("switch", name="Simulation").click()
        # On a busy machine the page itself may read more slowly than the server sends.
        reasons = re.compile("because (events come faster than this machine delivers them|clients that do not read)")
        expect(backlog).to_contain_text(reasons, timeout=PATIENCE * 1000)
        expect(backlog).to_contain_text("s behind: ")
        expect(backlog).to_contain_text("(demo ")
        page.get_by_role("switch", name="Simulation").click()
        # The bus delivers what it holds.
        expect(backlog).to_be_hidden(timeout=300_000)


def test_the_list_stands_still_during_reading_and_the_search_finds_events(local: LocalSystem):
    with monitor(local) as page:
        for number in range(3):
            local.publish("demo", "Room", f"room-{number}")
        expect(rows(page)).to_have_count(3)
        page.get_by_role("button", name="Pause").click()
        local.publish("demo", "Room", "room-3")
        expect(page.locator("#new-events")).to_have_text("↑ 1 new")
        assert rows(page).count() == 3
        page.get_by_role("button", name="Resume").click()
        expect(rows(page)).to_have_count(4)

        rows(page).nth(1).locator(".summary").click()
        local.publish("demo", "Room", "room-4")
        expect(page.locator("#new-events")).to_have_text("↑ 1 new")
        page.locator("#new-events").click()
        expect(rows(page)).to_have_count(5)

        page.locator("#search").fill("ROOM-2")
        expect(rows(page)).to_have_count(1)
        expect(page.locator("#matches")).to_have_text("1 found")
        local.publish("demo", "Room", "room-5")
        local.publish("demo", "Room", "room-22")
        expect(rows(page)).to_have_count(2)
        page.locator("#search").fill("")
        expect(rows(page)).to_have_count(7)
        page.get_by_role("button", name="Clear").click()
        expect(rows(page)).to_have_count(0)
        expect(page.locator("#empty")).to_contain_text("Listening to demo")


def test_the_keyboard_is_enough(local: LocalSystem):
    with monitor(local) as page:
        for number in range(3):
            local.publish("demo", "Room", f"room-{number}")
        expect(rows(page)).to_have_count(3)
        newest_first = shown_ids(page)
        press = page.keyboard.press
        focused = functools.partial(page.evaluate, "document.activeElement.id || document.activeElement.className")

        press("Tab")
        assert focused() == "skip"
        press("Enter")
        assert focused() == "events"
        press("ArrowDown")
        press("ArrowDown")
        assert newest_first[1] in page.evaluate("document.activeElement.textContent")
        press("Enter")
        expect(rows(page).nth(1).locator("pre")).to_be_visible()
        local.publish("demo", "Room", "room-3")
        expect(page.locator("#new-events")).to_be_visible()
        press("Escape")
        expect(rows(page)).to_have_count(4)
        expect(page.locator("pre:visible")).to_have_count(0)

        press("p")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
        press("p")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")
        press("/")
        assert focused() == "search"
        page.keyboard.type("pcfn")
        assert page.locator("#search").input_value() == "pcfn", "a key in an input field is not a shortcut"
        press("Escape")
        expect(rows(page)).to_have_count(4)
        press("f")
        assert focused() == "pattern"
        press("Escape")
        press("n")
        assert focused() == "entity-id"
        press("Control+Enter")
        expect(rows(page)).to_have_count(5)
        press("Escape")
        press("c")
        expect(rows(page)).to_have_count(0)
        # Every focusable element has a name.
        nameless = page.evaluate("""[...document.querySelectorAll('input, select, textarea, button')]
            .filter((e) => !(e.labels?.length || e.textContent.trim() || e.getAttribute('aria-labelledby')))
            .map((e) => e.id)""")
        assert nameless in ([], ["new-events"]), nameless


def test_lists_the_connections_and_their_filters(local: LocalSystem):
    with monitor(local) as page, screenshot.clients(local):
        table = page.locator("#connections tr")
        expect(table).to_have_count(len(screenshot.CLIENTS) + 1)
        show(page, "Connections")
        expected = {
            ("demo", "default every change", "json", "–"),
            ("demo", "Room", "json", "–"),
            ("demo", "Vehicle, Sensor", "cloudevents", "–"),
            ("demo", "Vehicle · id ~ :0[0-4].$", "json", "dispatch"),
            ("factory", "every change", "json", "–"),
        }
        # The table is replaced every two seconds, and may be older than the page's own subscription.
        until(page, lambda: described(page) == expected, f"the connections {expected}")
        expect(page.locator("#connections-count")).to_have_text("6")
        set_filter(page, types="Printer")
        expect(page.locator("#connections")).to_contain_text("Printer")
    with monitor(local) as page:
        expect(page.locator("#connections-count")).to_have_text("1")


def described(page: Page) -> set[tuple[str, ...]]:
    """The first cells of each connection, read at once."""
    rows = page.evaluate("[...document.querySelectorAll('#connections tr')].map((row) => [...row.cells].map((cell) => cell.innerText.trim()))")
    return {tuple(cells[:4]) for cells in rows}


def publish_malformed(local: LocalSystem):
    detail = json.dumps({"type": "entityUpdated", "entityId": "r", "entityType": "Room", "data": {"secret": 4711.0}})
    local.client("events").put_events(Entries=[{"Source": "c", "DetailType": "c", "Detail": detail}])


def send_rest(local: LocalSystem) -> None:
    """Sends the rest of an event to the queue, as the function does. The whole audience lacks it."""
    published = {
        "version": "0", "id": "e-1", "detail-type": "Entity Change", "source": "c", "time": "2026-01-02T03:04:05Z",
        "detail": {"type": "entityUpdated", "tenant": "demo", "entityId": "replayed", "entityType": "Room"},
    }
    detail = {"type": "entityUpdated", "event": published, "ranges": ["0-ffffffffffffffff"], "depth": 0}
    rest = published | {"detail-type": "EntityStreamContinuation", "source": "entity-stream", "detail": detail}
    attribute = {"DataType": "String", "StringValue": "DeliveryIncomplete"}
    local.client("sqs").send_message(
        QueueUrl=f"{local.url}/000000000000/entity-stream-dead-letters",
        MessageBody=json.dumps(rest),
        MessageAttributes={"ErrorCode": attribute, "ErrorMessage": attribute | {"StringValue": "1 of 2 connections"}},
    )


def test_lists_shows_replays_and_deletes_dead_letters(local: LocalSystem):
    with monitor(local) as page:
        card = page.locator("#view-letters")
        show(page, "Dead letters")
        expect(page.locator("#letters-state")).to_have_text("There are no dead letters.")
        expect(page.locator("#letters-replay")).to_be_hidden()
        publish_malformed(local)
        expect(page.locator("#letters-count")).to_have_text("1")
        letter = page.locator("#letters tr").first
        expect(letter).to_contain_text("undeliverable")
        expect(letter).to_contain_text("missing field `tenant`")
        expect(letter.get_by_role("button", name="Replay")).to_have_count(0)
        expect(page.locator("#letters-replay")).to_be_disabled()
        # Values are shown on demand, with their digits.
        assert "4711" not in card.inner_text()
        letter.get_by_role("button", name="Show").click()
        expect(page.locator("#letters pre")).to_contain_text("4711.0")

        send_rest(local)
        expect(page.locator("#letters-count")).to_have_text("2")
        expect(page.locator("#letters pre")).to_contain_text("4711.0")
        rest = page.locator("#letters tr[data-id]").first
        expect(rest).to_contain_text("incomplete")
        rest.get_by_role("button", name="Replay").click()
        expect(rows(page)).to_have_count(1)
        assert shown_ids(page) == ["replayed"]
        expect(page.locator("#letters-count")).to_have_text("1")
        # The count may come from the status, before the list.
        expect(page.locator("#letters tr[data-id]")).to_have_count(1)

        # A deletion needs a second click, within four seconds of the first.
        remove = page.locator("#letters tr[data-id]").get_by_role("button", name="Delete")
        remove.click()
        expect(remove).to_have_text("Delete?")
        assert status(local)["deadLetters"] == 1
        expect(remove).to_have_text("Delete")
        assert status(local)["deadLetters"] == 1
        remove.dblclick()
        expect(page.locator("#letters-count")).to_have_text("0")
        assert status(local)["deadLetters"] == 0
        for _ in range(3):
            publish_malformed(local)
        expect(page.locator("#letters-count")).to_have_text("3")
        page.locator("#letters-delete").dblclick()
        expect(page.locator("#letters-count")).to_have_text("0")


def test_switches_the_simulation_on_and_off(local: LocalSystem):
    with monitor(local, "/?tenant=city") as page:
        switch = page.get_by_role("switch", name="Simulation")
        page.locator("#simulation-rate").fill("50")
        switch.click()
        expect(switch).to_have_attribute("aria-checked", "true")
        expect(page.locator("#simulation-text")).to_have_text("50 events per second in city")
        expect(rows(page).nth(20)).to_be_visible()
        running = {"tenant": "city", "rate": 50.0, "format": "ngsi-ld", "partial": False}
        assert status(local)["simulation"]["running"] == running
        # Values have units and no JSON. The controls change the running simulation.
        expect(rows(page).locator(".attribute", has_text="°C").first).to_be_visible()
        assert "{" not in "".join(rows(page).locator(".attribute").all_inner_texts())
        page.get_by_label("Only changed attributes").check()
        until(page, lambda: status(local)["simulation"]["running"] == running | {"partial": True}, "changed attributes")
        page.get_by_role("combobox", name="Format").select_option("NGSIv2")
        until(page, lambda: status(local)["simulation"]["running"]["format"] == "ngsi-v2", "the other format")
        expect(page.get_by_label("Only changed attributes")).to_be_checked()
        switch.click()
        expect(switch).to_have_attribute("aria-checked", "false")
        assert status(local)["simulation"]["running"] is None
    with chromium() as page:
        open_page(page, local)
        page.locator("#simulation-rate").fill("0")
        page.get_by_role("switch", name="Simulation").click()
        expect(page.locator("#simulation-error")).to_contain_text("from 0.001 to 10000")


def test_asks_for_a_token_and_does_not_store_it():
    system = LocalSystem(AUTH_ENABLED="true", JWT_SECRET=SECRET)
    mint = [BINARY, "token", "--tenant", "demo"]
    environment = environment_without_aws(JWT_SECRET=SECRET)
    token = subprocess.run(mint, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    try:
        with chromium() as page:
            console = Console(page)
            page.goto(system.url)
            expect(page.locator("#notice")).to_contain_text("asks for a token")
            field = page.get_by_label("Token")
            for wrong, explanation in [("not a token", "is not a token"), ("a.b.c", "the credential is malformed")]:
                field.fill(wrong)
                page.get_by_role("button", name="Connect").click()
                expect(page.locator("#state-text")).to_have_text("Refused")
                expect(page.locator("#notice")).to_contain_text(explanation)
                assert wrong not in page.locator("#notice").inner_text().replace("is not a token", "")
            field.fill(token)
            page.get_by_role("button", name="Connect").click()
            expect(page.locator("#state-text")).to_have_text("Connected")
            system.publish("demo", "Room", "urn:ngsi-ld:Room:001")
            expect(rows(page)).to_have_count(1)
            assert token not in page.url
            assert token not in page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
            assert not any(token in text for _, text in console.messages)

            # Another tenant is refused, and the page shows the reason of the system.
            page.get_by_label("Tenant").fill("factory")
            page.get_by_role("button", name="Reconnect").click()
            expect(page.locator("#state-text")).to_have_text("Refused")
            expect(rows(page)).to_have_count(0)
        system.stop()
        assert token not in system.process.output()
    finally:
        system.process.kill()
        print(system.process.output())


def test_shows_the_reason_if_connections_are_refused():
    system = LocalSystem(EVENT_STREAMING_ENABLED="false")
    try:
        with chromium() as page:
            page.goto(system.url)
            expect(page.locator("#notice")).to_contain_text("switched off")
            page.get_by_label("Tenant").fill("a b")
            page.get_by_role("button", name="Connect").click()
            expect(page.locator("#notice")).to_contain_text("A tenant is 1 to 63")
        system.stop()
    finally:
        system.process.kill()


class ForeignSite(http.server.BaseHTTPRequestHandler):
    """A foreign page on another port."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>elsewhere</title>")

    def log_message(self, *_):
        pass


ATTACK = """async (base) => {
  const change = JSON.stringify({ type: 'entityUpdated', tenant: 'demo', entityId: 'forged', entityType: 'Room' });
  const entries = JSON.stringify({ Entries: [{ Source: 's', DetailType: 'd', Detail: change }] });
  const target = { 'X-Amz-Target': 'AWSEvents.PutEvents' };
  const json = { 'Content-Type': 'application/json' };
  const attempts = [
    ['status', {}], ['connections', {}], ['dead-letters', {}], ['dead-letters', { method: 'DELETE' }],
    ['dead-letters/x/replay', { method: 'POST' }],
    ['events', { method: 'POST', body: change }], ['events', { method: 'POST', body: change, headers: json }],
    ['events', { method: 'POST', body: change, mode: 'no-cors' }],
    ['simulation', { method: 'PUT', body: '{"tenant":"demo","rate":1}', headers: json }],
    ['../', { method: 'POST', body: entries, headers: target }], ['../', { method: 'POST', body: entries, mode: 'no-cors' }],
  ];
  const outcomes = [];
  for (const [path, options] of attempts) {
    try {
      const response = await fetch(`${base}/_local/${path}`, options);
      outcomes.push(response.type === 'opaque' ? 'opaque' : await response.text());
    } catch (error) {
      outcomes.push(error.name);
    }
  }
  return outcomes;
}"""


TABLE_ATTACK = """async (base) => {
  const headers = { 'Content-Type': 'application/x-amz-json-1.0', 'X-Amz-Target': 'DynamoDB_20120810.ListTables' };
  const outcomes = [];
  for (const options of [{ method: 'POST', body: '{}', headers }, { method: 'POST', body: '{}', mode: 'no-cors' }]) {
    try {
      const response = await fetch(base, options);
      outcomes.push(response.type === 'opaque' ? 'opaque' : await response.text());
    } catch (error) {
      outcomes.push(error.name);
    }
  }
  return outcomes;
}"""

SOCKET_ATTACK = """(url) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onopen = () => resolve('open');
  socket.onerror = () => resolve('error');
})"""


def test_a_page_of_another_origin_gets_nothing(local: LocalSystem):
    # The foreign page has a name of its own. Afterwards the name leads to the system, as with DNS rebinding.
    rules = f"--host-resolver-rules=MAP rebound.example:80 localhost:{local.port},MAP *.example localhost"
    with http.server.ThreadingHTTPServer(("localhost", 0), ForeignSite) as site, monitor(local, "/", rules) as page:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        foreign = page.context.browser.new_page()
        foreign.goto(f"http://attacker.example:{site.server_port}/")
        for base in (local.url, f"http://127.0.0.1:{local.port}", "http://rebound.example"):
            outcomes = foreign.evaluate(ATTACK, base)
            assert set(outcomes) <= {"TypeError", "opaque"}, outcomes
        table = foreign.evaluate(TABLE_ATTACK, local.dynamodb_url)
        assert table == ["TypeError", "opaque"], table
        opened = foreign.evaluate(SOCKET_ATTACK, local.websocket_url("demo"))
        assert opened == "error", opened
        answer = foreign.goto("http://rebound.example/")
        assert answer.status == 403 and "--allow-host" in answer.text(), answer.text()
        site.shutdown()
        assert status(local)["simulation"]["running"] is None
        # A change published by the foreign page would arrive before this one.
        local.publish("demo", "Room", "genuine")
        expect(rows(page)).to_have_count(1)
        assert shown_ids(page) == ["genuine"]
        assert local.dead_letters() == "[]"


def test_json_is_read_as_it_is_written(local: LocalSystem):
    """Compares the module that keeps numbers unchanged with JSON.parse on random documents."""
    with monitor(local) as page:
        differences = page.evaluate("""async () => {
          const { members, pretty } = await import('/_local/monitor/json.js');
          const pick = (list) => list[Math.floor(Math.random() * list.length)];
          const string = () => Array.from({ length: Math.floor(Math.random() * 5) }, () => pick(['a', '"', '\\\\', '{', '}', ',', ':', '[', '\\u2028', ' '])).join('');
          const value = (depth) => {
            const kind = Math.random();
            if (depth > 3 || kind < 0.4) return pick([0, 1.5, -2e9, true, false, null, string()]);
            if (kind < 0.7) return Array.from({ length: Math.floor(Math.random() * 4) }, () => value(depth + 1));
            return object(depth + 1);
          };
          const object = (depth) => Object.fromEntries(Array.from({ length: Math.floor(Math.random() * 5) }, () => [string(), value(depth)]));
          const wrong = [];
          for (let round = 0; round < 2000; round += 1) {
            const original = object(0);
            const text = JSON.stringify(original, null, pick([0, 2]));
            const read = members(text).map(([name, raw]) => [name, JSON.parse(raw)]);
            if (JSON.stringify(read) !== JSON.stringify(Object.entries(original))) wrong.push(text);
            const laidOut = document.createElement('pre');
            laidOut.append(pretty(text));
            if (JSON.stringify(JSON.parse(laidOut.textContent)) !== JSON.stringify(original)) wrong.push(text);
          }
          return wrong.slice(0, 3);
        }""")
        assert differences == []


def test_the_pictures_of_the_documentation_exist_and_are_not_too_large():
    for name, page in {"monitor.png": "README.md", "monitor-map.png": "docs/local.md"}.items():
        picture = REPOSITORY / "docs/images" / name
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 200_000
        assert f"images/{name}" in (REPOSITORY / page).read_text()
