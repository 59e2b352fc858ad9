//! The receiver: one post after another until it accepts or refuses the event.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use entity_stream_client::ReceivedEvent;
use entity_stream_protocol::Format;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};

use super::headers::{EVENT_ID, TENANT, headers_of};
use crate::https::connector_to;
use crate::terminal::note;

/// The time that the receiver has for its answer.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest answer that is read, so that the connection can be used again.
const ANSWER_BYTES: usize = 64 * 1024;
/// The pauses before another attempt: the first, which doubles, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The receiver of forwarded events.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    /// The headers of every post.
    headers: HeaderMap,
}

/// The answer to one attempt.
enum PostResult {
    Accepted,
    /// Another attempt would have the same result.
    Refused(StatusCode),
    /// The reason, and the pause that the receiver asks for.
    Failed(String, Option<Duration>),
}

impl Receiver {
    /// A receiver that gets events of this format, with the headers of this file.
    pub(crate) fn new(url: &str, format: Format, headers: Option<&Path>) -> anyhow::Result<Self> {
        let uri = url.parse::<Uri>().ok();
        let valid = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
        // The text is not repeated: a path, a query or a password can be a secret.
        let uri = valid.context("--forward-to must be a URL such as https://example.com/hook")?;
        let has_password = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        ensure!(
            !has_password,
            "--forward-to takes no user name and no password; put an Authorization header into the file of --forward-headers"
        );
        let connector = connector_to(&uri)?;
        let mut all = headers.map(headers_of).transpose()?.unwrap_or_default();
        if !all.is_empty() && uri.scheme_str() == Some("http") && !is_loopback(&uri) {
            note(
                "warning: the headers of --forward-headers are sent unencrypted; use https:// unless you trust the network",
            );
        }
        all.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(match format {
                Format::CloudEvents => "application/cloudevents+json",
                Format::Json => "application/json",
            }),
        );
        all.entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("entity-stream/", env!("CARGO_PKG_VERSION"))));
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), uri, headers: all })
    }

    /// The receiver in messages. A path or a query can hold a secret.
    pub(super) fn shown(&self) -> String {
        let (scheme, authority) = (self.uri.scheme_str(), self.uri.authority());
        format!("{}://{}", scheme.unwrap_or_default(), authority.map(|place| place.as_str()).unwrap_or_default())
    }

    /// Posts an event until the receiver accepts or refuses it. Returns the status if it refuses the event.
    pub(super) async fn deliver(self, event: Arc<ReceivedEvent>) -> Option<StatusCode> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.post(&event).await {
                PostResult::Accepted => return None,
                PostResult::Refused(status) => return Some(status),
                PostResult::Failed(reason, asked) => {
                    // Several listeners of one receiver do not come back at the same moment. A receiver that asks for no pause gets one.
                    let own = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
                    let wait = asked.filter(|asked| !asked.is_zero()).unwrap_or(own);
                    let (shown, seconds) = (self.shown(), wait.as_secs_f64());
                    note(format!("cannot forward to {shown}: {reason}; trying again in {seconds:.1} s"));
                    sleep(wait).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn post(&self, event: &ReceivedEvent) -> PostResult {
        let answer = async {
            let message = event.message();
            let body = Full::new(Bytes::copy_from_slice(event.frame().as_bytes()));
            let mut request = Request::post(self.uri.clone()).body(body)?;
            request.headers_mut().clone_from(&self.headers);
            for (name, value) in [(EVENT_ID, &message.id), (TENANT, &message.tenant)] {
                if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                    request.headers_mut().insert(name, value);
                }
            }
            let (parts, body) = self.client.request(request).await?.into_parts();
            // The answer itself does not matter, and nor does a failure while it is read.
            let _ = Limited::new(body, ANSWER_BYTES).collect().await;
            anyhow::Ok(parts)
        };
        match timeout(ANSWER, answer).await {
            Err(_) => PostResult::Failed(format!("no answer within {} s", ANSWER.as_secs()), None),
            Ok(Err(error)) => PostResult::Failed(error.root_cause().to_string(), None),
            Ok(Ok(parts)) => {
                let status = parts.status;
                if status.is_success() {
                    return PostResult::Accepted;
                }
                let passes = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
                if !passes && !status.is_server_error() {
                    return PostResult::Refused(status);
                }
                let asked = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                let asked = asked.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
                PostResult::Failed(format!("it answers {}", status.as_u16()), asked)
            }
        }
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
