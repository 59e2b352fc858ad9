//! The cause of a notification, if the broker states it.

use entity_stream_protocol::ChangeType;
use serde_json::Value;
use serde_json::value::RawValue;

/// The longest list of names that is read, in bytes. NGSI-LD has six names.
const LONGEST: usize = 1_000;

/// The kind of change that a name of NGSI-LD (`entityCreated`) or of Orion (`entityCreate`) stands for. The names of changes of
/// attributes (`attributeCreated`) tell nothing, because the attributes of a new entity are new as well.
pub(crate) fn change_type_of(name: &str) -> Option<ChangeType> {
    match name {
        "entityCreated" | "entityCreate" => Some(ChangeType::EntityCreated),
        "entityDeleted" | "entityDelete" => Some(ChangeType::EntityDeleted),
        "entityUpdated" | "entityUpdate" | "entityChange" => Some(ChangeType::EntityUpdated),
        _ => None,
    }
}

/// Reads `notificationTrigger` or `triggerReason`: a name, or an array of names. Several different kinds tell nothing, because
/// some brokers repeat the list of the subscription.
pub(crate) fn change_type(trigger: &RawValue) -> Option<ChangeType> {
    // As JSON values, millions of names would take many times their text.
    if trigger.get().len() > LONGEST {
        return None;
    }
    let names: Value = serde_json::from_str(trigger.get()).ok()?;
    match &names {
        Value::String(name) => change_type_of(name),
        Value::Array(names) => {
            let mut kinds = names.iter().map(|name| name.as_str().and_then(change_type_of));
            let first = kinds.next()??;
            kinds.all(|kind| kind == Some(first)).then_some(first)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_a_name_or_names_of_one_kind() {
        for (trigger, expected) in [
            (r#""entityCreated""#, Some(ChangeType::EntityCreated)),
            (r#""entityDelete""#, Some(ChangeType::EntityDeleted)),
            (r#"["entityUpdated","entityChange"]"#, Some(ChangeType::EntityUpdated)),
            (r#"["attributeUpdated","entityUpdated"]"#, None),
            (r#""attributeCreated""#, None),
            (r#"["entityDeleted"]"#, Some(ChangeType::EntityDeleted)),
            (r#"["entityCreated","entityDeleted"]"#, None),
            (r#""newlyMatching""#, None),
            ("[]", None),
            ("[7]", None),
            ("7", None),
        ] {
            let raw: &RawValue = serde_json::from_str(trigger).unwrap();
            assert_eq!(change_type(raw), expected, "{trigger}");
        }
    }

    #[test]
    fn a_list_of_a_million_names_is_not_read() {
        let names = |count: usize| {
            let text = format!("[{}]", vec![r#""entityCreated""#; count].join(","));
            change_type(&RawValue::from_string(text).unwrap())
        };
        assert_eq!(names(6), Some(ChangeType::EntityCreated));
        assert_eq!(names(1_000_000), None);
    }
}
