//! An attribute without a form, and each form that can carry it.

use serde_json::{Map, Value, json};

/// An attribute as a broker knows it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    kind: Kind,
    value: Value,
    /// Properties of the property, which NGSIv2 calls metadata.
    below: Vec<(String, Known)>,
    /// `observedAt`, `unitCode` and the like.
    facts: Vec<(String, String)>,
    /// More instances of the same attribute.
    others: Vec<Known>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Property,
    Relationship,
    Language,
    Vocab,
    Json,
    Geo,
    List,
    Relationships,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Carrier {
    V2Normalized,
    Normalized,
    Concise,
    KeyValues,
}

pub(crate) const CARRIERS: [Carrier; 4] =
    [Carrier::V2Normalized, Carrier::Normalized, Carrier::Concise, Carrier::KeyValues];

impl Known {
    pub(crate) fn property(value: Value) -> Self {
        Self::of(Kind::Property, value)
    }

    pub(crate) fn relationship(object: Value) -> Self {
        Self::of(Kind::Relationship, object)
    }

    pub(crate) fn language(map: Value) -> Self {
        Self::of(Kind::Language, map)
    }

    pub(crate) fn vocab(value: Value) -> Self {
        Self::of(Kind::Vocab, value)
    }

    pub(crate) fn json(value: Value) -> Self {
        Self::of(Kind::Json, value)
    }

    pub(crate) fn geo(value: Value) -> Self {
        Self::of(Kind::Geo, value)
    }

    pub(crate) fn list(values: Value) -> Self {
        Self::of(Kind::List, values)
    }

    /// Relationships with these objects.
    pub(crate) fn relationships(objects: Value) -> Self {
        Self::of(Kind::Relationships, objects)
    }

    fn of(kind: Kind, value: Value) -> Self {
        Self { kind, value, below: Vec::new(), facts: Vec::new(), others: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, below: Known) -> Self {
        self.below.push((name.to_owned(), below));
        self
    }

    pub(crate) fn fact(mut self, name: &str, text: &str) -> Self {
        self.facts.push((name.to_owned(), text.to_owned()));
        self
    }

    pub(crate) fn and(mut self, other: Known) -> Self {
        self.others.push(other);
        self
    }

    /// The attribute in a form, or `None` if that cannot carry it.
    pub(crate) fn carried(&self, carrier: Carrier) -> Option<Value> {
        if self.others.is_empty() {
            return self.instance(carrier, None);
        }
        let instances = std::iter::once(self).chain(&self.others).enumerate();
        let carried = instances.map(|(number, each)| each.instance(carrier, Some(number)));
        match carrier {
            Carrier::Normalized | Carrier::Concise => carried.collect::<Option<Vec<_>>>().map(Value::Array),
            // NGSI-LD's simplified form; one name of an instance is `@none`.
            Carrier::KeyValues => {
                let names = std::iter::once("@none".to_owned()).chain((1..).map(|number| format!("urn:{number}")));
                let instances = std::iter::once(self).chain(&self.others);
                let values = instances.map(|each| each.instance(carrier, None)).collect::<Option<Vec<_>>>()?;
                let by_dataset: Map<String, Value> = names.zip(values).collect();
                Some(json!({ "dataset": by_dataset }))
            }
            Carrier::V2Normalized => None,
        }
    }

    fn written_value(&self) -> Value {
        match (self.kind, &self.value) {
            (Kind::Relationships, Value::Array(objects)) => {
                objects.iter().map(|object| json!({ "object": object })).collect()
            }
            (_, value) => value.clone(),
        }
    }

    fn instance(&self, carrier: Carrier, number: Option<usize>) -> Option<Value> {
        let is_plain = self.below.is_empty() && self.facts.is_empty() && number.is_none();
        match carrier {
            // NGSI-LD's simplified form of the texts in several languages names its kind.
            Carrier::KeyValues if self.kind == Kind::Language => is_plain.then(|| json!({ "languageMap": self.value })),
            Carrier::KeyValues => is_plain.then(|| self.value.clone()),
            // NGSIv2 has no languages.
            Carrier::V2Normalized if self.kind == Kind::Language => None,
            Carrier::Concise if is_plain && self.kind == Kind::Property && !self.value.is_object() => {
                Some(self.value.clone())
            }
            Carrier::V2Normalized => {
                let mut metadata = Map::new();
                for (name, below) in &self.below {
                    // Metadata has no metadata.
                    if !below.below.is_empty() || !below.facts.is_empty() || !below.others.is_empty() {
                        return None;
                    }
                    metadata.insert(name.clone(), json!({ "type": "Any", "value": below.value }));
                }
                for (name, text) in &self.facts {
                    metadata.insert(name.clone(), json!({ "type": "Text", "value": text }));
                }
                Some(json!({ "type": "Any", "value": self.value, "metadata": metadata }))
            }
            Carrier::Normalized | Carrier::Concise => {
                let mut members = Map::new();
                if carrier == Carrier::Normalized {
                    members.insert("type".to_owned(), json!(self.kind.type_name()));
                }
                members.insert(self.kind.member().to_owned(), self.written_value());
                for (name, below) in &self.below {
                    members.insert(name.clone(), below.carried(carrier)?);
                }
                for (name, text) in &self.facts {
                    members.insert(name.clone(), json!(text));
                }
                if let Some(number) = number.filter(|number| *number > 0 || carrier == Carrier::Concise) {
                    members.insert("datasetId".to_owned(), json!(format!("urn:ngsi-ld:Dataset:{number}")));
                }
                Some(Value::Object(members))
            }
        }
    }
}

impl Kind {
    fn type_name(self) -> &'static str {
        match self {
            Self::Property => "Property",
            Self::Relationship => "Relationship",
            Self::Language => "LanguageProperty",
            Self::Vocab => "VocabProperty",
            Self::Json => "JsonProperty",
            Self::Geo => "GeoProperty",
            Self::List => "ListProperty",
            Self::Relationships => "ListRelationship",
        }
    }

    fn member(self) -> &'static str {
        match self {
            Self::Property | Self::Geo => "value",
            Self::Relationship => "object",
            Self::Language => "languageMap",
            Self::Vocab => "vocab",
            Self::Json => "json",
            Self::List => "valueList",
            Self::Relationships => "objectList",
        }
    }
}

/// The `data` of an event in a form, or `None` if that cannot carry each attribute.
pub(crate) fn data(attributes: &[(&str, Known)], carrier: Carrier) -> Option<Value> {
    let mut data = Map::new();
    for (name, attribute) in attributes {
        data.insert((*name).to_owned(), attribute.carried(carrier)?);
    }
    Some(Value::Object(data))
}

/// The attributes of an entity.
pub(crate) type Entity = Vec<(&'static str, Known)>;
/// Queries, and whether the entity matches.
pub(crate) type Expectations = Vec<(&'static str, bool)>;

pub(crate) fn one(name: &'static str, value: Value) -> Entity {
    vec![(name, Known::property(value))]
}
