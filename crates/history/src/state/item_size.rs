//! Keeps the state of an entity within the size of an item.

use super::entity_state::{AttributeValueAt, EntityAttribute, EntityState, Presence};

/// The largest item of an entity that is kept, in bytes. DynamoDB takes 400 KB.
const MOST_BYTES: usize = 350_000;
/// The most bytes of an item besides its attributes.
const ITEM_BYTES: usize = 600;
/// The most bytes of an attribute in an item besides its name and value.
pub(super) const ATTRIBUTE_BYTES: usize = 40;

impl EntityState {
    /// Leaves out what is too much: first the former values, then the attributes. Returns whether anything was.
    pub(super) fn bound(&mut self) -> bool {
        let is_bounded = self.size() > MOST_BYTES;
        if is_bounded {
            self.attributes.values_mut().for_each(|attribute| attribute.former = None);
        }
        if self.size() > MOST_BYTES {
            (self.presence, self.unknown_since) = (Presence::TooLarge, Some(self.newest));
            self.attributes.clear();
        }
        is_bounded
    }

    /// The most bytes that the state takes in the table.
    fn size(&self) -> usize {
        let value = |value: &AttributeValueAt| ATTRIBUTE_BYTES + value.json.as_ref().map_or(0, String::len);
        let attribute = |(name, attribute): (&String, &EntityAttribute)| {
            let former = attribute.former.as_ref().map_or(0, |former| name.len() + value(former));
            name.len() + value(&attribute.value) + former
        };
        let names = self.entity_id.len() + self.service_path.len();
        let types: usize = self.entity_types.iter().map(|each| each.as_str().len()).sum();
        ITEM_BYTES + names + types + self.attributes.iter().map(attribute).sum::<usize>()
    }
}
