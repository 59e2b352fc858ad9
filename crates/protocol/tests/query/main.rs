//! The query language: what each form of an attribute answers, which texts are refused, and what an evaluation costs.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod cost;
mod entity;
mod forms;
mod properties;
mod refusals;
mod semantics;
mod several_values;
mod spellings;
