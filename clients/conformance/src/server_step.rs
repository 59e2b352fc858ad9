//! A step of a scenario for the server, parsed.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::event_frames::ScriptedEvent;
use crate::expectation::Expectation;
use crate::handshake_plan::HandshakePlan;

/// A step, and the number of its connection; `None` for the newest.
#[derive(Debug)]
pub(crate) struct ServerStep {
    pub(crate) on: Option<usize>,
    pub(crate) kind: StepKind,
}

/// The kinds of steps.
#[derive(Debug)]
pub(crate) enum StepKind {
    Accept { number: usize, query: Map<String, Value> },
    Read { expectation: Expectation, within: Option<Duration> },
    Answer(Map<String, Value>),
    Events { events: Vec<ScriptedEvent>, in_frame: bool },
    Raw(String),
    Oversized(usize),
    End { code: u16, reason: String },
    Drop,
    Silent,
    AnswerNextSync(Map<String, Value>),
    UntilSigns(usize),
    UntilEnded(usize),
    NextHandshake(HandshakePlan),
    ServeRest,
    Connections(usize),
    Attempts(usize),
    Tokens(usize),
}

/// The members of a step as its JSON has them. Each step has exactly one of those that name a kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct StepFields {
    on: Option<usize>,
    accept: Option<usize>,
    query: Option<Map<String, Value>>,
    read: Option<Map<String, Value>>,
    read_within: Option<Map<String, Value>>,
    absent: Option<Vec<String>>,
    seconds: Option<f64>,
    answer: Option<Map<String, Value>>,
    frame: Option<Vec<ScriptedEvent>>,
    raw: Option<String>,
    oversized: Option<usize>,
    end: Option<u16>,
    reason: Option<String>,
    drop: Option<bool>,
    silent: Option<bool>,
    answer_next_sync: Option<Map<String, Value>>,
    until_signs: Option<usize>,
    until_ended: Option<usize>,
    refuse: Option<u16>,
    refuse_after_handshake: Option<u16>,
    stall: Option<bool>,
    serve_rest: Option<bool>,
    connections: Option<usize>,
    attempts: Option<usize>,
    tokens: Option<usize>,
}

impl ServerStep {
    /// Reads a step. The error names the fault.
    pub(crate) fn parse(step: &Value) -> Result<Self, String> {
        if step.get("event").is_some() {
            let mut event = step.clone();
            let on = event.as_object_mut().and_then(|members| members.remove("on"));
            let on = on.map(serde_json::from_value).transpose().map_err(|error| format!("on: {error}"))?;
            let event = serde_json::from_value(event).map_err(|error| format!("not an event: {error}"))?;
            return Ok(Self { on, kind: StepKind::Events { events: vec![event], in_frame: false } });
        }
        let fields: StepFields =
            serde_json::from_value(step.clone()).map_err(|error| format!("not a step: {error}"))?;
        let on = fields.on;
        let mut kinds = fields.kinds()?;
        match (kinds.pop(), kinds.is_empty()) {
            (Some(kind), true) => Ok(Self { on, kind }),
            _ => Err("a step has exactly one kind, for example `accept` or `read`".to_owned()),
        }
    }
}

impl StepFields {
    fn kinds(self) -> Result<Vec<StepKind>, String> {
        let is_true = |flag: Option<bool>| flag.filter(|is_set| *is_set);
        let absent = self.absent.unwrap_or_default();
        let expectation = |fields| Expectation::new(fields, absent.clone());
        let within = match self.seconds.map(Duration::try_from_secs_f64).transpose() {
            Ok(within) => within,
            Err(error) => return Err(format!("seconds: {error}")),
        };
        let query = self.query.unwrap_or_default();
        let reason = self.reason.unwrap_or_default();
        let kinds = [
            self.accept.map(|number| StepKind::Accept { number, query }),
            self.read.map(|fields| StepKind::Read { expectation: expectation(fields), within: None }),
            self.read_within.map(|fields| StepKind::Read { expectation: expectation(fields), within }),
            self.answer.map(StepKind::Answer),
            self.frame.map(|events| StepKind::Events { events, in_frame: true }),
            self.raw.map(StepKind::Raw),
            self.oversized.map(StepKind::Oversized),
            self.end.map(|code| StepKind::End { code, reason }),
            is_true(self.drop).map(|_| StepKind::Drop),
            is_true(self.silent).map(|_| StepKind::Silent),
            self.answer_next_sync.map(StepKind::AnswerNextSync),
            self.until_signs.map(StepKind::UntilSigns),
            self.until_ended.map(StepKind::UntilEnded),
            self.refuse.map(|status| StepKind::NextHandshake(HandshakePlan::Refuse(status))),
            self.refuse_after_handshake.map(|code| StepKind::NextHandshake(HandshakePlan::CloseWith(code))),
            is_true(self.stall).map(|_| StepKind::NextHandshake(HandshakePlan::Stall)),
            is_true(self.serve_rest).map(|_| StepKind::ServeRest),
            self.connections.map(StepKind::Connections),
            self.attempts.map(StepKind::Attempts),
            self.tokens.map(StepKind::Tokens),
        ];
        Ok(kinds.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_has_one_kind_and_no_unknown_member() {
        assert!(ServerStep::parse(&json!({ "accept": 1, "query": { "subscribe": "none" } })).is_ok());
        assert!(ServerStep::parse(&json!({ "event": "e1", "on": 2 })).is_ok());
        for wrong in [
            json!({}),
            json!({ "accept": 1, "read": {} }),
            json!({ "admit": 1 }),
            json!({ "event": "e1", "place": "p" }),
            json!({ "drop": false }),
        ] {
            assert!(ServerStep::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
