//! A connection of a stream: the attempt to open it, its frames, and its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use entity_stream_protocol::{AccessToken, ClientMessage};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::connection::{self, ByteStream, OpenSocket};
use crate::credential::ClientCredential;
use crate::error::ClientError;
use crate::renewal::HeldToken;
use crate::settings::Settings;
use crate::token_source::{SourcedToken, TokenMemory};

/// An open connection.
pub(crate) struct OpenedConnection {
    pub(crate) socket: OpenSocket,
    /// Its token, if it has one of a token source.
    pub(crate) token: Option<HeldToken>,
}

/// An attempt to open a connection.
pub(crate) struct Opening {
    pub(crate) settings: Arc<Settings>,
    pub(crate) memory: Arc<TokenMemory>,
    /// The token that is not sent again.
    pub(crate) refused: Option<AccessToken>,
}

impl Opening {
    /// Opens a connection to the host of the settings.
    pub(crate) async fn dial(self, request: Request) -> Result<OpenedConnection, ClientError> {
        // The token comes first: it is not to age while the network is slow.
        let (credential, held) = self.credential().await?;
        let (host, port) = self.settings.url.host();
        let stream = connection::dial(host, port).await?;
        self.open(Box::new(stream), request, credential, held).await
    }

    /// Opens a connection over this byte stream.
    pub(crate) async fn over(
        self,
        transport: Box<dyn ByteStream>,
        request: Request,
    ) -> Result<OpenedConnection, ClientError> {
        let (credential, held) = self.credential().await?;
        self.open(transport, request, credential, held).await
    }

    async fn open(
        &self,
        transport: Box<dyn ByteStream>,
        mut request: Request,
        credential: Option<ClientCredential>,
        held: Option<HeldToken>,
    ) -> Result<OpenedConnection, ClientError> {
        let is_in_band = self.settings.is_in_band;
        let url = request.uri().to_string();
        if let Some(credential) = credential.as_ref().filter(|_| !is_in_band) {
            request.headers_mut().insert(header::AUTHORIZATION, credential.header().clone());
        }
        let mut socket = connection::handshake(transport, request).await?;
        // A proof is valid for a short time, so the handshake comes first.
        let first_message = credential.map(|credential| credential.first_message(is_in_band, &url)).transpose()?;
        if let Some(first_message) = first_message.flatten() {
            connection::authenticate(&mut socket, first_message).await?;
        }
        Ok(OpenedConnection { socket, token: held })
    }

    /// The credential of the connection. With a token source: the token that the connection will hold, too.
    async fn credential(&self) -> Result<(Option<ClientCredential>, Option<HeldToken>), ClientError> {
        let Some(source) = &self.settings.token_source else { return Ok((self.settings.credential.clone(), None)) };
        let SourcedToken { credential, token } = source.fetch().await?;
        if self.refused.as_ref() == Some(&token) {
            return Err(ClientError::TokenRefusedAgain);
        }
        self.memory.send(&token);
        Ok((Some(credential), Some(HeldToken { left: self.memory.left(&token), token })))
    }
}

/// A connection of a stream.
pub(crate) enum Link {
    None,
    Opening(BoxFuture<'static, Result<OpenedConnection, ClientError>>),
    Open {
        socket: Box<OpenSocket>,
        /// Frames that the socket has not taken yet.
        outgoing: VecDeque<Message>,
    },
}

/// An input that a connection brings.
pub(crate) enum LinkNews {
    /// The connection is open, with this token.
    Opened(Option<HeldToken>),
    Failed(ClientError),
    Received(String),
}

impl Link {
    pub(crate) fn opening(opening: Opening, request: Request) -> Self {
        Self::Opening(opening.dial(request).boxed())
    }

    pub(crate) fn open(socket: OpenSocket) -> Self {
        Self::Open { socket: Box::new(socket), outgoing: VecDeque::new() }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Sends a message, if the connection is open.
    pub(crate) fn send(&mut self, message: Option<&ClientMessage>) {
        if let Self::Open { outgoing, .. } = self {
            outgoing.extend(message.map(ClientMessage::to_json).map(Message::text));
        }
    }

    /// Takes the connection. Returns its close handshake, if it is open.
    pub(crate) fn end(&mut self) -> Option<BoxFuture<'static, ()>> {
        match std::mem::replace(self, Self::None) {
            Self::Open { socket, .. } => Some(connection::farewell(*socket).boxed()),
            Self::None | Self::Opening(_) => None,
        }
    }

    /// Lets the connection work until it waits for the network. Returns its news.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<LinkNews> {
        let (socket, outgoing) = match self {
            Self::None => return Poll::Pending,
            Self::Opening(opening) => {
                return Poll::Ready(match ready!(opening.poll_unpin(cx)) {
                    Ok(OpenedConnection { socket, token }) => {
                        *self = Self::open(socket);
                        LinkNews::Opened(token)
                    }
                    Err(error) => LinkNews::Failed(error),
                });
            }
            Self::Open { socket, outgoing } => (socket, outgoing),
        };
        let sent = poll_send(socket, outgoing, cx);
        // Reading comes before the error of a write: the server may have said why it closed.
        loop {
            return Poll::Ready(match socket.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(Message::Text(text)))) => LinkNews::Received(text.as_str().to_owned()),
                Poll::Ready(Some(Ok(Message::Close(frame)))) => LinkNews::Failed(connection::closed(frame.as_ref())),
                // The library answers the pings of WebSocket.
                Poll::Ready(Some(Ok(_))) => continue,
                Poll::Ready(Some(Err(error))) => LinkNews::Failed(connection::lost_by(error)),
                Poll::Ready(None) => LinkNews::Failed(connection::lost()),
                Poll::Pending => match sent {
                    Poll::Ready(Err(error)) => LinkNews::Failed(connection::lost_by(error)),
                    Poll::Ready(Ok(())) | Poll::Pending => return Poll::Pending,
                },
            });
        }
    }
}

/// Sends as much as the socket accepts.
fn poll_send(
    socket: &mut OpenSocket,
    outgoing: &mut VecDeque<Message>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    while !outgoing.is_empty() {
        ready!(socket.poll_ready_unpin(cx))?;
        if let Some(message) = outgoing.pop_front() {
            socket.start_send_unpin(message)?;
        }
    }
    socket.poll_flush_unpin(cx)
}
