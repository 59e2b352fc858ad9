//! Signs tokens and explains them.

mod bound;
mod claims;
mod explanation;
mod fault;
mod overlay;
mod secret;
mod signing;
mod verdict;

pub(crate) use bound::is_bound;
pub(crate) use claims::{Claim, ClaimNames};
pub(crate) use explanation::{explain, listed, reason};
pub(crate) use fault::likely_fault;
pub(crate) use overlay::overlay;
pub(crate) use secret::{SecretSource, fresh_secret};
pub(crate) use signing::NewToken;
pub(crate) use verdict::Judge;
