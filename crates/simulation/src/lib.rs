//! A simulated city: rooms, sensors and vehicles whose changes are published at a steady rate, as any publisher publishes.
//!
//! [`Simulation::run`] publishes a [`City`] through `entity_stream_publisher`. The same seed gives the same city.

mod chance;
mod city;
mod map;
mod ngsi;
mod rate;
mod room;
mod schedule;
mod sensor;
mod simulation;
mod vehicle;

pub use city::City;
pub use rate::{InvalidRate, Rate};
pub use simulation::{Simulation, SimulationError};
