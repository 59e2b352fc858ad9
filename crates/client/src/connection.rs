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

use crate::credential::ClientCredential;
use crate::dpop_key::Possession;
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

/// The `requestId` of the proof of possession.
const REQUEST_ID: &str = "bind";

/// A byte stream to the server.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for T {}

/// An open WebSocket.
pub(crate) type OpenSocket = WebSocketStream<MaybeTlsStream<Box<dyn ByteStream>>>;

/// The request of the handshake.
pub(crate) fn request(
    url: &StreamUrl,
    credential: Option<&ClientCredential>,
    user_agent: &HeaderValue,
) -> Result<Request, ClientError> {
    // The library's error may repeat the URL.
    let request = url.uri().clone().into_client_request();
    let mut request = request.map_err(|_| InvalidStreamUrl::NotWebSocket(url.to_string()))?;
    request.headers_mut().insert(header::USER_AGENT, user_agent.clone());
    if let Some(credential) = credential {
        request.headers_mut().insert(header::AUTHORIZATION, credential.header().clone());
    }
    Ok(request)
}

/// Opens a TCP connection.
pub(crate) async fn dial(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let stream = TcpStream::connect((host, port)).await.map_err(ClientError::Network)?;
    // Messages are small, and each waits for an answer.
    stream.set_nodelay(true).map_err(ClientError::Network)?;
    Ok(stream)
}

/// TLS, if the request's URL asks for it, the handshake of WebSocket, and the proof of possession of a key.
pub(crate) async fn handshake(
    transport: Box<dyn ByteStream>,
    request: Request,
    possession: Option<&Possession>,
) -> Result<OpenSocket, ClientError> {
    let url = request.uri().to_string();
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It fails if another thread has just installed one, which serves as well.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE)).read_buffer_size(READ_BUFFER);
    let (mut socket, _) =
        client_async_tls_with_config(request, transport, Some(config), None).await.map_err(failed_by)?;
    if let Some(possession) = possession {
        bind(&mut socket, possession, &url).await?;
    }
    Ok(socket)
}

/// Proves that the client has the key of its token. Until then the server sends nothing but the answer.
async fn bind(socket: &mut OpenSocket, possession: &Possession, url: &str) -> Result<(), ClientError> {
    let proof = possession.prove(url).map_err(|error| ClientError::Network(std::io::Error::other(error)))?;
    let message = ClientMessage { action: Action::DpopBind { proof }, request_id: RequestId::parse(REQUEST_ID).ok() };
    socket.send(Message::text(message.to_json())).await.map_err(lost_by)?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => match ServerMessage::parse(text.as_str()) {
                Ok(ServerMessage::Answer(Answer::DpopVerified { .. })) => return Ok(()),
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
                Err(_) => return Err(ClientError::Protocol("the answer to dpop_bind is not a message".to_owned())),
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
