use std::time::Duration;

use entity_stream_protocol::Close;
use futures_util::StreamExt;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;

pub(crate) type ServerSocket = WebSocketStream<TokioIo<Upgraded>>;

/// The time that a client has to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends a close frame and waits for the client's, so that the client reads the code before the connection breaks.
pub(crate) async fn say_goodbye(mut socket: ServerSocket, close: &Close) {
    let frame = CloseFrame { code: u16::from(close.code()).into(), reason: close.reason().into() };
    let farewell = async move {
        if socket.close(Some(frame)).await.is_err() {
            return;
        }
        let mut answered = false;
        while let Some(Ok(message)) = socket.next().await {
            answered |= message.is_close();
        }
        if !answered {
            discard(socket).await;
        }
    };
    let _ = timeout(CLOSE_TIMEOUT, farewell).await;
}

/// Reads and drops the client's remaining bytes. A TCP connection that is closed with unread bytes is reset, and then a
/// client that is still sending never reads the close frame.
async fn discard(socket: ServerSocket) {
    let mut stream = socket.into_inner();
    if stream.shutdown().await.is_ok() {
        let _ = copy(&mut stream, &mut sink()).await;
    }
}

/// Answers the client's close frame, which leaves with the next read, and waits for the client to close.
pub(crate) async fn answer_goodbye(socket: &mut ServerSocket) {
    let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = socket.next().await {} }).await;
}
