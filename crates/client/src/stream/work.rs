//! Drives the connections of a stream as its machine wants.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use entity_stream_protocol::ClientMessage;
use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};

use super::EntityStream;
use crate::link::{Link, LinkNews, Opening};
use crate::machine::Input;
use crate::rotation::ReplacementInput;
use crate::state::StreamState;
use crate::token_source::fresh_token;

impl EntityStream {
    /// Sets the connection aside, if the machine has retired it.
    pub(super) fn retire(&mut self, farewell: Option<&ClientMessage>) {
        let is_new = |number: &u64| self.retired.iter().all(|(other, _)| other != number);
        if let Some(number) = self.machine.last_retired().filter(is_new) {
            self.link.send(farewell);
            self.retired.push((number, std::mem::replace(&mut self.link, Link::None)));
        }
    }

    /// Takes an input, and then brings the connections in line with the state.
    pub(super) fn step(&mut self, input: Input) {
        let sent = self.machine.step(input, Instant::now());
        self.link.send(sent.as_ref());
        self.tidy();
    }

    pub(super) fn tidy(&mut self) {
        self.retire(None);
        match self.machine.state() {
            StreamState::Connecting { .. } if self.link.is_none() => self.link = self.open(),
            StreamState::Idle | StreamState::Waiting { .. } | StreamState::Closed => {
                self.farewells.extend(self.link.end());
            }
            _ => {}
        }
        match self.machine.wants_replacement() {
            true if self.replacement.is_none() => self.replacement = self.open(),
            true => {}
            false => self.farewells.extend(self.replacement.end()),
        }
        for (_, mut link) in self.retired.extract_if(.., |(number, _)| !self.machine.is_departing(*number)) {
            self.farewells.extend(link.end());
        }
        match (self.machine.wants_token(), &self.settings.token_source) {
            (true, Some(source)) if self.fetching.is_none() => {
                let (url, limit) = (self.settings.url.uri().to_string(), self.settings.conduct.timing.connect);
                let held = self.machine.held_token().cloned();
                let memory = Arc::clone(&self.memory);
                self.fetching = Some(fresh_token(source.clone(), memory, (url, held), limit).boxed());
            }
            (true, _) => {}
            (false, _) => self.fetching = None,
        }
    }

    /// An attempt to open a connection.
    fn open(&self) -> Link {
        let refused = self.machine.needs_other_token().then(|| self.memory.last()).flatten();
        let opening = Opening { settings: Arc::clone(&self.settings), memory: Arc::clone(&self.memory), refused };
        Link::opening(opening, self.settings.request(&self.machine.url_subscriptions(Instant::now())))
    }

    /// Takes the news of the connection.
    pub(super) fn news(&mut self, news: LinkNews) {
        let input = match news {
            LinkNews::Opened(token) => {
                self.machine.use_token(token, Instant::now());
                Input::Opened
            }
            LinkNews::Failed(error) => Input::Failed(error),
            LinkNews::Received(text) => Input::Received(text, time_of_day()),
        };
        self.step(input);
    }

    /// Takes the news of the next connection.
    fn replacement_news(&mut self, news: LinkNews) {
        let input = match news {
            LinkNews::Opened(token) => ReplacementInput::Opened(token),
            LinkNews::Failed(error) => ReplacementInput::Failed(error),
            LinkNews::Received(text) => ReplacementInput::Received(text),
        };
        let effects = self.machine.step_replacement(input, Instant::now());
        if effects.replaces {
            self.retire(effects.farewell.as_ref());
            self.link = std::mem::replace(&mut self.replacement, Link::None);
            self.link.send(effects.send.as_ref());
        } else {
            self.replacement.send(effects.send.as_ref());
            self.link.send(effects.resume.as_ref());
        }
        self.tidy();
    }

    /// Takes the news of a former connection.
    fn retired_news(&mut self, place: usize, news: LinkNews) {
        let Some((number, link)) = self.retired.get_mut(place) else { return };
        match news {
            LinkNews::Received(text) => {
                let message = self.machine.receive_retired(*number, &text, Instant::now());
                link.send(message.as_ref());
            }
            LinkNews::Opened(_) => {}
            LinkNews::Failed(error) => self.machine.retired_ended(*number, error, Instant::now()),
        }
    }

    /// Lets everything work until it waits for the network, the token source or the time.
    pub(super) fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Each connection has a turn, so that none keeps the others waiting. The former connections come first, because their
        // events are older.
        let mut has_worked = false;
        for place in 0..self.retired.len() {
            if let Some(Poll::Ready(news)) = self.retired.get_mut(place).map(|(_, link)| link.poll(cx)) {
                self.retired_news(place, news);
                has_worked = true;
            }
        }
        if let Poll::Ready(news) = self.link.poll(cx) {
            self.news(news);
            has_worked = true;
        }
        if let Poll::Ready(news) = self.replacement.poll(cx) {
            self.replacement_news(news);
            has_worked = true;
        }
        if let Some(Poll::Ready(fetched)) = self.fetching.as_mut().map(|fetching| fetching.poll_unpin(cx)) {
            self.fetching = None;
            self.step(Input::Token(fetched));
            has_worked = true;
        }
        if has_worked {
            self.step(Input::Busy);
            return Poll::Ready(());
        }
        // The deadline comes last: an answer that has arrived is in time, even if the caller was slow to poll.
        ready!(self.poll_deadline(cx));
        self.step(Input::Elapsed);
        Poll::Ready(())
    }

    /// Waits for the deadline of the state.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.machine.deadline() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

#[expect(clippy::disallowed_methods, reason = "the time is only for people to read; nothing depends on it")]
fn time_of_day() -> SystemTime {
    SystemTime::now()
}
