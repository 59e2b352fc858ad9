/// The format of the events that a connection receives: `format` in the URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// The event object itself.
    #[default]
    Json,
    /// The event object in a CloudEvents 1.0 envelope (structured JSON mode).
    CloudEvents,
}

/// The text is not the name of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("format is json (the default) or cloudevents")]
pub struct InvalidFormat;

impl Format {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::CloudEvents => "cloudevents",
        }
    }

    /// Reads the name of a format.
    ///
    /// # Errors
    /// [`InvalidFormat`] for any text other than `json` and `cloudevents`.
    pub fn parse(text: &str) -> Result<Self, InvalidFormat> {
        match text {
            "json" => Ok(Self::Json),
            "cloudevents" => Ok(Self::CloudEvents),
            _ => Err(InvalidFormat),
        }
    }
}
