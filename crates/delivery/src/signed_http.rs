use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use entity_stream_protocol::Clock;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::RwLock;

use crate::Message;

/// The service's name in signatures.
const SERVICE: &str = "execute-api";
/// How long before they expire credentials are asked for anew.
const RENEWAL: Duration = Duration::from_secs(5 * 60);
/// How long an idle connection is kept: API Gateway closes its side after a minute.
const IDLE: Duration = Duration::from_secs(50);
/// Most of an answer that is read. API Gateway's have a few hundred bytes.
const ANSWER_BYTES: usize = 64 * 1024;

/// Signed requests to one endpoint, over connections that are kept.
///
/// For one small request the SDK's client takes almost three times the CPU that `hyper` and `aws-sigv4` take, the two
/// that it is made of (`BENCHMARKS.md`), and a broadcast is little else than such requests.
#[derive(Debug)]
pub(crate) struct SignedHttp {
    endpoint: String,
    region: Option<String>,
    provider: Option<SharedCredentialsProvider>,
    credentials: RwLock<Option<Credentials>>,
    clock: Clock,
    client: OnceLock<Transport>,
}

#[derive(Debug)]
enum Transport {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

impl SignedHttp {
    /// Requests to this endpoint, a URL that ends without a slash, with the credentials and the region of `config`.
    pub(crate) fn new(config: &SdkConfig, endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            region: config.region().map(|region| region.as_ref().to_owned()),
            provider: config.credentials_provider(),
            credentials: RwLock::new(None),
            clock: Clock::system(),
            client: OnceLock::new(),
        }
    }

    /// Sends one request to a path below the endpoint.
    pub(crate) async fn send(&self, method: Method, path: &str, message: &Message) -> Result<Answer, String> {
        let uri = format!("{}{path}", self.endpoint);
        let credentials = self.credentials().await?;
        let mut request = Request::builder().method(&method).uri(&uri);
        if !message.bytes().is_empty() {
            request = request.header(CONTENT_TYPE, "application/octet-stream");
        }
        let mut request = request.body(Full::new(message.bytes().clone())).map_err(|error| error.to_string())?;
        self.sign(&mut request, method.as_str(), &uri, message, credentials)?;
        let response = match self.transport()? {
            Transport::Plain(client) => client.request(request).await,
            Transport::Tls(client) => client.request(request).await,
        };
        let (parts, body) = response.map_err(|_| "the connection to @connections failed".to_owned())?.into_parts();
        // A connection serves the next request only when this one's answer has been read.
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        body.map_err(|_| "the answer of @connections broke off".to_owned())?;
        Ok(Answer { status: parts.status, headers: parts.headers })
    }

    fn sign(
        &self,
        request: &mut Request<Full<Bytes>>,
        method: &str,
        uri: &str,
        message: &Message,
        credentials: Credentials,
    ) -> Result<(), String> {
        let region = self.region.as_deref().ok_or("there is no AWS region: set AWS_REGION")?;
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
        // What is not signed here, a proxy on the way may change; the host and the time always are.
        let signable = SignableRequest::new(method, uri, std::iter::empty(), body);
        let signed = sign(signable.map_err(|error| error.to_string())?, &parameters.into());
        let (instructions, _) = signed.map_err(|error| error.to_string())?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }

    /// The credentials, asked for once and again before they expire.
    async fn credentials(&self) -> Result<Credentials, String> {
        let good_until = SystemTime::from(self.clock.now().plus(RENEWAL));
        let is_good = |held: &Credentials| held.expiry().is_none_or(|expiry| expiry > good_until);
        if let Some(held) = self.credentials.read().await.as_ref().filter(|held| is_good(held)) {
            return Ok(held.clone());
        }
        let provider = self.provider.as_ref().ok_or("there are no AWS credentials")?;
        let fresh = provider.provide_credentials().await.map_err(|error| format!("AWS credentials: {error}"))?;
        *self.credentials.write().await = Some(fresh.clone());
        Ok(fresh)
    }

    /// The client, made when it is first needed: reading the system's certificates takes longer than a function's start.
    fn transport(&self) -> Result<&Transport, String> {
        if let Some(transport) = self.client.get() {
            return Ok(transport);
        }
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        let transport = if self.endpoint.starts_with("https://") {
            let connector = HttpsConnectorBuilder::new().with_native_roots().map_err(|error| error.to_string())?;
            Transport::Tls(builder.build(connector.https_only().enable_http1().wrap_connector(http)))
        } else {
            Transport::Plain(builder.build(http))
        };
        Ok(self.client.get_or_init(|| transport))
    }
}
