use anyhow::anyhow;
use entity_stream_protocol::{
    EntityId, EntityType, FilterFields, InvalidFilter, Representation, Subscription, SubscriptionName, View,
};
use serde_json::Value;

use super::place::geo_q;
use super::written::{Written, written};

/// The options that select changes. All but `--subscription` belong to one subscription, the default one, and a change has to
/// pass each of them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Filter (every change of the tenant without it)")]
pub(crate) struct SubscriptionArgs {
    /// Only entities of this type; repeat the option for up to 49 types
    #[arg(long, value_name = "TYPE")]
    entity_type: Vec<EntityType>,
    /// Only the entity with this id; repeat the option for up to 49 ids
    #[arg(long = "id", value_name = "ID", alias = "entity-id")]
    entity_id: Vec<EntityId>,
    /// Only entities whose id matches this regular expression, anywhere in the id unless anchored
    #[arg(long, value_name = "REGEX")]
    id_pattern: Option<String>,
    /// Only this kind of change: entityCreated, entityUpdated or entityDeleted; repeat the option for two
    #[arg(long, value_name = "KIND")]
    trigger: Vec<String>,
    /// Only updates of this attribute, and all creations and deletions; repeat the option for up to 49 attributes
    #[arg(long, value_name = "ATTRIBUTE")]
    watch: Vec<String>,
    /// Only entities whose values match this NGSI-LD query, such as 'speed>50;status=="moving"'
    #[arg(long, value_name = "QUERY")]
    q: Option<String>,
    /// Only entities at this place: near:LONGITUDE,LATITUDE,METRES, or the JSON of an NGSI-LD geo-query
    #[arg(long, value_name = "PLACE", value_parser = geo_q)]
    geo_q: Option<Value>,
    /// Only this Fiware-ServicePath; with /# at its end also everything below
    #[arg(long, value_name = "PATH")]
    service_path: Option<String>,
    /// Show only these attributes, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    attributes: Vec<String>,
    /// Show each attribute as its bare value
    #[arg(long)]
    key_values: bool,
    /// Show all attributes of an entity as last known, not only those that the publisher sent
    #[arg(long)]
    whole: bool,
    /// Show the former values of the attributes that changed
    #[arg(long)]
    changes: bool,
    /// Begin with the entities that match now
    #[arg(long)]
    snapshot: bool,
    /// A subscription with a name and its fields of docs/protocol.md; repeat the option for up to 16. It replaces
    /// the default subscription unless another of these options is given
    #[arg(long, value_name = "NAME=JSON", value_parser = written)]
    subscription: Vec<Written>,
}

/// The subscriptions of a command.
#[derive(Debug)]
pub(crate) struct WantedSubscriptions {
    pub(crate) subscriptions: Vec<Subscription>,
    /// The names of those that begin with a snapshot.
    pub(crate) snapshots: Vec<SubscriptionName>,
}

impl SubscriptionArgs {
    /// The subscriptions. An error names the option to change.
    pub(crate) fn subscriptions(self) -> anyhow::Result<WantedSubscriptions> {
        let with_snapshot = self.subscription.iter().filter(|written| written.snapshot);
        let mut snapshots: Vec<_> = with_snapshot.map(|written| written.subscription.name.clone()).collect();
        let mut subscriptions: Vec<_> = self.subscription.into_iter().map(|written| written.subscription).collect();
        let filter = FilterFields {
            entity_types: self.entity_type.into_iter().map(String::from).collect(),
            entity_ids: self.entity_id.into_iter().map(String::from).collect(),
            id_pattern: self.id_pattern,
            notification_trigger: self.trigger,
            watched_attributes: self.watch,
            q: self.q,
            geo_q: self.geo_q,
            service_path: self.service_path,
        };
        let representation = if self.key_values { Representation::KeyValues } else { Representation::Normalized };
        let view = View::new(self.attributes, representation);
        let view = view.map_err(|error| anyhow!(of_option("--attributes", "attributes", &error.to_string())))?;
        let view = view.with_state(self.whole, self.changes);
        let is_given = filter != FilterFields::default() || view != View::default() || self.snapshot;
        if is_given || subscriptions.is_empty() {
            let filter = filter.check().map_err(|error| named(&error))?;
            let default = Subscription::new(SubscriptionName::DEFAULT, filter, view).map_err(|error| named(&error))?;
            subscriptions.insert(0, default);
        }
        if self.snapshot {
            snapshots.push(SubscriptionName::DEFAULT);
        }
        Ok(WantedSubscriptions { subscriptions, snapshots })
    }
}

