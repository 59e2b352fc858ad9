use std::net::SocketAddr;
use std::time::Duration;

use entity_stream_client::{Client, ClientError, CredentialKind, EntityStream, ErrorKind, HandshakeRefusal, StreamUrl};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use crate::doctor::diagnosis::{Check, Diagnosis, Finding};
use crate::refusal::explain;

/// The time that one address may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The time that the handshake may take. API Gateway answers after 29 seconds at most.
const HANDSHAKE: Duration = Duration::from_secs(35);

/// Opens a WebSocket step by step: the name, an address, TLS and the handshake.
pub(super) async fn check(client: &Client, credential_advice: &str, diagnosis: &mut Diagnosis) -> Option<EntityStream> {
    let addresses = resolve(client.url(), diagnosis).await?;
    let transport = connect(client.url(), &addresses, diagnosis).await?;
    handshake((client, credential_advice), transport, diagnosis).await
}

async fn resolve(url: &StreamUrl, diagnosis: &mut Diagnosis) -> Option<Vec<SocketAddr>> {
    let (host, port) = url.host();
    let started = Instant::now();
    let found = lookup_host((host, port)).await.map(Iterator::collect::<Vec<_>>);
    match found {
        Ok(addresses) if !addresses.is_empty() => {
            let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let finding = Finding::passed(Check::Name, format!("{host} is {}", shown.join(", ")));
            diagnosis.add(finding.took(started.elapsed()));
            Some(addresses)
        }
        other => {
            let reason = other.err().map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
            let finding = Finding::failed(Check::Name, format!("{host} cannot be found: {reason}"));
            let advice = "check the host name in --url, and the network and DNS settings of this machine";
            diagnosis.add(finding.advise(advice));
            None
        }
    }
}

async fn connect(url: &StreamUrl, addresses: &[SocketAddr], diagnosis: &mut Diagnosis) -> Option<TcpStream> {
    let started = Instant::now();
    let mut reasons = Vec::new();
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(transport)) => {
                let finding = Finding::passed(Check::Reachable, format!("{address} accepts connections"));
                diagnosis.add(finding.took(started.elapsed()));
                return Some(transport);
            }
            Ok(Err(error)) => reasons.push(format!("{address}: {error}")),
            Err(_) => reasons.push(format!("{address}: no answer in {} seconds", CONNECT.as_secs())),
        }
    }
    let advice = if url.is_loopback() {
        "start it with `entity-stream local`, or pass its port in --url"
    } else {
        "check the port in --url, and firewalls and proxies between here and the host"
    };
    diagnosis.add(Finding::failed(Check::Reachable, reasons.join("; ")).advise(advice));
    None
}

async fn handshake(
    (client, credential_advice): (&Client, &str),
    transport: TcpStream,
    diagnosis: &mut Diagnosis,
) -> Option<EntityStream> {
    let started = Instant::now();
    let ended = timeout(HANDSHAKE, client.connect_over(transport)).await;
    let took = started.elapsed();
    if let Ok(Err(error)) = &ended
        && error.kind() == ErrorKind::Tls
    {
        // rustls says so of an answer that is no record of TLS, such as one of HTTP.
        let finding = if error.to_string().contains("InvalidContentType") {
            Finding::failed(Check::Tls, "the server speaks no TLS").advise("try ws:// instead of wss:// in --url")
        } else if error.to_string().contains("no root certificates") {
            Finding::failed(Check::Tls, "this machine has no root certificates, so no certificate can be checked")
                .advise("install the package ca-certificates, or set SSL_CERT_FILE")
        } else {
            let advice = "check that the certificate is for this host, that this machine's clock is right, and that no \
                          proxy replaces the certificate";
            Finding::failed(Check::Tls, error.to_string()).advise(advice)
        };
        diagnosis.add(finding);
        return None;
    }
    if client.url().is_encrypted() {
        diagnosis.add(Finding::passed(Check::Tls, "the certificate is valid"));
    } else if !client.url().is_loopback() {
        let finding =
            Finding::warning(Check::Tls, "not used: the network between here and the host can read everything");
        diagnosis.add(finding.advise("use wss://, unless you trust the network"));
    }
    let finding = match ended {
        Ok(Ok(stream)) => {
            diagnosis.add(Finding::passed(Check::Handshake, "the WebSocket is open").took(took));
            return Some(stream);
        }
        Ok(Err(error)) => failed(&error, client.credential(), credential_advice),
        Err(_) => Finding::failed(Check::Handshake, format!("no answer in {} seconds", HANDSHAKE.as_secs()))
            .advise("read the log of the connect function"),
    };
    diagnosis.add(finding.took(took));
    None
}

/// The finding for a handshake that failed, with the remedy.
fn failed(error: &ClientError, credential: Option<CredentialKind>, credential_advice: &str) -> Finding {
    let (check, advice) = match (error, error.kind()) {
        (_, ErrorKind::RequestRefused) => (Check::Handshake, "correct the value that the reason names"),
        (_, ErrorKind::CredentialRefused) => (Check::Credential, credential_advice),
        (ClientError::Handshake(HandshakeRefusal { status: 403 | 404, .. }), _) => (
            Check::Handshake,
            "the URL ends with the stage and nothing else, as in wss://HOST/prod; locally it ends with the port",
        ),
        (ClientError::Handshake(HandshakeRefusal { status: 429, .. }) | ClientError::TooManyConnections(_), _) => (
            Check::Handshake,
            "the subject has too many connections, or the account's rate of new ones is exhausted; try again later",
        ),
        (ClientError::Handshake(HandshakeRefusal { status: 503, .. }), _) => {
            (Check::Handshake, "switch streaming on: set EVENT_STREAMING_ENABLED=true for the functions")
        }
        (ClientError::Handshake(_), ErrorKind::Unavailable) => {
            (Check::Handshake, "the connect function fails; read its log")
        }
        (ClientError::Rejected { .. } | ClientError::Gateway(_), ErrorKind::Unavailable) => {
            (Check::Handshake, "the default function, which checks the proof of possession, fails; read its log")
        }
        (ClientError::Handshake(_), _) => {
            (Check::Handshake, "check --url: another service than Entity Stream answers there")
        }
        (ClientError::Protocol(_), _) => (
            Check::Handshake,
            "check --url: another service than Entity Stream answers there, or the endpoint has TLS and needs wss://",
        ),
        _ => (Check::Handshake, "check --url: wss:// is for endpoints with TLS, ws:// for endpoints without it"),
    };
    Finding::failed(check, explain(error, credential)).advise(advice)
}
