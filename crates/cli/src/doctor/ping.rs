use entity_stream_client::{ClientError, EntityStream, StreamItem};
use entity_stream_protocol::RequestId;
use tokio::time::Instant;

use crate::doctor::diagnosis::{Check, Diagnosis, Finding};

/// The id of the ping.
const REQUEST_ID: &str = "doctor";

/// Sends a ping with an id. Returns whether the server answered.
pub(super) async fn check(stream: &mut EntityStream, diagnosis: &mut Diagnosis) -> anyhow::Result<bool> {
    let started = Instant::now();
    let request_id = RequestId::parse(REQUEST_ID)?;
    stream.ping(request_id.clone());
    let answered = pong(stream).await;
    let is_answered = matches!(answered, Ok(Some(_)));
    let finding = match answered {
        Ok(Some(answer)) if answer.as_ref() == Some(&request_id) => Finding::passed(Check::Ping, "answered"),
        Ok(Some(_)) => Finding::warning(Check::Ping, "answered without the requestId of the ping").advise(
            "deploy with PingRoute=function, so that the default function answers pings; without it, clients that match \
             answers by requestId find no answer",
        ),
        Ok(None) => Finding::failed(Check::Ping, "the connection ended before the answer"),
        Err(error) => Finding::failed(Check::Ping, format!("no answer: {error}"))
            .advise("check the route `ping` of the API and its integration"),
    };
    diagnosis.add(finding.took(started.elapsed()));
    Ok(is_answered)
}

/// Waits for the answer to the ping. `None` if the stream ends.
async fn pong(stream: &mut EntityStream) -> Result<Option<Option<RequestId>>, ClientError> {
    loop {
        match stream.try_next().await? {
            Some(StreamItem::Pong { request_id }) => return Ok(Some(request_id)),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}
