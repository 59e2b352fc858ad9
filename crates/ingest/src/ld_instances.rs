use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The most instances of an attribute. An array with more elements is a value. An instance that was read takes several times
/// the memory of its text, and a notification can have two million empty objects.
const MOST_INSTANCES: usize = 1_000;

/// The elements of an array that may be the instances of an attribute: objects, and no more than [`MOST_INSTANCES`].
pub(crate) struct LdInstances<'a>(pub(crate) Vec<&'a RawValue>);

impl<'a> LdInstances<'a> {
    /// Reads an array. An empty one, and any other value, is `None`.
    pub(crate) fn read(value: &'a RawValue) -> Option<Self> {
        if !value.get().starts_with('[') {
            return None;
        }
        serde_json::from_str(value.get()).ok().filter(|instances: &Self| !instances.0.is_empty())
    }
}

impl<'de> Deserialize<'de> for LdInstances<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LdInstancesVisitor;

        impl<'de> Visitor<'de> for LdInstancesVisitor {
            type Value = LdInstances<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of objects")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let mut instances = Vec::new();
                while let Some(element) = elements.next_element::<&'de RawValue>()? {
                    if instances.len() == MOST_INSTANCES || !element.get().starts_with('{') {
                        return Err(A::Error::custom("not the instances of an attribute"));
                    }
                    instances.push(element);
                }
                Ok(LdInstances(instances))
            }
        }

        deserializer.deserialize_seq(LdInstancesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_objects_and_at_most_a_thousand() {
        let number =
            |text: &str| LdInstances::read(serde_json::from_str(text).unwrap()).map(|instances| instances.0.len());
        let many = |number: usize| format!("[{}]", vec!["{}"; number].join(","));
        assert_eq!(number(r#"[{"value":1}, {"value":2}]"#), Some(2));
        assert_eq!(number(&many(MOST_INSTANCES)), Some(MOST_INSTANCES));
        assert_eq!(number(&many(MOST_INSTANCES + 1)), None);
        for text in ["[{},7]", "[7,{}]", "[[]]", "[]", "[ ]", "{}", "7"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
