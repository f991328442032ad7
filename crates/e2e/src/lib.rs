//! What the test application and the tests that harm it agree on.
//!
//! The application runs one scenario in a process of its own; its tasks stop at [`Gates`], where a test finds the executor's
//! process id and does to it what the scenario is about. Nothing here sleeps for a guessed time: each side waits for what
//! the other one has done, and gives up loudly after [`PATIENCE`].

#![forbid(unsafe_code)]

mod gates;

/// Set to a number for a driver whose executors are to be on so many hosts: each gets another loopback address.
pub const HOSTS_VARIABLE: &str = "FIRESTEEL_E2E_HOSTS";

pub use gates::{Gates, PATIENCE, wait_until};
