//! The layout of the table, written down a second time: the items that a connection has to have.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_connections::{Authorisation, Connection, stable_hash};
use entity_stream_protocol::{Filter, Format, Session, Subscription};

use super::test_table::{Item, Key};

/// The kinds of scope.
const EVERY: &str = "*";
const TYPE: &str = "T";
const ID: &str = "I";

/// A kind and its type or id.
pub(crate) type Scope = (&'static str, String);

/// The connection item without what is tested elsewhere: its authorisation and its revision.
pub(crate) fn connection_attributes(connection: &Connection) -> BTreeMap<&'static str, Option<AttributeValue>> {
    let wants = connection.subscriptions.iter().map(|each| want(each, &each.filter)).collect();
    BTreeMap::from([
        ("tenant", Some(text(connection.tenant.as_str()))),
        ("connectedAt", Some(number(connection.connected_at.millis()))),
        ("expiresAt", Some(number(connection.connected_at.millis() / 1000 + 2 * 60 * 60))),
        ("format", Some(text(connection.format.as_str()))),
        ("group", connection.group.as_ref().map(|group| text(group.as_str()))),
        ("ack", connection.acknowledgement.map(|acknowledgement| text(acknowledgement.as_str()))),
        ("batch", connection.takes_batches.then_some(AttributeValue::Bool(true))),
        ("session", connection.resumed.as_ref().map(|session| text(session.as_str()))),
        ("resumedAt", connection.resumed_at.map(|at| number(at.millis()))),
        ("subscriptions", Some(AttributeValue::L(wants))),
    ])
}

/// The interest items of a connection.
pub(crate) fn interest_items(connection: &Connection, group_hash: Option<String>) -> BTreeMap<Key, Item> {
    let mut wants: BTreeMap<Scope, Vec<AttributeValue>> = BTreeMap::new();
    let listens = connection.authorisation != Authorisation::Pending;
    for subscription in connection.subscriptions.iter().filter(|_| listens) {
        let filter = &subscription.filter;
        for scope in scopes(subscription) {
            let rest = match scope.0 {
                EVERY => filter.clone(),
                TYPE => filter.without_types(),
                _ => filter.without_ids(),
            };
            wants.entry(scope).or_default().push(want(subscription, &rest));
        }
    }
    let session = connection.resumed.as_ref().map_or(connection.id.as_str(), Session::as_str);
    let hash = group_hash.unwrap_or_else(|| format!("{:016x}", stable_hash(session.as_bytes())));
    let sort_key = format!("{hash}#{}", connection.id);
    let item = |(scope, wants): (Scope, Vec<AttributeValue>)| {
        let key = (partition(connection.tenant.as_str(), &scope), sort_key.clone());
        (key.clone(), interest_item(connection, key, wants))
    };
    wants.into_iter().map(item).collect()
}

fn interest_item(connection: &Connection, (pk, sk): Key, wants: Vec<AttributeValue>) -> Item {
    // One that only the default subscription wants, with no filter and no view.
    let is_plain = wants == [AttributeValue::M(Item::new())];
    let is_named = connection.subscriptions.iter().any(|each| !each.name.as_str().is_empty());
    let attributes = [
        ("pk", Some(AttributeValue::S(pk))),
        ("sk", Some(AttributeValue::S(sk))),
        ("connectedAt", Some(number(connection.connected_at.millis()))),
        ("expiresAt", Some(number(connection.connected_at.millis() / 1000 + 2 * 60 * 60))),
        ("format", (connection.format != Format::Json).then(|| text(connection.format.as_str()))),
        ("batch", connection.takes_batches.then_some(AttributeValue::Bool(true))),
        ("group", connection.group.as_ref().map(|group| text(group.as_str()))),
        ("subscriptions", (!is_plain).then_some(AttributeValue::L(wants))),
        ("named", is_named.then_some(AttributeValue::Bool(true))),
        ("authorisedUntil", connection.authorisation.until().map(|until| number(until.millis()))),
    ];
    attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A subscription in an item: its name, its filter and its view, each if it is not the default.
fn want(subscription: &Subscription, filter: &Filter) -> AttributeValue {
    let fields = [
        ("n", subscription.name.as_str().to_owned()),
        ("f", serde_json::to_string(filter).unwrap()),
        ("v", serde_json::to_string(&subscription.view).unwrap()),
    ];
    let fields = fields.into_iter().filter(|(_, value)| !value.is_empty() && value != "{}");
    AttributeValue::M(fields.map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).collect())
}

/// The narrowest scopes of a subscription.
pub(crate) fn scopes(subscription: &Subscription) -> BTreeSet<Scope> {
    let filter = &subscription.filter;
    let spelled = filter.id_pattern().and_then(|pattern| spelled_out(pattern.as_str()));
    if !filter.entity_ids().is_empty() {
        filter.entity_ids().iter().map(|id| (ID, id.as_str().to_owned())).collect()
    } else if let Some(ids) = spelled {
        ids.into_iter().map(|id| (ID, id)).collect()
    } else if !filter.entity_types().is_empty() {
        filter.entity_types().iter().map(|name| (TYPE, name.as_str().to_owned())).collect()
    } else {
        BTreeSet::from([(EVERY, String::new())])
    }
}

/// The ids of `^a$` or `^(a|b)$`, in the simple form in which these tests write such patterns.
fn spelled_out(pattern: &str) -> Option<Vec<String>> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let inner = inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
    let ids: Vec<_> = inner.split('|').map(str::to_owned).collect();
    let is_literal = |id: &String| !id.is_empty() && id.chars().all(|c| c.is_alphanumeric() || ":-_".contains(c));
    (ids.iter().all(is_literal) && ids.len() <= 16).then_some(ids)
}

fn partition(tenant: &str, (kind, of): &Scope) -> String {
    match *kind {
        EVERY => format!("T#{tenant}#*"),
        TYPE => format!("T#{tenant}#{}", escaped(of)),
        _ => id_partition(tenant, of),
    }
}

/// The partition of an entity.
pub(crate) fn id_partition(tenant: &str, id: &str) -> String {
    format!("I#{tenant}#{}", URL_SAFE_NO_PAD.encode(digest(&SHA256, id.as_bytes())))
}

fn escaped(entity_type: &str) -> String {
    let escape = |c| match c {
        '%' | '#' | '*' => format!("%{:02X}", u32::from(c)),
        _ => c.to_string(),
    };
    entity_type.chars().map(escape).collect()
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
