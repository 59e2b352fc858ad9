use serde::Serialize;
use serde_json::value::RawValue;

/// Writes a message of the contract.
#[expect(clippy::expect_used, reason = "strings, numbers and valid raw JSON always serialise into memory")]
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a message serialises")
}

/// The object without members, as raw JSON.
pub fn empty_object() -> Box<RawValue> {
    #[expect(clippy::expect_used, reason = "the text is JSON")]
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}
