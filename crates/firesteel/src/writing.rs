//! What this process is writing into output directories.
//!
//! An output is removed when nobody of this process writes to it any more: what came later would stay. And a process that is
//! told to end lets go of its outputs first.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// Tasks that were told to end look at that with each record. Who waits for longer waits for closures that may never end.
const END_TIME_OUT: Duration = Duration::from_secs(5);

/// The tasks of this process that write, by the output's job.
static TASKS: Writers = Writers::new();
/// The jobs whose output this process sets up, commits or removes.
static JOBS: Writers = Writers::new();

struct Writers {
    counts: Mutex<BTreeMap<String, usize>>,
    ended: Condvar,
}

/// As long as it lives, somebody writes.
pub(crate) struct Writing {
    writers: &'static Writers,
    job_id: String,
}

impl Writers {
    const fn new() -> Self {
        Self { counts: Mutex::new(BTreeMap::new()), ended: Condvar::new() }
    }

    fn begin(&'static self, job_id: &str) -> Writing {
        *self.counts.lock().entry(job_id.to_owned()).or_default() += 1;
        Writing { writers: self, job_id: job_id.to_owned() }
    }

    /// Waits until the condition holds. Did it in time?
    fn wait_until(&self, holds: impl Fn(&BTreeMap<String, usize>) -> bool, time_out: Duration) -> bool {
        let deadline = Instant::now() + time_out;
        let mut counts = self.counts.lock();
        while !holds(&counts) {
            if self.ended.wait_until(&mut counts, deadline).timed_out() {
                return holds(&counts);
            }
        }
        true
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut counts = self.writers.counts.lock();
        if let Some(count) = counts.get_mut(&self.job_id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.job_id);
            }
        }
        self.writers.ended.notify_all();
    }
}

/// A task begins to write for the job.
pub(crate) fn task(job_id: &str) -> Writing {
    TASKS.begin(job_id)
}

/// The job's output is worked on from now on.
pub(crate) fn job(job_id: &str) -> Writing {
    JOBS.begin(job_id)
}

/// Waits for the tasks of a job that has failed. Have all of them ended? Tasks of other processes are not known here.
pub(crate) fn wait_for_tasks(job_id: &str) -> bool {
    TASKS.wait_until(|tasks| !tasks.contains_key(job_id), END_TIME_OUT)
}

/// Waits until all jobs have committed or removed their outputs; they have failed by now. Whatever takes too long is left behind.
pub(crate) fn wait_for_jobs() -> bool {
    JOBS.wait_until(BTreeMap::is_empty, 2 * END_TIME_OUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_waits_for_the_last_writer_of_that_job() {
        static WRITERS: Writers = Writers::new();
        let soon = Duration::from_millis(10);
        let (first, second, other) = (WRITERS.begin("a"), WRITERS.begin("a"), WRITERS.begin("b"));
        let a_has_ended = |writers: &BTreeMap<String, usize>| !writers.contains_key("a");
        assert!(!WRITERS.wait_until(a_has_ended, soon));
        drop(first);
        assert!(!WRITERS.wait_until(a_has_ended, soon));
        let waiting = std::thread::spawn(move || WRITERS.wait_until(a_has_ended, Duration::from_secs(60)));
        drop(second);
        assert!(waiting.join().unwrap());
        assert!(!WRITERS.wait_until(BTreeMap::is_empty, soon));
        drop(other);
        assert!(WRITERS.wait_until(BTreeMap::is_empty, soon));
    }
}
