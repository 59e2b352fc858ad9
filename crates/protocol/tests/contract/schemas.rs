use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

/// The base of the schemas' URLs. The schemas refer to each other by their file names.
const BASE: &str = "json-schema:///";

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The schemas, by file name without extension.
pub(crate) static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let files = std::fs::read_dir(repository("docs/schemas")).unwrap().map(|entry| entry.unwrap().path());
    let named = files.map(|file| {
        let schema = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        (file.file_stem().unwrap().to_str().unwrap().to_owned(), schema)
    });
    named.collect()
});

static VALIDATORS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    let registry = SCHEMAS.iter().fold(Registry::new(), |registry, (name, schema)| {
        registry.add(format!("{BASE}{name}.json"), schema.clone()).unwrap()
    });
    let registry = registry.prepare().unwrap();
    let validator = |name: &str| {
        let schema = json!({ "$ref": format!("{BASE}{name}.json") });
        jsonschema::options().with_registry(&registry).build(&schema).unwrap()
    };
    SCHEMAS.keys().map(|name| (name.as_str(), validator(name))).collect()
});

/// Returns true if the value meets the schema.
pub(crate) fn is_valid(schema: &str, value: &Value) -> bool {
    VALIDATORS[schema].is_valid(value)
}

/// Fails with the reasons if the value does not meet the schema.
pub(crate) fn assert_valid(schema: &str, value: &Value) {
    let errors: Vec<String> = VALIDATORS[schema].iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{value} against {schema}.json: {errors:#?}");
}

/// Fails if the schema does not describe a field of the value. Validation alone accepts unknown fields.
pub(crate) fn assert_described(schema: &str, value: &Value) {
    let known = SCHEMAS[schema]["properties"].as_object().unwrap();
    for name in value.as_object().unwrap().keys() {
        assert!(known.contains_key(name), "{schema}.json does not describe {name:?}");
    }
}

#[test]
fn schemas_are_valid_and_refer_to_existing_schemas() {
    assert_eq!(VALIDATORS.len(), SCHEMAS.len());
    for (name, schema) in SCHEMAS.iter() {
        assert!(jsonschema::meta::is_valid(schema), "{name}.json");
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#", "{name}.json: the draft of AsyncAPI");
        assert!(schema["title"].is_string() && schema["description"].is_string(), "{name}.json");
    }
}
