//! Cancels what one thread has started, and nothing else.
//!
//! A group or a tag could do that too, but programs see those and set their own.

use std::{cell::RefCell, sync::Arc};

use firesteel_driver::JobHandle;
use firesteel_model::JobId;
use parking_lot::Mutex;

use crate::context::SparkContext;

thread_local! {
    static CANCELLERS: RefCell<Vec<JobCanceller>> = const { RefCell::new(Vec::new()) };
}

/// Cancels the jobs that some piece of work starts, from another thread.
///
/// ```
/// # let spark = firesteel::examples::context();
/// use firesteel::JobCanceller;
///
/// let canceller = JobCanceller::new(&spark);
/// let outcome = std::thread::scope(|scope| {
///     let counting = scope.spawn(|| canceller.run(|| spark.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count()));
///     canceller.cancel("nobody wants to know");
///     counting.join().unwrap()
/// });
/// assert!(outcome.unwrap_err().to_string().contains("nobody wants to know"));
/// assert_eq!(spark.range(0, 10, 1, 2).count()?, 10);
/// # Ok::<(), firesteel::SparkError>(())
/// ```
#[derive(Clone)]
pub struct JobCanceller {
    context: SparkContext,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Those that were started. A piece of work starts few, and whether they have ended is the scheduler's to know.
    jobs: Vec<JobId>,
    reason: Option<String>,
}

impl JobCanceller {
    /// For work on this context. An example is at [`JobCanceller`], for this and for what follows.
    pub fn new(context: &SparkContext) -> Self {
        Self { context: context.clone(), state: Arc::default() }
    }

    /// Runs `work` on this thread. Jobs that it starts on this thread are those that [`JobCanceller::cancel`] cancels.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        struct TakeAway;
        impl Drop for TakeAway {
            fn drop(&mut self) {
                CANCELLERS.with_borrow_mut(Vec::pop);
            }
        }
        CANCELLERS.with_borrow_mut(|cancellers| cancellers.push(self.clone()));
        let _take_away = TakeAway;
        work()
    }

    /// Cancels the jobs under way, and those that the work has not started yet. The reason becomes part of the error that
    /// it gets.
    pub fn cancel(&self, reason: &str) {
        let mut state = self.state.lock();
        state.reason = Some(reason.to_owned());
        for &job_id in &state.jobs {
            self.context.cancel_job(job_id, Some(reason));
        }
    }

    fn submit(&self, submit: impl FnOnce() -> JobHandle) -> JobHandle {
        // Under the lock, so that whoever cancels sees the job or is seen by it.
        let mut state = self.state.lock();
        let job = submit();
        state.jobs.push(job.job_id());
        if let Some(reason) = &state.reason {
            self.context.cancel_job(job.job_id(), Some(reason));
        }
        job
    }
}

/// Submits a job for this thread. It is cancelled at once if the thread's work was.
pub(crate) fn submit(submit: impl FnOnce() -> JobHandle) -> JobHandle {
    let canceller = CANCELLERS.with_borrow(|cancellers| cancellers.last().cloned());
    match canceller {
        Some(canceller) => canceller.submit(submit),
        None => submit(),
    }
}
