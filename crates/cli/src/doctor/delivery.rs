use std::time::Duration;

use entity_stream_protocol::{ChangeType, EntityType, EntityTypes, Tenant};
use entity_stream_publisher::{BusEntry, ChangeDetail, PublishError};
use tokio::time::{Instant, interval, sleep_until};

use super::ENTITY_TYPE;
use super::dead_letters::reason;
use super::report::{Check, Report, Step};
use super::subscription::Stream;
use crate::bus::{SOURCE, Target};

/// The time that the bus has to accept the change.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(20);
/// How often the dead letters of a local system are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The way of a change: onto the bus, and to us.
pub(super) async fn check(
    stream: &mut Stream,
    target: &Target,
    tenant: &Tenant,
    entity_id: &str,
    patience: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let Some(id) = publish(target, &entry(tenant, entity_id)?, report).await? else { return Ok(()) };
    let deadline = Instant::now() + patience;
    let mut look = interval(LOOK);
    let step = loop {
        tokio::select! {
            event = stream.event() => match event {
                Some(arrived) if arrived == id => {
                    break Step::passed(Check::Delivery, "the change arrived").took(started.elapsed());
                }
                Some(_) => {}
                None => break Step::failed(Check::Delivery, "the connection ended before the change arrived")
                    .advise("try again; if it happens again, look into the logs of the functions"),
            },
            _ = look.tick() => if let Some(reason) = letter(target, &id).await {
                break Step::failed(Check::Delivery, format!("the change became a dead letter: {reason}"))
                    .advise("the broadcast function failed each time: its log says why");
            },
            () = sleep_until(deadline) => break not_arrived(target, patience),
        }
    };
    report.add(step)
}

/// The deletion of an entity that does not exist.
fn entry(tenant: &Tenant, entity_id: &str) -> anyhow::Result<BusEntry> {
    let detail = ChangeDetail {
        change_type: ChangeType::EntityDeleted,
        tenant: tenant.as_str(),
        service_path: None,
        entity_id,
        entity_type: EntityTypes::One(EntityType::parse(ENTITY_TYPE)?),
        data: serde_json::Map::new(),
        changed_attributes: None,
        timestamp: None,
    };
    Ok(detail.entry(SOURCE)?)
}

async fn publish(target: &Target, entry: &BusEntry, report: &mut Report) -> anyhow::Result<Option<String>> {
    let started = Instant::now();
    let result = match target.publisher().await {
        Ok(publisher) => publisher.publish(&[entry], started + PUBLISH_TIMEOUT).await.into_iter().next(),
        Err(error) => {
            report.add(Step::failed(Check::Publish, format!("{error:#}")).advise(unreachable_advice(target)))?;
            return Ok(None);
        }
    };
    let (step, id) = match result {
        Some(Ok(id)) => {
            (Step::passed(Check::Publish, format!("{} accepted a change as {id}", target.shown())), Some(id))
        }
        Some(Err(PublishError::Request(error))) => {
            (Step::failed(Check::Publish, target.failed(&error).to_string()).advise(unreachable_advice(target)), None)
        }
        Some(Err(error)) => {
            let advice = "check the name of the bus, and that events:PutEvents is allowed";
            (Step::failed(Check::Publish, format!("the bus refused the change: {error}")).advise(advice), None)
        }
        None => (Step::failed(Check::Publish, "the bus returned no result for the change"), None),
    };
    report.add(step.took(started.elapsed()))?;
    Ok(id)
}

fn unreachable_advice(target: &Target) -> &'static str {
    match &target.event_bus {
        Some(_) => "check the name of the bus and the region, and that events:PutEvents is allowed",
        None => "give the event bus's URL with --endpoint-url, or a deployed bus with --event-bus",
    }
}

/// Why the change is a dead letter, if it is one. Only a local system tells.
async fn letter(target: &Target, id: &str) -> Option<String> {
    match &target.event_bus {
        Some(_) => None,
        None => reason(target.local_endpoint(), id).await,
    }
}

fn not_arrived(target: &Target, patience: Duration) -> Step {
    let step =
        Step::failed(Check::Delivery, format!("the change did not arrive in {}", indicatif::HumanDuration(patience)));
    step.advise(match &target.event_bus {
        Some(_) => {
            "does the rule look at this bus, and is EVENT_STREAMING_ENABLED=true for the broadcast function? Its log, and \
             the dead-letter queue, have what it could not deliver; --timeout waits longer"
        }
        None => {
            "does the bus belong to the same system as the stream? Its log says what became of the change; --timeout waits \
             longer"
        }
    })
}
