//! The clients of random schedules, as the gateway sees them: their connections, and the events that each has received.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::{Asked, Reply};

/// A client, as the gateway sees its connections.
#[derive(Default)]
pub(crate) struct Listener {
    /// The connection that is open.
    pub(crate) connection: Option<String>,
    /// The connection has been told that it missed nothing, or has not asked.
    pub(crate) is_settled: bool,
    pub(crate) place: Option<(String, String)>,
    /// The events that were published when its first subscription was answered.
    pub(crate) known_at_start: Option<usize>,
    pub(crate) received: BTreeSet<String>,
}

/// The clients, and the published events.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) published: Vec<String>,
    pub(crate) faults: Vec<String>,
    /// One in so many deliveries is refused for now.
    pub(crate) refusals: Option<(fastrand::Rng, u32)>,
}

pub(crate) type Worlds = Arc<Mutex<BTreeMap<String, World>>>;

impl World {
    /// The gateway's answer to a message for a connection of this world.
    fn post(&mut self, connection: &str, body: &Value) -> u16 {
        let is_open = |listener: &&mut Listener| listener.connection.as_deref() == Some(connection);
        let published = self.published.len();
        let Some(listener) = self.listeners.iter_mut().find(is_open) else { return 410 };
        if let Some((random, one_in)) = &mut self.refusals
            && random.u32(..*one_in) == 0
        {
            return 429;
        }
        match body["type"].as_str() {
            Some("subscribed") if body["recovered"] == json!(false) => {
                self.faults.push(format!("not recovered: {body}"));
            }
            Some("subscribed") => {
                listener.is_settled = true;
                listener.known_at_start.get_or_insert(published);
                listener.saw(&body["position"], body["session"].as_str());
            }
            Some("events") => body["events"].as_array().unwrap().iter().for_each(|event| listener.receive(event)),
            _ => listener.receive(body),
        }
        200
    }
}

impl Listener {
    fn receive(&mut self, event: &Value) {
        let Some(id) = event["id"].as_str() else { return };
        self.received.insert(id.to_owned());
        if self.is_settled {
            self.saw(&event["position"], None);
        }
    }

    /// Keeps the greatest position.
    fn saw(&mut self, position: &Value, session: Option<&str>) {
        let Some(position) = position.as_str() else { return };
        match &mut self.place {
            Some((greatest, known)) => {
                if position > greatest.as_str() {
                    position.clone_into(greatest);
                }
                if let Some(session) = session {
                    session.clone_into(known);
                }
            }
            None => self.place = session.map(|session| (position.to_owned(), session.to_owned())),
        }
    }
}

/// The gateway: it knows the tenant of a connection from its id.
pub(crate) fn gateway(worlds: &Worlds, asked: &Asked) -> Reply {
    let connection = asked.path.rsplit('/').next().unwrap_or_default();
    let tenant = connection.split_once('-').map_or(connection, |(tenant, _)| tenant);
    let mut worlds = worlds.lock().unwrap();
    let Some(world) = worlds.get_mut(tenant) else { return Reply::status(410) };
    match asked.method.as_str() {
        "POST" => Reply::status(world.post(connection, &serde_json::from_slice(&asked.body).unwrap())),
        _ => {
            let listener = world.listeners.iter_mut().find(|each| each.connection.as_deref() == Some(connection));
            listener.map_or(Reply::status(410), |listener| {
                listener.connection = None;
                Reply::status(204)
            })
        }
    }
}
