//! Processor time of the calling thread.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of processor time that the calling thread has used.
pub(crate) fn thread_cpu_time_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
