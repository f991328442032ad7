//! Keeps the process within the memory that it was given.
//!
//! The pools bound what the engine holds by its own account; what a user's closure allocates they cannot see, and what records
//! take they estimate. So the resident set is looked at. When it grows beyond what the process was given, the pools shrink,
//! records are spilled and blocks evicted; a process that outgrows its overhead too ends itself with Spark's exit code for that
//! (RT-73, AS-02), before the kernel picks a victim without telling why.

use std::{sync::Arc, thread, time::Duration};

use firesteel_executor::{Environment, resident_bytes};
use firesteel_memory::ResidentLimits;
use firesteel_model::ByteCount;
use tracing::{debug, warn};

use crate::memory_relief::MemoryRelief;

/// Allocation runs at one or two GB/s at most, page faults being what they are; so an executor overshoots by some tens of MB.
const CHECK_INTERVAL: Duration = Duration::from_millis(25);

/// Calls `exceeded` once, with what is resident, when that is more than the limit.
pub(crate) fn start(
    limits: ResidentLimits,
    environment: Arc<Environment>,
    exceeded: impl FnOnce(ByteCount) + Send + 'static,
) -> std::io::Result<()> {
    let relief = MemoryRelief::start(Arc::clone(&environment))?;
    thread::Builder::new().name("memory-watch".to_owned()).spawn(move || {
        let mut is_told = false;
        loop {
            let resident = ByteCount(resident_bytes());
            if resident > limits.limit {
                return exceeded(resident);
            }
            let pressure = environment.observe_resident(&limits, resident);
            if pressure.is_pressed {
                relief.ask();
            }
            if pressure.is_recall {
                let ResidentLimits { given, limit } = limits;
                if is_told {
                    debug!(%resident, %given, %limit, "the process has grown further: records are spilled");
                } else {
                    warn!(%resident, %given, %limit, "the process holds more than it was given: it spills and evicts what it can");
                    is_told = true;
                }
            }
            thread::sleep(CHECK_INTERVAL);
        }
    })?;
    Ok(())
}
