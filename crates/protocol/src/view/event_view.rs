use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::key_values::bare;
use super::members::{JsonMembers, json_object, json_text};
use super::representation::Representation;
use crate::json::to_json;
use crate::limits::{ATTRIBUTE_NAME_LENGTH, VIEW_ATTRIBUTES};

/// The members of an NGSI entity that are not attributes. They stay in every view, and in their own form.
const NOT_ATTRIBUTES: [&str; 3] = ["id", "type", "@context"];

/// Returns whether a member of `data` is an attribute of the entity.
pub fn is_attribute(member: &str) -> bool {
    !NOT_ATTRIBUTES.contains(&member)
}

/// The part of an entity's attributes that a subscription receives, and their form. The default view is everything that was
/// published, byte for byte.
///
/// Subscriptions with equal views receive the same message. The order of the names makes no difference, and a repeated name
/// counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "ViewFields", rename_all = "camelCase")]
pub struct View {
    /// All attributes if this is empty.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    attributes: BTreeSet<String>,
    #[serde(skip_serializing_if = "is_default")]
    representation: Representation,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    whole_entity: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    show_changes: bool,
}

fn is_default(representation: &Representation) -> bool {
    *representation == Representation::default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ViewFields {
    attributes: Option<Vec<String>>,
    representation: Option<String>,
    whole_entity: Option<bool>,
    show_changes: Option<bool>,
}

impl TryFrom<ViewFields> for View {
    type Error = InvalidView;

    fn try_from(fields: ViewFields) -> Result<Self, Self::Error> {
        let representation = match fields.representation {
            Some(name) => Representation::parse(&name).ok_or(InvalidView::Representation)?,
            None => Representation::default(),
        };
        let view = Self::new(fields.attributes.unwrap_or_default(), representation)?;
        Ok(view.with_state(fields.whole_entity.unwrap_or_default(), fields.show_changes.unwrap_or_default()))
    }
}

/// The view is invalid. The messages are for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidView {
    /// The name of an attribute is empty or too long.
    #[error("attributes: the name of an attribute has 1 to {ATTRIBUTE_NAME_LENGTH} characters")]
    AttributeName,
    /// The view has too many attributes.
    #[error("attributes: at most {VIEW_ATTRIBUTES} names; send fewer, or leave attributes out to receive all")]
    TooManyAttributes,
    /// The representation is unknown.
    #[error("representation: expected normalized or keyValues")]
    Representation,
}

impl View {
    /// A view of these attributes. No attributes mean all.
    ///
    /// # Errors
    /// [`InvalidView`] if there are more than 49 attributes, or a name is empty or has more than 256 characters.
    pub fn new<T: Into<String>>(
        attributes: impl IntoIterator<Item = T>,
        representation: Representation,
    ) -> Result<Self, InvalidView> {
        let mut view = Self { representation, ..Self::default() };
        for name in attributes {
            let name = name.into();
            if !(1..=ATTRIBUTE_NAME_LENGTH).contains(&name.chars().take(ATTRIBUTE_NAME_LENGTH + 1).count()) {
                return Err(InvalidView::AttributeName);
            }
            view.attributes.insert(name);
            if view.attributes.len() > VIEW_ATTRIBUTES {
                return Err(InvalidView::TooManyAttributes);
            }
        }
        Ok(view)
    }

    /// The view with what needs the state of the entity: `whole_entity` shows all attributes as last known, `show_changes` the former
    /// values of those that changed.
    #[must_use]
    pub fn with_state(self, whole_entity: bool, show_changes: bool) -> Self {
        Self { whole_entity, show_changes, ..self }
    }

    /// True if `data` has all attributes as last known, and not only those of the change.
    pub fn shows_whole_entity(&self) -> bool {
        self.whole_entity
    }

    /// True if events have the former values of the attributes that changed.
    pub fn shows_changes(&self) -> bool {
        self.show_changes
    }

    /// The JSON object of the fields that it has.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// The names of the attributes in the view, in order of their bytes. All attributes if this is empty.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.attributes.iter().map(String::as_str)
    }

    /// The form of the attributes.
    pub fn representation(&self) -> Representation {
        self.representation
    }

    /// Shows an event's `data`: the attributes of the view in the order published. Names and values keep their bytes; white
    /// space between them does not stay.
    ///
    /// `id`, `type` and `@context` are not attributes: they stay in every view, unchanged. With
    /// [`Representation::KeyValues`], an attribute that has none of the forms of NGSI stays unchanged, as bare values do. An
    /// attribute with a `datasetId` or with several instances becomes `{"dataset":{"urn:…":VALUE,"@none":VALUE}}`. A bare
    /// object cannot be told from NGSI-LD's concise form if it has the member `value`, or has no `type` and one of the members
    /// `object`, `languageMap`, `vocab`, `json`, `valueList` and `objectList`; it is read as an attribute.
    ///
    /// Data that is not an object stays unchanged. The cost is in proportion to the size of the data.
    pub fn apply<'a>(&self, data: &'a RawValue) -> Cow<'a, RawValue> {
        if self.attributes.is_empty() && is_default(&self.representation) {
            return Cow::Borrowed(data);
        }
        self.changed(data).map_or(Cow::Borrowed(data), Cow::Owned)
    }

    /// The data in this view, or nothing if it is the data as it is.
    fn changed(&self, data: &RawValue) -> Option<Box<RawValue>> {
        let members = JsonMembers::read(data)?.0;
        let mut is_changed = false;
        let mut shown = Vec::with_capacity(members.len());
        for (key, value) in members {
            let name = json_text(key)?;
            let is_attribute = is_attribute(&name);
            if is_attribute && !self.attributes.is_empty() && !self.attributes.contains(name.as_ref()) {
                is_changed = true;
                continue;
            }
            let bare =
                if is_attribute && self.representation == Representation::KeyValues { bare(value) } else { None };
            is_changed |= bare.is_some();
            shown.push((key.get(), bare.unwrap_or(Cow::Borrowed(value.get()))));
        }
        if is_changed { RawValue::from_string(json_object(shown)).ok() } else { None }
    }
}
