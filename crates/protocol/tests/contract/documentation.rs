//! What the documentation shows is what the code understands.

use std::path::{Path, PathBuf};

use entity_stream_protocol::{ClientMessage, CloseCode, ErrorCode};
use serde_json::Value;

use crate::schemas::{assert_valid, repository};

/// Every page, by its path in the repository.
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

/// The JSON objects among a page's inline code, less those that leave something out.
fn inline(page: &str) -> Vec<&str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|code| is_whole_object(code)).collect()
}

fn is_whole_object(code: &str) -> bool {
    code.starts_with("{\"") && code.ends_with('}') && !code.contains('…')
}

/// The schema that an example has to meet, if it is of ours.
fn schema(example: &Value) -> Option<&'static str> {
    let has = |name: &str| example.get(name).is_some();
    match example.get("type").and_then(Value::as_str) {
        _ if has("specversion") => Some("cloudevent"),
        _ if has("action") => Some("client-message"),
        Some("entityCreated" | "entityUpdated" | "entityDeleted") if has("id") => Some("event"),
        Some("entityCreated" | "entityUpdated" | "entityDeleted") => Some("entity-change"),
        Some("subscribed" | "unsubscribed" | "pong" | "authenticated" | "error") => Some("server-message"),
        _ if has("connectionId") && has("message") => Some("gateway-error"),
        _ if has("entityId") => Some("entity-change"),
        _ => None,
    }
}

/// Holds an example, and whatever it contains, against its schema; says whether it had one.
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

/// The detail of an entry of `PutEvents` is JSON in a string.
fn detail(name: &str, value: &Value) -> Value {
    match value.as_str().filter(|_| name == "Detail") {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        None => value.clone(),
    }
}

#[test]
fn every_json_example_is_json_and_as_its_schema_wants_it() {
    let mut examples = 0;
    for (name, page) in pages() {
        for text in blocks(&page).into_iter().chain(inline(&page)) {
            let example: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
            examples += check(&example);
        }
    }
    assert!(examples >= 12, "only {examples} were found");
}

#[test]
fn messages_in_the_table_are_understood() {
    let page = std::fs::read_to_string(repository("docs/protocol.md")).unwrap();
    let messages: Vec<&str> = inline(&page).into_iter().filter(|code| code.starts_with("{\"action\"")).collect();
    assert_eq!(messages.len(), 4, "one for each action");
    for message in messages {
        ClientMessage::parse(message).unwrap_or_else(|rejection| panic!("{message}: {rejection:?}"));
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

/// Where the links and the pictures of a page lead within the repository, without their anchors.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let own = targets.filter(|target| !target.contains("://"));
    own.filter_map(|target| target.split('#').next()).filter(|path| !path.is_empty())
}

#[test]
fn links_and_pictures_lead_somewhere() {
    let mut followed = 0;
    for (name, page) in pages() {
        let here = repository(&name);
        for link in links(&page) {
            assert!(here.with_file_name(link).exists(), "{name} links to {link}, which is not there");
            followed += 1;
        }
    }
    assert!(followed > 10, "the links were found");
}
