//! The steps of a scenario, one after the other.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use entity_stream_client::Since;
use entity_stream_conformance::ConformanceServer;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::arguments::{builder, subscription};
use crate::program::{Order, Program};
use crate::record::{Record, code};

/// The longest wait of a step.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Plays a scenario. The error names the step that has not come true.
pub(crate) async fn play(scenario: &Value) -> Result<(), String> {
    let server = ConformanceServer::start().await.unwrap();
    let builder = builder(&server.url(), scenario["options"].as_object().unwrap());
    let steps = scenario["steps"].as_array().unwrap();
    let (orders, receiver) = mpsc::unbounded_channel();
    let (sender, record) = watch::channel(Record::default());
    let program = tokio::spawn(Program::new(builder.build().unwrap(), receiver, sender.clone()).run());
    let mut runner = Runner { server, orders, record, sender, marks: HashMap::new() };
    for (index, step) in steps.iter().enumerate() {
        let result = runner.step(step).await;
        result.map_err(|error| format!("step {}, {step}: {error}; {:?}", index + 1, runner.record.borrow()))?;
        // Calls in a row are made at one moment.
        if steps.get(index + 1).is_none_or(|next| next.get("subscribe").is_none() && next.get("entities").is_none()) {
            runner.order(Order::Go);
        }
    }
    drop(runner.orders);
    program.await.map_err(|error| error.to_string())
}

struct Runner {
    server: ConformanceServer,
    orders: mpsc::UnboundedSender<Order>,
    record: watch::Receiver<Record>,
    sender: watch::Sender<Record>,
    marks: HashMap<String, SystemTime>,
}

impl Runner {
    fn order(&self, order: Order) {
        // Without a program, the next step that waits fails.
        let _ = self.orders.send(order);
    }

    async fn step(&mut self, step: &Value) -> Result<(), String> {
        let text = |name: &str| step[name].as_str().map(str::to_owned);
        let times = usize::try_from(step["times"].as_u64().unwrap_or(1)).unwrap();
        let (kind, value) =
            CLIENT_STEPS.iter().find_map(|kind| Some((*kind, step.get(kind)?))).unwrap_or(("server", &Value::Null));
        match kind {
            "subscribe" | "entities" => {
                let call = text("as").unwrap();
                match subscription(&call, value) {
                    Ok(subscription) if kind == "entities" => self.order(Order::Collect { call, subscription }),
                    Ok(subscription) => {
                        let has_snapshot = step["snapshot"] == true;
                        let since =
                            step.get("since").map(|since| serde_json::from_value::<Since>(since.clone()).unwrap());
                        let after = text("afterRejectionOf");
                        self.order(Order::Subscribe { call, subscription, has_snapshot, since, after });
                    }
                    Err(error) => {
                        let code = code(&error, false, true);
                        self.sender.send_modify(|record| _ = record.calls.insert(call, Some(Err(code))));
                    }
                }
                Ok(())
            }
            "update" => {
                let (call, of) = (text("as").unwrap(), value.as_str().unwrap().to_owned());
                let subscription = subscription(&format!("{of}.{call}"), &step["to"]).map_err(|e| e.to_string())?;
                self.order(Order::Update { call, of, subscription });
                Ok(())
            }
            "closeSubscription" => {
                self.order(Order::EndSubscription(value.as_str().unwrap().to_owned()));
                Ok(())
            }
            "close" => {
                self.order(Order::Close);
                Ok(())
            }
            "wake" => {
                self.order(Order::Wake);
                Ok(())
            }
            "mark" => {
                #[expect(clippy::disallowed_methods, reason = "the client tells times of day")]
                self.marks.insert(value.as_str().unwrap().to_owned(), SystemTime::now());
                Ok(())
            }
            "untilDone" => self.until(|record| record.calls.get(value.as_str().unwrap()) == Some(&Some(Ok(())))).await,
            "untilRejected" => {
                let expected = Some(Err(text("code").unwrap()));
                self.until(|record| record.calls.get(value.as_str().unwrap()) == Some(&expected)).await
            }
            "untilFailed" => {
                let expected = text("code");
                self.until(|record| record.failures.get(value.as_str().unwrap()) == expected.as_ref()).await
            }
            "untilEvents" => {
                let mut expected: Vec<String> =
                    value.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
                expected.sort_unstable();
                let of = text("of");
                self.until(|record| record.ids(of.as_deref()) == expected).await
            }
            "untilVerdict" => {
                self.until(|record| record.verdicts.len() >= times && record.verdicts.last() == Some(value)).await
            }
            "untilEntities" => {
                let of = text("of").unwrap();
                self.until(|record| record.collections.get(&of).is_some_and(|it| json!(it.entities) == *value)).await
            }
            "changes" => {
                let record = self.record.borrow();
                let found = json!(record.collections[&text("of").unwrap()].changes);
                if found == *value { Ok(()) } else { Err(format!("found {found}")) }
            }
            "untilState" => {
                let state = value.as_str().unwrap();
                self.until(|record| record.states.iter().filter(|each| **each == state).count() >= times).await
            }
            "missedSinceAtMost" => {
                let mark = self.marks[value.as_str().unwrap()];
                self.until(|record| record.missed_since.is_some_and(|since| since <= mark)).await
            }
            "untilClosed" => self.until(|record| record.is_closed).await,
            "untilError" => self.until(|record| record.errors.iter().any(|error| error == value)).await,
            "noError" => {
                let has_error = self.record.borrow().errors.iter().any(|error| error == value);
                if has_error { Err("it was reported".to_owned()) } else { Ok(()) }
            }
            _ => self.server.step(step).await.map_err(|error| error.to_string()),
        }
    }

    async fn until(&mut self, is_true: impl FnMut(&Record) -> bool) -> Result<(), String> {
        match timeout(LONGEST_WAIT, self.record.wait_for(is_true)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("the program has ended".to_owned()),
            Err(_) => Err("it has not come true".to_owned()),
        }
    }
}

/// The steps of the client. Every other step is one of the server.
const CLIENT_STEPS: [&str; 19] = [
    "subscribe",
    "entities",
    "update",
    "closeSubscription",
    "close",
    "wake",
    "mark",
    "untilDone",
    "untilRejected",
    "untilFailed",
    "untilEvents",
    "untilVerdict",
    "untilEntities",
    "changes",
    "untilState",
    "missedSinceAtMost",
    "untilClosed",
    "untilError",
    "noError",
];
