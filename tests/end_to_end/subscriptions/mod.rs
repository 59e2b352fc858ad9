//! Several subscriptions on one connection.

mod frames;
mod interleavings;
mod views;
