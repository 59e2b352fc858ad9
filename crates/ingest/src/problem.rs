//! The answers to requests that fail: problem details (RFC 9457).

use std::borrow::Cow;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::HeaderValue;
use aws_lambda_events::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use entity_stream_auth::Refusal;
use entity_stream_protocol::limits::ENTITY_ID_LENGTH;
use serde::Serialize;

use crate::limits::NOTIFY_PATH;
use crate::notification::InvalidNotification;
use crate::refused_entity::RefusedEntity;
use crate::tenant_rule::UnknownTenant;

/// The seconds after which a sender may repeat a notification.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const POST: HeaderValue = HeaderValue::from_static("POST");
const SCHEMES: HeaderValue = HeaderValue::from_static("Basic realm=\"entity-stream\", Bearer");
/// The refused entities that an answer names. A notification can have a thousand.
const NAMED: usize = 20;

/// The reason why a notification is not accepted as a whole.
#[derive(Debug)]
pub(crate) enum NotifyProblem {
    SwitchedOff,
    Path,
    Method,
    Credential(Refusal),
    MayNotPublish,
    Tenant(UnknownTenant),
    OtherTenant,
    ServicePath,
    ContentEncoding,
    Body,
    Notification(InvalidNotification),
    /// The bus has all entities but these.
    Entities {
        refused: Vec<RefusedEntity>,
        published: usize,
    },
    /// The bus does not have these many entities yet.
    Unpublished {
        waiting: usize,
        published: usize,
    },
    TimedOut,
}

/// The body of a problem.
#[derive(Serialize)]
struct ProblemDetails<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<EntityDetails<'a>>,
}

/// A refused entity in the body of a problem.
#[derive(Serialize)]
struct EntityDetails<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    reason: String,
}

impl<'a> EntityDetails<'a> {
    fn of(entity: &'a RefusedEntity) -> Self {
        Self { index: entity.index, id: entity.id.as_deref().map(shortened), reason: entity.fault.to_string() }
    }
}

/// An id of at most the length that an event may have. A longer one ends with an ellipsis.
fn shortened(id: &str) -> Cow<'_, str> {
    match id.char_indices().nth(ENTITY_ID_LENGTH) {
        Some((end, _)) => Cow::Owned(format!("{}…", &id[..end])),
        None => Cow::Borrowed(id),
    }
}

