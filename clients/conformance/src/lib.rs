//! The scripted server of the conformance suite that every Entity Stream client has to pass, and its scenarios.
//!
//! A scenario is a file in `scenarios`: one conversation between a client and [`ConformanceServer`]. `README.md` describes its
//! format. A runner, which each client has in its own language, does the steps of the client and hands every other step to
//! the server: a Rust runner to [`ConformanceServer::step`], any other to the program `conformance-server`, one JSON line a
//! step.
//!
//! The server knows nothing of the contract but the form of its messages. It does what the scenario says, also if no real server
//! would do that.

mod connection_task;
mod event_frames;
mod expectation;
mod handshake_plan;
mod scenario_files;
mod scripted_answer;
mod scripted_connection;
mod server;
mod server_state;
mod server_step;

pub use scenario_files::{ScenarioError, scenarios};
pub use server::{ConformanceServer, StepError};
