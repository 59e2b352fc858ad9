use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::narrow_terminal::NarrowTerminal;
use crate::terminal::{counted, grouped, note};

/// The time after which a command shows its progress.
const PATIENCE: Duration = Duration::from_millis(500);
/// The most drawings in a second.
const DRAWINGS: u8 = 20;
/// The bar on the screen. A process that is interrupted for the second time ends without the command.
static ON_SCREEN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Removes the bar of the command from the screen.
pub(crate) fn clear_screen() {
    let bar = ON_SCREEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// The progress of a command. It is shown on standard error, and only on a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
    published: u64,
    rejected: u64,
}

impl Progress {
    /// Progress through an input of this size in bytes. `None` for an input without a known end.
    pub(crate) fn new(bytes: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        let template = if bytes.is_some() { "{bar:30} {percent:>3}%  {wide_msg}" } else { "{spinner} {wide_msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, started: Instant::now(), shown: false, published: 0, rejected: 0 }
    }

    /// Counts a published event.
    pub(crate) fn published(&mut self) {
        self.published += 1;
    }

    /// Counts a rejected event, and prints `what`, which names the event and the reason.
    pub(crate) fn rejected(&mut self, what: &str) {
        self.rejected += 1;
        self.note(what);
    }

    /// Counts a rejected event, and prints nothing.
    pub(crate) fn rejected_quietly(&mut self) {
        self.rejected += 1;
    }

    /// Prints a line above the bar.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }

    /// Draws the bar. `position` is the number of bytes read.
    pub(crate) fn draw(&mut self, position: u64) {
        if !self.shown && self.started.elapsed() >= PATIENCE {
            self.shown = true;
            if let Some(terminal) = NarrowTerminal::of_stderr() {
                self.bar.set_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(terminal), DRAWINGS));
                *ON_SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.bar.clone());
            }
        }
        self.bar.set_position(position);
        self.bar.set_message(format!("{}, {}", self.summary(), self.rate()));
    }

    /// Removes the bar for good.
    pub(crate) fn clear(&mut self) {
        self.shown = true;
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
        clear_screen();
    }

    /// The number of events published so far.
    pub(crate) fn total_published(&self) -> u64 {
        self.published
    }

    /// The number of events rejected so far.
    pub(crate) fn total_rejected(&self) -> u64 {
        self.rejected
    }

    /// `1,234 events published`, and the number of rejected events if it is not 0.
    pub(crate) fn summary(&self) -> String {
        let published = format!("{} published", counted(self.published, "event"));
        if self.rejected == 0 { published } else { format!("{published}, {} rejected", grouped(self.rejected)) }
    }

    /// The average rate since the beginning, as events per second.
    // A rate is rounded anyway.
    pub(crate) fn rate(&self) -> String {
        let rate = self.published as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        if rate < 100.0 { format!("{rate:.1}/s") } else { format!("{}/s", grouped(rate as u64)) }
    }
}
