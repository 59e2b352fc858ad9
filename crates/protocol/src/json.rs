use serde::Serialize;

/// Writes a message of the contract.
#[expect(clippy::expect_used, reason = "strings, numbers and valid raw JSON always serialise into memory")]
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a message serialises")
}
