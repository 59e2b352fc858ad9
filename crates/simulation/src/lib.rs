//! A simulated city: rooms, sensors, vehicles and depots whose changes are published at a steady rate, in the forms in
//! which context brokers publish.
//!
//! [`Simulation::run`] publishes a [`City`] through `entity_stream_publisher`. The same seed gives the same city.

mod attribute;
mod chance;
mod city;
mod data;
mod depot;
mod entity;
mod form;
mod map;
mod ngsi_ld;
mod ngsi_v2;
mod rate;
mod room;
mod schedule;
mod sensor;
mod simulation;
mod vehicle;

pub use city::{City, CityState};
pub use form::{EventForm, InvalidNgsiFormat, NgsiFormat};
pub use rate::{InvalidRate, Rate};
pub use simulation::{Simulation, SimulationError};
