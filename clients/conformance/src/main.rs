//! The scripted server as a program: it writes its URL, and then an answer for each step that it reads, one JSON line each.

use entity_stream_conformance::ConformanceServer;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin, stdout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let server = ConformanceServer::start().await?;
    let mut output = stdout();
    write_line(&mut output, &json!({ "url": server.url() }).to_string()).await?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        write_line(&mut output, &server.step_line(&line).await).await?;
    }
    Ok(())
}

async fn write_line(output: &mut tokio::io::Stdout, line: &str) -> std::io::Result<()> {
    output.write_all(format!("{line}\n").as_bytes()).await?;
    output.flush().await
}
