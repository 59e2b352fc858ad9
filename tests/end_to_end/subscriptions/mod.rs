//! Several subscriptions on one connection.

mod frames;
mod interleavings;
mod opening;
mod original;
mod views;
