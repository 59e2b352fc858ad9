use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use entity_stream_local::{Config, Local, RefusalDelay};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpSocket;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The time limit of steps that take milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration folder without contexts.
const NO_FOLDER: &str = "/nonexistent";

/// A local system on free ports.
pub(crate) async fn system() -> Local {
    system_with(Config::default()).await
}

/// A local system on free ports, with other settings. It refuses clients without delay.
pub(crate) async fn system_with(config: Config) -> Local {
    let free = ([127, 0, 0, 1], 0).into();
    let refusal_delay = RefusalDelay { first: Duration::ZERO, ..RefusalDelay::default() };
    Local::start(Config { listen: free, dynamodb: free, refusal_delay, ..config }).await.unwrap()
}

/// The command, in this environment and no other.
fn command(args: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entity-stream"));
    // The tests ignore the user's contexts.
    command
        .args(args)
        .env_clear()
        .env("XDG_CONFIG_HOME", NO_FOLDER)
        .envs(environment.iter().copied())
        .kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A command that has ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end.
pub(crate) async fn run(args: &[&str]) -> Ended {
    run_with(args, &[], "").await
}

/// Runs a command to its end, with an environment and an input.
pub(crate) async fn run_with(args: &[&str], environment: &[(&str, &str)], input: &str) -> Ended {
    let mut child = command(args, environment).spawn().unwrap();
    // A command that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("the command ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A command that is running.
pub(crate) struct Running {
    child: Child,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
    stderr: Option<Lines<BufReader<ChildStderr>>>,
}

/// Starts a command.
pub(crate) fn start(args: &[&str]) -> Running {
    start_with(args, &[])
}

/// Starts a command with an environment.
pub(crate) fn start_with(args: &[&str], environment: &[(&str, &str)]) -> Running {
    running(command(args, environment))
}

/// Starts a line in a shell, as if a user had pasted it.
pub(crate) fn start_line(line: &str) -> Running {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env_clear().env("XDG_CONFIG_HOME", NO_FOLDER).kill_on_drop(true);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    running(shell)
}

fn running(mut command: Command) -> Running {
    let mut child = command.spawn().unwrap();
    let stdout = Some(BufReader::new(child.stdout.take().unwrap()).lines());
    let stderr = Some(BufReader::new(child.stderr.take().unwrap()).lines());
    Running { child, stdout, stderr }
}

/// Starts `listen`, and waits until its filter is in force.
pub(crate) async fn listen(system: &Local, tenant: &str, more: &[&str]) -> Running {
    let url = system.websocket_url();
    let mut listener = start(&[&["listen", tenant, "--url", &url], more].concat());
    listener.says("listening to").await;
    listener
}

impl Running {
    /// The next line of standard output.
    pub(crate) async fn line(&mut self) -> String {
        let lines = self.stdout.as_mut().expect("standard output is open");
        timeout(PATIENCE, lines.next_line()).await.expect("a line comes").unwrap().expect("there is another line")
    }

    /// The next line of standard output. `None` at its end.
    pub(crate) async fn rest(&mut self) -> Option<String> {
        let lines = self.stdout.as_mut().expect("standard output is open");
        timeout(PATIENCE, lines.next_line()).await.expect("a line comes").unwrap()
    }

    /// Waits for a line on standard output that contains this.
    pub(crate) async fn prints(&mut self, text: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for a line on standard error that contains this.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        let stderr = self.stderr.as_mut().expect("standard error is read line by line");
        loop {
            let line = timeout(PATIENCE, stderr.next_line()).await.unwrap_or_else(|_| panic!("says {text:?}"));
            let line = line.unwrap().unwrap_or_else(|| panic!("ended without saying {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Reads the rest of standard error. A full pipe would stop the command.
    pub(crate) fn collect_stderr(&mut self) -> JoinHandle<String> {
        let mut stderr = self.stderr.take().expect("standard error is read once").into_inner();
        tokio::spawn(async move {
            let mut text = String::new();
            stderr.read_to_string(&mut text).await.unwrap();
            text
        })
    }

    /// Gives the command more input.
    pub(crate) async fn input(&mut self, text: impl AsRef<[u8]>) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_ref()).await.unwrap();
        stdin.flush().await.unwrap();
    }

    /// Stops reading standard output, as `head` does.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Sends a signal by its name.
    pub(crate) async fn signal(&self, name: &str) {
        let process = self.child.id().expect("it is running").to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().await.unwrap().success());
    }

    /// Waits for the end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("the command ends").unwrap()
    }
}

/// A port where nothing listens. It is bound while the socket is there, so that no other test can take it.
pub(crate) fn closed_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}
