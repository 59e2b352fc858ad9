//! The ingest function: puts the notifications of NGSI context brokers on the event bus, one event for each entity.
//!
//! - **Trigger**: `POST /notify` at the function's URL, with a notification of NGSIv2 or NGSI-LD.
//! - **Reads**: `Authorization`, the headers that name tenant and service path, and the notification.
//! - **Checks**, in this order: the switch, path and method, credential, tenant, access, body. A sender that is refused early
//!   costs little.
//! - **Writes**: an event for each entity of the notification, at least once.
//! - **Answers**: 204 if every entity is on the bus. 4xx with a problem (RFC 9457) if the notification, or some of its entities,
//!   are refused; the other entities are on the bus. 503 with `Retry-After` if the bus did not take all of them, or the
//!   credential cannot be checked now; the sender repeats the notification. The answer takes 4 seconds at most.
//! - **Fails** never: every problem is an answer.
//!
//! The modules `ngsi_v2` and `ngsi_ld` know a format each and have no I/O. `notification` tells the formats apart.

mod entity_report;
mod forwarding;
mod geo_json;
mod handler;
mod ld_instances;
mod limits;
mod link;
mod ngsi_ld;
mod ngsi_ld_attribute;
mod ngsi_v2;
mod notification;
mod notify_request;
mod null_marker;
mod problem;
mod refused_entity;
mod repeats;
mod tenant_rule;
mod trigger;
mod uncertain_time;

pub use handler::Ingest;
pub use limits::{MOST_ENTITIES, NOTIFICATION_BYTES, NOTIFY_PATH};
pub use notification::{InvalidNotification, NotificationFacts, read_notification};
pub use refused_entity::{EntityFault, RefusedEntity};
