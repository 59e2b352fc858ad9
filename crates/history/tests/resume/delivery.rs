//! The delivery of one event to one connection, or to one member of a group.

use std::rc::Rc;
use std::time::Duration;

use crate::attempt::{Attempt, Crash};
use crate::gateway::{Posted, delete, post};
use crate::message::Message;
use crate::mutation::Mutation;
use crate::world::World;

/// An event and the connections of which one receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipient {
    pub(crate) event: usize,
    pub(crate) members: Vec<usize>,
}

/// The time-out of a POST.
const POST: Duration = Duration::from_secs(3);
/// The time-out of a DELETE.
const DELETE: Duration = Duration::from_secs(5);
/// A connection that takes nothing for this long is closed.
const STUCK: Duration = Duration::from_secs(10);

pub(crate) async fn deliver(attempt: &Rc<Attempt>, recipient: &Recipient) -> Result<(), Crash> {
    let world = &attempt.world;
    match recipient.members.as_slice() {
        [only] => deliver_to(attempt, recipient.event, *only).await,
        members => {
            for member in members {
                attempt.permit(POST).await;
                attempt.step()?;
                let message = Message::Event { event: recipient.event, place: attempt.place(recipient.event) };
                if post(world, *member, message, millis(POST)).await == Posted::Accepted {
                    break;
                }
            }
            Ok(())
        }
    }
}

async fn deliver_to(attempt: &Rc<Attempt>, event: usize, connection: usize) -> Result<(), Crash> {
    let world = &attempt.world;
    let begin = world.now();
    while world.now().since(begin) < STUCK {
        attempt.permit(POST).await;
        attempt.step()?;
        let message = Message::Event { event, place: attempt.place(event) };
        let posted = post(world, connection, message, millis(POST)).await;
        world.note(|| format!("event {event} to connection {connection}: {posted:?}"));
        attempt.step()?;
        match posted {
            Posted::Accepted => return Ok(()),
            Posted::Gone => {
                world.interests.forget(connection);
                return Ok(());
            }
            Posted::Failed => world.schedule.sleep(world.chance.small() * 5).await,
        }
    }
    close(attempt, connection).await
}

/// Closes a connection that takes nothing. Its client comes back and resumes.
async fn close(attempt: &Rc<Attempt>, connection: usize) -> Result<(), Crash> {
    let world = &attempt.world;
    if world.is(Mutation::DeleteNotAwaited) {
        let world = Rc::clone(world);
        world.clone().schedule.spawn(async move {
            let is_closed = delete(&world, connection, millis(DELETE)).await;
            world.note(|| format!("connection {connection} is stuck: closed {is_closed}, and no attempt waits for it"));
            forget(&world, connection);
        });
        return Ok(());
    }
    attempt.permit(DELETE).await;
    attempt.step()?;
    let is_closed = delete(world, connection, millis(DELETE)).await;
    world.note(|| format!("connection {connection} is stuck: closed {is_closed}"));
    attempt.step()?;
    if is_closed {
        forget(world, connection);
    } else {
        attempt.has_failed.set(true);
    }
    Ok(())
}

/// Deletes a registration, which may fail: a later POST to the connection is answered 410.
fn forget(world: &World, connection: usize) {
    if !world.chance.trouble(50) {
        world.interests.forget(connection);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}
