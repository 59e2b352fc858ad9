use std::time::Duration;

use entity_stream_protocol::{
    Action, Answer, ClientMessage, CloseCode, ErrorCode, GatewayError, RefusalBody, Rejection, RequestId, ServerMessage,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::error::{ClientError, HandshakeRefusal};
use crate::stream_url::{InvalidStreamUrl, StreamUrl};
use crate::text::repeatable;

/// The largest message that the client accepts, far above the 128 KB that API Gateway carries.
const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;
/// The buffer for reading. The library's own is 128 KB, much for a program with many streams.
const READ_BUFFER: usize = 8 * 1024;
/// The time that a close handshake may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// The header of responses in which API Gateway itself refuses a request.
const GATEWAY_ERROR: &str = "x-amzn-errortype";

/// The `requestId` of the message that authenticates a connection.
const REQUEST_ID: &str = "authenticate";

/// A byte stream to the server.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for T {}

/// An open WebSocket.
pub(crate) type OpenSocket = WebSocketStream<MaybeTlsStream<Box<dyn ByteStream>>>;

/// The request of the handshake, without a credential.
pub(crate) fn request(url: &StreamUrl, user_agent: &HeaderValue) -> Result<Request, ClientError> {
    // The library's error may repeat the URL.
    let request = url.uri().clone().into_client_request();
    let mut request = request.map_err(|_| InvalidStreamUrl::NotWebSocket(url.to_string()))?;
    request.headers_mut().insert(header::USER_AGENT, user_agent.clone());
    Ok(request)
}

/// Opens a TCP connection.
pub(crate) async fn dial(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let stream = TcpStream::connect((host, port)).await.map_err(ClientError::Network)?;
    // Messages are small, and each waits for an answer.
    stream.set_nodelay(true).map_err(ClientError::Network)?;
    Ok(stream)
}

/// TLS, if the request's URL asks for it, and the handshake of WebSocket.
pub(crate) async fn handshake(transport: Box<dyn ByteStream>, request: Request) -> Result<OpenSocket, ClientError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // The call fails if another thread has just installed a provider, which serves as well.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE)).read_buffer_size(READ_BUFFER);
    let opened = client_async_tls_with_config(request, transport, Some(config), None).await;
    opened.map(|(socket, _)| socket).map_err(failed_by)
}

/// Authenticates a connection with its first message. Until the server has accepted that, it sends nothing but the answer.
pub(crate) async fn authenticate(socket: &mut OpenSocket, first_message: Action) -> Result<(), ClientError> {
    let message = ClientMessage { action: first_message, request_id: RequestId::parse(REQUEST_ID).ok() };
    socket.send(Message::text(message.to_json())).await.map_err(lost_by)?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => match ServerMessage::parse(text.as_str()) {
                Ok(ServerMessage::Answer(Answer::Authenticated { .. } | Answer::DpopVerified { .. })) => return Ok(()),
                Ok(ServerMessage::Answer(Answer::Error(Rejection { code, message, subscription, .. }))) => {
                    let message = repeatable(&message);
                    return Err(match code {
                        // The connection counts for its subject from the proof on. The limit of connections is the only one here.
                        ErrorCode::LimitExceeded => ClientError::TooManyConnections(message),
                        code => ClientError::Rejected { code, message, subscription },
                    });
                }
                Ok(ServerMessage::GatewayError(GatewayError { message, .. })) => {
                    return Err(ClientError::Gateway(repeatable(&message)));
                }
                Ok(_) => {}
                Err(_) => {
                    return Err(ClientError::Protocol("the answer to the first message is not a message".to_owned()));
                }
            },
            Some(Ok(Message::Close(frame))) => return Err(closed(frame.as_ref())),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(lost_by(error)),
            None => return Err(lost()),
        }
    }
}

/// Closes a connection in order, so that the server need not notice by itself.
pub(crate) async fn farewell(mut socket: OpenSocket) {
    let close = async {
        if socket.close(None).await.is_ok() {
            // Dropping a socket with unread data would turn the close into a reset.
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(FAREWELL, close).await;
}

/// The error of a close frame.
pub(crate) fn closed(frame: Option<&CloseFrame>) -> ClientError {
    match frame {
        Some(frame) => {
            ClientError::Closed { code: u16::from(frame.code).into(), reason: repeatable(frame.reason.as_str()) }
        }
        None => ClientError::Closed { code: CloseCode::NoStatus, reason: String::new() },
    }
}

/// The error of a connection that ended without a close frame.
pub(crate) fn lost() -> ClientError {
    ClientError::Closed { code: CloseCode::Abnormal, reason: String::new() }
}

/// The error of a connection that was open.
pub(crate) fn lost_by(error: Error) -> ClientError {
    match error {
        Error::Io(error) => ClientError::Network(error),
        Error::ConnectionClosed | Error::AlreadyClosed => lost(),
        // Its own text would say a second time that the protocol is broken.
        Error::Protocol(error) => ClientError::Protocol(repeatable(&error.to_string())),
        other => ClientError::Protocol(repeatable(&other.to_string())),
    }
}

/// The error of a handshake.
fn failed_by(error: Error) -> ClientError {
    match error {
        Error::Http(response) => refusal(&response).into(),
        // rustls reports a bad certificate as invalid data.
        Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => ClientError::Tls(error.to_string()),
        Error::Tls(error) => ClientError::Tls(error.to_string()),
        // Another attempt would find none either. The text of the library lists the places where it looked.
        Error::Io(error) if error.to_string().starts_with("no native root CA certificates") => ClientError::Tls(
            "this machine has no root certificates; install the package ca-certificates, or set SSL_CERT_FILE"
                .to_owned(),
        ),
        other => lost_by(other),
    }
}

fn refusal(response: &Response) -> HandshakeRefusal {
    let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let reason = RefusalBody::parse(&body).map_or_else(|| repeatable(&body), |body| repeatable(&body.message));
    HandshakeRefusal {
        status: response.status().as_u16(),
        // A page for browsers explains nothing.
        reason: if reason.starts_with('<') { String::new() } else { reason },
        by_gateway: response.headers().contains_key(GATEWAY_ERROR),
    }
}
