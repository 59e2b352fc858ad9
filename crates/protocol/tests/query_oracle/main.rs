//! A second implementation of the fields that select changes, against which the product is checked.
//!
//! Invariant: `oracle`, `syntax`, `attribute_reading` and `instants` follow `docs/protocol.md` and ETSI GS CIM 009, section 4.9,
//! and not the product's sources, which their author had not read when writing them. Later changes follow the specification's
//! text. The modules are naive on purpose: recursion over JSON values, no limits, nothing kept. If both disagree, the text of
//! the specification decides.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod attribute_reading;
mod cases;
mod cases_of_structures;
mod forms;
mod generated;
mod geometry;
mod instants;
mod oracle;
mod selection;
mod spelling;
mod syntax;
mod table;
