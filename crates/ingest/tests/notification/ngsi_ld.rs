use serde_json::{Value, json};

use crate::{RECEIVED, change, changes_with, facts, read};

const NOTIFIED: &str = "2026-01-02T03:04:00.25Z";

/// A notification with one vehicle of these members.
fn vehicle(members: &str) -> String {
    notification(&format!(r#"[{{"id":"urn:ngsi-ld:Vehicle:A1","type":"Vehicle"{members}}}]"#))
}

fn notification(data: &str) -> String {
    format!(
        r#"{{"id":"urn:ngsi-ld:Notification:1","type":"Notification","subscriptionId":"urn:ngsi-ld:Subscription:1",
        "notifiedAt":"{NOTIFIED}","data":{data}}}"#
    )
}

#[test]
fn all_representations_stay_as_they_are() {
    for attributes in [
        // Normalized.
        r#""speed":{"type":"Property","value":86.0,"unitCode":"KMH","observedAt":"2026-01-02T03:03:59Z"},"isParked":{"type":"Relationship","object":"urn:ngsi-ld:Parking:1"},"name":{"type":"LanguageProperty","languageMap":{"en":"a","ja":"あ"}},"location":{"type":"GeoProperty","value":{"type":"Point","coordinates":[139.7,35.6]}}"#,
        // Concise.
        r#""speed":{"value":86.0,"unitCode":"KMH"},"brand":"Mercedes","isParked":{"object":"urn:ngsi-ld:Parking:1"}"#,
        // Simplified.
        r#""speed":86.0,"brand":"Mercedes","isParked":"urn:ngsi-ld:Parking:1","name":{"languageMap":{"en":"a"}}"#,
        // Several instances.
        r#""speed":[{"type":"Property","value":55,"datasetId":"urn:gps"},{"type":"Property","value":54.5}],"scope":"/madrid""#,
    ] {
        let changes = read(&vehicle(&format!(",{attributes}"))).unwrap();
        let change = changes[0].as_ref().unwrap();
        assert_eq!(change.data.get(), format!("{{{attributes}}}"));
        assert_eq!(change.changed_attributes, None);
        assert_eq!(
            (change.entity_id.as_str(), change.timestamp.as_deref()),
            ("urn:ngsi-ld:Vehicle:A1", Some(NOTIFIED))
        );
    }
}

