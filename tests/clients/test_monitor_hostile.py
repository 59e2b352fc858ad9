"""The monitor page with entities that no publisher means to send."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from harness import LocalSystem
from monitor import monitor, publish_text, rows, show

EARTH = "/_local/monitor/projection.js"


def open_entity(page: Page, entity_id: str):
    page.locator("#entities-search").fill(entity_id)
    # The rows are drawn in the frame after the text.
    row = page.locator("#entities-body .grid-row:visible")
    expect(row.locator(".id")).to_have_text([entity_id])
    row.click()
    expect(page.locator("#entity h2")).to_have_text(entity_id)


def value_of(page: Page, name: str):
    return page.locator(f"#entity .entity-attribute[title='{name}'] .entity-value")


def test_attributes_with_names_and_numbers_of_their_own(local: LocalSystem):
    deep = '{"a":' * 900 + "1" + "}" * 900
    publish_text(local, "names", '{"plain":1}', kind="entityCreated")
    publish_text(local, "numbers", '{"huge":1e308,"long":12345678901234567890}', kind="entityCreated")
    publish_text(local, "deep", deep, kind="entityCreated")
    publish_text(local, "lengthy", json.dumps({"text": "x" * 10_000, "y" * 10_000: 1}), kind="entityCreated")
    publish_text(local, "turned", "{}", kind="entityCreated", entityType="\u202eepyt")
    with monitor(local) as page:
        show(page, "Entities")
        expect(page.locator("#entities-state")).to_have_text("5 entities")
        # An object has these names before it has such attributes.
        open_entity(page, "names")
        publish_text(local, "names", '{"plain":1,"constructor":2,"__proto__":{"value":3},"toString":"\\u202etxet"}', changedAttributes=["constructor", "__proto__", "toString"])
        expect(value_of(page, "constructor")).to_have_text("2")
        expect(value_of(page, "__proto__")).to_have_text("3")
        page.locator("#entity .entity-attribute[title='constructor']").click()
        expect(page.locator("#entity .previous:visible")).to_have_text("The page has seen no other value.")
        # The difference of these is infinite. The last one is not a number that JavaScript has.
        open_entity(page, "numbers")
        for number in ("-1e308", "1e999"):
            publish_text(local, "numbers", f'{{"huge":{number},"long":22345678901234567890}}', changedAttributes=["huge", "long"])
            expect(value_of(page, "huge")).to_have_text(number)
        path = page.locator("#entity .entity-attribute[title='huge'] .spark path")
        expect(path).to_have_attribute("d", re.compile(r"^M2\.0 2\.0L118\.0 22\.0$"))
        page.locator("#entity .entity-attribute[title='long']").click()
        # Previous values are as published, too.
        expect(page.locator("#entity .previous:visible span")).to_have_text("12345678901234567890")
        for entity_id in ("deep", "lengthy", "turned"):
            open_entity(page, entity_id)
        page.locator("#entity summary").click()
        for tab in ("Map", "Events"):
            show(page, tab)
        for row in rows(page).all():
            row.locator(".summary").click()
            expect(row.locator("pre")).to_be_visible()


def test_the_direction_of_a_name_does_not_reach_its_value(local: LocalSystem):
    with monitor(local) as page:
        publish_text(local, "room", '{"\\u202eeman":"12345"}')
        name, value = (rows(page).first.locator(f".attribute .{part}").bounding_box() for part in ("name", "value"))
        assert name["x"] + name["width"] <= value["x"]


def test_the_map_is_round(local: LocalSystem):
    publish_text(local, "east", '{"location":{"type":"Point","coordinates":[179.9,10]}}', kind="entityCreated")
    publish_text(local, "west", '{"location":{"type":"geo:point","value":"10.1,-179.9"}}', kind="entityCreated")
    publish_text(local, "line", '{"way":{"type":"geo:line","value":["10,179.95","10.05,-179.95"]}}', kind="entityCreated")
    publish_text(local, "box", '{"area":{"type":"geo:box","value":["10,179.95","10.05,180"]}}', kind="entityCreated")
    with monitor(local) as page:
        show(page, "Map")
        expect(page.locator("#map-state")).to_have_text("4 of 4 entities with a location")
        # All are beside each other, on a map of less than a degree.
        scale, east, west = page.evaluate(f"""async () => {{
          const {{ Projection }} = await import('{EARTH}');
          const projection = new Projection();
          projection.size = [1000, 600];
          projection.fit([[179.9, 10], [-179.9, 10.1]]);
          return [projection.scale, projection.pixel([179.9, 10]), projection.pixel([-179.9, 10.1])];
        }}""")
        assert scale > 1000
        assert 0 < east[0] < west[0] < 1000
        # Areas have more positions than a function has arguments.
        page.evaluate(f"""async () => {{
          const {{ Projection }} = await import('{EARTH}');
          new Projection().fit(Array.from({{ length: 500000 }}, (_, index) => [index / 10000, 0]));
        }}""")


@pytest.mark.parametrize("latitude", [90, -90])
def test_the_map_reaches_the_poles(local: LocalSystem, latitude: int):
    publish_text(local, "pole", f'{{"location":{{"type":"Point","coordinates":[0,{latitude}]}}}}', kind="entityCreated")
    with monitor(local) as page:
        show(page, "Map")
        expect(page.locator("#map-state")).to_have_text("1 of 1 entity with a location")
        # The keyboard alone opens the entity nearest to the centre.
        page.locator("#map").focus()
        page.keyboard.press("+")
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        expect(page.locator("#entity h2")).to_have_text("pole")
