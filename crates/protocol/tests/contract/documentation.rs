//! The documentation agrees with the code: examples, codes, schemas and links.

use std::path::{Path, PathBuf};

use entity_stream_protocol::limits::{
    EVENTS_FRAME_BYTES, HISTORY_BYTES, POSITION_LENGTH, REPLAYED_EVENTS, REPLAYED_FRAMES, RESUME_INTERVAL,
    SNAPSHOT_BYTES, SNAPSHOT_ENTITIES, SNAPSHOT_TOKEN_LENGTH,
};
use entity_stream_protocol::{ClientMessage, CloseCode, ErrorCode, GeoQuery, Query, ServerMessage, View};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::schemas::{SCHEMAS, assert_valid, repository};

/// The build of the package copies pages to this folder, where their links lead nowhere.
const COPIES: &str = "clients/typescript/docs";

/// All pages, by their paths in the repository.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec![repository("README.md"), repository("CONTRIBUTING.md")];
    collect(&repository("docs"), &mut paths);
    collect(&repository("clients"), &mut paths);
    let page = |path: PathBuf| {
        let name = path.strip_prefix(repository("")).unwrap().display().to_string();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(page).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path == repository(COPIES) {
            continue;
        }
        if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

/// The JSON blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The JSON objects in a page's inline code, except for those with an ellipsis.
fn inline(page: &str) -> Vec<&str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|code| is_whole_object(code)).collect()
}

fn is_whole_object(code: &str) -> bool {
    code.starts_with("{\"") && code.ends_with('}') && !code.contains('…')
}

/// The schema of an example. `None` if it is not a message of the contract.
fn schema(example: &Value) -> Option<&'static str> {
    let has = |name: &str| example.get(name).is_some();
    match example.get("type").and_then(Value::as_str) {
        _ if has("specversion") => Some("cloudevent"),
        Some("entityCreated" | "entityUpdated" | "entityDeleted") if has("id") => Some("event"),
        Some("entityCreated" | "entityUpdated" | "entityDeleted") => Some("entity-change"),
        Some("entityLeft") => Some("entity-left"),
        Some("entitySnapshot") => Some("entity-snapshot"),
        Some(
            "subscribed" | "snapshot" | "unsubscribed" | "pong" | "synced" | "authenticated" | "dpop_verified"
            | "error" | "events",
        ) => Some("server-message"),
        _ if has("action") => Some("client-message"),
        _ if has("connectionId") && has("message") => Some("gateway-error"),
        _ if has("entityId") => Some("entity-change"),
        _ if has("georel") => Some("geo-query"),
        _ => None,
    }
}

/// Validates an example and the values in it against their schemas. Returns the number of values with a schema.
fn check(example: &Value) -> usize {
    if let Some(schema) = schema(example) {
        assert_valid(schema, example);
        return 1;
    }
    match example {
        Value::Array(items) => items.iter().map(check).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| check(&detail(name, value))).sum(),
        _ => 0,
    }
}

/// The value of a field, or the JSON in it if it is the detail of a `PutEvents` entry.
fn detail(name: &str, value: &Value) -> Value {
    match value.as_str().filter(|_| name == "Detail") {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        None => value.clone(),
    }
}

#[test]
fn every_json_example_is_json_and_meets_its_schema() {
    let mut examples = 0;
    for (name, page) in pages() {
        for text in blocks(&page).into_iter().chain(inline(&page)) {
            let example: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
            examples += check(&example);
        }
    }
    assert!(examples >= 12, "only {examples} were found");
}

/// Fails if a message of the contract does not read, or is written with other fields or values. Returns false for other values.
fn reads_back(name: &str, example: &Value) -> bool {
    let text = example.to_string();
    let written = match schema(example) {
        Some("client-message") => {
            ClientMessage::parse(&text).unwrap_or_else(|rejection| panic!("{name}: {text}: {rejection:?}")).to_json()
        }
        Some("server-message" | "event" | "entity-left" | "entity-snapshot" | "cloudevent") => {
            ServerMessage::parse(&text).unwrap_or_else(|error| panic!("{name}: {text}: {error}")).to_json()
        }
        _ => return false,
    };
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), *example, "{name}");
    true
}

#[test]
fn every_message_of_the_contract_reads_back() {
    let page = std::fs::read_to_string(repository("docs/protocol.md")).unwrap();
    let examples =
        blocks(&page).into_iter().chain(inline(&page)).map(|text| serde_json::from_str::<Value>(text).unwrap());
    let examples: Vec<Value> = examples.filter(|example| reads_back("docs/protocol.md", example)).collect();
    for action in ["subscribe", "unsubscribe", "snapshot", "ping", "sync", "authenticate", "dpop_bind"] {
        assert!(examples.iter().any(|example| example["action"] == action), "{action} has an example");
    }
    let messages = ["entityCreated", "entityUpdated", "entityDeleted", "entityLeft", "entitySnapshot"];
    let answers = [
        "subscribed",
        "snapshot",
        "unsubscribed",
        "pong",
        "synced",
        "authenticated",
        "dpop_verified",
        "error",
        "events",
    ];
    for answer in messages.into_iter().chain(answers) {
        assert!(examples.iter().any(|example| example["type"] == answer), "{answer} has an example");
    }
    for field in [
        "since",
        "session",
        "recovered",
        "replayed",
        "position",
        "truncated",
        "wholeEntity",
        "snapshot",
        "snapshotNext",
        "version",
        "previous",
    ] {
        assert!(examples.iter().any(|example| example.get(field).is_some()), "{field} has an example");
    }
}

