//! A WebSocket client on the level of bytes: the handshake and the single frames.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{PATIENCE, System};

/// The headers of a handshake, without `Host`.
pub(crate) const HANDSHAKE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// A TCP connection after the request of a handshake.
pub(crate) struct Raw {
    stream: TcpStream,
    /// The status of the answer.
    pub(crate) status: u16,
}

/// One received frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawFrame {
    pub(crate) last: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Raw {
    /// Requests a handshake with these headers.
    pub(crate) async fn connect(system: &System, headers: &[&str]) -> Self {
        let mut stream = TcpStream::connect(system.local.address()).await.unwrap();
        let request = format!("GET /?tenant=demo HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n", headers.join("\r\n"));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer").unwrap());
        }
        let status = std::str::from_utf8(&head).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        Self { stream, status }
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> RawFrame {
        timeout(PATIENCE, self.read_frame()).await.expect("a frame arrives").unwrap()
    }

    async fn read_frame(&mut self) -> std::io::Result<RawFrame> {
        let first = self.stream.read_u8().await?;
        let length = match self.stream.read_u8().await? {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await?;
        Ok(RawFrame { last: first & 0x80 != 0, opcode: first & 0x0f, payload })
    }
}
