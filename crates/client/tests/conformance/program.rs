//! A program that drives one stream, and records what it sees.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity_stream_client::{
    Client, EntitiesItem, Entity, EntityCollection, EntityStream, Since, StreamItem, StreamState, Subscription,
    SubscriptionName, SubscriptionRequest,
};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::record::{Record, code};

/// An order of the scenario.
#[derive(Debug)]
pub(crate) enum Order {
    /// `after` is the call whose rejection it waits for.
    Subscribe {
        call: String,
        subscription: Subscription,
        has_snapshot: bool,
        since: Option<Since>,
        after: Option<String>,
    },
    Collect {
        call: String,
        subscription: Subscription,
    },
    Update {
        call: String,
        of: String,
        subscription: Subscription,
    },
    EndSubscription(String),
    Wake,
    Close,
    /// Lets the stream work. Orders before it are one message.
    Go,
}

/// A call that the server has not answered.
#[derive(Debug)]
struct OpenCall {
    name: String,
    wire_name: SubscriptionName,
    /// The number of attempts to connect that had ended, if the stream waited for the next one.
    waits_since: Option<usize>,
    made_in: usize,
}

pub(crate) struct Program {
    client: Client,
    stream: Option<EntityStream>,
    orders: mpsc::UnboundedReceiver<Order>,
    record: watch::Sender<Record>,
    calls: Vec<OpenCall>,
    collections: HashMap<String, EntityCollection>,
    /// The subscriptions that began with a snapshot.
    with_snapshot: HashSet<String>,
    /// The number of attempts to connect, and connections, that have ended.
    ended: usize,
    goes: bool,
    /// Orders that wait for the rejection of a call.
    later: Vec<Order>,
}

impl Program {
    pub(crate) fn new(client: Client, orders: mpsc::UnboundedReceiver<Order>, record: watch::Sender<Record>) -> Self {
        Self {
            client,
            stream: None,
            orders,
            record,
            calls: Vec::new(),
            collections: HashMap::new(),
            with_snapshot: HashSet::new(),
            ended: 0,
            goes: false,
            later: Vec::new(),
        }
    }

    /// Works until the scenario is over, or the program has closed its client.
    pub(crate) async fn run(mut self) {
        loop {
            let stream = self.stream.as_mut().filter(|_| self.goes);
            let item = async {
                match stream {
                    Some(stream) => stream.try_next().await,
                    None => std::future::pending().await,
                }
            };
            // Orders come first: those of one moment are one message.
            let (order, item) = tokio::select! {
                biased;
                order = self.orders.recv() => (Some(order), None),
                item = item => (None, Some(item)),
            };
            match (order, item) {
                (Some(None), _) => return,
                (Some(Some(order)), _) => self.obey(order),
                (None, Some(Ok(Some(item)))) => self.take(&item),
                (None, Some(Err(error))) => {
                    let was_subscribed = self.record.borrow().states.contains(&"connected");
                    let reason = code(&error, was_subscribed, false);
                    let fault = code(&error, was_subscribed, true);
                    self.stream = None;
                    for call in std::mem::take(&mut self.calls) {
                        self.note(|record| record.settle(&call.name, Err(fault.clone())));
                    }
                    self.note(|record| {
                        record.fail(|_| true, &reason);
                        record.errors.push(reason);
                        record.states.push("failed");
                    });
                }
                (None, Some(Ok(None)) | None) => {
                    if let Some(stream) = self.stream.take() {
                        stream.close().await;
                    }
                    self.note(|record| {
                        record.is_closed = true;
                        record.states.push("closed");
                    });
                }
            }
        }
    }

    fn note(&self, change: impl FnOnce(&mut Record)) {
        self.record.send_modify(change);
    }

    fn call(&mut self, name: String, wire_name: SubscriptionName) {
        let state = self.stream.as_ref().map(EntityStream::state);
        let waits_since = matches!(state, Some(StreamState::Waiting { .. })).then_some(self.ended);
        self.note(|record| {
            record.calls.insert(name.clone(), None);
            record.names.entry(name.clone()).or_default().push(wire_name.to_string());
        });
        self.calls.push(OpenCall { name, wire_name, waits_since, made_in: self.ended });
    }

    fn obey(&mut self, order: Order) {
        let client = &self.client;
        let stream = self.stream.get_or_insert_with(|| client.connect());
        match order {
            Order::Subscribe { after: Some(_), .. } => self.later.push(order),
            Order::Subscribe { call, subscription, has_snapshot, since, after: None } => {
                let name = subscription.name.clone();
                if has_snapshot {
                    self.with_snapshot.insert(call.clone());
                }
                let asked = match (has_snapshot, since) {
                    (true, None) => stream.subscribe_with_snapshot([subscription]),
                    (false, None) => stream.subscribe([subscription]),
                    (true, Some(since)) => stream.subscribe_since_with_snapshot([subscription], since),
                    (false, Some(since)) => stream.subscribe_since([subscription], since),
                };
                match asked {
                    Ok(()) => self.call(call, name),
                    Err(error) => {
                        let code = code(&error.into(), true, true);
                        self.note(|record| _ = record.calls.insert(call, Some(Err(code))));
                    }
                }
            }
            Order::Collect { call, subscription } => {
                let collection = EntityCollection::new(subscription);
                let subscription = collection.subscription().clone();
                let name = subscription.name.clone();
                stream.subscribe_with_snapshot([subscription]).unwrap();
                self.collections.insert(call.clone(), collection);
                self.note(|record| _ = record.collections.insert(call.clone(), Default::default()));
                self.call(call, name);
            }
            Order::Update { call, of, subscription } => {
                let old = self.record.borrow().names[&of].last().unwrap().parse().unwrap();
                let name = subscription.name.clone();
                let replaced = match self.with_snapshot.contains(&of) {
                    true => stream.replace_with_snapshot(old, subscription),
                    false => stream.replace(old, subscription),
                };
                replaced.unwrap();
                self.note(|record| record.names.entry(of).or_default().push(name.to_string()));
                self.call(call, name);
            }
            Order::EndSubscription(of) => {
                let name: SubscriptionName = self.record.borrow().names[&of].last().unwrap().parse().unwrap();
                stream.unsubscribe(name).unwrap();
            }
            Order::Wake => stream.wake(),
            Order::Close => stream.leave(),
            Order::Go => self.goes = true,
        }
    }

