use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use entity_stream_client::{Client, ClientError, Entities, EntitiesItem, Subscription};
use entity_stream_clock::Clock;
use entity_stream_protocol::Tenant;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::listener::entities_match;
use super::pretty::{EntityDifference, pretty_change};
use super::screen::Screen;
use super::table::table;
use crate::interrupt::Interrupt;
use crate::refusal::explain;
use crate::terminal::{self, note};

/// The time between two drawings of the table. It is short enough to look alive, and ages are exact to the second.
const REDRAW: Duration = Duration::from_millis(250);

/// Shows the entities that match a subscription.
#[derive(Debug)]
pub(crate) struct EntityWatcher {
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// The client of the tenant's stream.
    pub(crate) client: Client,
    /// The entities and their view.
    pub(crate) subscription: Subscription,
    /// The time after which the command ends. `None` for no end.
    pub(crate) timeout: Option<Duration>,
    /// True to print nothing but failures on standard error.
    pub(crate) quiet: bool,
    /// The time of the ages.
    pub(crate) clock: Clock,
}

/// The state of the connection that the command reports.
#[derive(Debug, Default)]
struct WatchedStream {
    was_complete: bool,
    failure: Option<String>,
}

impl EntityWatcher {
    /// Shows the entities until an interrupt, the time limit, or a failure that another attempt would only repeat.
    pub(crate) async fn run(self, interrupt: &mut Interrupt) -> anyhow::Result<()> {
        let mut entities = self.client.entities(self.subscription.clone()).map_err(|error| self.failure(&error))?;
        let (mut screen, mut connection) = (Screen::of_stdout(), WatchedStream::default());
        let watching = self.watch(&mut entities, screen.as_mut(), &mut connection, interrupt);
        let ended = match self.timeout {
            None => watching.await,
            Some(limit) => timeout(limit, watching).await.unwrap_or(Ok(())),
        };
        if let Some(screen) = &mut screen
            && ended.is_ok()
        {
            self.draw(&entities, screen, &connection)?;
        }
        entities.close().await;
        ended?;
        if let Some(limit) = self.timeout {
            let limit = indicatif::HumanDuration(limit);
            ensure!(connection.was_complete, "no complete snapshot from {} in {limit}", self.client.url());
        }
        Ok(())
    }

    async fn watch(
        &self,
        entities: &mut Entities,
        mut screen: Option<&mut Screen>,
        connection: &mut WatchedStream,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<()> {
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let item = tokio::select! {
                item = entities.try_next() => item,
                _ = redraw.tick(), if screen.is_some() => {
                    if let Some(screen) = screen.as_deref_mut() {
                        self.draw(entities, screen, connection)?;
                    }
                    continue;
                }
                () = interrupt.received() => return Ok(()),
            };
            let item = match item {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(()),
                Err(error) => {
                    if let Some(screen) = screen.as_deref_mut() {
                        screen.clear()?;
                    }
                    return Err(self.failure(&error));
                }
            };
            match screen.as_deref_mut() {
                None => self.print(&item, entities.len(), connection)?,
                Some(screen) => {
                    if let EntitiesItem::Notice(text) = &item {
                        screen.clear()?;
                        self.note(text);
                    }
                }
            }
            match item {
                EntitiesItem::Complete => *connection = WatchedStream { was_complete: true, failure: None },
                EntitiesItem::Disconnected { error, .. } => connection.failure = Some(self.reason(&error)),
                _ => {}
            }
        }
    }

    fn print(&self, item: &EntitiesItem, count: usize, connection: &WatchedStream) -> anyhow::Result<()> {
        let url = self.client.url();
        match item {
            EntitiesItem::Added(entity) => terminal::line(pretty_change(entity, &EntityDifference::Added)),
            EntitiesItem::Updated { before, after } => {
                terminal::line(pretty_change(after, &EntityDifference::From(before)))
            }
            EntitiesItem::Removed(entity) => {
                terminal::line(pretty_change(entity, &EntityDifference::Removed { at: self.clock.now() }))
            }
            EntitiesItem::Complete => {
                let count = entities_match(count as u64);
                self.note(&match connection.was_complete {
                    false => format!("listening to {} at {url}; {count}; press Ctrl-C to stop", self.tenant),
                    true => format!("connected again; {count}"),
                });
                Ok(())
            }
            EntitiesItem::Disconnected { error, retry_in } => {
                let (reason, seconds) = (self.reason(error), retry_in.as_secs_f64());
                self.note(&format!("no connection to {url}: {reason}; trying again in {seconds:.1} s"));
                Ok(())
            }
            EntitiesItem::Notice(text) => {
                self.note(text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn draw(&self, entities: &Entities, screen: &mut Screen, connection: &WatchedStream) -> anyhow::Result<()> {
        let (tenant, url, count) = (&self.tenant, self.client.url(), entities_match(entities.len() as u64));
        let footer = match &connection.failure {
            Some(failure) => format!("{tenant}: no connection to {url}: {failure}; trying again"),
            None if entities.is_complete() => format!("{count}; {tenant} at {url}; press Ctrl-C to stop"),
            None => format!("{tenant} at {url}: connecting"),
        };
        let lines = table(entities.iter().map(Arc::as_ref), &footer, self.clock.now(), screen.size());
        screen.draw(&lines)
    }

    fn reason(&self, error: &ClientError) -> String {
        explain(error, self.client.credential())
    }

    fn failure(&self, error: &ClientError) -> anyhow::Error {
        anyhow!(self.reason(error)).context(format!("cannot listen at {}", self.client.url()))
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }
}