#[test]
fn the_examples_of_the_schemas_are_valid_and_read_back() {
    let mut read = 0;
    for (name, schema) in SCHEMAS.iter() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            assert_valid(name, example);
            read += usize::from(reads_back(name, example));
        }
    }
    assert!(read >= 10, "only {read} messages were found");
}

#[test]
fn the_limits_of_the_history_and_of_snapshots_are_those_of_the_code() {
    let page = std::fs::read_to_string(repository("docs/protocol.md")).unwrap();
    let section = page.split("\n## Limits\n").nth(1).unwrap();
    let mega = 1024 * 1024;
    for row in [
        format!("| `events` frame with several events | {} KB |", EVENTS_FRAME_BYTES / 1024),
        format!("| events that one `since` replays | {}", thousands(REPLAYED_EVENTS)),
        format!(" with `batch=true`, {} without; ", thousands(REPLAYED_FRAMES)),
        format!("| history that one `since` reads | {} MB |", HISTORY_BYTES / mega),
        format!("| `since` of one connection | one in {} seconds |", RESUME_INTERVAL.as_secs()),
        format!("| position, session | {POSITION_LENGTH} characters, 128 characters |"),
        format!("| one part of a snapshot | {} entities, {} MB ", thousands(SNAPSHOT_ENTITIES), SNAPSHOT_BYTES / mega),
        format!("| token of a snapshot | {} characters |", thousands(SNAPSHOT_TOKEN_LENGTH)),
    ] {
        assert!(section.contains(&row), "{row}");
    }
    assert_eq!(HISTORY_BYTES % mega, 0);
}

/// A number below a million with a comma after its thousands.
fn thousands(number: usize) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
}

/// The inline code in each row of the table below a heading of `docs/protocol.md`.
fn codes_below(heading: &str) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(repository("docs/protocol.md")).unwrap();
    let section = page.split(&format!("\n### {heading}\n")).nth(1).unwrap().split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    // A cell has its `|` after a backslash.
    let codes = |row: &str| row.split('`').skip(1).step_by(2).map(|code| code.replace("\\|", "|")).collect();
    rows.map(codes).collect()
}

#[test]
fn the_views_are_what_events_show() {
    let rows = codes_below("Views");
    let [published, views @ ..] = rows.as_slice() else { panic!("the table has rows") };
    let data = RawValue::from_string(published[0].clone()).unwrap();
    assert!(views.len() >= 2, "{views:?}");
    for row in views {
        let [fields, shown] = row.as_slice() else { panic!("{row:?}") };
        let view: View = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
        assert_eq!(view.apply(&data).get(), shown);
    }
}

#[test]
fn the_examples_of_queries_are_queries() {
    let queries: Vec<_> = codes_below("`q`").into_iter().map(|row| row[0].clone()).collect();
    assert!(queries.len() >= 15, "{queries:?}");
    for query in queries {
        Query::parse(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
    }
    let queries: Vec<_> = codes_below("`geoQ`").into_iter().map(|row| row[0].clone()).collect();
    assert!(queries.len() >= 7, "{queries:?}");
    for relation in ["near;max", "near;min", "within", "intersects", "disjoint", "contains", "overlaps", "equals"] {
        assert!(queries.iter().any(|query| query.contains(relation)), "{relation} has an example");
    }
    for query in queries {
        GeoQuery::parse(&serde_json::from_str(&query).unwrap()).unwrap_or_else(|error| panic!("{query}: {error}"));
    }
}

#[test]
fn every_error_code_is_explained() {
    for page in ["docs/protocol.md", "docs/troubleshooting.md"] {
        let text = std::fs::read_to_string(repository(page)).unwrap();
        for code in ErrorCode::ALL {
            assert!(text.contains(&format!("| `{}` |", code.as_str())), "{} is missing in {page}", code.as_str());
        }
    }
}

#[test]
fn every_close_code_is_explained() {
    let page = std::fs::read_to_string(repository("docs/troubleshooting.md")).unwrap();
    let rows = page.split("## The connection is closed").nth(1).unwrap().split("## ").next().unwrap();
    for code in CloseCode::ALL {
        let code = u16::from(code).to_string();
        let is_explained = rows.lines().any(|row| row.split('|').nth(1).is_some_and(|cell| cell.contains(&code)));
        assert!(is_explained, "{code} is missing");
    }
}

#[test]
fn every_schema_is_named_in_the_asyncapi_document() {
    let document = std::fs::read_to_string(repository("asyncapi.yaml")).unwrap();
    for name in crate::schemas::SCHEMAS.keys().filter(|name| !name.ends_with("-message") && *name != "definitions") {
        assert!(document.contains(&format!("docs/schemas/{name}.json")), "asyncapi.yaml does not refer to {name}.json");
    }
}

/// The targets of a page's links and pictures within the repository, without their anchors.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let own = targets.filter(|target| !target.contains("://"));
    own.filter_map(|target| target.split('#').next()).filter(|path| !path.is_empty())
}

#[test]
fn links_and_pictures_lead_to_files() {
    let mut followed = 0;
    for (name, page) in pages() {
        let here = repository(&name);
        for link in links(&page) {
            let target = here.with_file_name(link);
            let target = match target.strip_prefix(repository(COPIES)) {
                Ok(copy) => repository("docs").join(copy),
                Err(_) => target,
            };
            assert!(target.exists(), "{name} links to {link}, which does not exist");
            followed += 1;
        }
    }
    assert!(followed > 10, "the links were found");
}
