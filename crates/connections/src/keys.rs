//! The keys of connections and interests. No other module spells a key.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_protocol::{ConnectionId, EntityId, EntityType, GroupId, Tenant};

use crate::attributes::{Item, PK, SK, get_string, string};
use crate::hash_range::HashRange;

/// The sort key of every connection item.
pub(crate) const CONNECTION_SORT_KEY: &str = "C";

/// The subject of an interest: everything, one type or one entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scope {
    Every,
    Type(EntityType),
    Id(EntityId),
}

/// Escapes the characters that have a meaning in keys. A type named `*` then stays out of the partition of all types, and `#`,
/// which is common because types are often URIs, separates only the parts of a key. The 256 characters of the longest type
/// become at most 1,024 bytes. A partition key can have 2,048.
fn escape(entity_type: &str) -> String {
    entity_type.replace('%', "%25").replace('#', "%23").replace('*', "%2A")
}

pub(crate) fn connection_key(id: &ConnectionId) -> Item {
    key(format!("C#{id}"), CONNECTION_SORT_KEY.to_owned())
}

/// The id in the key of a connection; `None` for any other key.
pub(crate) fn connection_id(key: &Item) -> Option<ConnectionId> {
    ConnectionId::parse(get_string(key, PK)?.strip_prefix("C#")?).ok()
}

pub(crate) fn interest_partition(tenant: &Tenant, scope: &Scope) -> String {
    match scope {
        Scope::Every => format!("T#{tenant}#*"),
        Scope::Type(entity_type) => format!("T#{tenant}#{}", escape(entity_type.as_str())),
        Scope::Id(id) => id_partition(tenant, id.as_str()),
    }
}

/// The partition of an entity. Ids can be longer than a key, so it holds a hash that no two ids share.
pub(crate) fn id_partition(tenant: &Tenant, entity_id: &str) -> String {
    format!("I#{tenant}#{}", URL_SAFE_NO_PAD.encode(digest(&SHA256, entity_id.as_bytes())))
}

/// The key of the slots of a subject. Neither a tenant nor the name of a group contains `#`.
pub(crate) fn subject_key(tenant: &Tenant, subject: &str) -> Item {
    key(format!("S#{tenant}#{subject}"), "S".to_owned())
}

/// The key of a proof of possession that was used. The id has a fixed length and no `#`.
pub(crate) fn proof_key(id: &str) -> Item {
    key(format!("P#{id}"), "P".to_owned())
}

/// The key of a consumer group. Without authentication it belongs to no subject.
pub(crate) fn group_key(tenant: &Tenant, group: &GroupId, subject: Option<&str>) -> Item {
    let subject = subject.map(|subject| format!("#{subject}")).unwrap_or_default();
    key(format!("G#{tenant}#{group}{subject}"), "G".to_owned())
}

/// The hash spreads connections evenly over a partition, so that a large partition can be read in parallel ranges. The members
/// of a group share a hash and are therefore never in different ranges: a reader of one member has all of them.
pub(crate) fn interest_key(tenant: &Tenant, scope: &Scope, id: &ConnectionId, hash: u64) -> Item {
    key(interest_partition(tenant, scope), format!("{hash:016x}#{id}"))
}

/// The hash at the start of an interest's sort key.
pub(crate) fn interest_hash(sort_key: &str) -> Option<u64> {
    u64::from_str_radix(sort_key.split_once('#')?.0, 16).ok()
}

/// The first and the last sort key of the interests in a range. `$` is the character after `#`, which follows each hash.
pub(crate) fn interest_sort_keys(range: HashRange) -> (String, String) {
    (format!("{:016x}", range.first()), format!("{:016x}$", range.last()))
}

fn key(pk: String, sk: String) -> Item {
    Item::from([(PK.to_owned(), string(pk)), (SK.to_owned(), string(sk))])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partition(tenant: &str, entity_type: &str) -> String {
        let scope = Scope::Type(EntityType::parse(entity_type).unwrap());
        interest_partition(&Tenant::parse(tenant).unwrap(), &scope)
    }

    #[test]
    fn a_type_named_star_is_not_every_type() {
        let tenant = Tenant::parse("t").unwrap();
        assert_eq!(interest_partition(&tenant, &Scope::Every), "T#t#*");
        assert_eq!(partition("t", "*"), "T#t#%2A");
        assert_eq!(partition("t", "%2A"), "T#t#%252A");
    }

    #[test]
    fn the_longest_type_fits_a_partition_key() {
        assert!(partition(&"t".repeat(63), &"#".repeat(256)).len() <= 2048);
        assert!(partition(&"t".repeat(63), &"\u{10ffff}".repeat(256)).len() <= 2048);
    }

    /// A type or an id of the same text, with all characters that separate or escape something, or everything.
    fn any_scope() -> impl Strategy<Value = Scope> {
        let text = prop_oneof![
            "[#*%/25A-C]{1,4}",
            "[#*%/25A-C\\PC]{1,8}",
            "[TICGS]#[a-z0-9_-]{1,9}#[*#%a-z]{1,3}",
            prop::sample::select(vec![" ", "\0", "\u{feff}", "*", "#*"]).prop_map(str::to_owned),
        ];
        prop_oneof![
            1 => Just(Scope::Every),
            4 => text.clone().prop_map(|text| Scope::Type(EntityType::parse(text).unwrap())),
            4 => text.prop_map(|text| Scope::Id(EntityId::parse(text).unwrap())),
        ]
    }

    proptest! {
        #[test]
        fn different_groups_never_share_an_item(
            a in "[a-z]{1,3}", b in "[a-z]{1,3}", x in "[a-z.]{1,3}", y in "[a-z.]{1,3}",
            one in prop::option::of("[a-z#.]{1,4}"), other in prop::option::of("[a-z#.]{1,4}"),
        ) {
            let key = |tenant: &str, group: &str, subject: Option<&str>| {
                group_key(&Tenant::parse(tenant).unwrap(), &GroupId::parse(group).unwrap(), subject)
            };
            let same = (&a, &x, &one) == (&b, &y, &other);
            prop_assert_eq!(key(&a, &x, one.as_deref()) == key(&b, &y, other.as_deref()), same);
        }

        #[test]
        fn different_tenants_types_or_ids_never_share_a_partition(
            a in "[a-z0-9][a-z0-9_-]{0,8}", b in "[a-z0-9][a-z0-9_-]{0,8}", x in any_scope(), y in any_scope(),
        ) {
            let [a, b] = [a, b].map(|name| Tenant::parse(&name).unwrap());
            for (b, y) in [(&b, &y), (&a, &y), (&b, &x), (&a, &x)] {
                let is_same = interest_partition(&a, &x) == interest_partition(b, y);
                prop_assert_eq!(is_same, a == *b && x == *y);
            }
        }
    }
}
