use std::time::Duration;

use entity_stream_protocol::{ChangeType, EntityType, EntityTypes, Tenant};
use tokio::time::{Instant, interval, sleep_until};

use super::ENTITY_TYPE;
use super::dead_letters::reason;
use super::report::{Check, Report, Step};
use super::subscription::Stream;
use crate::bus::{Detail, Entry, Outcome, Target};

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

/// The end of an entity that nobody has.
fn entry(tenant: &Tenant, entity_id: &str) -> anyhow::Result<Entry> {
    let detail = Detail {
        change_type: ChangeType::EntityDeleted,
        tenant: tenant.as_str(),
        service_path: None,
        entity_id,
        entity_type: EntityTypes::One(EntityType::parse(ENTITY_TYPE)?),
        data: serde_json::Map::new(),
        changed_attributes: None,
        timestamp: None,
    };
    detail.entry()
}

async fn publish(target: &Target, entry: &Entry, report: &mut Report) -> anyhow::Result<Option<String>> {
    let started = Instant::now();
    let sent = match target.publisher().await {
        Ok(publisher) => publisher.put(std::slice::from_ref(entry)).await,
        Err(error) => Err(error),
    };
    let (step, id) = match sent.map(|outcomes| outcomes.into_iter().next()) {
        Ok(Some(Outcome::Published(id))) => {
            (Step::passed(Check::Publish, format!("{} took a change as {id}", target.shown())), Some(id))
        }
        Ok(Some(Outcome::Rejected(reason))) => {
            let advice = "the bus says why; is its name right, and events:PutEvents allowed?";
            (Step::failed(Check::Publish, format!("the bus rejected the change: {reason}")).advise(advice), None)
        }
        Ok(None) => (Step::failed(Check::Publish, "the bus did not say what became of the change"), None),
        Err(error) => {
            let advice = match &target.event_bus {
                Some(_) => "is the bus's name right, in this region, and events:PutEvents allowed?",
                None => "give the event bus's URL with --endpoint-url, or a deployed bus with --event-bus",
            };
            (Step::failed(Check::Publish, format!("{error:#}")).advise(advice), None)
        }
    };
    report.add(step.took(started.elapsed()))?;
    Ok(id)
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
