use std::time::Duration;

use anyhow::{Context, bail};
use entity_stream_client::{ClientBuilder, ClientError, EntityStream, StreamItem};
use entity_stream_protocol::{
    ChangeType, EntityChange, EntityType, EntityTypes, ErrorCode, EventMessage, FilterFields, Representation,
    Subscription, SubscriptionName, Tenant, View,
};
use entity_stream_publisher::BusEntry;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use crate::bus::{SOURCE, TargetBus};
use crate::client;
use crate::doctor::diagnosis::{Check, Diagnosis, Finding};
use crate::doctor::steps::{STEP, arrival, publish, subscribed};
use crate::interrupt::Interrupt;

const READ_THE_LOG_OF_DEFAULT: &str = "read the log of the default function, which reads the entity state";
const READ_THE_LOG_OF_BROADCAST: &str = "read the log of the broadcast function, which writes the entity state";

/// An entity that exists during a check.
pub(super) struct Probe {
    tenant: Tenant,
    entity_type: EntityType,
    entity_id: String,
}

impl Probe {
    pub(super) fn new(tenant: &Tenant, entity_type: EntityType, entity_id: String) -> Self {
        Self { tenant: tenant.clone(), entity_type, entity_id }
    }

    /// A subscription to the whole entity.
    fn subscription(&self) -> anyhow::Result<Subscription> {
        let filter = FilterFields { entity_ids: vec![self.entity_id.clone()], ..FilterFields::default() }.check()?;
        let view = View::new([""; 0], Representation::KeyValues)?.with_state(true, false);
        Ok(Subscription::new(SubscriptionName::parse("doctor")?, filter, view)?)
    }

    fn change(&self, change_type: ChangeType, data: &str) -> anyhow::Result<BusEntry> {
        let change = EntityChange {
            change_type,
            tenant: self.tenant.clone(),
            service_path: "/".to_owned(),
            entity_id: self.entity_id.clone(),
            entity_types: EntityTypes::One(self.entity_type.clone()),
            data: RawValue::from_string(data.to_owned())?,
            changed_attributes: None,
            context: None,
            timestamp: None,
        };
        Ok(BusEntry::change(SOURCE, change.to_json())?)
    }
}

/// Checks that the server merges the changes of an entity, and gives the whole entity to a client. The entity is deleted at the end.
pub(super) async fn check(
    builder: &ClientBuilder,
    target: &TargetBus,
    probe: &Probe,
    patience: Duration,
    interrupt: &mut Interrupt,
    diagnosis: &mut Diagnosis,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let builder = builder.clone().subscriptions([probe.subscription()?]);
    let mut stream = client::build(builder.clone())?.connect();
    let finding = match subscribed(&mut stream).await {
        Ok(()) => {
            let examined = tokio::select! {
                examined = examine(&mut stream, &builder, target, probe, patience) => examined,
                () = interrupt.received() => {
                    let deleted = publish(target, &probe.change(ChangeType::EntityDeleted, "{}")?).await;
                    stream.close().await;
                    deleted.with_context(|| format!("interrupted; cannot delete {}", probe.entity_id))?;
                    bail!("interrupted before the last check");
                }
            };
            // The entity must not stay, whatever was found.
            let removed = remove(&mut stream, target, probe, patience).await;
            match examined.and(removed) {
                Ok(()) => Finding::passed(Check::State, "changes have versions, and a snapshot has the whole entity")
                    .took(started.elapsed()),
                Err(ProbeFault { detail, advice }) => Finding::failed(Check::State, detail).advise(advice),
            }
        }
        Err(ClientError::Rejected { code: ErrorCode::NotAvailable, .. }) => {
            let detail = "the server keeps no entity state, so clients get no snapshots, whole entities and versions";
            Finding::skipped(Check::State, detail)
                .advise("set EntityState=true for the deployment, or ENTITY_STATE=true for a local system, unless that is meant")
        }
        Err(error) => {
            let detail = format!("cannot subscribe to whole entities: {error}");
            Finding::failed(Check::State, detail).advise(READ_THE_LOG_OF_DEFAULT)
        }
    };
    stream.close().await;
    diagnosis.add(finding);
    Ok(())
}

/// The reason for which the entity state does not work.
#[derive(Debug)]
struct ProbeFault {
    detail: String,
    advice: &'static str,
}

impl ProbeFault {
    fn new(detail: impl Into<String>, advice: &'static str) -> Self {
        Self { detail: detail.into(), advice }
    }
}

