//! The path and the limits of notifications.

/// The path of notifications.
pub const NOTIFY_PATH: &str = "/notify";

/// The most entities of one notification: the largest page of a broker.
pub const MOST_ENTITIES: usize = 1_000;

/// The largest body of a notification, in bytes: the payload that Lambda takes.
/// Source: "Lambda quotas", AWS Lambda Developer Guide.
pub const NOTIFICATION_BYTES: usize = 6 * 1024 * 1024;
