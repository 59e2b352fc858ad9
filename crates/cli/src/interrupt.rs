use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;

use crate::progress;

/// The exit code of a program that was interrupted: 128 + SIGINT.
const FORCED_EXIT: i32 = 130;
/// The time that the terminal has to take the last text.
const CLEARING: Duration = Duration::from_millis(200);

/// Ctrl-C or SIGTERM. The first signal asks the command to end. The second ends the process, even if it is stuck.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Takes over both signals. Call it once, within a runtime.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let mut signals = Signals::install().context("cannot listen for Ctrl-C")?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            signals.next().await;
            let _ = sender.send(true);
            signals.next().await;
            clear_screen();
            std::process::exit(FORCED_EXIT);
        });
        Ok(Self(receiver))
    }

    /// Waits for the first signal, and returns at once if it has come already. It is cancel safe.
    pub(crate) async fn received(&mut self) {
        if self.0.wait_for(|received| *received).await.is_err() {
            // Without the sender, no signal can come. It lives as long as the process waits for signals.
            std::future::pending::<()>().await;
        }
    }
}

/// Removes a progress bar, unless the terminal takes no text at the moment.
fn clear_screen() {
    let (done, cleared) = mpsc::channel();
    std::thread::spawn(move || {
        progress::clear_screen();
        let _ = done.send(());
    });
    let _ = cleared.recv_timeout(CLEARING);
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    // The same signature as on Unix.
    fn install() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
