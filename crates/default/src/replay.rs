//! Finds the past events of a connection after a change of its subscriptions.

use std::sync::Arc;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_connections::{Change, Connection};
use entity_stream_history::{HistoryError, HistoryReader, PastEvent, StateTable};
use entity_stream_protocol::limits::{HISTORY_BYTES, REPLAYED_EVENTS, REPLAYED_FRAMES};
use entity_stream_protocol::{EpochMillis, NotRecovered, Position, Recovery, Since, Subscription, pack_events};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::past::{CurrentStates, PastWishes};
use crate::state_fault::note_fault;

/// The most entities whose states are read for the events that a client missed. Those that changed in the overlap do not count towards
/// the replayed events. The moment of an exchange has no such limit: the bytes of the states and the time of the message limit it.
const MOST_STATES: usize = 3_000;
/// The most frames with events that a client missed, and of the moment of an exchange together with a snapshot. Their delivery takes
/// seconds, and an answer cannot take longer. Without a snapshot, the moment of an exchange has no such limit: its client does not
/// come back with another request.
const FRAMES: usize = 600;
/// The time after which the choice of events lets other tasks run.
const TURN: Duration = Duration::from_millis(1);

/// The messages before the answer to a `subscribe`, and the answer's content.
#[derive(Debug)]
pub(crate) struct Replay {
    /// The frames with past events, oldest first.
    pub(crate) frames: Vec<String>,
    /// The place in the history up to which the client then has every event.
    pub(crate) position: Position,
    /// The verdict, if the client needs one.
    pub(crate) recovery: Option<Recovery>,
    /// The turn of an exchange. It ends after the delivery of the frames.
    pub(crate) turn: Option<OwnedSemaphorePermit>,
}

/// A change of the subscriptions of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscribing<'a> {
    pub(crate) change: &'a Change,
    /// The subscriptions of the message.
    pub(crate) subscriptions: &'a [Subscription],
    pub(crate) since: Option<&'a Since>,
    /// The time before the change.
    pub(crate) began: EpochMillis,
    /// The states of entities, if the service keeps them.
    pub(crate) states: Option<&'a StateTable>,
    /// The turns of exchanges; `None` if the message has its turn already.
    pub(crate) turns: Option<&'a Arc<Semaphore>>,
}

impl Replay {
    /// Reads the past events of a connection whose interests were written just now. If that is not done by `until`, the client
    /// learns that it may have missed events.
    pub(crate) async fn read(
        history: &HistoryReader,
        clock: &Clock,
        subscribing: Subscribing<'_>,
        until: Instant,
    ) -> Self {
        let now = clock.now();
        let found = timeout_at(until, find(history, now, subscribing)).await;
        let (frames, recovery, turn) = match found.unwrap_or(Err(NotRecovered::Unavailable)) {
            Ok(Chosen { frames, events, turn }) => {
                let replayed = u32::try_from(events).unwrap_or(u32::MAX);
                (frames, subscribing.since.map(|_| Recovery::Recovered { replayed }), turn)
            }
            Err(reason) => (Vec::new(), Some(Recovery::NotRecovered(reason)), None),
        };
        if let Some(recovery) = &recovery {
            tracing::info!(?recovery, "past events");
        }
        Self { frames, position: history.table().position_of(now), recovery, turn }
    }

    /// Leaves out the moment of an exchange if it cannot be delivered together with so many frames of a snapshot. The snapshot has what
    /// the events changed.
    pub(crate) fn make_room_for(&mut self, frames_of_snapshot: usize) {
        if !self.frames.is_empty() && self.frames.len() + frames_of_snapshot > FRAMES {
            let recovery = Recovery::NotRecovered(NotRecovered::TooMany);
            tracing::info!(?recovery, "past events");
            (self.frames, self.recovery) = (Vec::new(), Some(recovery));
        }
    }
}

#[derive(Default)]
struct Chosen {
    frames: Vec<String>,
    events: usize,
    turn: Option<OwnedSemaphorePermit>,
}