/// The server's message with the name of the option in the place of the field.
fn named(error: &InvalidFilter) -> anyhow::Error {
    let message = error.to_string();
    let (option, field) = match error {
        InvalidFilter::EntityType(_) | InvalidFilter::TooManyTypes => ("--entity-type", "entityTypes"),
        InvalidFilter::EntityId(_) | InvalidFilter::TooManyIds => ("--id", "entityIds"),
        InvalidFilter::IdPattern(_) => ("--id-pattern", "idPattern"),
        InvalidFilter::Trigger | InvalidFilter::AttributeTrigger => ("--trigger", "notificationTrigger"),
        InvalidFilter::WatchedAttributes => ("--watch", "watchedAttributes"),
        InvalidFilter::Query(_) => ("--q", "q"),
        InvalidFilter::GeoQuery(_) => ("--geo-q", "geoQ"),
        InvalidFilter::ServicePath(_) => ("--service-path", "servicePath"),
        // It concerns all of them.
        InvalidFilter::TooMuchText => return anyhow!(with_options(&message)),
    };
    let has_options =
        matches!(error, InvalidFilter::TooManyTypes | InvalidFilter::TooManyIds | InvalidFilter::AttributeTrigger);
    let message = of_option(option, field, &message);
    anyhow!(if has_options { with_options(&message) } else { message })
}

/// A message about a field as one about an option: `q, character 7: …` becomes `--q: character 7: …`, and `geoQ has …` becomes
/// `--geo-q has …`.
fn of_option(option: &str, field: &str, message: &str) -> String {
    let Some(rest) = message.strip_prefix(field) else { return format!("{option}: {message}") };
    match [": ", ", ", "."].into_iter().find_map(|separator| rest.strip_prefix(separator)) {
        Some(rest) => format!("{option}: {rest}"),
        None => format!("{option}{rest}"),
    }
}

