//! The server of the benchmarks, a process of its own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use entity_stream_client::{Client, EntityStream, StreamItem};
use tokio::net::TcpStream;

/// The time that the server has to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// The server: `entity-stream local` on free ports.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) async fn start() -> Result<Self> {
        let (port, dynamodb_port) = (free_port()?, free_port()?);
        let process = Command::new(env!("CARGO_BIN_EXE_entity-stream"))
            .args(["local", "--port", &port.to_string(), "--dynamodb-port", &dynamodb_port.to_string()])
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .spawn()
            .context("starting the server")?;
        let server = Self { process, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            ensure!(started.elapsed() < PATIENCE, "the server does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The server may still create its table. The first handshake waits for that, and is not measured.
        let warm_up = Client::builder(server.url(), "warm-up").reconnect(false).build()?;
        connect(&warm_up).await?.close().await;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// A line of `/proc/PID/status`, in KiB.
    pub(crate) fn memory(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with(name)).context("a line of /proc")?;
        Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
    }

    /// The CPU time used so far, user and system: fields 14 and 15 of `/proc/PID/stat`, in hundredths of a second.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let after_name = stat.rsplit(')').next().context("a process has a name")?;
        let ticks: Vec<u64> =
            after_name.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Opens a stream and waits until its subscription is in force.
pub(crate) async fn connect(client: &Client) -> Result<EntityStream> {
    let mut stream = client.connect();
    loop {
        match stream.try_next().await?.context("the stream ended")? {
            StreamItem::Subscribed { .. } => return Ok(stream),
            StreamItem::Connected => {}
            other => bail!("a subscription was expected, not {other:?}"),
        }
    }
}