async fn find(history: &HistoryReader, now: EpochMillis, subscribing: Subscribing<'_>) -> Result<Chosen, NotRecovered> {
    let Subscribing { change, subscriptions, since, began, states, turns } = subscribing;
    let connection = &change.after;
    if let Some(Since::Position { position, .. }) = since
        && !history.table().knows(position)
    {
        return Err(NotRecovered::UnknownPosition);
    }
    let timing = history.table().timing();
    let mut wishes = PastWishes::after(change, (subscriptions, since), (timing, states.is_some()), began)?;
    let Some(from) = wishes.from() else { return Ok(Chosen::default()) };
    // A message has one turn at most, so none waits for another that waits for it. The semaphore is never closed.
    let turn = match turns {
        Some(turns) => Arc::clone(turns).acquire_owned().await.ok(),
        None => None,
    };
    let readings = wishes.registered(now);
    let epoch = history.table().epoch().await.map_err(|error| unavailable(&error))?;
    readings.judge(epoch.as_ref())?;
    let past = history.read(&connection.tenant, from, now, HISTORY_BYTES).await.map_err(|error| unavailable(&error))?;
    tracing::debug!(events = past.events.len(), read_capacity = past.read_capacity, "the history was read");
    let current = match states {
        Some(states) => current_states(states, &mut wishes, &past.events, (now, since.is_some())).await?,
        None => CurrentStates::default(),
    };
    let most_frames = if since.is_some() { FRAMES } else { usize::MAX };
    let (mut messages, mut events, mut counted, mut bytes, mut yielded) = (Vec::new(), 0, 0, 0, Instant::now());
    for past in &past.events {
        let of_event = wishes.messages(past, &current);
        events += usize::from(!of_event.is_empty());
        counted += if wishes.counts(past) { of_event.len() } else { 0 };
        bytes += of_event.iter().map(String::len).sum::<usize>();
        messages.extend(of_event);
        // However many views a client has, its past takes no more memory than the history that is read.
        let has_too_many_frames = !connection.takes_batches && messages.len() > most_frames;
        let is_too_much = bytes > HISTORY_BYTES || has_too_many_frames;
        if is_too_much || counted > most_messages(connection) {
            return Err(NotRecovered::TooMany);
        }
        if yielded.elapsed() > TURN {
            tokio::task::yield_now().await;
            yielded = Instant::now();
        }
    }
    let packed = |messages| pack_events::<String>(messages).into_iter().map(|frame| frame.text).collect();
    let frames: Vec<_> = if connection.takes_batches { packed(messages) } else { messages };
    if frames.len() > most_frames {
        return Err(NotRecovered::TooMany);
    }
    Ok(Chosen { frames, events, turn })
}

/// Reads the states that subscriptions follow.
async fn current_states(
    states: &StateTable,
    wishes: &mut PastWishes,
    events: &[Arc<PastEvent>],
    (now, is_limited): (EpochMillis, bool),
) -> Result<CurrentStates, NotRecovered> {
    let keys = wishes.note(events);
    if is_limited && keys.len() > MOST_STATES {
        return Err(NotRecovered::TooMany);
    }
    let states = states.states_within(&keys, now, HISTORY_BYTES).await.map_err(|error| match error {
        HistoryError::TooMuch => NotRecovered::TooMany,
        error => {
            note_fault(&error);
            NotRecovered::Unavailable
        }
    })?;
    CurrentStates::new(states, events)
}

/// The most events that are replayed to a connection, each counted once for each of its views.
fn most_messages(connection: &Connection) -> usize {
    if connection.takes_batches { REPLAYED_EVENTS } else { REPLAYED_FRAMES }
}

fn unavailable(error: &HistoryError) -> NotRecovered {
    match error {
        HistoryError::TooMuch => NotRecovered::TooMany,
        HistoryError::Unreadable | HistoryError::Dynamo { .. } | HistoryError::TimedOut { .. } => {
            tracing::error!(%error, "the history cannot be read");
            metrics::counter!("HistoryFaults").increment(1);
            NotRecovered::Unavailable
        }
    }
}
