//! The server and its steps.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::connection_task::{self, serve_rest};
use crate::event_frames::ScriptedEvent;
use crate::expectation::Expectation;
use crate::scripted_answer::completed;
use crate::scripted_connection::{ConnectionOrder, ScriptedConnection};
use crate::server_state::{ServerState, SharedState};
use crate::server_step::{ServerStep, StepKind};

/// The longest wait of a step.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The reason for which a step failed: the expected and the received message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StepError(String);

/// A WebSocket server on a free port of this machine that does what a scenario says. It ends with its last reference.
#[derive(Debug)]
pub struct ConformanceServer {
    address: SocketAddr,
    shared: Arc<SharedState>,
    longest_wait: Duration,
    accepting: JoinHandle<()>,
}

impl Drop for ConformanceServer {
    fn drop(&mut self) {
        // The tasks of the connections end with it.
        self.accepting.abort();
    }
}

impl ConformanceServer {
    /// Starts a server, within a Tokio runtime.
    ///
    /// # Errors
    /// The error of the operating system, if there is no free port.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(SharedState::new());
        let accepting = tokio::spawn(accept_all(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, longest_wait: LONGEST_WAIT, accepting })
    }

    /// Sets the longest wait of a step. It is 20 seconds otherwise.
    #[must_use]
    pub fn with_longest_wait(mut self, longest_wait: Duration) -> Self {
        self.longest_wait = longest_wait;
        self
    }

    /// The WebSocket URL.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Does a step of a scenario. Steps are done one after the other.
    ///
    /// ```
    /// use entity_stream_conformance::ConformanceServer;
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ConformanceServer::start().await?;
    /// server.step(&json!({ "refuse": 503 })).await?;
    /// server.step(&json!({ "connections": 0 })).await?;
    /// assert!(server.step(&json!({ "connections": 1 })).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StepError`] if the step is not one of the server, or what it expects has not come.
    pub async fn step(&self, step: &Value) -> Result<(), StepError> {
        let ServerStep { on, kind } = ServerStep::parse(step).map_err(StepError)?;
        match kind {
            StepKind::Accept { number, query } => self.accept(number, &query).await,
            StepKind::Read { expectation, within } => self.read(on, &expectation, within).await,
            StepKind::Answer(answer) => self.answer(on, &answer).await,
            StepKind::Events { events, in_frame } => self.send_events(on, &events, in_frame).await,
            StepKind::Raw(text) => self.order(on, ConnectionOrder::Send(text)).await,
            StepKind::Oversized(bytes) => self.send_events(on, &[ScriptedEvent::of_size(bytes)], false).await,
            StepKind::End { code, reason } => self.order(on, ConnectionOrder::Close { code, reason }).await,
            StepKind::Drop => self.order(on, ConnectionOrder::Drop).await,
            StepKind::Silent => self.order(on, ConnectionOrder::Silence).await,
            StepKind::AnswerNextSync(answer) => {
                self.with(on, |connection| connection.next_syncs.push_back(answer)).map(|_| ())
            }
            StepKind::UntilSigns(number) => {
                let index = self.with(on, |_| ())?;
                let has_come = |state: &ServerState| state.connections.get(index).is_some_and(|it| it.signs >= number);
                self.until(&format!("{number} answered ping or sync messages"), |state| has_come(state).then_some(()))
                    .await
            }
            StepKind::UntilEnded(number) => {
                let has_ended = |state: &ServerState| {
                    number.checked_sub(1).and_then(|index| state.connections.get(index)).is_some_and(|it| it.has_ended)
                };
                self.until(&format!("the end of connection {number}"), |state| has_ended(state).then_some(())).await
            }
            StepKind::NextHandshake(plan) => {
                self.shared.change(|state| state.plans.push_back(plan));
                Ok(())
            }
            StepKind::ServeRest => self.serve_rest().await,
            StepKind::Connections(expected) => self.count("connections", expected, |state| state.connections.len()),
            StepKind::Attempts(expected) => self.count("handshakes", expected, |state| state.attempts),
            StepKind::Tokens(expected) => self.count("different tokens", expected, |state| state.tokens.len()),
        }
    }

    /// The same for one line of text, and its answer as a line without its end: `{"ok":true}` or `{"error":"…"}`.
    pub async fn step_line(&self, line: &str) -> String {
        let result = match serde_json::from_str(line) {
            Ok(step) => self.step(&step).await,
            Err(error) => Err(StepError(format!("not JSON: {error}"))),
        };
        let answer = match result {
            Ok(()) => json!({ "ok": true }),
            Err(StepError(error)) => json!({ "error": error }),
        };
        answer.to_string()
    }

    async fn accept(&self, number: usize, query: &Map<String, Value>) -> Result<(), StepError> {
        self.until(&format!("connection {number}"), |state| (state.connections.len() >= number).then_some(())).await?;
        let state = self.shared.lock();
        let Some(connection) = number.checked_sub(1).and_then(|index| state.connections.get(index)) else {
            return Err(StepError("connections are numbered from 1".to_owned()));
        };
        for (name, expected) in query {
            let found = connection.parameter(name);
            // `null` stands for a parameter that is not there.
            if found != expected.as_str() {
                return Err(StepError(format!("expected the parameter {name}={expected}; found {found:?}")));
            }
        }
        Ok(())
    }

    async fn read(
        &self,
        on: Option<usize>,
        expectation: &Expectation,
        within: Option<Duration>,
    ) -> Result<(), StepError> {
        let index = self.with(on, |_| ())?;
        let what = format!("on connection {} the message {}", index + 1, expectation.describe());
        self.until(&what, |state| {
            let connection = state.connections.get_mut(index)?;
            let Some(message) = connection.unread.pop_front() else {
                let ended = || Err(StepError(format!("expected {what}; the client ended the connection")));
                return connection.has_ended.then(ended);
            };
            let begin = message.token_came.unwrap_or(connection.last_read);
            (connection.last, connection.last_read) = (message.fields, message.arrived);
            if !expectation.matches(&connection.last) {
                let found = Value::Object(connection.last.clone());
                return Some(Err(StepError(format!("expected {what}; found {found}"))));
            }
            let waited = message.arrived - begin;
            let late = within.filter(|within| waited > *within);
            Some(late.map_or(Ok(()), |_| Err(StepError(format!("expected {what}; it came after {waited:?}")))))
        })
        .await?
    }

    async fn answer(&self, on: Option<usize>, answer: &Map<String, Value>) -> Result<(), StepError> {
        let mut whole = Map::new();
        let index = self.with(on, |connection| {
            whole = completed(answer, &connection.last);
            let message = connection.last.clone();
            connection.answered(&whole, &message);
        })?;
        self.send(index, Value::Object(whole)).await
    }

    async fn send_events(&self, on: Option<usize>, events: &[ScriptedEvent], in_frame: bool) -> Result<(), StepError> {
        let mut messages = Vec::new();
        let index = self.with(on, |connection| {
            let address = connection.address();
            messages = events.iter().map(|event| event.message(&address)).collect();
        })?;
        if in_frame {
            return self.send(index, json!({ "type": "events", "events": messages })).await;
        }
        for message in messages {
            self.send(index, message).await?;
        }
        Ok(())
    }

    async fn send(&self, index: usize, frame: Value) -> Result<(), StepError> {
        self.shared.change(|state| state.see_frame(&frame));
        self.order(Some(index + 1), ConnectionOrder::Send(frame.to_string())).await
    }

    async fn serve_rest(&self) -> Result<(), StepError> {
        let answers = self.shared.change(|state| {
            state.serves_rest = true;
            let mut answers = Vec::new();
            for index in 0..state.connections.len() {
                let unread = state.connections.get_mut(index).map(|it| std::mem::take(&mut it.unread));
                for message in unread.into_iter().flatten() {
                    answers.extend(serve_rest(state, index, &message.fields).map(|answer| (index, answer)));
                }
            }
            answers
        });
        for (index, answer) in answers {
            self.send(index, Value::Object(answer)).await?;
        }
        Ok(())
    }

    /// Hands an order to the task of a connection, and waits until it is carried out.
    async fn order(&self, on: Option<usize>, order: ConnectionOrder) -> Result<(), StepError> {
        let (result, done) = oneshot::channel();
        let mut is_placed = false;
        let index = self.with(on, |connection| is_placed = connection.orders.send((order, result)).is_ok())?;
        let is_done = is_placed && matches!(timeout(self.longest_wait, done).await, Ok(Ok(true)));
        let ended = || StepError(format!("connection {} has ended, or takes nothing", index + 1));
        if is_done { Ok(()) } else { Err(ended()) }
    }

    /// Changes a connection. Returns its index.
    fn with(&self, on: Option<usize>, change: impl FnOnce(&mut ScriptedConnection)) -> Result<usize, StepError> {
        self.shared.change(|state| {
            let index = on.unwrap_or(state.connections.len()).checked_sub(1);
            let connection = index.and_then(|index| Some((index, state.connections.get_mut(index)?)));
            let (index, connection) = connection.ok_or_else(|| StepError("there is no such connection".to_owned()))?;
            change(connection);
            Ok(index)
        })
    }

    fn count(&self, what: &str, expected: usize, count: impl Fn(&ServerState) -> usize) -> Result<(), StepError> {
        let found = count(&self.shared.lock());
        let wrong = || StepError(format!("expected {expected} {what}; found {found}"));
        if found == expected { Ok(()) } else { Err(wrong()) }
    }

    async fn until<T>(&self, what: &str, look: impl FnMut(&mut ServerState) -> Option<T>) -> Result<T, StepError> {
        timeout(self.longest_wait, self.shared.until(look)).await.map_err(|_| {
            let state = self.shared.lock();
            let (attempts, connections) = (state.attempts, state.connections.len());
            StepError(format!("expected {what}; it has not come; {attempts} handshakes, {connections} connections"))
        })
    }
}

/// Serves every TCP connection. Its tasks end with it.
async fn accept_all(listener: TcpListener, shared: Arc<SharedState>) {
    let mut tasks = JoinSet::new();
    // An error means that the client has gone before it was accepted, or that there are no file handles left; the step that
    // waits for the connection tells.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tasks.spawn(connection_task::serve(stream, Arc::clone(&shared)));
        }
        while tasks.try_join_next().is_some() {}
    }
}
