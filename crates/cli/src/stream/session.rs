use std::time::Duration;

use entity_stream_protocol::{ChangeType, EntityType, Filter, IdPattern};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::frame::{ErrorFrame, Frame};
use super::refusal::{self, Failure};

/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// API Gateway closes a connection that is silent for twice this.
const PING: Duration = Duration::from_secs(5 * 60);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// One connection has one request that needs an answer of its own.
const REQUEST_ID: &str = "subscribe";

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscribe<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entity_types: &'a [EntityType],
    #[serde(skip_serializing_if = "Option::is_none")]
    id_pattern: Option<&'a str>,
    request_id: &'static str,
}

/// What a session passes on.
pub(crate) enum Incoming<'a> {
    /// The filter is in force.
    Subscribed,
    /// An event's whole frame, what happened, and its id.
    Event(&'a str, ChangeType, Option<&'a str>),
    /// Something the server said that changes nothing.
    Remark(&'a str),
}

/// How a session ended that was not cut off.
pub(crate) enum End {
    /// `receive` wants no more.
    Enough,
    /// The connection is of no use any more.
    Failed(Failure),
}

/// Subscribes, and passes on what comes until `receive` answers false or the connection ends.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    filter: &Filter,
    credential: Option<&str>,
    mut receive: impl FnMut(Incoming<'_>) -> anyhow::Result<bool>,
) -> anyhow::Result<End> {
    let subscribe = Subscribe {
        action: "subscribe",
        entity_types: filter.entity_types(),
        id_pattern: filter.id_pattern().map(IdPattern::as_str),
        request_id: REQUEST_ID,
    };
    if let Err(error) = socket.send(Message::text(serde_json::to_string(&subscribe)?)).await {
        return Ok(lost(&error));
    }
    // The answer that is waited for: first `subscribed`, later anything after a `ping`.
    let mut answer_by = Some(Instant::now() + ANSWER);
    let mut ping_at = Instant::now() + PING;
    let mut subscribed = false;
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = sleep_until(answer_by.unwrap_or(ping_at)), if answer_by.is_some() => {
                return Ok(passing(format!("no answer in {} seconds", ANSWER.as_secs())));
            }
            () = sleep_until(ping_at) => {
                if let Err(error) = socket.send(Message::text(r#"{"action":"ping"}"#)).await {
                    return Ok(lost(&error));
                }
                ping_at = Instant::now() + PING;
                answer_by = Some(Instant::now() + ANSWER);
                continue;
            }
        };
        let text = match message {
            None => return Ok(passing("the server closed the connection".to_owned())),
            Some(Err(error)) => return Ok(lost(&error)),
            Some(Ok(Message::Close(frame))) => return Ok(End::Failed(refusal::close(frame.as_ref(), credential))),
            Some(Ok(Message::Text(text))) => text,
            // WebSocket's own pings are answered by the library.
            Some(Ok(_)) => continue,
        };
        if subscribed {
            answer_by = None;
        }
        let goes_on = match Frame::parse(&text) {
            Frame::Event(change_type, id) => receive(Incoming::Event(&text, change_type, id.as_deref()))?,
            Frame::Subscribed(id) if id.as_deref() == Some(REQUEST_ID) && !subscribed => {
                (subscribed, answer_by) = (true, None);
                receive(Incoming::Subscribed)?
            }
            Frame::Error(error) if is_final(&error) => {
                let reason = anyhow::anyhow!("the server refused: {}", error.message);
                let of_us = matches!(error.code.as_str(), "unauthorized" | "forbidden");
                return Ok(End::Failed(if of_us { Failure::Refused(reason) } else { Failure::Final(reason) }));
            }
            Frame::Error(ErrorFrame { message, request_id, .. }) => {
                if request_id.is_some() || !subscribed {
                    return Ok(passing(message));
                }
                receive(Incoming::Remark(&message))?
            }
            Frame::Gateway(message) if !subscribed => return Ok(passing(format!("the gateway says: {message}"))),
            Frame::Gateway(message) => receive(Incoming::Remark(&message))?,
            Frame::Subscribed(_) | Frame::Other => true,
        };
        if !goes_on {
            return Ok(End::Enough);
        }
    }
}

/// Whether the server will not honour our `subscribe`, however often it is asked.
fn is_final(error: &ErrorFrame) -> bool {
    error.request_id.as_deref() == Some(REQUEST_ID) && !matches!(error.code.as_str(), "internal" | "not_connected")
}

/// Takes leave, so that the server need not find out by itself.
pub(crate) async fn close(mut socket: Socket) {
    let farewell = async {
        if socket.close(None).await.is_ok() {
            // Until the other side has closed: data that nobody read would turn the close into a reset.
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(FAREWELL, farewell).await;
}

fn lost(error: &Error) -> End {
    passing(match error {
        Error::Io(error) => error.to_string(),
        other => other.to_string(),
    })
}

fn passing(reason: String) -> End {
    End::Failed(Failure::Passing(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::Role;

    async fn pair() -> (WebSocketStream<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (client, server) = duplex(64 * 1024);
        let client = WebSocketStream::from_raw_socket(client, Role::Client, None);
        (client.await, WebSocketStream::from_raw_socket(server, Role::Server, None).await)
    }

    async fn run_until_it_ends(mut client: WebSocketStream<DuplexStream>) -> String {
        match run(&mut client, &Filter::default(), None, |_| Ok(true)).await.unwrap() {
            End::Failed(Failure::Passing(reason)) => reason,
            End::Failed(Failure::Final(error) | Failure::Refused(error)) => panic!("{error}"),
            End::Enough => panic!("enough"),
        }
    }

    async fn next(server: &mut WebSocketStream<DuplexStream>) -> String {
        server.next().await.unwrap().unwrap().into_text().unwrap().to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn pings_every_five_minutes_and_notices_that_nobody_answers() {
        let (client, mut server) = pair().await;
        let session = tokio::spawn(run_until_it_ends(client));
        assert_eq!(next(&mut server).await, r#"{"action":"subscribe","requestId":"subscribe"}"#);
        server.send(Message::text(r#"{"type":"subscribed","requestId":"subscribe"}"#)).await.unwrap();
        let mut since = Instant::now();
        for answered in [true, true, false] {
            assert_eq!(next(&mut server).await, r#"{"action":"ping"}"#);
            assert_eq!(since.elapsed().as_secs(), PING.as_secs());
            since = Instant::now();
            if answered {
                server.send(Message::text(r#"{"type":"pong"}"#)).await.unwrap();
            }
        }
        assert_eq!(session.await.unwrap(), "no answer in 30 seconds");
        assert_eq!(since.elapsed().as_secs(), ANSWER.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_wait_for_ever_for_its_subscription() {
        let (client, mut server) = pair().await;
        let session = tokio::spawn(run_until_it_ends(client));
        next(&mut server).await;
        // Events alone are no promise that the filter is in force, nor is the answer to another request.
        server.send(Message::text(r#"{"type":"entityUpdated","id":"1"}"#)).await.unwrap();
        server.send(Message::text(r#"{"type":"subscribed","requestId":"other"}"#)).await.unwrap();
        assert_eq!(session.await.unwrap(), "no answer in 30 seconds");
    }
}
