//! The limits of `PutEvents`.
//!
//! EventBridge raised its limits from 256 KB to 1 MB on 2026-01-29. Source: "PutEvents", Amazon EventBridge API Reference.

/// Maximum number of entries in one request.
pub const REQUEST_ENTRIES: usize = 10;

/// A request of two or more entries has fewer bytes than this. The documentation says "1 MB" and leaves open whether that
/// is 1,000,000 or 1,048,576 bytes. The smaller number holds under both readings, and a different split always exists.
pub const REQUEST_BYTES: usize = 1_000_000;

/// A single entry has fewer bytes than this. The larger reading of "1 MB" holds here, because an entry cannot be split:
/// EventBridge decides.
pub const ENTRY_BYTES: usize = 1024 * 1024;