/// Publishes two changes of the entity, each of a part of it, and looks at the whole: in an event, and in a snapshot.
async fn examine(
    stream: &mut EntityStream,
    builder: &ClientBuilder,
    target: &TargetBus,
    probe: &Probe,
    patience: Duration,
) -> Result<(), ProbeFault> {
    let created = arrived(stream, target, probe, (ChangeType::EntityCreated, r#"{"first":1}"#), patience).await?;
    let before = version(&created)?;
    let updated = arrived(stream, target, probe, (ChangeType::EntityUpdated, r#"{"second":2}"#), patience).await?;
    let after = version(&updated)?;
    if after <= before {
        let detail = format!("the version went from {before} to {after} with a change");
        return Err(ProbeFault::new(detail, READ_THE_LOG_OF_BROADCAST));
    }
    if !is_whole(&updated) {
        let detail = "a whole entity lacked an attribute that was published a moment before";
        return Err(ProbeFault::new(detail, READ_THE_LOG_OF_BROADCAST));
    }
    let second = builder.clone().snapshots([SubscriptionName::parse("doctor").map_err(|error| not_read(&error))?]);
    let mut second = client::build(second).map_err(|error| not_read(&error))?.connect();
    let read = read(&mut second, Instant::now() + STEP.max(patience)).await;
    second.close().await;
    match read {
        Ok(Some(entity)) if is_whole(&entity) && entity.version == Some(after) => Ok(()),
        Ok(_) => Err(ProbeFault::new("a snapshot did not have the entity as it is now", READ_THE_LOG_OF_DEFAULT)),
        // The server gives no snapshots to members of a group.
        Err(ClientError::Rejected { code: ErrorCode::NotAvailable, .. }) => Ok(()),
        Err(error) => Err(not_read(&error)),
    }
}

fn not_read(error: &dyn std::fmt::Display) -> ProbeFault {
    ProbeFault::new(format!("a client got no snapshot: {error}"), READ_THE_LOG_OF_DEFAULT)
}

async fn remove(
    stream: &mut EntityStream,
    target: &TargetBus,
    probe: &Probe,
    patience: Duration,
) -> Result<(), ProbeFault> {
    let deleted = arrived(stream, target, probe, (ChangeType::EntityDeleted, "{}"), patience).await?;
    version(&deleted).map(drop)
}

/// Publishes a change and waits until it arrives.
async fn arrived(
    stream: &mut EntityStream,
    target: &TargetBus,
    probe: &Probe,
    (change_type, data): (ChangeType, &str),
    patience: Duration,
) -> Result<EventMessage<'static>, ProbeFault> {
    let refused = |error: anyhow::Error| {
        ProbeFault::new(format!("the bus refused the {change_type} of {}: {error:#}", probe.entity_id), "try again")
    };
    let entry = probe.change(change_type, data).map_err(refused)?;
    let id = publish(target, &entry).await.map_err(refused)?;
    arrival(stream, &id, patience).await.ok_or_else(|| {
        let detail = format!(
            "the {change_type} of {} did not arrive in {}",
            probe.entity_id,
            indicatif::HumanDuration(patience)
        );
        ProbeFault::new(detail, "try again; --timeout waits longer")
    })
}

fn version(event: &EventMessage<'_>) -> Result<u64, ProbeFault> {
    match (event.version, &event.state) {
        (Some(version), _) => Ok(version),
        (None, Some(_)) => {
            Err(ProbeFault::new("a change could not be merged into the entity state", READ_THE_LOG_OF_BROADCAST))
        }
        (None, None) => Err(ProbeFault::new(
            "a change arrived without a version, although the server accepts subscriptions to whole entities",
            "give the functions broadcast and default the same WS_HISTORY_TABLE and ENTITY_STATE",
        )),
    }
}

fn is_whole(event: &EventMessage<'_>) -> bool {
    let data: Option<Value> = event.data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok());
    data == Some(serde_json::json!({ "first": 1, "second": 2 }))
}

/// Reads a snapshot to its end. Returns its last entity.
async fn read(stream: &mut EntityStream, deadline: Instant) -> Result<Option<EventMessage<'static>>, ClientError> {
    let read = async {
        let mut entity = None;
        loop {
            match stream.try_next().await? {
                Some(StreamItem::Snapshot(snapshot)) => entity = Some(snapshot.message().clone()),
                Some(StreamItem::SnapshotComplete { .. }) | None => return Ok(entity),
                Some(_) => {}
            }
        }
    };
    timeout_at(deadline, read).await.unwrap_or(Err(ClientError::Timeout(STEP)))
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::ServerMessage;

    use super::*;

    fn event(fields: &str) -> EventMessage<'static> {
        let text = format!(
            r#"{{"type":"entityUpdated","id":"1","tenant":"t","servicePath":"/","entityId":"i","entityType":"T","timestamp":"x",{fields}}}"#
        );
        let ServerMessage::Event(event) = ServerMessage::parse(&text).unwrap() else { panic!("{text}") };
        event.into_owned()
    }

    #[test]
    fn a_change_without_a_version_names_the_function_at_fault() {
        assert_eq!(version(&event(r#""data":{},"version":7"#)).unwrap(), 7);
        let unmerged = version(&event(r#""data":{},"state":"unavailable""#)).unwrap_err();
        assert_eq!(unmerged.advice, READ_THE_LOG_OF_BROADCAST);
        let off = version(&event(r#""data":{}"#)).unwrap_err();
        assert!(off.advice.contains("ENTITY_STATE"), "{off:?}");
    }

    #[test]
    fn a_whole_entity_has_the_attributes_of_both_changes() {
        assert!(is_whole(&event(r#""data":{"second":2,"first":1}"#)));
        assert!(!is_whole(&event(r#""data":{"second":2}"#)));
        assert!(!is_whole(&event(r#""data":{},"truncated":true,"dataBytes":22"#)));
    }
}