impl NotifyProblem {
    /// One word for logs, metrics and the `type` of the answer.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::SwitchedOff => "switched-off",
            Self::Path => "unknown-path",
            Self::Method => "method",
            Self::Credential(_) => "credential",
            Self::MayNotPublish => "may-not-publish",
            Self::Tenant(_) => "tenant",
            Self::OtherTenant => "other-tenant",
            Self::ServicePath => "service-path",
            Self::ContentEncoding => "content-encoding",
            Self::Body => "body",
            Self::Notification(_) => "notification",
            Self::Entities { .. } => "entities",
            Self::Unpublished { .. } => "unpublished",
            Self::TimedOut => "timed-out",
        }
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Path => 404,
            Self::Method => 405,
            Self::Credential(refusal) => refusal.status(),
            Self::MayNotPublish | Self::OtherTenant => 403,
            Self::Notification(InvalidNotification::TooMany) => 413,
            Self::ContentEncoding => 415,
            Self::Entities { refused, .. } if refused.iter().all(|entity| entity.fault.is_size()) => 413,
            Self::Tenant(_) | Self::ServicePath | Self::Body | Self::Notification(_) | Self::Entities { .. } => 400,
            Self::SwitchedOff | Self::Unpublished { .. } | Self::TimedOut => 503,
        }
    }

    /// True if the bus, the keys or the identity provider failed.
    pub(crate) fn is_our_fault(&self) -> bool {
        match self {
            Self::Unpublished { .. } | Self::TimedOut => true,
            Self::Credential(refusal) => matches!(refusal, Refusal::KeysUnavailable | Refusal::ApiKeysUnavailable),
            _ => false,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::SwitchedOff => "Ingest is switched off",
            Self::Path => "Unknown path",
            Self::Method => "Method not allowed",
            Self::Credential(_) => "No valid credential",
            Self::MayNotPublish => "This identity may not publish",
            Self::Tenant(_) => "No tenant",
            Self::OtherTenant => "Another tenant",
            Self::ServicePath => "Malformed service path",
            Self::ContentEncoding => "Compressed body",
            Self::Body => "Unreadable body",
            Self::Notification(_) => "No notification that can be published",
            Self::Entities { .. } => "Some entities are refused",
            Self::Unpublished { .. } | Self::TimedOut => "Try again",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::SwitchedOff => "INGEST_ENABLED and EVENT_STREAMING_ENABLED have to be true".to_owned(),
            Self::Path => format!("send notifications to {NOTIFY_PATH}"),
            Self::Method => "send notifications with POST".to_owned(),
            Self::Credential(Refusal::NoCredential) => {
                "authentication is required: send an API key in Authorization: Basic, or a token in Authorization: Bearer"
                    .to_owned()
            }
            Self::Credential(refusal) => refusal.message().to_owned(),
            Self::MayNotPublish => {
                "publishing needs the role publisher, tenant_admin or super_admin; this identity has another".to_owned()
            }
            Self::Tenant(unknown) => unknown.to_string(),
            Self::OtherTenant => "this identity may not publish to this tenant".to_owned(),
            Self::ServicePath => {
                "Fiware-ServicePath is malformed: expected paths such as /madrid without #, separated by commas".to_owned()
            }
            Self::ContentEncoding => {
                "Content-Encoding is not supported, gzip included: send the body without compression".to_owned()
            }
            Self::Body => "the body is not UTF-8 text".to_owned(),
            Self::Notification(invalid) => invalid.to_string(),
            Self::Entities { refused, published } => {
                let first = refused.first().map(|entity| entity.fault.to_string()).unwrap_or_default();
                format!("{} of the entities are refused, and {published} are published; the first: {first}", refused.len())
            }
            Self::Unpublished { waiting, published } => format!(
                "{waiting} of the entities are not published yet, and {published} are; send the notification again. Clients may \
                 receive the others twice"
            ),
            Self::TimedOut => "the credential could not be checked in time; send the notification again".to_owned(),
        }
    }

    fn body(&self) -> String {
        let (refused, published) = match self {
            Self::Entities { refused, published } => (&refused[..], Some(*published)),
            Self::Unpublished { published, .. } => (&[][..], Some(*published)),
            _ => (&[][..], None),
        };
        let details = ProblemDetails {
            kind: format!("urn:entity-stream:problem:{}", self.name()),
            title: self.title(),
            status: self.status(),
            detail: self.detail(),
            published,
            refused: refused.iter().take(NAMED).map(EntityDetails::of).collect(),
        };
        // Texts and numbers always serialise.
        serde_json::to_string(&details).unwrap_or_default()
    }

    /// The answer to the sender.
    pub(crate) fn answer(&self) -> ApiGatewayV2httpResponse {
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = i64::from(self.status());
        response.headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        match self.status() {
            401 => response.headers.insert(WWW_AUTHENTICATE, SCHEMES),
            405 => response.headers.insert(ALLOW, POST),
            503 => response.headers.insert(RETRY_AFTER, RETRY_SECONDS),
            _ => None,
        };
        response.body = Some(Body::Text(self.body()));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refused_entity::EntityFault;

    #[test]
    fn a_problem_names_what_is_wrong_and_when_to_try_again() {
        let refused = |index| RefusedEntity { index, id: Some(format!("urn:{index}")), fault: EntityFault::NoType };
        let problem = NotifyProblem::Entities { refused: (0..30).map(refused).collect(), published: 7 };
        let answer = problem.answer();
        assert_eq!(
            (answer.status_code, answer.headers[CONTENT_TYPE].to_str().unwrap()),
            (400, "application/problem+json")
        );
        let Some(Body::Text(body)) = answer.body else { panic!("a text") };
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["status"], &body["published"]), (&400.into(), &7.into()));
        assert_eq!(body["type"], "urn:entity-stream:problem:entities");
        assert_eq!(body["refused"].as_array().unwrap().len(), NAMED);
        assert_eq!(body["refused"][1]["id"], "urn:1");
        assert!(body["refused"][1]["reason"].as_str().unwrap().contains("has no type"));

        let busy = NotifyProblem::Unpublished { waiting: 3, published: 7 }.answer();
        assert_eq!((busy.status_code, &busy.headers[RETRY_AFTER]), (503, &RETRY_SECONDS));
        assert_eq!(&NotifyProblem::Method.answer().headers[ALLOW], "POST");
        assert!(NotifyProblem::Credential(Refusal::NoCredential).answer().headers.contains_key(WWW_AUTHENTICATE));
    }

    #[test]
    fn an_id_that_no_event_may_have_is_cut() {
        let named = |id: String| {
            let refused = vec![RefusedEntity { index: 0, id: Some(id), fault: EntityFault::NoType }];
            let body: serde_json::Value =
                serde_json::from_str(&NotifyProblem::Entities { refused, published: 0 }.body()).unwrap();
            body["refused"][0]["id"].as_str().unwrap().to_owned()
        };
        let longest = "é".repeat(ENTITY_ID_LENGTH);
        assert_eq!(named(longest.clone()), longest);
        assert_eq!(named("é".repeat(1024 * 1024)), longest + "…");
    }

    #[test]
    fn every_problem_is_explained() {
        let page = include_str!("../../../docs/brokers.md");
        for problem in [
            NotifyProblem::SwitchedOff,
            NotifyProblem::Path,
            NotifyProblem::Method,
            NotifyProblem::Credential(Refusal::ApiKey),
            NotifyProblem::MayNotPublish,
            NotifyProblem::Tenant(UnknownTenant::Missing),
            NotifyProblem::OtherTenant,
            NotifyProblem::ServicePath,
            NotifyProblem::ContentEncoding,
            NotifyProblem::Body,
            NotifyProblem::Notification(InvalidNotification::Unknown),
            NotifyProblem::Entities { refused: Vec::new(), published: 0 },
            NotifyProblem::Unpublished { waiting: 1, published: 0 },
            NotifyProblem::TimedOut,
        ] {
            assert!(
                page.contains(&format!("| `{}` |", problem.name())),
                "{} is not in docs/brokers.md",
                problem.name()
            );
        }
    }

    #[test]
    fn no_sender_can_make_a_fault_of_ours() {
        for refusal in Refusal::ALL {
            let ours = matches!(refusal, Refusal::KeysUnavailable | Refusal::ApiKeysUnavailable);
            assert_eq!(NotifyProblem::Credential(refusal).is_our_fault(), ours);
        }
        assert!(
            !NotifyProblem::Notification(InvalidNotification::Unknown).is_our_fault()
                && NotifyProblem::TimedOut.is_our_fault()
        );
    }
}
