use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity_stream_protocol::limits::SERVICE_PATH_LENGTH;

use crate::limits::NOTIFY_PATH;
use crate::notification::InvalidNotification;
use crate::problem::NotifyProblem;

/// A request to the function's URL. The event has the form of payload version 2.0 of API Gateway's HTTP APIs.
/// Source: "Invoking Lambda function URLs", AWS Lambda Developer Guide.
pub(crate) struct NotifyRequest<'a>(pub(crate) &'a ApiGatewayV2httpRequest);

impl NotifyRequest<'_> {
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    pub(crate) fn request_id(&self) -> &str {
        self.0.request_context.request_id.as_deref().unwrap_or_default()
    }

    pub(crate) fn source_ip(&self) -> &str {
        self.0.request_context.http.source_ip.as_deref().unwrap_or_default()
    }

    /// Refuses other paths and methods.
    pub(crate) fn check_target(&self) -> Result<(), NotifyProblem> {
        let path = self.0.raw_path.as_deref().unwrap_or_default();
        if path.strip_suffix('/').unwrap_or(path) != NOTIFY_PATH {
            return Err(NotifyProblem::Path);
        }
        if self.0.request_context.http.method == Method::POST { Ok(()) } else { Err(NotifyProblem::Method) }
    }

    /// The values of `Authorization`. The event joins the values of a repeated header by commas.
    pub(crate) fn authorization(&self) -> Result<Vec<&str>, NotifyProblem> {
        let values = self.headers().get_all("authorization").iter().map(|value| value.to_str());
        values
            .collect::<Result<_, _>>()
            .map_err(|_| NotifyProblem::Credential(entity_stream_auth::Refusal::MalformedCredential))
    }

    /// The text of a header. A header that is not text counts as missing.
    pub(crate) fn text(&self, header: &str) -> Option<String> {
        self.headers().get(header)?.to_str().ok().map(str::to_owned)
    }

    /// The paths of `Fiware-ServicePath`, which Orion separates by commas if the entities have several.
    pub(crate) fn service_paths(&self) -> Result<Vec<String>, NotifyProblem> {
        let Some(value) = self.headers().get("fiware-servicepath") else { return Ok(Vec::new()) };
        let value = value.to_str().map_err(|_| NotifyProblem::ServicePath)?;
        let paths: Vec<String> = value.split(',').map(|path| path.trim().to_owned()).collect();
        // `#` stands for all paths below. An entity has one path.
        let is_path =
            |path: &String| path.starts_with('/') && !path.contains('#') && path.chars().count() <= SERVICE_PATH_LENGTH;
        match &paths[..] {
            [only] if only.is_empty() => Ok(Vec::new()),
            paths if paths.iter().all(is_path) => Ok(paths.to_vec()),
            _ => Err(NotifyProblem::ServicePath),
        }
    }

    /// Refuses bodies that are compressed, or GeoJSON.
    pub(crate) fn check_encoding(&self) -> Result<(), NotifyProblem> {
        let header = |name: &str| self.text(name).unwrap_or_default().trim().to_ascii_lowercase();
        if !["", "identity"].contains(&header("content-encoding").as_str()) {
            return Err(NotifyProblem::ContentEncoding);
        }
        if header("content-type").starts_with("application/geo+json") {
            return Err(NotifyProblem::Notification(InvalidNotification::GeoJson));
        }
        Ok(())
    }

    /// The body. The function's URL passes bodies of unknown types in base64, for example `application/ld+json`.
    pub(crate) fn body(&self) -> Result<String, NotifyProblem> {
        let body = self.0.body.as_deref().unwrap_or_default();
        if !self.0.is_base64_encoded {
            return Ok(body.to_owned());
        }
        let bytes = STANDARD.decode(body).map_err(|_| NotifyProblem::Body)?;
        String::from_utf8(bytes).map_err(|_| NotifyProblem::Body)
    }
}
