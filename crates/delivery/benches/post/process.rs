//! A child process that answers line by line, and its CPU time.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A child process. It is killed when the value is dropped.
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

    /// Returns the next line of output.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        self.pipes.borrow_mut().1.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "a process of the benchmark has ended");
        line.trim().to_owned()
    }

    /// Sends a line and waits for the answer `done`.
    pub(crate) fn ask(&self, line: &str) {
        writeln!(self.pipes.borrow_mut().0, "{line}").unwrap();
        assert_eq!(self.line(), "done");
    }

    /// Returns the CPU time of all threads: the sum of the first fields of their `schedstat`.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.expect("Linux lists the threads of a process");
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