/// The options in the place of the fields that a message recommends. Only for messages without a text of the user.
fn with_options(message: &str) -> String {
    let options = [
        ("entityTypes", "--entity-type"),
        ("entityIds", "--id"),
        ("idPattern", "--id-pattern"),
        ("watchedAttributes", "--watch"),
    ];
    options.into_iter().fold(message.to_owned(), |message, (field, option)| message.replace(field, option))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct OnlyFilter {
        #[command(flatten)]
        subscriptions: SubscriptionArgs,
    }

    fn read(args: &[&str]) -> Result<WantedSubscriptions, String> {
        let read = OnlyFilter::try_parse_from([&["x"], args].concat()).map_err(|error| error.to_string())?;
        read.subscriptions.subscriptions().map_err(|error| error.to_string())
    }

    fn json(args: &[&str]) -> String {
        serde_json::to_string(&read(args).unwrap().subscriptions).unwrap()
    }

    #[test]
    fn the_options_are_one_subscription() {
        assert_eq!(json(&[]), "[{}]");
        let args = [
            "--entity-type",
            "A",
            "--entity-type",
            "B",
            "--id",
            "urn:1",
            "--id",
            "a,b",
            "--id-pattern",
            "^u",
            "--trigger",
            "entityUpdated",
            "--watch",
            "speed",
            "--watch",
            "a,b",
            "--q",
            "speed>50",
            "--geo-q",
            "near:139.7,35.6,2000",
            "--service-path",
            "/madrid/#",
            "--attributes",
            "speed,location",
            "--attributes",
            "x",
            "--key-values",
            "--whole",
            "--changes",
        ];
        assert_eq!(
            json(&args),
            r#"[{"entityTypes":["A","B"],"entityIds":["urn:1","a,b"],"idPattern":"^u","notificationTrigger":["entityUpdated"],"watchedAttributes":["speed","a,b"],"q":"speed>50","geoQ":{"georel":"near;maxDistance==2000","geometry":"Point","coordinates":[139.7,35.6]},"servicePath":"/madrid/#","attributes":["location","speed","x"],"representation":"keyValues","wholeEntity":true,"showChanges":true}]"#
        );
    }

    #[test]
    fn named_subscriptions_replace_the_default_one_unless_an_option_describes_it() {
        let map = r#"map={"q":"a>1"}"#;
        assert_eq!(
            json(&["--subscription", map, "--subscription", "list={}"]),
            r#"[{"subscription":"map","q":"a>1"},{"subscription":"list"}]"#
        );
        assert_eq!(
            json(&["--subscription", map, "--key-values"]),
            r#"[{"representation":"keyValues"},{"subscription":"map","q":"a>1"}]"#
        );
        assert_eq!(
            json(&["--subscription", map, "--id", "a"]),
            r#"[{"entityIds":["a"]},{"subscription":"map","q":"a>1"}]"#
        );
    }

    #[test]
    fn each_subscription_can_begin_with_a_snapshot() {
        let names = |args: &[&str]| {
            let read = read(args).unwrap();
            (read.subscriptions.len(), read.snapshots.iter().map(SubscriptionName::to_string).collect::<Vec<_>>())
        };
        let (map, list) = (r#"map={"snapshot":true}"#, "list={}");
        assert_eq!(names(&[]), (1, vec![]));
        assert_eq!(names(&["--snapshot"]), (1, vec![String::new()]));
        assert_eq!(names(&["--subscription", map, "--subscription", list]), (2, vec!["map".to_owned()]));
        assert_eq!(
            names(&["--subscription", map, "--subscription", list, "--snapshot"]),
            (3, vec!["map".to_owned(), String::new()])
        );
    }

    #[test]
    fn a_mistake_names_the_option_and_has_the_servers_message() {
        let long = "x".repeat(257);
        for (args, expected) in [
            (&["--entity-type", ""][..], "'--entity-type <TYPE>': an entity type"),
            (&["--id", ""], "'--id <ID>': an entity id has 1 to 512 characters"),
            (&["--id-pattern", "(?=a)"], "--id-pattern: "),
            (&["--trigger", "created"], "--trigger: send some of entityCreated, entityUpdated and entityDeleted"),
            (&["--trigger", "attributeUpdated"], "--trigger: the triggers of attributes are not supported"),
            (&["--watch", &long], "--watch: send at most 49 names"),
            (&["--trigger", "attributeUpdated"], "use entityUpdated, and --watch to name the attributes"),
            (&["--q", "speed>"], "--q: character 7 (the end): a value is expected"),
            (&["--geo-q", "near:139.7,135.6,2000"], "--geo-q: coordinates: longitude is "),
            (&["--geo-q", r#"{"a":1}"#], "--geo-q"),
            (&["--geo-q", "here"], "'--geo-q <PLACE>': expected near:LONGITUDE,LATITUDE,METRES"),
            (&["--service-path", "madrid"], "--service-path begins with a slash"),
            (&["--attributes", "a,,b"], "--attributes: the name of an attribute has 1 to "),
            (&["--subscription", "map"], "'--subscription <NAME=JSON>': expected NAME=JSON"),
            (&["--subscription", r#"map={"q":">"}"#], "'--subscription <NAME=JSON>': q, character 1 ("),
            (
                &["--q", &format!("a==\"{}\"", "x".repeat(600)), "--id-pattern", &"x".repeat(500)],
                "1024 bytes of filter text besides --id;",
            ),
        ] {
            let error = read(args).unwrap_err();
            assert!(error.contains(expected), "{args:?}: {error}");
            assert!(!error.contains("geoQ") && !error.contains("servicePath"), "{args:?}: {error}");
        }
        let types: Vec<_> = (0..50).map(|number| format!("--entity-type=T{number}")).collect();
        let error = read(&types.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err();
        assert!(error.starts_with("--entity-type: a filter has at most 49 types;"), "{error}");
        assert!(error.ends_with("or leave --entity-type out to receive every type"), "{error}");
    }
}
