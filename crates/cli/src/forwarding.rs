//! Posts events to a URL, one after the other, as they come from a stream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use bytes::Bytes;
use entity_stream_client::{Bookmark, ReceivedEvent};
use entity_stream_protocol::Format;
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};

use crate::terminal::{counted, note, printable};

/// The events that wait for the receiver. While they are that many, the command reads no further events.
const WAITING: usize = 1000;
/// The time that the receiver has for its answer.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest answer that is read, so that the connection can be used again.
const ANSWER_BYTES: usize = 64 * 1024;
/// The pauses before another attempt: the first, which doubles, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

const EVENT_ID: HeaderName = HeaderName::from_static("entity-stream-event-id");
const TENANT: HeaderName = HeaderName::from_static("entity-stream-tenant");

/// The receiver of forwarded events.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    content_type: HeaderValue,
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
    pub(crate) fn new(url: &str, format: Format) -> anyhow::Result<Self> {
        let uri = url.parse::<Uri>().ok();
        let valid = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
        let uri = valid.with_context(|| {
            format!("--forward-to must be a URL such as https://example.com/hook; found `{}`", printable(url))
        })?;
        let has_password = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        ensure!(
            !has_password,
            "--forward-to takes no user name and no password; put a secret into the path or the query"
        );
        let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        let content_type = HeaderValue::from_static(match format {
            Format::CloudEvents => "application/cloudevents+json",
            Format::Json => "application/json",
        });
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), uri, content_type })
    }

    /// The receiver in messages. A path or a query can hold a secret.
    fn shown(&self) -> String {
        let (scheme, authority) = (self.uri.scheme_str(), self.uri.authority());
        format!("{}://{}", scheme.unwrap_or_default(), authority.map(|place| place.as_str()).unwrap_or_default())
    }

    /// Posts an event until the receiver accepts or refuses it. Returns the status if it refuses the event.
    async fn deliver(self, event: Arc<ReceivedEvent>) -> Option<StatusCode> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.post(&event).await {
                PostResult::Accepted => return None,
                PostResult::Refused(status) => return Some(status),
                PostResult::Failed(reason, asked) => {
                    // Several listeners of one receiver do not come back at the same moment.
                    let wait = asked.unwrap_or_else(|| pause.mul_f64(0.5 + fastrand::f64() / 2.0));
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
            let mut request = Request::post(self.uri.clone()).header(header::CONTENT_TYPE, self.content_type.clone());
            for (name, value) in [(EVENT_ID, &message.id), (TENANT, &message.tenant)] {
                if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                    request = request.header(name, value);
                }
            }
            let agent = concat!("entity-stream/", env!("CARGO_PKG_VERSION"));
            let request = request.header(header::USER_AGENT, agent).body(body)?;
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

/// The events on their way to the receiver, in their order.
pub(crate) struct Forwarding {
    receiver: Receiver,
    /// The events, each with the place in the stream after it. The first one is under way.
    waiting: VecDeque<(Arc<ReceivedEvent>, Option<Bookmark>)>,
    first: Option<Pin<Box<dyn Future<Output = Option<StatusCode>> + Send>>>,
    accepted: u64,
    refused: u64,
}

impl Forwarding {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self { receiver, waiting: VecDeque::new(), first: None, accepted: 0, refused: 0 }
    }

    /// Adds an event, and the place in the stream after it.
    pub(crate) fn push(&mut self, event: ReceivedEvent, place: Option<Bookmark>) {
        self.waiting.push_back((Arc::new(event), place));
    }

    /// True if no further event may be added now.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    /// True if no event is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Waits until the receiver has the first event, or refuses it. Returns the place after it. It is cancel safe.
    pub(crate) async fn settled(&mut self) -> Option<Bookmark> {
        let Some((event, _)) = self.waiting.front() else { return std::future::pending().await };
        let receiver = &self.receiver;
        let under_way = self.first.get_or_insert_with(|| Box::pin(receiver.clone().deliver(Arc::clone(event))));
        let refused = under_way.await;
        self.first = None;
        let (event, place) = self.waiting.pop_front()?;
        match refused {
            None => self.accepted += 1,
            Some(status) => {
                self.refused += 1;
                let (shown, id) = (self.receiver.shown(), &event.message().id);
                note(format!("{shown} refused the event {id} with {}; it is skipped", status.as_u16()));
            }
        }
        place
    }

    /// `3 events forwarded`, and the number of skipped events if it is not 0.
    pub(crate) fn summary(&self) -> String {
        let forwarded = format!("{} forwarded", counted(self.accepted, "event"));
        if self.refused == 0 { forwarded } else { format!("{forwarded}, {} skipped", self.refused) }
    }

    /// The result at the end: a failure if the receiver lacks events that no later command brings.
    pub(crate) fn result(&self, keeps_place: bool) -> anyhow::Result<()> {
        let (waiting, shown) = (self.waiting.len() as u64, self.receiver.shown());
        if self.refused > 0 {
            return Err(anyhow!("{shown} refused {}", counted(self.refused, "event")));
        }
        ensure!(
            waiting == 0 || keeps_place,
            "ended before {} reached {shown}; with --resume FILE, the next command would continue there",
            counted(waiting, "event")
        );
        if waiting > 0 {
            note(format!("{} did not reach {shown}; the next command continues there", counted(waiting, "event")));
        }
        Ok(())
    }
}
