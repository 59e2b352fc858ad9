//! The server of a benchmark: the real command in a process of its own.

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
    /// Starts the server, and waits until it takes connections.
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

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Opens a stream and waits until its subscription is in force.
pub(crate) async fn connect(client: &Client) -> Result<EntityStream> {
    let mut stream = client.connect();
    loop {
        match stream.try_next().await?.context("the stream ended")? {
            StreamItem::Subscribed => return Ok(stream),
            StreamItem::Connected => {}
            other => bail!("a subscription was expected, not {other:?}"),
        }
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
