//! A model of a server that sends snapshots, and any sequence of events, drops and refusals.

use std::collections::BTreeSet;

use entity_stream_protocol::Subscribe;
use proptest::prelude::*;

use super::resuming::{event_at, not_recovered, recovered};
use super::*;

/// A step of a server that keeps a history and entity state, and of its network.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// An event is published, and the connection gets it.
    Published,
    /// The connection drops, and an event is published.
    Missed,
    Dropped,
    /// The server sends its next frame.
    Served,
    /// The answer that is next becomes an error, if it is about a snapshot.
    Refused {
        knows_token: bool,
    },
    /// The time of a pause passes.
    Waited,
    /// The history loses its past.
    Expired,
}

/// A server whose positions are numbers, and a stream whose subscription begins with a snapshot.
struct World {
    driven: Driven,
    published: u32,
    /// The frames that the server still has to send to the open connection.
    frames: VecDeque<String>,
    /// The position from which the history is complete.
    complete_from: u32,
    is_open: bool,
    /// The position at which the snapshot that is under way began, and the parts that it still has.
    begun: u32,
    parts: u32,
    handed_out: BTreeSet<u32>,
    /// The events that a complete snapshot includes.
    covered: u32,
    completions: u32,
}

impl World {
    fn position(number: u32) -> String {
        format!("{number:04}")
    }

    fn frame(number: u32, replayed: bool) -> String {
        event_at(&number.to_string(), &Self::position(number), replayed)
    }

    /// Gives the machine an input, and lets the server answer.
    fn step(&mut self, input: Input) -> Result<(), TestCaseError> {
        let message = self.driven.machine.step(input, self.driven.now);
        while let Some(item) = self.driven.machine.next_item() {
            match item.unwrap() {
                StreamItem::Event(event) => {
                    self.handed_out.insert(event.message().id.parse().unwrap());
                }
                StreamItem::SnapshotComplete { .. } => {
                    self.covered = self.covered.max(self.begun);
                    self.completions += 1;
                }
                _ => {}
            }
            if let Some(bookmark) = self.driven.machine.bookmark() {
                let position: u32 = bookmark.position.as_str().parse().unwrap();
                let is_known = |number: u32| number <= self.covered || self.handed_out.contains(&number);
                prop_assert!((1..=position).all(is_known), "the bookmark {position} is ahead");
            }
        }
        if !matches!(self.driven.machine.state(), StreamState::Subscribing { .. } | StreamState::Streaming { .. }) {
            self.is_open = false;
            self.frames.clear();
        }
        if let Some(ClientMessage { action, request_id: Some(id) }) = message {
            self.answer(&action, id.as_str());
        }
        Ok(())
    }

    fn answer(&mut self, action: &Action, id: &str) {
        let mut answer = match action {
            Action::Subscribe(Subscribe { since, snapshots, .. }) => {
                assert!(snapshots.contains(&SubscriptionName::DEFAULT));
                let position = match since {
                    Some(Since::Position { position, .. }) => Some(position.as_str().parse::<u32>().unwrap()),
                    _ => None,
                };
                let mut answer =
                    json!({ "type": "subscribed", "position": Self::position(self.published), "session": "s" });
                if let Some(position) = position.filter(|position| *position >= self.complete_from) {
                    let missed = position.saturating_sub(2).max(1)..=self.published;
                    self.frames.extend(missed.map(|number| Self::frame(number, true)));
                    answer.as_object_mut().unwrap().extend(recovered(1).as_object().cloned().unwrap());
                } else {
                    if position.is_some() {
                        answer.as_object_mut().unwrap().extend(not_recovered("expired").as_object().cloned().unwrap());
                    }
                    (self.begun, self.parts) = (self.published, 2);
                    (answer["snapshot"], answer["snapshotNext"]) = (json!(1), json!("a"));
                }
                answer
            }
            Action::Snapshot { .. } => {
                self.parts = self.parts.saturating_sub(1);
                let mut answer = json!({ "type": "snapshot", "snapshot": self.parts });
                if self.parts > 0 {
                    answer["snapshotNext"] = json!("b");
                }
                answer
            }
            other => panic!("{other:?}"),
        };
        answer["requestId"] = id.into();
        self.frames.push_back(answer.to_string());
    }

