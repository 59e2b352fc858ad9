//! Names of AWS resources. The functions refuse an impossible name at their start instead of with the first event.

use http::Uri;

/// The shortest name of a table.
/// Source: "Naming rules", Amazon DynamoDB Developer Guide.
const SHORTEST_TABLE: usize = 3;

/// Accepts the name or the ARN of a DynamoDB table.
pub(super) fn table(text: String) -> Option<String> {
    resource(text, "table").filter(|name| name.len() >= SHORTEST_TABLE)
}

/// Accepts the name or the ARN of an event bus.
pub(super) fn event_bus(text: String) -> Option<String> {
    resource(text, "event-bus")
}

/// Accepts the URL of an SQS queue, whose path is the account and the name of the queue.
pub(super) fn queue(url: String) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() != "/").then_some(url)
}

/// Accepts a name with the characters that DynamoDB and EventBridge allow, or the ARN of such a resource.
fn resource(text: String, kind: &str) -> Option<String> {
    let name = match text.strip_prefix("arn:") {
        Some(arn) => arn.split_once(&format!(":{kind}/"))?.1,
        None => &text,
    };
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    (!name.is_empty() && name.chars().all(is_allowed)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_and_a_bus_have_a_name_or_an_arn() {
        for name in ["connections-prod", "a.b_C", "arn:aws:dynamodb:eu-west-1:123456789012:table/connections"] {
            assert_eq!(table(name.to_owned()).as_deref(), Some(name));
        }
        for name in ["a b", "x", "T#1", "arn:aws:dynamodb:eu-west-1:123456789012:table/", "https://a/b"] {
            assert_eq!(table(name.to_owned()), None, "{name}");
        }
        for name in ["default", "partner/bus", "arn:aws:events:eu-west-1:123456789012:event-bus/orders"] {
            assert_eq!(event_bus(name.to_owned()).as_deref(), Some(name));
        }
        for name in ["bad bus!", "arn:aws:events:eu-west-1:123456789012:rule/orders"] {
            assert_eq!(event_bus(name.to_owned()), None, "{name}");
        }
    }

    #[test]
    fn a_queue_has_a_url() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters";
        assert_eq!(queue(url.to_owned()).as_deref(), Some(url));
        for url in
            ["nonsense", "arn:aws:sqs:eu-west-1:123456789012:dead-letters", "https://sqs.eu-west-1.amazonaws.com"]
        {
            assert_eq!(queue(url.to_owned()), None, "{url}");
        }
    }
}
