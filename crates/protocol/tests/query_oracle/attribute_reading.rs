//! Reads attributes from each form of `data`.

use serde_json::Value;

const VALUE_MEMBERS: [&str; 7] = ["value", "object", "languageMap", "vocab", "json", "valueList", "objectList"];

/// The place to which a path leads in one instance of an attribute.
pub(crate) enum Target {
    One(Value),
    /// Each member of an object: of a path with `*`, or of a `LanguageProperty` without a language.
    Each(Vec<Value>),
}

/// The places that a path leads to: none if something on the way is missing, several if an attribute has several instances.
pub(crate) fn targets(data: &Value, names: &[String], members: &[String]) -> Vec<Target> {
    let Some((first, below)) = names.split_first() else { return Vec::new() };
    let Some(attribute) = data.get(first) else { return Vec::new() };
    let mut found = Vec::new();
    for instance in instances(attribute) {
        reach(&instance, below, members, &mut found);
    }
    found
}

fn reach(attribute: &Value, names: &[String], members: &[String], found: &mut Vec<Target>) {
    let Some((first, below)) = names.split_first() else {
        let value = value_of(attribute);
        return match (attribute.get("languageMap"), members) {
            (Some(Value::Object(texts)), []) => found.push(Target::Each(texts.values().cloned().collect())),
            (_, [star]) if star == "*" => {
                found.extend(value.as_object().map(|object| Target::Each(object.values().cloned().collect())));
            }
            _ => found.extend(enter(value, members).map(Target::One)),
        };
    };
    if !is_wrapped(attribute) || VALUE_MEMBERS.contains(&first.as_str()) || first == "type" || first == "metadata" {
        return;
    }
    let sub_attribute = attribute.get(first).or_else(|| attribute.get("metadata").and_then(|all| all.get(first)));
    for instance in sub_attribute.map(instances).unwrap_or_default() {
        reach(&instance, below, members, found);
    }
}

/// Goes into a value.
fn enter(value: Value, members: &[String]) -> Option<Value> {
    members.iter().try_fold(value, |value, member| value.as_object()?.get(member).cloned())
}

/// An array of attributes with types of NGSI-LD has several instances; any other array is a value.
fn instances(attribute: &Value) -> Vec<Value> {
    match attribute {
        Value::Array(entries) if !entries.is_empty() && entries.iter().all(is_instance) => entries.clone(),
        Value::Object(members) if members.len() == 1 && attribute["dataset"].is_object() => {
            attribute["dataset"].as_object().into_iter().flat_map(|all| all.values().cloned()).collect()
        }
        _ => vec![attribute.clone()],
    }
}

fn is_instance(entry: &Value) -> bool {
    is_wrapped(entry) && (entry.get("datasetId").is_some() || entry.get("type").is_some())
}

/// The attribute says which of its members is the value.
fn is_wrapped(attribute: &Value) -> bool {
    VALUE_MEMBERS.iter().any(|member| attribute.get(member).is_some())
}

fn value_of(attribute: &Value) -> Value {
    if let Some(Value::Array(objects)) = attribute.get("objectList") {
        return objects.iter().map(|each| each.get("object").unwrap_or(each).clone()).collect();
    }
    let member = VALUE_MEMBERS.iter().find_map(|member| attribute.get(member));
    member.unwrap_or(attribute).clone()
}