    fn receive(&mut self, frame: String) -> Result<(), TestCaseError> {
        self.step(Input::Received(frame, SystemTime::UNIX_EPOCH))
    }

    fn connect(&mut self) -> Result<(), TestCaseError> {
        while !matches!(self.driven.machine.state(), StreamState::Connecting { .. }) {
            self.wait()?;
        }
        self.is_open = true;
        self.step(Input::Opened)
    }

    fn wait(&mut self) -> Result<(), TestCaseError> {
        self.driven.now = self.driven.machine.state().deadline().unwrap().max(self.driven.now);
        self.step(Input::Elapsed)
    }

    fn pauses(&self) -> bool {
        matches!(self.driven.machine.state(), StreamState::Streaming { request_at: Some(_), .. })
    }

    /// Replaces the next answer about a snapshot by an error.
    fn refuse(&mut self, knows_token: bool) {
        let id_of = |frame: &String| serde_json::from_str::<serde_json::Value>(frame).unwrap()["requestId"].clone();
        if let Some(answer) = self.frames.front_mut()
            && let Some(id) = id_of(answer).as_str().filter(|id| id.starts_with("snapshot-"))
        {
            *answer = rejection(if knows_token { "internal" } else { "invalid_snapshot_token" }, Some(id));
        }
    }
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        6 => Just(Happening::Published),
        2 => Just(Happening::Missed),
        2 => Just(Happening::Dropped),
        10 => Just(Happening::Served),
        2 => any::<bool>().prop_map(|knows_token| Happening::Refused { knows_token }),
        3 => Just(Happening::Waited),
        1 => Just(Happening::Expired),
    ];
    prop::collection::vec(happening, 0..150)
}

proptest! {
    /// Whenever a connection drops, in the middle of a snapshot or of a replay, and whatever the server refuses: a stream
    /// that goes on has each event, or a complete snapshot that is newer.
    #[test]
    fn each_event_is_handed_out_or_in_a_complete_snapshot(happenings in happenings()) {
        let mut driven = Driven::new(true);
        driven.machine.begin_with_snapshots([SubscriptionName::DEFAULT].into());
        let mut world = World {
            driven,
            published: 0,
            frames: VecDeque::new(),
            complete_from: 0,
            is_open: false,
            begun: 0,
            parts: 0,
            handed_out: BTreeSet::new(),
            covered: 0,
            completions: 0,
        };
        for happening in happenings {
            if !world.is_open {
                world.connect()?;
            }
            match happening {
                Happening::Published => {
                    world.published += 1;
                    let frame = World::frame(world.published, false);
                    world.receive(frame)?;
                }
                Happening::Missed | Happening::Dropped => {
                    world.published += u32::from(matches!(happening, Happening::Missed));
                    world.step(Input::Failed(lost()))?;
                }
                Happening::Served => if let Some(frame) = world.frames.pop_front() {
                    world.receive(frame)?;
                },
                Happening::Refused { knows_token } => world.refuse(knows_token),
                Happening::Waited => if world.pauses() {
                    world.wait()?;
                },
                Happening::Expired => world.complete_from = world.published,
            }
        }
        loop {
            match world.frames.pop_front() {
                _ if !world.is_open => world.connect()?,
                Some(frame) => world.receive(frame)?,
                None if world.pauses() => world.wait()?,
                None => break,
            }
        }
        prop_assert!(world.completions > 0);
        let is_known = |number: u32| number <= world.covered || world.handed_out.contains(&number);
        let missed: Vec<u32> = (1..=world.published).filter(|number| !is_known(*number)).collect();
        prop_assert!(missed.is_empty(), "missed {missed:?}");
    }
}
