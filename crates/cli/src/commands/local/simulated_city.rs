//! The simulation of the local system, which the monitor page can switch on and off.

use entity_stream_local::{Simulated, SimulationSwitch};
use entity_stream_publisher::{PublishError, Publisher};
use entity_stream_simulation::Simulation;
use tokio::sync::watch;

use crate::bus::SOURCE;
use crate::logs::{self, Log};

/// Runs the simulation that the switch demands, and follows each change of the switch. It never returns.
pub(super) async fn simulate(
    switch: &SimulationSwitch,
    mut wanted: watch::Receiver<Option<Simulated>>,
    publisher: &Publisher,
    log: &Log,
) {
    loop {
        let now = wanted.borrow_and_update().clone();
        log.set(if now.is_some() { logs::OF_A_SIMULATED_SYSTEM } else { logs::OF_THE_SYSTEM });
        // Waiting cannot fail while the sender exists, and `switch` is the sender.
        let turned = async { drop(wanted.changed().await) };
        let Some(Simulated { tenant, rate, form }) = now else {
            turned.await;
            continue;
        };
        let simulation = Simulation { source: SOURCE, tenant, rate, form, count: None, seed: None };
        if let Err(error) = simulation.run(publisher.clone(), turned, warn_of_rejections).await {
            // The rest of the system works without the simulation.
            tracing::warn!(%error, "the simulation failed");
            switch.set(None);
        }
    }
}

fn warn_of_rejections(results: Vec<Result<String, PublishError>>) {
    // The simulation ends with the error of a request.
    let errors = results.into_iter().filter_map(Result::err).filter(|error| !matches!(error, PublishError::Request(_)));
    let (mut changes, mut last) = (0, None);
    for error in errors {
        (changes, last) = (changes + 1, Some(error));
    }
    if let Some(error) = last {
        tracing::warn!(changes, %error, "the bus rejected simulated changes");
    }
}
