//! What the test application and the tests that harm it agree on.
//!
//! The application runs one scenario in a process of its own; its tasks stop at [`Gates`], where a test finds the executor's
//! process id and does to it what the scenario is about. Nothing here sleeps for a guessed time: each side waits for what
//! the other one has done, and gives up loudly after [`PATIENCE`].

#![forbid(unsafe_code)]

mod gates;

pub use gates::{Gates, PATIENCE, wait_until};
