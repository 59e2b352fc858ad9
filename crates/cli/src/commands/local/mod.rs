mod arguments;
mod simulated_city;

use anyhow::Context;
pub(crate) use arguments::Args;
use arguments::config;
use entity_stream_clock::Clock;
use entity_stream_local::{Local, Simulated};
use entity_stream_protocol::Tenant;
use entity_stream_runtime::Environment;
use entity_stream_simulation::EventForm;
use simulated_city::simulate;

use crate::bus::TargetBus;
use crate::commands::banner::Banner;
use crate::commands::invitation::Invitation;
use crate::interrupt::Interrupt;
use crate::logs;

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let log = logs::start(logs::OF_THE_SYSTEM)?;
    let mut interrupt = Interrupt::install()?;
    let tenant = args.simulate.clone().map_or_else(|| Tenant::parse("demo"), Ok)?;
    let mut environment = Environment::process();
    let invitation = args.auth.then(|| Invitation::new(&environment, &tenant, Clock::system().now())).transpose()?;
    if let Some(invitation) = &invitation {
        environment = invitation.environment(&environment);
    }
    let config = config(&args, &environment)?;
    let banner = Banner::new(&config, &tenant, args.simulate.is_some(), invitation);
    let local = Local::start(config).await.context("the local system cannot start")?;
    // The page shows its switch only if the switch is followed.
    let wanted = local.simulation().follow();
    let publisher = TargetBus::local(local.http_url()).publisher().await?;
    let form = EventForm { format: args.simulate_format, partial: args.simulate_partial };
    local.simulation().set(args.simulate.map(|tenant| Simulated { tenant, rate: args.simulate_rate, form }));
    banner.show(&local);
    tokio::select! {
        () = interrupt.received() => {}
        () = simulate(local.simulation(), wanted, &publisher, &log) => {}
    }
    local.shutdown().await;
    Ok(())
}
