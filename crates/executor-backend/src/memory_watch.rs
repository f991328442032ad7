//! Keeps the process within the memory that it was given.
//!
//! The pools bound what the engine holds; what a user's closure allocates they cannot see. So the resident set is looked
//! at, and a process that has outgrown `spark.executor.memory` plus its overhead ends itself with Spark's exit code for that
//! (RT-73, AS-02), before the kernel picks a victim without telling why.

use std::{thread, time::Duration};

use firesteel_executor::resident_bytes;
use firesteel_model::ByteCount;

/// Allocation runs at one or two GB/s at most, page faults being what they are; so an executor overshoots by some tens of MB.
const CHECK_INTERVAL: Duration = Duration::from_millis(25);

/// Calls `exceeded` once, with what is resident, when that is more than `limit`.
pub(crate) fn start(limit: ByteCount, exceeded: impl FnOnce(ByteCount) + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name("memory-watch".to_owned()).spawn(move || {
        loop {
            let resident = ByteCount(resident_bytes());
            if resident > limit {
                return exceeded(resident);
            }
            thread::sleep(CHECK_INTERVAL);
        }
    })?;
    Ok(())
}
