//! A model of a server that keeps a history, and any sequence of events, drops and restarts.

use std::collections::BTreeSet;

use entity_stream_protocol::Subscribe;
use proptest::prelude::*;

use super::resuming::{answered, event_at, not_recovered, recovered};
use super::*;

/// A step of a server that keeps a history, and of its network.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// An event is published, and the connection gets it.
    Published,
    /// The connection drops, and an event is published.
    Missed,
    /// The server sends its next frame: a past event, or the answer to `subscribe`.
    Served,
    /// The answer to `sync`.
    Synced,
    Dropped,
    /// The history loses its past.
    Expired,
    /// The process ends, and another one continues from the bookmark.
    Restarted,
}

/// A server whose positions are numbers, and a stream. One event is published at each position.
struct World {
    driven: Driven,
    published: u32,
    /// The frames that the server still has to send to the open connection.
    frames: VecDeque<String>,
    /// The position from which the history is complete.
    complete_from: u32,
    is_open: bool,
    is_answered: bool,
    /// The events that were handed out, and those that a verdict wrote off.
    handed_out: BTreeSet<u32>,
    written_off: BTreeSet<u32>,
    /// The position of the first connection.
    first: Option<u32>,
}

impl World {
    fn position(number: u32) -> String {
        format!("{number:04}")
    }

    fn frame(number: u32, replayed: bool) -> String {
        event_at(&number.to_string(), &Self::position(number), replayed)
    }

    fn connect(&mut self) {
        while !matches!(self.driven.machine.state(), StreamState::Connecting { .. }) {
            self.driven.now = self.driven.machine.state().deadline().unwrap().max(self.driven.now);
            self.driven.machine.step(Input::Elapsed, self.driven.now);
        }
        let message = self.driven.machine.step(Input::Opened, self.driven.now).unwrap();
        (self.is_open, self.is_answered) = (true, false);
        let Action::Subscribe(Subscribe { since, .. }) = message.action else { panic!("{message:?}") };
        let answer_at = Self::position(self.published);
        self.frames = match since {
            None => {
                self.first = Some(self.published);
                [answered(&answer_at, "s", &json!(null))].into()
            }
            Some(Since::Position { position, .. }) => {
                let position: u32 = position.as_str().parse().unwrap();
                if position < self.complete_from {
                    [answered(&answer_at, "s", &not_recovered("expired"))].into()
                } else {
                    // Some are repeats.
                    let missed = position.saturating_sub(2).max(1)..=self.published;
                    let count = u32::try_from(missed.clone().count()).unwrap();
                    let events = missed.map(|number| Self::frame(number, true));
                    events.chain([answered(&answer_at, "s", &recovered(count))]).collect()
                }
            }
            Some(Since::Seconds { .. }) => panic!("no rewind"),
        };
    }

    fn receive(&mut self, frame: String) {
        self.driven.machine.step(Input::Received(frame, SystemTime::UNIX_EPOCH), self.driven.now);
    }

    /// Takes the items of the stream, and checks the bookmark after each.
    fn take(&mut self, most: usize) -> Result<(), TestCaseError> {
        for _ in 0..most {
            let Some(item) = self.driven.machine.next_item() else { break };
            match item.unwrap() {
                StreamItem::Event(event) => {
                    self.handed_out.insert(event.message().id.parse().unwrap());
                }
                StreamItem::NotRecovered { .. } => self.written_off.extend(1..=self.published),
                _ => {}
            }
            self.check()?;
        }
        self.check()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let Some(bookmark) = self.driven.machine.bookmark() else { return Ok(()) };
        let position: u32 = bookmark.position.as_str().parse().unwrap();
        for number in self.first.unwrap_or_default() + 1..=position {
            let is_known = self.handed_out.contains(&number) || self.written_off.contains(&number);
            prop_assert!(is_known, "the bookmark {position} is ahead of event {number}");
        }
        Ok(())
    }
}

fn happenings() -> impl Strategy<Value = Vec<(Happening, usize)>> {
    let happening = prop_oneof![
        8 => Just(Happening::Published),
        3 => Just(Happening::Missed),
        8 => Just(Happening::Served),
        1 => Just(Happening::Synced),
        3 => Just(Happening::Dropped),
        1 => Just(Happening::Expired),
        1 => Just(Happening::Restarted),
    ];
    prop::collection::vec((happening, 0..4_usize), 0..150)
}

proptest! {
    /// Whenever a connection drops, before or after an answer, and whatever comes in between, a stream that goes on has handed out
    /// every event, or has told that it may have missed some.
    #[test]
    fn the_bookmark_is_never_ahead_of_what_was_handed_out(happenings in happenings()) {
        let mut world = World {
            driven: Driven::new(true),
            published: 0,
            frames: VecDeque::new(),
            complete_from: 0,
            is_open: false,
            is_answered: false,
            handed_out: BTreeSet::new(),
            written_off: BTreeSet::new(),
            first: None,
        };
        for (happening, taken) in happenings {
            // Only a process that ends leaves items behind.
            if !matches!(happening, Happening::Restarted) {
                world.take(usize::MAX)?;
            }
            if !world.is_open {
                world.connect();
            }
            match happening {
                Happening::Published => {
                    world.published += 1;
                    // A live event can come before the past ones and before the answer.
                    let frame = World::frame(world.published, false);
                    world.receive(frame);
                }
                Happening::Served => if let Some(frame) = world.frames.pop_front() {
                    world.is_answered = world.frames.is_empty();
                    world.receive(frame);
                },
                Happening::Synced => if world.is_answered {
                    let synced = json!({ "type": "synced", "position": World::position(world.published) });
                    world.receive(synced.to_string());
                },
                Happening::Dropped | Happening::Missed => {
                    world.is_open = false;
                    world.published += u32::from(matches!(happening, Happening::Missed));
                    world.driven.machine.step(Input::Failed(lost()), world.driven.now);
                }
                Happening::Expired => world.complete_from = world.published,
                Happening::Restarted => {
                    world.is_open = false;
                    let bookmark = world.driven.machine.bookmark().cloned();
                    world.driven = match bookmark {
                        Some(bookmark) => Driven::since(bookmark),
                        None => {
                            world.first = None;
                            Driven::new(true)
                        }
                    };
                }
            }
            world.take(taken)?;
        }
        // At the end, the stream gets all that it is owed.
        if !world.is_open {
            world.connect();
        }
        while let Some(frame) = world.frames.pop_front() {
            world.receive(frame);
        }
        world.take(usize::MAX)?;
        let known: BTreeSet<u32> = world.handed_out.union(&world.written_off).copied().collect();
        let owed: BTreeSet<u32> = (world.first.unwrap_or_default() + 1..=world.published).collect();
        prop_assert!(owed.is_subset(&known), "missed {:?}", owed.difference(&known).collect::<Vec<_>>());
    }
}
