use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use entity_stream_clock::Clock;
use entity_stream_protocol::ConnectionId;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::RwLock;

use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::outcome::Outcome;

/// The service name in signatures.
const SERVICE: &str = "execute-api";
/// Credentials are renewed this long before they expire.
const RENEWAL: Duration = Duration::from_secs(5 * 60);
/// Idle HTTP connections are kept this long. API Gateway closes its side after a minute.
const IDLE: Duration = Duration::from_secs(50);
/// The largest part of an answer that is read. Answers of API Gateway have a few hundred bytes.
const ANSWER_BYTES: usize = 64 * 1024;

/// Sends signed `PostToConnection` requests to one endpoint and reuses HTTP connections.
///
/// The SDK's client needs almost three times the CPU of `hyper` and `aws-sigv4` for a small request (`BENCHMARKS.md`). A
/// broadcast consists of such requests.
#[derive(Debug)]
pub(crate) struct SignedPosts {
    endpoint: Endpoint,
    region: Option<String>,
    provider: Option<SharedCredentialsProvider>,
    credentials: RwLock<Option<Credentials>>,
    clock: Clock,
    transport: OnceLock<Transport>,
}

#[derive(Debug)]
enum Transport {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl SignedPosts {
    /// Takes credentials and region from `config`.
    pub(crate) fn new(config: &SdkConfig, endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            region: config.region().map(|region| region.as_ref().to_owned()),
            provider: config.credentials_provider(),
            credentials: RwLock::new(None),
            clock: Clock::system(),
            transport: OnceLock::new(),
        }
    }

    /// Sends one message. The error is the reason why there is no answer.
    pub(crate) async fn send(&self, id: &ConnectionId, message: &Message) -> Result<Outcome, String> {
        // `=` is the only character of a connection id that needs encoding in a path.
        let uri = format!("{}/@connections/{}", self.endpoint.as_str(), id.as_str().replace('=', "%3D"));
        let credentials = self.credentials().await?;
        let mut request = Request::post(&uri);
        if !message.bytes().is_empty() {
            request = request.header(CONTENT_TYPE, "application/octet-stream");
        }
        let mut request = request.body(Full::new(message.bytes().clone())).map_err(|error| error.to_string())?;
        self.sign(&mut request, &uri, message, credentials)?;
        let response = match self.transport()? {
            Transport::Plain(client) => client.request(request).await,
            Transport::Tls(client) => client.request(request).await,
        };
        let response = response.map_err(|_| "the HTTP connection to @connections failed".to_owned())?;
        let (parts, body) = response.into_parts();
        // hyper reuses a connection only after its answer has been read.
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        body.map_err(|_| "the answer of @connections ended early".to_owned())?;
        let error_type = parts.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        Ok(Outcome::of_answer(parts.status, error_type))
    }

    fn sign(
        &self,
        request: &mut Request<Full<Bytes>>,
        uri: &str,
        message: &Message,
        credentials: Credentials,
    ) -> Result<(), String> {
        let region = self.region.as_deref().ok_or("the AWS region is missing: set AWS_REGION")?;
        let identity = credentials.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(SERVICE)
            .time(SystemTime::from(self.clock.now()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?;
        let body = SignableBody::Precomputed(message.hash().to_owned());
        // The signature covers the host and the time. A proxy may change other headers.
        let signable = SignableRequest::new("POST", uri, std::iter::empty(), body);
        let signed = sign(signable.map_err(|error| error.to_string())?, &parameters.into());
        let (instructions, _) = signed.map_err(|error| error.to_string())?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }

    /// Returns credentials. It asks the provider once, and again before they expire.
    async fn credentials(&self) -> Result<Credentials, String> {
        let good_until = SystemTime::from(self.clock.now().plus(RENEWAL));
        let is_good = |held: &Credentials| held.expiry().is_none_or(|expiry| expiry > good_until);
        if let Some(held) = self.credentials.read().await.as_ref().filter(|held| is_good(held)) {
            return Ok(held.clone());
        }
        let provider = self.provider.as_ref().ok_or("the AWS credentials are missing")?;
        let fresh = provider.provide_credentials().await.map_err(|error| format!("AWS credentials: {error}"))?;
        *self.credentials.write().await = Some(fresh.clone());
        Ok(fresh)
    }

    /// Returns the HTTP client. The first call creates it, because reading the system's certificates takes longer than the
    /// start of a function.
    fn transport(&self) -> Result<&Transport, String> {
        if let Some(transport) = self.transport.get() {
            return Ok(transport);
        }
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        let transport = if self.endpoint.is_tls() {
            let connector = HttpsConnectorBuilder::new().with_native_roots().map_err(|error| error.to_string())?;
            Transport::Tls(builder.build(connector.https_only().enable_http1().wrap_connector(http)))
        } else {
            Transport::Plain(builder.build(http))
        };
        Ok(self.transport.get_or_init(|| transport))
    }
}
