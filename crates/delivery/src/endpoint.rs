use hyper::Uri;

/// The text is not an `@connections` endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the @connections endpoint is invalid: expected https://API.execute-api.REGION.amazonaws.com/STAGE (https, not wss, with the stage)"
)]
pub struct InvalidEndpoint;

/// The base URL of an `@connections` API, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Parses an `http` or `https` URL. A host of API Gateway needs a path, which is the stage.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let text = text.trim_end_matches('/');
        let uri: Uri = text.parse().map_err(|_| InvalidEndpoint)?;
        let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(InvalidEndpoint) };
        // `Uri` accepts user information and an invalid port as a part of the authority, and it drops a fragment.
        let expected = uri.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let is_plain =
            uri.authority().is_some_and(|authority| authority.as_str() == expected) && !text.contains(['?', '#']);
        // A custom domain can stand for a stage. A host of API Gateway cannot.
        let has_stage = !host.contains(".execute-api.") || uri.path() != "/";
        if !is_plain || !has_stage {
            return Err(InvalidEndpoint);
        }
        // `Uri` writes the scheme and the host in lower case.
        Ok(Self(uri.to_string().trim_end_matches('/').to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.0.starts_with("https://")
    }
}
