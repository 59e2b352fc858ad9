use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The members of a JSON object in their order. Names and values keep their bytes.
pub struct JsonMembers<'a>(pub Vec<(&'a RawValue, &'a RawValue)>);

impl<'a> JsonMembers<'a> {
    /// Reads the outermost level of an object. Any other value is `None`.
    pub fn read(value: &'a RawValue) -> Option<Self> {
        if value.get().starts_with('{') { serde_json::from_str(value.get()).ok() } else { None }
    }

    /// The values of some names, in their order. A name that is repeated has its last value, as in most readers of JSON. Each
    /// member is visited once, because an escaped name takes long to read.
    pub fn values<const N: usize>(&self, names: [&str; N]) -> [Option<&'a RawValue>; N] {
        let mut values = [None; N];
        for (key, value) in &self.0 {
            let Some(name) = json_text(key) else { continue };
            if let Some((_, found)) = names.iter().zip(&mut values).find(|(wanted, _)| **wanted == name) {
                *found = Some(*value);
            }
        }
        values
    }
}

/// The text of a JSON string. Any other value is `None`.
pub fn json_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = value.get();
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(quoted).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// Writes an object of names and values that are JSON already.
pub fn json_object<K: AsRef<str>, V: AsRef<str>>(members: impl IntoIterator<Item = (K, V)>) -> String {
    let mut json = String::from("{");
    for (name, value) in members {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(name.as_ref());
        json.push(':');
        json.push_str(value.as_ref());
    }
    json.push('}');
    json
}

impl<'de> Deserialize<'de> for JsonMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonMembersVisitor;

        impl<'de> Visitor<'de> for JsonMembersVisitor {
            type Value = JsonMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(JsonMembers(members))
            }
        }

        deserializer.deserialize_map(JsonMembersVisitor)
    }
}
