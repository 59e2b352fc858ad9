use std::time::Duration;

use entity_stream_client::{EntityStream, StreamItem};
use entity_stream_protocol::{ChangeType, EntityChange, EntityType, EntityTypes, Tenant};
use entity_stream_publisher::{BusEntry, PublishError};
use serde_json::value::RawValue;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::bus::{SOURCE, TargetBus};
use crate::doctor::backlog::QueuedChanges;
use crate::doctor::dead_letters::reason;
use crate::doctor::diagnosis::{Check, Diagnosis, Finding};

/// The time that the bus has to accept the change.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(20);
/// The time between two looks at the dead letters of a local system.
const LOOK: Duration = Duration::from_millis(200);
/// The time that a local system has to tell its dead letters, or its backlog.
const ANSWER: Duration = Duration::from_secs(2);

/// Publishes a change and waits until it arrives. Returns whether it did.
pub(super) async fn check(
    stream: &mut EntityStream,
    target: &TargetBus,
    entry: &BusEntry,
    patience: Duration,
    diagnosis: &mut Diagnosis,
) -> bool {
    let started = Instant::now();
    let Some(id) = publish(target, entry, diagnosis).await else { return false };
    let deadline = Instant::now() + patience;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_arrived = false;
    let finding = loop {
        tokio::select! {
            item = stream.try_next() => match item {
                Ok(Some(StreamItem::Event(event))) if event.message().id == id => {
                    has_arrived = true;
                    break Finding::passed(Check::Delivery, "the change arrived").took(started.elapsed());
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    break Finding::failed(Check::Delivery, "the connection ended before the change arrived")
                        .advise("try again; if it happens again, read the logs of the functions");
                }
            },
            _ = look.tick() => if let Some(reason) = letter(target, &id).await {
                break Finding::failed(Check::Delivery, format!("the change became a dead letter: {reason}"))
                    .advise("every invocation of the broadcast function failed; read its log");
            },
            () = sleep_until(deadline) => break not_arrived(target, patience).await,
        }
    };
    diagnosis.add(finding);
    has_arrived
}

/// The deletion of an entity that does not exist.
pub(super) fn entry(tenant: &Tenant, entity_type: EntityType, entity_id: &str) -> anyhow::Result<BusEntry> {
    let change = EntityChange {
        change_type: ChangeType::EntityDeleted,
        tenant: tenant.clone(),
        service_path: "/".to_owned(),
        entity_id: entity_id.to_owned(),
        entity_types: EntityTypes::One(entity_type),
        data: RawValue::from_string("{}".to_owned())?,
        changed_attributes: None,
        context: None,
        timestamp: None,
    };
    Ok(BusEntry::change(SOURCE, change.to_json())?)
}

async fn publish(target: &TargetBus, entry: &BusEntry, diagnosis: &mut Diagnosis) -> Option<String> {
    let started = Instant::now();
    let result = match target.publisher().await {
        Ok(publisher) => publisher.publish(&[entry], started + PUBLISH_TIMEOUT).await.into_iter().next(),
        Err(error) => {
            diagnosis.add(Finding::failed(Check::Publish, format!("{error:#}")).advise(unreachable_advice(target)));
            return None;
        }
    };
    let (finding, id) = match result {
        Some(Ok(id)) => {
            (Finding::passed(Check::Publish, format!("{} accepted a change as {id}", target.shown())), Some(id))
        }
        Some(Err(PublishError::Request(error))) => (
            Finding::failed(Check::Publish, target.failed(&error).to_string()).advise(unreachable_advice(target)),
            None,
        ),
        Some(Err(PublishError::Exhausted { code, message })) if target.event_bus.is_none() => {
            let detail = format!("the bus took no further event: {code}: {message}");
            let advice = match backlog(target).await {
                Some((waiting, advice)) => format!("{waiting}: {advice}"),
                None => "read the log of the system".to_owned(),
            };
            (Finding::failed(Check::Publish, detail).advise(advice), None)
        }
        Some(Err(error)) => {
            let advice = "check the name of the bus, and that events:PutEvents is allowed";
            (Finding::failed(Check::Publish, format!("the bus refused the change: {error}")).advise(advice), None)
        }
        None => (Finding::failed(Check::Publish, "the bus returned no result for the change"), None),
    };
    diagnosis.add(finding.took(started.elapsed()));
    id
}

fn unreachable_advice(target: &TargetBus) -> &'static str {
    match &target.event_bus {
        Some(_) => "check the name of the bus and the region, and that events:PutEvents is allowed",
        None => "pass the URL of the event bus with --endpoint-url, or a deployed bus with --event-bus",
    }
}

/// The reason for which the change is a dead letter, if it is one. Only a local system tells it.
async fn letter(target: &TargetBus, id: &str) -> Option<String> {
    match &target.event_bus {
        Some(_) => None,
        None => timeout(ANSWER, reason(target.local_endpoint(), id)).await.ok().flatten(),
    }
}

/// The backlog of the bus, if it is behind. Only a local system tells it.
async fn backlog(target: &TargetBus) -> Option<(String, String)> {
    let changes = match &target.event_bus {
        Some(_) => return None,
        None => timeout(ANSWER, QueuedChanges::of(target.local_endpoint())).await.ok().flatten()?,
    };
    let (waiting, reason) = changes.describe()?;
    Some((waiting, format!("{reason}; publish fewer events, or wait until the system has caught up")))
}

async fn not_arrived(target: &TargetBus, patience: Duration) -> Finding {
    let detail = format!("the change did not arrive in {}", indicatif::HumanDuration(patience));
    if let Some((waiting, advice)) = backlog(target).await {
        return Finding::failed(Check::Delivery, format!("{detail}: {waiting}"))
            .advise(format!("{advice}; --timeout waits longer"));
    }
    Finding::failed(Check::Delivery, detail).advise(match &target.event_bus {
        Some(_) => {
            "check that the rule reads this bus and that EVENT_STREAMING_ENABLED=true for the broadcast function; read its \
             log and the dead-letter queue; --timeout waits longer"
        }
        None => {
            "check that the bus belongs to the same system as the stream, and read the log of that system; --timeout waits \
             longer"
        }
    })
}
