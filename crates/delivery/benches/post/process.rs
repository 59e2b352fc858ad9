//! A process that is asked for something line by line, and how much CPU time it has taken.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Ends with this value.
pub(crate) struct Process {
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, pipes: RefCell::new(pipes) }
    }

    /// The next line that it writes.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        self.pipes.borrow_mut().1.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "a process of the benchmark has ended");
        line.trim().to_owned()
    }

    /// Gives it a line and waits for one.
    pub(crate) fn ask(&self, line: &str) {
        writeln!(self.pipes.borrow_mut().0, "{line}").unwrap();
        assert_eq!(self.line(), "done");
    }

    /// The time that its threads have spent on a CPU: the first field of each `schedstat`.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.expect("Linux keeps the time of each thread");
        let spent = |stat: String| stat.split_whitespace().next().and_then(|field| field.parse::<u64>().ok());
        let times = tasks.filter_map(|task| spent(std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?));
        Duration::from_nanos(times.sum())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
