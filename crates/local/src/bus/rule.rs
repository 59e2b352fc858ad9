//! The pattern of the rule: `detail.type` is one of the three change types.

use entity_stream_protocol::ChangeType;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct RuleFields {
    #[serde(rename = "type")]
    change_type: Value,
}

/// True if the rule's pattern matches. An array matches if one of its values does.
/// Source: "Creating EventBridge event patterns", Amazon EventBridge User Guide.
pub(super) fn matches(detail: &str) -> bool {
    let is_change_type = |value: &Value| ChangeType::deserialize(value).is_ok();
    serde_json::from_str::<RuleFields>(detail).is_ok_and(|matched| match &matched.change_type {
        Value::Array(values) => values.iter().any(is_change_type),
        value => is_change_type(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_type_matches_alone_or_in_an_array() {
        for kind in [r#""entityCreated""#, r#"["entityUpdated"]"#, r#"["other",1,"entityDeleted"]"#] {
            assert!(matches(&format!(r#"{{"type":{kind},"n":1e999}}"#)), "{kind}");
        }
        for kind in [r#""other""#, "[]", r#"["other"]"#, r#"[["entityUpdated"]]"#, r#"{"entityUpdated":1}"#, "null"] {
            assert!(!matches(&format!(r#"{{"type":{kind}}}"#)), "{kind}");
        }
        assert!(!matches("{}"));
    }
}
