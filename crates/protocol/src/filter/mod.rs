//! The selection of a subscription.
//!
//! Invariant: a [`Filter`] that a client sent is within all limits. [`FilterFields::check`] is the only way from what a client
//! sent to a filter; serde reads filters that a server wrote, which were valid then.

mod definition;
mod fields;
mod invalid;
mod scopes;

pub use definition::Filter;
pub use fields::FilterFields;
pub use invalid::InvalidFilter;
pub use scopes::FilterScopes;

#[cfg(test)]
mod tests;
