use serde::{Deserialize, Serialize};

/// Which `subscribe` and `unsubscribe` messages that succeed the server answers. It answers every other message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Acknowledgement {
    /// Those with a `requestId`. Clients of the original contract send none, and some fail on any frame that they do not know.
    #[default]
    Request,
    /// Every one.
    Always,
}

/// The text is not an [`Acknowledgement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ack is request or always")]
pub struct InvalidAcknowledgement;

impl Acknowledgement {
    /// Reads a name of the contract, `request` or `always`.
    ///
    /// # Errors
    /// [`InvalidAcknowledgement`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidAcknowledgement> {
        [Self::Request, Self::Always].into_iter().find(|each| each.as_str() == text).ok_or(InvalidAcknowledgement)
    }

    /// The name in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Always => "always",
        }
    }
}

impl std::str::FromStr for Acknowledgement {
    type Err = InvalidAcknowledgement;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}
