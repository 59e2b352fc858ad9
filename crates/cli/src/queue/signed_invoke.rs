//! Lambda's Invoke API with a signed request. The SDK of Lambda would add hundreds of operations for this one.
//! Source: "Invoke", AWS Lambda API Reference.

use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use entity_stream_clock::Clock;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;

use crate::https::connector_to;

/// The characters of a function's name or ARN that a path may not hold.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// A function runs for 15 minutes at most.
const LONGEST: Duration = Duration::from_secs(16 * 60);
/// The largest answer that is read: 6 MB, as Lambda allows.
const ANSWER_BYTES: usize = 6 * 1024 * 1024;
/// The header that names the error of a function.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// The answer of Lambda.
#[derive(Debug)]
pub(super) struct InvokeAnswer {
    pub(super) status: StatusCode,
    /// True if the function ran and failed.
    pub(super) failed: bool,
    pub(super) body: Bytes,
}

/// Invokes a function and waits for its result.
pub(super) async fn invoke(config: &SdkConfig, function: &str, payload: &str) -> anyhow::Result<InvokeAnswer> {
    let region = config.region().context("no AWS region")?.as_ref();
    let endpoint = config.endpoint_url().map_or_else(|| endpoint(region), |url| url.trim_end_matches('/').to_owned());
    let function = utf8_percent_encode(function, IN_A_PATH);
    let uri = format!("{endpoint}/2015-03-31/functions/{function}/invocations");
    let body = Bytes::copy_from_slice(payload.as_bytes());
    let mut request = Request::post(&uri)
        .header("x-amz-invocation-type", "RequestResponse")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body.clone()))?;
    sign_request(&mut request, &uri, &body, config, region).await?;
    let client = Client::builder(TokioExecutor::new()).build(connector_to(request.uri())?);
    let answer = async {
        let (parts, body) = client.request(request).await.context("cannot reach Lambda")?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| anyhow!("the answer of Lambda ended early"))?.to_bytes();
        Ok(InvokeAnswer { status: parts.status, failed: parts.headers.contains_key(FUNCTION_ERROR), body })
    };
    timeout(LONGEST, answer).await.context("Lambda did not answer")?
}

async fn sign_request(
    request: &mut Request<Full<Bytes>>,
    uri: &str,
    body: &[u8],
    config: &SdkConfig,
    region: &str,
) -> anyhow::Result<()> {
    let provider = config.credentials_provider().context("no AWS credentials are configured")?;
    let identity = provider.provide_credentials().await.context("no AWS credentials")?.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("lambda")
        .time(SystemTime::from(Clock::system().now()))
        .settings(SigningSettings::default())
        .build()?;
    let signable = SignableRequest::new("POST", uri, std::iter::empty(), SignableBody::Bytes(body))?;
    let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

fn endpoint(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://lambda.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_an_endpoint() {
        assert_eq!(endpoint("eu-west-1"), "https://lambda.eu-west-1.amazonaws.com");
        assert_eq!(endpoint("cn-north-1"), "https://lambda.cn-north-1.amazonaws.com.cn");
    }
}
