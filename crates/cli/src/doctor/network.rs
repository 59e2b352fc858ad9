use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::client_async_tls_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::StatusCode;

use super::report::{Check, Report, Step};
use crate::stream::refusal::{self, Failure};
use crate::stream::session::Socket;
use crate::stream::{Address, Credential};

/// How long one address may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the handshake may take: API Gateway answers after 29 seconds at most.
const HANDSHAKE: Duration = Duration::from_secs(35);

/// The way to an open WebSocket: a name, an address, TLS and the handshake.
pub(super) async fn check(
    address: &Address,
    credential: Option<&Credential>,
    report: &mut Report,
) -> anyhow::Result<Option<Socket>> {
    let Some(addresses) = resolve(address, report).await? else { return Ok(None) };
    let Some(stream) = connect(address, &addresses, report).await? else { return Ok(None) };
    handshake(stream, address, credential, report).await
}

async fn resolve(address: &Address, report: &mut Report) -> anyhow::Result<Option<Vec<SocketAddr>>> {
    let (host, port) = address.host();
    let started = Instant::now();
    let found = lookup_host((host, port)).await.map(Iterator::collect::<Vec<_>>);
    Ok(match found {
        Ok(addresses) if !addresses.is_empty() => {
            let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let step = Step::passed(Check::Name, format!("{host} is {}", shown.join(", ")));
            report.add(step.took(started.elapsed()))?;
            Some(addresses)
        }
        other => {
            let reason = other.err().map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
            let step = Step::failed(Check::Name, format!("{host} cannot be found: {reason}"));
            report.add(step.advise("look for a slip in --url; is this machine online, and its DNS the right one?"))?;
            None
        }
    })
}

async fn connect(
    address: &Address,
    addresses: &[SocketAddr],
    report: &mut Report,
) -> anyhow::Result<Option<TcpStream>> {
    let started = Instant::now();
    let mut reasons = Vec::new();
    for place in addresses {
        match timeout(CONNECT, TcpStream::connect(place)).await {
            Ok(Ok(stream)) => {
                let step = Step::passed(Check::Reachable, format!("{place} accepts connections"));
                report.add(step.took(started.elapsed()))?;
                return Ok(Some(stream));
            }
            Ok(Err(error)) => reasons.push(format!("{place}: {error}")),
            Err(_) => reasons.push(format!("{place}: no answer in {} seconds", CONNECT.as_secs())),
        }
    }
    let advice = if address.is_loopback() {
        "start it with `entity-stream local`, or give its port in --url"
    } else {
        "is the port right, and does a firewall or a proxy stand in between?"
    };
    report.add(Step::failed(Check::Reachable, reasons.join("; ")).advise(advice))?;
    Ok(None)
}

async fn handshake(
    stream: TcpStream,
    address: &Address,
    credential: Option<&Credential>,
    report: &mut Report,
) -> anyhow::Result<Option<Socket>> {
    let started = Instant::now();
    let request = address.request(credential)?;
    let ended = timeout(HANDSHAKE, client_async_tls_with_config(request, stream, None, None)).await;
    let took = started.elapsed();
    if let Ok(Err(error)) = &ended
        && is_of_tls(error)
    {
        let advice =
            "is it the host that the certificate is for, this machine's clock right, and no proxy reading along?";
        report.add(Step::failed(Check::Tls, text(refusal::handshake(error, None))).advise(advice))?;
        return Ok(None);
    }
    if address.is_encrypted() {
        report.add(Step::passed(Check::Tls, "the certificate is good"))?;
    } else if !address.is_loopback() {
        let step = Step::warning(Check::Tls, "not used: whoever is in between can read everything");
        report.add(step.advise("use wss://, unless the network is your own"))?;
    }
    let step = match ended {
        Ok(Ok((socket, _))) => {
            report.add(Step::passed(Check::Handshake, "the WebSocket is open").took(took))?;
            return Ok(Some(socket));
        }
        Ok(Err(Error::Http(response))) => refused(&response, credential),
        Ok(Err(error)) => Step::failed(Check::Handshake, text(refusal::handshake(&error, None)))
            .advise("is it a WebSocket endpoint? With wss:// it has to speak TLS, with ws:// it must not"),
        Err(_) => Step::failed(Check::Handshake, format!("no answer in {} seconds", HANDSHAKE.as_secs()))
            .advise("look into the log of the connect function"),
    };
    report.add(step.took(took))?;
    Ok(None)
}

/// Whether the encryption is what failed.
fn is_of_tls(error: &Error) -> bool {
    match error {
        Error::Tls(_) => true,
        Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// What an HTTP status means, and what to do about it.
fn refused(response: &Response, credential: Option<&Credential>) -> Step {
    let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let reason = text(refusal::status(response.status(), &body, credential.map(Credential::noun)));
    // API Gateway's own refusal, and not the function's: there is no such path.
    let no_such_path = response.headers().contains_key("x-amzn-errortype");
    let (check, advice) = match response.status() {
        StatusCode::BAD_REQUEST => (Check::Handshake, "mend what the reason names"),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !no_such_path => {
            (Check::Credential, credential_advice(credential))
        }
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => (
            Check::Handshake,
            "the URL ends with the stage and nothing else, as in wss://HOST/prod; locally with the port",
        ),
        StatusCode::TOO_MANY_REQUESTS => {
            (Check::Handshake, "the account's rate of new connections is exhausted: try again")
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            (Check::Handshake, "switch streaming on: EVENT_STREAMING_ENABLED=true, where the functions run")
        }
        status if status.is_server_error() => (Check::Handshake, "the connect function fails: look into its log"),
        _ => (Check::Handshake, "something else than Entity Stream answers there: is the URL right?"),
    };
    Step::failed(check, reason).advise(advice)
}

/// What to do if a credential is missing or not accepted.
pub(super) fn credential_advice(credential: Option<&Credential>) -> &'static str {
    match credential {
        None => {
            "set ENTITY_STREAM_TOKEN; `entity-stream token --tenant NAME` mints a token, where the secret is at hand"
        }
        Some(Credential::Token(_)) => {
            "`entity-stream token --inspect` says what is wrong with a token, given the functions' JWT_… settings"
        }
        Some(Credential::ApiKey(..)) => {
            "`entity-stream keys list` shows which keys there are, their tenants and their ends"
        }
    }
}

/// Why there is no connection, without what another attempt would bring.
pub(super) fn text(failure: Failure) -> String {
    match failure {
        Failure::Final(error) | Failure::Refused(error) => error.to_string(),
        Failure::Passing(reason) => reason,
    }
}
