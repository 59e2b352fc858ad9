//! A request to the local system: method and path, headers, an empty line, and the body. The system answers every request.

#![no_main]

mod system;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::system::System;

static SYSTEM: LazyLock<System> = LazyLock::new(System::deserted);

fuzz_target!(|text: &str| {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.split('\n');
    let start = lines.next().unwrap_or_default();
    // This target writes the framing. Incomplete requests are the concern of `hyper`.
    let headers: Vec<&str> = lines.filter(|line| is_ours_to_parse(line)).collect();
    let request = format!(
        "{start} HTTP/1.1\r\n{}host: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        headers.iter().map(|header| format!("{header}\r\n")).collect::<String>(),
        body.len(),
    );
    let answer = SYSTEM.run(async {
        let mut stream = TcpStream::connect(SYSTEM.local.address()).await.expect("it listens");
        // The system may answer before it has read the whole request.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        SYSTEM.local.settled().await;
        answer
    });
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{}", String::from_utf8_lossy(&answer));
    for status in ["500", "502", "504"] {
        assert!(!answer.starts_with(format!("HTTP/1.1 {status}").as_bytes()), "{}", String::from_utf8_lossy(&answer));
    }
});

fn is_ours_to_parse(header: &str) -> bool {
    let name = header.split(':').next().unwrap_or_default().to_ascii_lowercase();
    !matches!(name.trim(), "host" | "connection" | "content-length" | "transfer-encoding" | "expect")
}
