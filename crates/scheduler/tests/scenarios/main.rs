//! Scenarios: one linear story per test, events in, the whole list of commands compared, invariants checked after each
//! event.

mod ahead;
mod barrier;
mod cancel;
mod exclusion;
mod executors;
mod fetch_failure;
mod late_messages;
mod locality;
mod memory;
mod resource_profiles;
mod retry;
mod speculation;
mod stages;
mod starvation;
mod story;