    fn settle(&mut self, is_settled: impl Fn(&OpenCall) -> bool, result: &Result<(), String>) {
        for call in self.calls.extract_if(.., |call| is_settled(call)).collect::<Vec<_>>() {
            self.note(|record| record.settle(&call.name, result.clone()));
            if result.is_err() {
                let waits = |order: &mut Order| matches!(order, Order::Subscribe { after: Some(after), .. } if *after == call.name);
                for order in self.later.extract_if(.., waits).collect::<Vec<_>>() {
                    if let Order::Subscribe { call, subscription, has_snapshot, since, .. } = order {
                        self.obey(Order::Subscribe { call, subscription, has_snapshot, since, after: None });
                    }
                }
            }
        }
    }

    fn take(&mut self, item: &StreamItem) {
        for (name, collection) in &mut self.collections {
            let changes = collection.take(item);
            self.record.send_modify(|record| {
                let recorded = record.collections.entry(name.clone()).or_default();
                recorded.changes.extend(changes.iter().filter_map(change));
                let data = |entity: &Arc<Entity>| serde_json::from_str(entity.data().get()).unwrap();
                recorded.entities = collection.iter().map(|entity| (entity.id().to_owned(), data(entity))).collect();
            });
        }
        match item {
            StreamItem::Subscribed { .. } => {
                self.note(|record| record.states.push("connected"));
                let ended = self.ended;
                let is_open = |call: &OpenCall| call.made_in < ended || call.waits_since == Some(ended);
                self.settle(is_open, &Ok(()));
            }
            StreamItem::Idle => self.note(|record| record.states.push("idle")),
            StreamItem::Event(event) => {
                let names = event.subscriptions().iter().map(ToString::to_string).collect();
                self.note(|record| record.events.push((event.message().id.to_string(), names)));
            }
            StreamItem::Recovered { replayed } => {
                self.note(|record| record.verdicts.push(json!({ "recovered": replayed })));
            }
            StreamItem::NotRecovered { reason, missed_since } => self.note(|record| {
                record.verdicts.push(json!({ "notRecovered": reason }));
                record.missed_since = *missed_since;
            }),
            StreamItem::Accepted(request) => {
                let names = wire_names(request);
                self.settle(|call| names.contains(&call.wire_name), &Ok(()));
            }
            StreamItem::Refused { request, error } => {
                let names = wire_names(request);
                self.settle(|call| names.contains(&call.wire_name), &Err(code(error, true, true)));
                if matches!(self.stream.as_ref().map(EntityStream::state), Some(StreamState::Waiting { .. })) {
                    self.ended += 1;
                }
            }
            StreamItem::SubscriptionEnded { subscription, error } => {
                self.ended += 1;
                let (name, code) = (subscription.name.to_string(), code(error, true, true));
                self.note(|record| record.fail(|names| names.contains(&name), &code));
            }
            StreamItem::Disconnected { error, was_subscribed, .. } => {
                self.ended += 1;
                self.note(|record| {
                    record.errors.push(code(error, *was_subscribed, false));
                    record.states.push("waiting");
                });
            }
            StreamItem::Notice(text) if text.contains("not a message of the contract") => {
                self.note(|record| record.errors.push("unreadable".to_owned()));
            }
            StreamItem::TokenNotRenewed { error } => self.note(|record| record.errors.push(code(error, true, false))),
            _ => {}
        }
    }
}

fn wire_names(request: &SubscriptionRequest) -> Vec<SubscriptionName> {
    match request {
        SubscriptionRequest::Subscribe(added)
        | SubscriptionRequest::SubscribeWithSnapshot(added)
        | SubscriptionRequest::SubscribeSince { added, .. } => {
            added.iter().map(|subscription| subscription.name.clone()).collect()
        }
        SubscriptionRequest::Replace { new, .. } => vec![new.name.clone()],
        SubscriptionRequest::Unsubscribe(_) => Vec::new(),
    }
}

fn change(item: &EntitiesItem) -> Option<(&'static str, String)> {
    match item {
        EntitiesItem::Added(entity) => Some(("added", entity.id().to_owned())),
        EntitiesItem::Updated { after, .. } => Some(("updated", after.id().to_owned())),
        EntitiesItem::Removed(entity) => Some(("removed", entity.id().to_owned())),
        _ => None,
    }
}
