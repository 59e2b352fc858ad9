"""The monitor page shows, copies and exports numbers as they were published."""

import json

from playwright.sync_api import expect

from browser import until
from harness import LocalSystem
from monitor import copied, exported, monitor, open_first_entity, publish_text, show

# JavaScript has one number for these two.
LONG, LONGER = "12345678901234567890", "12345678901234567891"


def test_copies_and_exports_have_the_numbers_that_were_published(local: LocalSystem):
    publish_text(local, "room", f'{{"one":1.0,"long":{LONG},"deep":{{"value":[1e2,{LONG}]}}}}', "entityCreated")
    with monitor(local) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        show(page, "Entities")
        open_first_entity(page, "room")
        publish_text(local, "room", f'{{"long":{LONGER}}}', changedAttributes=["long"])
        long = page.locator("#entity .entity-row").filter(has=page.locator(".entity-attribute[title='long']"))
        expect(long.locator(".entity-value")).to_have_text(LONGER)
        # The two numbers differ.
        expect(page.locator("#entities-body mark.attribute")).to_have_text([f"long {LONGER}"])
        expect(long).to_have_attribute("data-changed", "")
        long.get_by_role("button").click()
        expect(long.locator(".previous span")).to_have_text([LONG])
        rest = f'"deep":{{"value":[1e2,{LONG}]}}'

        def has_all(text: str) -> bool:
            return '"one":1.0' in text and f'"long":{LONGER}' in text and rest in text

        assert has_all(copied(page, "Copy JSON"))
        assert has_all(copied(page, "Copy curl"))
        saved = exported(page)
        assert has_all(saved)
        assert [state["data"]["long"] for state in json.loads(saved)["states"]] == [int(LONG), int(LONGER)]
        assert saved.count(rest) == 3, saved
        page.locator("#entities-search").fill(LONGER)
        expect(page.locator("#entities-state")).to_have_text("1 of 1")
        assert has_all(exported(page, "#view-entities"))


def test_merged_attributes_have_the_numbers_that_were_published(local: LocalSystem):
    with monitor(local) as page:
        # As the client merges the attributes of messages without a version.
        texts = page.evaluate("""async ([long, longer]) => {
          const { attributeTexts, dataText, parse } = await import('/_local/monitor/raw.js');
          const { numberOf } = await import('/_local/monitor/number.js');
          const data = (text) => parse(`{"type":"entityUpdated","data":${text}}`).data;
          const merge = (...all) => Object.fromEntries(all.flatMap((one) => Object.entries(one)));
          const first = data(`{"one":1.0,"long":${long},"deep":{"value":[1e2]},"text":"a","__proto__":2.0}`);
          const second = merge(first, data(`{"long":${longer}}`));
          const third = merge(second, data('{"one":1,"text":null}'));
          return [dataText(first), dataText(second), dataText(third), String(numberOf(third.one)), attributeTexts(third).get('long')];
        }""", [LONG, LONGER])
        assert texts == [
            f'{{"one":1.0,"long":{LONG},"deep":{{"value":[1e2]}},"text":"a","__proto__":2.0}}',
            f'{{"one":1.0,"long":{LONGER},"deep":{{"value":[1e2]}},"text":"a","__proto__":2.0}}',
            f'{{"one":1,"long":{LONGER},"deep":{{"value":[1e2]}},"text":null,"__proto__":2.0}}',
            "1",
            LONGER,
        ]


def test_an_update_of_the_panel_reads_no_state_again(local: LocalSystem):
    with monitor(local) as page:
        values, calls, calls_of_one = page.evaluate("""async ([long, longer]) => {
          const { PanelAttribute } = await import('/_local/monitor/panel_attribute.js');
          const { attributeTexts, parse } = await import('/_local/monitor/raw.js');
          const state = (value, at) => ({ at, entity: parse(`{"type":"entityUpdated","version":${at},"data":{"a":{"value":[${value}]}}}`) });
          const past = [long, ` ${long} `, longer, '1', '1 ', '1.0', ...Array.from({ length: 54 }, (_, index) => `"a", ${index}`)].map(state);
          const raw = attributeTexts(past.at(-1).entity.data).get('a');
          const { exec } = RegExp.prototype;
          let calls = 0;
          RegExp.prototype.exec = function (text) { calls += 1; return exec.call(this, text); };
          const callsOf = (attribute, states) => {
            calls = 0;
            attribute.update(raw, states, false);
            return calls;
          };
          try {
            const attribute = new PanelAttribute('a');
            callsOf(attribute, past);
            const again = callsOf(attribute, past);
            return [attribute.node.textContent, again, callsOf(new PanelAttribute('a'), past.slice(-1))];
          } finally {
            RegExp.prototype.exec = exec;
          }
        }""", [LONG, LONGER])
        # The former values: two long numbers, 1 and 1.0, and 53 lists. Space makes no other value.
        assert values == 'a["a", 53]57'
        assert calls == calls_of_one > 0


def test_a_constant_number_is_a_flat_line(local: LocalSystem):
    publish_text(local, "room", '{"n":5,"m":1}', "entityCreated", timestamp="2026-01-02T03:04:05Z")
    with monitor(local) as page:
        show(page, "Entities")
        open_first_entity(page, "room")
        publish_text(local, "room", '{"n":5,"m":2}', timestamp="2026-01-02T03:05:05Z")
        spark = page.locator("#entity .entity-attribute[title='n'] .spark")
        expect(spark).to_have_attribute("aria-label", "Constant, 5")
        until(page, lambda: spark.locator("path").get_attribute("d") == "M2.0 12.0L118.0 12.0", "a flat line")
