//! Looking for what keeps changes from arriving: each step of their way by itself, in the order in which they depend on
//! each other, and for each failure what to do about it.

mod dead_letters;
mod delivery;
mod network;
mod report;
mod subscription;

use std::time::Duration;

use entity_stream_protocol::{EntityType, Filter, Format, Tenant};

use report::{Check, Step};
pub(crate) use report::{Output, Report};

use crate::bus::Target;
use crate::stream::{Address, Credential};

/// The type of the entity whose end is published: clients without a filter see it, and have nothing to forget.
const ENTITY_TYPE: &str = "EntityStreamDoctor";

/// What to check.
#[derive(Debug)]
pub(crate) struct Doctor {
    /// Where the stream is.
    pub(crate) url: String,
    /// What to show at the door.
    pub(crate) credential: Option<Credential>,
    /// Where to publish; nothing is published without it.
    pub(crate) target: Option<Target>,
    /// How long a change may take to arrive.
    pub(crate) patience: Duration,
}

impl Doctor {
    /// Checks one tenant's stream, as far as it goes.
    pub(crate) async fn check(&self, tenant: &Tenant, report: &mut Report) -> anyhow::Result<()> {
        let entity_id = format!("urn:entity-stream:doctor:{:016x}", fastrand::u64(..));
        let filter = Filter::new([EntityType::parse(ENTITY_TYPE)?.as_str()], Some(&format!("^{entity_id}$")))?;
        let address = Address::new(&self.url, tenant, &filter, Format::Json, None)?;
        let Some(socket) = network::check(&address, self.credential.as_ref(), report).await? else { return Ok(()) };
        let credential = self.credential.as_ref();
        let Some(mut stream) = subscription::check(socket, &address, &filter, credential, report).await? else {
            return Ok(());
        };
        match &self.target {
            Some(target) => {
                delivery::check(&mut stream, target, tenant, &entity_id, self.patience, report).await?;
            }
            None => {
                let advice = "give --event-bus NAME for a deployed system, or --endpoint-url URL for a local one";
                report.add(Step::skipped(Check::Publish, "nothing was published: which bus is it?").advise(advice))?;
            }
        }
        stream.end().await;
        Ok(())
    }
}