#[test]
fn a_deleted_entity_is_a_deletion_at_its_time() {
    let deleted = change(&vehicle(r#","deletedAt":"2026-01-02T03:03:58.123456Z""#));
    let expected = json!({
        "type": "entityDeleted", "tenant": "city", "servicePath": "/", "entityId": "urn:ngsi-ld:Vehicle:A1",
        "entityType": "Vehicle", "data": {}, "timestamp": "2026-01-02T03:03:58.123456Z",
    });
    assert_eq!(deleted, expected);
    // In whole seconds it is before the last change, and the entity state would take it for late.
    let last = "2026-01-02T03:03:58.75Z";
    let in_seconds = change(&vehicle(&format!(r#","deletedAt":"2026-01-02T03:03:58Z","modifiedAt":"{last}""#)));
    assert_eq!((&in_seconds["type"], &in_seconds["timestamp"]), (&json!("entityDeleted"), &json!(last)));
    // As clause 5.8.6 has it with showChanges.
    let with_changes = change(&vehicle(
        r#","deletedAt":"2026-01-02T03:03:58Z","speed":{"type":"Property","value":"urn:ngsi-ld:null","previousValue":86}"#,
    ));
    assert_eq!((&with_changes["type"], &with_changes["data"]), (&json!("entityDeleted"), &json!({})));
}

#[test]
fn show_changes_names_the_attributes_that_changed() {
    let names = |members: &str| change(&vehicle(members))["changedAttributes"].clone();
    let other = r#","brand":{"type":"Property","value":"Mercedes"}"#;
    for former in [
        r#"{"type":"Property","value":2,"previousValue":1}"#,
        r#"{"type":"Relationship","object":"urn:b","previousObject":"urn:a"}"#,
        r#"{"type":"LanguageProperty","languageMap":{"en":"b"},"previousLanguageMap":{"en":"a"}}"#,
        r#"{"type":"VocabProperty","vocab":"b","previousVocab":"a"}"#,
        r#"{"type":"JsonProperty","json":{},"previousJson":[]}"#,
        r#"{"type":"ListProperty","valueList":[1],"previousValueList":[]}"#,
        r#"{"value":2,"previousValue":1}"#,
        r#"[{"type":"Property","value":2,"datasetId":"urn:a","previousValue":1},{"type":"Property","value":3}]"#,
    ] {
        let told = names(&format!(r#"{other},"it":{former}"#));
        assert_eq!(told, json!(["it", "brand"]), "the other may have been added in the same request: {former}");
    }
    assert_eq!(names(other), Value::Null);
    // With system attributes, the attributes that did not change are known.
    let at = |name: &str, value: &str, modified: &str| {
        format!(
            r#","{name}":{{"type":"Property","value":{value},"createdAt":"2026-01-01T00:00:00Z","modifiedAt":"2026-01-02T03:03:{modified}Z"}}"#
        )
    };
    let speed = at("speed", r#"2,"previousValue":1"#, "59.5");
    for (modified, is_named) in [("59.5", true), ("59.75", true), ("59", true), ("58.5", true), ("58.25", false)] {
        let expected = if is_named { json!(["speed", "it"]) } else { json!(["speed"]) };
        assert_eq!(names(&[at("it", "1", modified), speed.clone()].concat()), expected, "{modified}");
    }
    let newer = at("lanes", r#"2,"previousValue":1"#, "59.75");
    assert_eq!(names(&[at("it", "1", "58.5"), speed.clone(), newer].concat()), json!(["speed", "lanes"]));
    assert_eq!(names(&[other, &speed].concat()), json!(["speed", "brand"]), "an attribute without times");
    let (untimed, entity) =
        (r#","speed":{"type":"Property","value":2,"previousValue":1}"#, r#","modifiedAt":"2026-01-02T03:03:59.5Z""#);
    let old = at("old", "1", "00");
    assert_eq!(names(&[&old, untimed, entity].concat()), json!(["speed"]), "the time of the entity counts");
    assert_eq!(names(&[&old, untimed].concat()), json!(["speed", "old"]));
}

#[test]
fn a_deleted_attribute_is_gone_and_named() {
    let removed = r#","speed":{"type":"Property","value":"urn:ngsi-ld:null"}"#;
    let other = r#","brand":{"type":"Property","value":"Mercedes"}"#;
    let change = |members: &str| change(&vehicle(members));
    let without = change(&[removed, other].concat());
    assert_eq!(without["data"], json!({ "brand": { "type": "Property", "value": "Mercedes" } }));
    assert_eq!(
        without["changedAttributes"],
        json!(["brand", "speed"]),
        "the other may have changed in the same request"
    );
    let with_changes = removed.replace("null\"", "null\",\"previousValue\":86");
    assert_eq!(change(&[&with_changes, other].concat())["changedAttributes"], json!(["brand", "speed"]));
    let times = |modified: &str| format!("\"type\":\"Property\",\"modifiedAt\":\"2026-01-02T03:0{modified}Z\"");
    let timed = [
        with_changes.replace("\"type\":\"Property\"", &times("3:59")),
        other.replace("\"type\":\"Property\"", &times("3:00")),
    ];
    assert_eq!(change(&timed.concat())["changedAttributes"], json!(["speed"]), "the other did not change");
    assert_eq!(
        change(&[r#","speed":"urn:ngsi-ld:null""#, other].concat())["changedAttributes"],
        json!(["brand", "speed"])
    );
}

#[test]
fn a_deleted_instance_hides_no_other_change() {
    let instances = |deleted: &str| {
        format!(
            r#","speed":[{{"type":"Property","value":"urn:ngsi-ld:null","datasetId":"urn:a"{deleted}}},{{"type":"Property","value":2}}]"#
        )
    };
    let other = r#","brand":{"type":"Property","value":"Mercedes"}"#;
    let without = change(&vehicle(&[&instances(""), other].concat()));
    assert_eq!(without["data"]["speed"], json!([{ "type": "Property", "value": 2 }]));
    assert_eq!(
        without["changedAttributes"],
        json!(["speed", "brand"]),
        "the other may have changed in the same request"
    );
    let with_changes = change(&vehicle(&[&instances(r#","previousValue":1"#), other].concat()));
    assert_eq!(with_changes["changedAttributes"], json!(["speed", "brand"]));
}

#[test]
fn system_attributes_tell_a_creation_and_the_time() {
    let times = |created: &str, modified: &str, attribute: &str| {
        let change = change(&vehicle(&format!(
            r#","createdAt":"{created}","modifiedAt":"{modified}","a":{{"type":"Property","value":1,"modifiedAt":"{attribute}"}}"#
        )));
        (change["type"].as_str().unwrap().to_owned(), change["timestamp"].as_str().unwrap().to_owned())
    };
    let (first, later) = ("2026-01-02T03:03:59.123456Z", "2026-01-02T03:04:00.5Z");
    assert_eq!(times(first, first, first), ("entityCreated".to_owned(), first.to_owned()));
    assert_eq!(times(first, later, later), ("entityUpdated".to_owned(), later.to_owned()));
    assert_eq!(times(first, first, later).0, "entityUpdated", "an attribute is newer");
    let former = format!(
        r#","createdAt":"{first}","modifiedAt":"{first}","a":{{"type":"Property","value":2,"previousValue":1}}"#
    );
    assert_eq!(change(&vehicle(&former))["type"], "entityUpdated", "a new entity has no former values");
    let removed = format!(
        r#","a":{{"type":"Property","value":1,"modifiedAt":"{first}"}},"b":{{"type":"Property","deletedAt":"{later}"}}"#
    );
    let removed = change(&vehicle(&removed));
    assert_eq!((&removed["timestamp"], &removed["data"]["b"]), (&json!(later), &Value::Null), "its last change");
    let attribute_only = change(&vehicle(&format!(r#","a":{{"type":"Property","value":1,"modifiedAt":"{later}"}}"#)));
    assert_eq!(attribute_only["timestamp"], later);
}

#[test]
fn the_time_of_observation_counts_if_nothing_else_is_known() {
    let observed = r#","a":{"type":"Property","value":1,"observedAt":"2026-01-02T03:03:59.5Z"}"#;
    assert_eq!(change(&vehicle(observed))["timestamp"], NOTIFIED);
    let without = vehicle(observed).replace(&format!("\"notifiedAt\":\"{NOTIFIED}\","), "");
    assert_eq!(change(&without)["timestamp"], "2026-01-02T03:03:59.5Z");
    let none = vehicle(r#","a":1"#).replace(NOTIFIED, "yesterday");
    assert_eq!(change(&none)["timestamp"], RECEIVED);
    let measured = r#","TimeInstant":{"type":"Property","value":{"@type":"DateTime","@value":"2026-01-02T03:03:57Z"}}"#;
    assert_eq!(change(&vehicle(measured))["timestamp"], "2026-01-02T03:03:57Z");
}

#[test]
fn a_trigger_beside_the_entities_tells_the_kind_of_change() {
    for (member, value, kind) in [
        ("notificationTrigger", r#""entityCreated""#, "entityCreated"),
        ("notificationTrigger", r#"["entityDeleted"]"#, "entityDeleted"),
        ("notificationTrigger", r#"["entityCreated","entityUpdated","entityDeleted"]"#, "entityUpdated"),
        ("notificationTrigger", r#"["attributeUpdated"]"#, "entityUpdated"),
        ("notificationTrigger", r#""attributeDeleted""#, "entityUpdated"),
        ("triggerReason", r#""entityCreated""#, "entityCreated"),
        ("triggerReason", r#""newlyMatching""#, "entityUpdated"),
    ] {
        let body = vehicle(r#","a":1"#).replacen('{', &format!(r#"{{"{member}":{value},"#), 1);
        assert_eq!(change(&body)["type"], kind, "{member} {value}");
    }
}

#[test]
fn the_times_of_an_entity_only_suggest_a_creation() {
    let new = r#","createdAt":"2026-01-02T03:03:59Z","modifiedAt":"2026-01-02T03:03:59Z""#;
    let kind = |members: &str, trigger: &str| {
        change(&vehicle(members).replacen('{', &format!(r#"{{"triggerReason":{trigger},"#), 1))["type"].clone()
    };
    assert_eq!(kind(new, r#""entityDeleted""#), "entityDeleted");
    assert_eq!(kind(new, r#""entityUpdated""#), "entityUpdated");
    assert_eq!(kind(&format!(r#"{new},"deletedAt":"2026-01-02T03:03:59Z""#), r#""entityUpdated""#), "entityDeleted");
    for trigger in [r#""attributeCreated""#, r#"["entityCreated","entityUpdated"]"#, r#""newlyMatching""#] {
        assert_eq!(kind(new, trigger), "entityCreated", "{trigger} does not tell");
    }
}

#[test]
fn a_deletion_is_not_older_than_the_last_change() {
    let deleted = |modified: &str| {
        vehicle(&format!(
            r#","modifiedAt":"{modified}","a":{{"type":"Property","value":1,"observedAt":"2026-01-02T03:09:00Z"}}"#
        ))
        .replacen('{', r#"{"triggerReason":"entityDeleted","#, 1)
    };
    let (older, newer) = ("2026-01-02T03:03:59Z", "2026-01-02T03:05:00.5Z");
    assert_eq!(change(&deleted(older))["timestamp"], NOTIFIED);
    assert_eq!(change(&deleted(newer))["timestamp"], newer, "the clock of the entity is ahead");
    let unnotified = |body: String| body.replace(&format!("\"notifiedAt\":\"{NOTIFIED}\","), "");
    assert_eq!(change(&unnotified(deleted(older)))["timestamp"], RECEIVED);
    assert_eq!(change(&unnotified(deleted(newer)))["timestamp"], newer);
    let observed = unnotified(deleted("never"));
    assert_eq!(change(&observed)["timestamp"], "2026-01-02T03:09:00Z", "its updates had this time");
    assert_eq!(change(&deleted("never"))["timestamp"], NOTIFIED);
    let undated = deleted(newer).replace("\"modifiedAt\"", "\"deletedAt\":true,\"modifiedAt\"");
    assert_eq!(change(&undated)["timestamp"], newer);
}

#[test]
fn the_context_is_that_of_the_entity_the_notification_or_the_link() {
    let own = r#","@context":["https://own.example.org/c.jsonld" ]"#;
    let context = |body: &str, link: Option<&str>| {
        let mut facts = facts();
        facts.link = link.map(str::to_owned);
        changes_with(body, &facts)[0]["@context"].clone()
    };
    let link = r#"<https://link.example.org/c.jsonld>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json""#;
    let outer = |body: &str| body.replacen('{', r#"{"@context":"https://outer.example.org/c.jsonld","#, 1);
    assert_eq!(context(&outer(&vehicle(own)), Some(link)), json!(["https://own.example.org/c.jsonld"]));
    assert_eq!(context(&outer(&vehicle("")), Some(link)), "https://outer.example.org/c.jsonld");
    assert_eq!(context(&vehicle(""), Some(link)), "https://link.example.org/c.jsonld");
    assert_eq!(context(&vehicle(""), None), Value::Null);
    let null = r#","@context":null"#;
    assert_eq!(context(&vehicle(null), Some(link)), "https://link.example.org/c.jsonld", "null is no context");
    assert_eq!(context(&outer(&vehicle(null)), Some(link)), "https://outer.example.org/c.jsonld");
    let outer_null = vehicle("").replacen('{', r#"{"@context":null,"#, 1);
    assert_eq!(context(&outer_null, Some(link)), "https://link.example.org/c.jsonld");
}

#[test]
fn one_entity_without_its_array_and_expanded_names_are_read() {
    let one = r#"{"@id":"urn:1","@type":["Vehicle","Car"],"speed":1}"#;
    let change =
        change(&notification(one).replace("\"Notification\"", "\"https://uri.etsi.org/ngsi-ld/Notification\""));
    assert_eq!((&change["entityId"], &change["entityType"]), (&json!("urn:1"), &json!(["Vehicle", "Car"])));
}
