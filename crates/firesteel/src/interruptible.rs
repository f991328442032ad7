//! Records that stop flowing when the task is killed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use firesteel_executor::TaskContext;

/// Ends the task, by unwinding, at the next record after it was killed: Spark's `InterruptibleIterator`. Wrapped around
/// every source, so that everything downstream ends with it, and around what may make many records of one.
pub(crate) struct Interruptible<I> {
    records: I,
    /// The context's own, at hand for every record.
    killed: Arc<AtomicBool>,
    context: Arc<TaskContext>,
}

impl<I> Interruptible<I> {
    pub(crate) fn new(records: I, context: &Arc<TaskContext>) -> Self {
        Self { records, killed: Arc::clone(context.kill_switch().flag()), context: Arc::clone(context) }
    }
}

impl<I: Iterator> Iterator for Interruptible<I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        if self.killed.load(Ordering::Relaxed) {
            self.context.end_if_killed();
        }
        self.records.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}
