use std::path::Path;

use serde_json::Value;

/// Reads the event `events/{function}/{name}.json`. Tests change single fields of it.
pub fn sample(function: &str, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(function).join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}
