//! Several subscriptions on one connection.

mod frames;
mod interleavings;
mod memberships;
mod opening;
mod original;
mod views;
