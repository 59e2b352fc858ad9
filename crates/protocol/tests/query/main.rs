//! The query language: the answers of each form of an attribute, refused texts, and the cost of an evaluation.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod cost;
mod entity;
mod forms;
mod properties;
mod refusals;
mod semantics;
mod several_values;
mod spellings;
