use super::definition::Filter;
use crate::entity_id::EntityId;
use crate::entity_type::EntityType;
use crate::pattern::ids_of;

/// Where a subscription has to be found: the narrowest property of a change by which the filter can be looked up. A change
/// that passes the filter has one of these ids or types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterScopes<'a> {
    /// These ids: those of the filter, or those that its pattern spells out.
    Ids(Vec<EntityId>),
    /// These types.
    Types(&'a [EntityType]),
    /// Nothing narrower than the tenant.
    Every,
}

impl Filter {
    /// The scopes of the filter; never an empty list of ids or types.
    pub fn scopes(&self) -> FilterScopes<'_> {
        if !self.entity_ids.is_empty() {
            return FilterScopes::Ids(self.entity_ids.clone());
        }
        if let Some(ids) = self.id_pattern.as_ref().and_then(ids_of) {
            return FilterScopes::Ids(ids);
        }
        if self.entity_types.is_empty() { FilterScopes::Every } else { FilterScopes::Types(&self.entity_types) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::FilterFields;

    #[test]
    fn the_narrowest_property_decides() {
        let ids = |ids: &[&str]| FilterScopes::Ids(ids.iter().map(|id| EntityId::parse(*id).unwrap()).collect());
        let filter = |types: &[&str], pattern: Option<&str>| Filter::new(types.to_vec(), pattern).unwrap();
        assert_eq!(filter(&[], None).scopes(), FilterScopes::Every);
        assert_eq!(filter(&[], Some("^urn:")).scopes(), FilterScopes::Every);
        let rooms = filter(&["Room"], Some("^urn:"));
        assert_eq!(rooms.scopes(), FilterScopes::Types(&[EntityType::parse("Room").unwrap()]));
        assert_eq!(filter(&["Room"], Some("^urn:1$")).scopes(), ids(&["urn:1"]));
        let fields = FilterFields { entity_ids: vec!["b".into(), "a".into(), "b".into()], ..FilterFields::default() };
        assert_eq!(fields.check().unwrap().scopes(), ids(&["b", "a"]));
        let both = FilterFields {
            entity_ids: vec!["a".into()],
            id_pattern: Some("^b$".into()),
            entity_types: vec!["Room".into()],
            ..FilterFields::default()
        };
        assert_eq!(both.check().unwrap().scopes(), ids(&["a"]), "the pattern is evaluated then");
    }
}
