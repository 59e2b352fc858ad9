use entity_stream_connections::{Authorisation, Connection};
use entity_stream_protocol::{Acknowledgement, EpochMillis, GroupId};
use serde_json::{Value, json};

use crate::commands::columns::{cell, columns};
use crate::commands::subscription_cell::subscriptions;
use crate::lifetime::roughly;

const TITLES: [&str; 9] =
    ["CONNECTION", "TENANT", "SUBJECT", "ROLE", "SUBSCRIPTIONS", "GROUP", "FORMAT", "CONNECTED", "AUTHORISED"];

/// The records of connections, for programs.
pub(super) fn json(connections: &[Connection]) -> Value {
    connections.iter().map(one).collect()
}

fn one(connection: &Connection) -> Value {
    let (state, role) = match &connection.authorisation {
        Authorisation::Open => ("open", None),
        Authorisation::Pending | Authorisation::Unproved(_) => ("pending", None),
        Authorisation::Granted(grant) => ("granted", Some(&grant.role)),
    };
    json!({
        "connectionId": connection.id.as_str(),
        "tenant": connection.tenant.as_str(),
        "subject": connection.authorisation.subject(),
        "role": role,
        "subscriptions": connection.subscriptions,
        "acknowledgement": connection.acknowledgement.map(Acknowledgement::as_str),
        "group": connection.group.as_ref().map(GroupId::as_str),
        "format": connection.format.as_str(),
        "connectedAt": connection.connected_at.to_rfc3339(),
        "expiresAt": connection.expires_at().to_rfc3339(),
        "authorisation": state,
        "authorisedUntil": connection.authorisation.until().map(EpochMillis::to_rfc3339),
    })
}

/// The records of connections, for people.
pub(super) fn table(connections: &[Connection], now: EpochMillis) -> String {
    columns(TITLES, connections.iter().map(|connection| row(connection, now)))
}

fn row(connection: &Connection, now: EpochMillis) -> [String; 9] {
    let none = || "-".to_owned();
    let role = match &connection.authorisation {
        Authorisation::Granted(grant) => cell(&grant.role),
        Authorisation::Open | Authorisation::Pending | Authorisation::Unproved(_) => none(),
    };
    [
        connection.id.to_string(),
        connection.tenant.to_string(),
        connection.authorisation.subject().map_or_else(none, cell),
        role,
        cell(&subscriptions(&connection.subscriptions)),
        connection.group.as_ref().map_or_else(none, |group| group.as_str().to_owned()),
        connection.format.as_str().to_owned(),
        format!("{} ago", roughly(now.since(connection.connected_at))),
        authorised(&connection.authorisation, now),
    ]
}

fn authorised(authorisation: &Authorisation, now: EpochMillis) -> String {
    match (authorisation, authorisation.until()) {
        (Authorisation::Open, _) => "not required".to_owned(),
        (Authorisation::Pending | Authorisation::Unproved(_), _) => "pending".to_owned(),
        (Authorisation::Granted(_), None) => "no expiry".to_owned(),
        (Authorisation::Granted(_), Some(until)) if until <= now => {
            format!("expired {} ago", roughly(now.since(until)))
        }
        (Authorisation::Granted(_), Some(until)) => format!("for {}", roughly(until.since(now))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use entity_stream_connections::Grant;
    use entity_stream_protocol::{ConnectionId, Filter, Format, Subscription, Tenant};

    use super::*;

    fn connections() -> Vec<Connection> {
        let connection = |id: &str, subscriptions, authorisation| Connection {
            id: ConnectionId::parse(id).unwrap(),
            tenant: Tenant::parse("demo").unwrap(),
            connected_at: EpochMillis::new(0),
            subscriptions,
            acknowledgement: None,
            format: Format::Json,
            group: None,
            takes_batches: false,
            resumed: None,
            resumed_at: None,
            authorisation,
        };
        let default = |types: &[&str], pattern| -> Vec<Subscription> {
            vec![Filter::new(types.to_vec(), pattern).unwrap().into()]
        };
        let granted = |subject: &str, until| {
            let until = Some(EpochMillis::new(until));
            Authorisation::Granted(Grant { subject: subject.to_owned(), role: "user".to_owned(), until })
        };
        let map = Subscription { name: "map".parse().unwrap(), ..Subscription::default() };
        vec![
            connection("a=", default(&[], None), Authorisation::Open),
            connection("b=", default(&["Room", "Sensor"], Some("^urn")), granted("alice", 1_800_000)),
            Connection {
                group: GroupId::parse("workers").ok(),
                acknowledgement: Some(Acknowledgement::Always),
                format: Format::CloudEvents,
                ..connection("c=", vec![default(&[], Some("x")).remove(0), map], granted("\u{1b}[2J", 3_600_000))
            },
            connection("d=", vec![], Authorisation::Pending),
        ]
    }

    #[test]
    fn people_get_columns() {
        let expected = "\
CONNECTION  TENANT  SUBJECT  ROLE  SUBSCRIPTIONS         GROUP    FORMAT       CONNECTED   AUTHORISED
a=          demo    -        -     everything            -        json         45 min ago  not required
b=          demo    alice    user  Room, Sensor /^urn/   -        json         45 min ago  expired 15 min ago
c=          demo    \u{fffd}[2J     user  /x/; map: everything  workers  cloudevents  45 min ago  for 15 min
d=          demo    -        -     unsubscribed          -        json         45 min ago  pending";
        assert_eq!(table(&connections(), EpochMillis::new(0).plus(Duration::from_secs(45 * 60))), expected);
    }

    #[test]
    fn programs_get_everything() {
        let json = json(&connections());
        assert_eq!(json[0]["subscriptions"], serde_json::json!([{}]));
        assert_eq!((&json[0]["acknowledgement"], &json[2]["acknowledgement"]), (&Value::Null, &"always".into()));
        assert_eq!((&json[0]["authorisation"], &json[0]["subject"]), (&"open".into(), &Value::Null));
        let filter = serde_json::json!({ "entityTypes": ["Room", "Sensor"], "idPattern": "^urn" });
        assert_eq!(json[1]["subscriptions"], serde_json::json!([filter]));
        assert_eq!(json[2]["subscriptions"], serde_json::json!([{ "idPattern": "x" }, { "subscription": "map" }]));
        assert_eq!((&json[1]["role"], &json[1]["authorisedUntil"]), (&"user".into(), &"1970-01-01T00:30:00Z".into()));
        assert_eq!((&json[2]["group"], &json[2]["format"]), (&"workers".into(), &"cloudevents".into()));
        assert_eq!((&json[3]["subscriptions"], &json[3]["authorisation"]), (&serde_json::json!([]), &"pending".into()));
        assert_eq!(
            (&json[3]["connectedAt"], &json[3]["expiresAt"]),
            (&"1970-01-01T00:00:00Z".into(), &"1970-01-01T02:00:00Z".into())
        );
    }
}
