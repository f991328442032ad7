//! What listeners hear of tasks that end.

use std::sync::Arc;

use firesteel::{ListenerEvent, SparkContext};
use firesteel_e2e::wait_until;
use firesteel_model::{TaskEndReason, TaskSnapshot};
use parking_lot::Mutex;

/// Every task attempt that has ended, in the order in which listeners heard of it.
#[derive(Clone, Default)]
pub(crate) struct EndedTasks(Arc<Mutex<Vec<EndedTask>>>);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct EndedTask {
    pub(crate) task: TaskSnapshot,
    pub(crate) reason: TaskEndReason,
}

impl EndedTasks {
    /// Listens from here on.
    pub(crate) fn listen(spark: &SparkContext) -> anyhow::Result<Self> {
        let ended = Self::default();
        let list = Arc::clone(&ended.0);
        spark.add_spark_listener(move |event| {
            if let ListenerEvent::TaskEnd { task, reason, .. } = event {
                list.lock().push(EndedTask { task: task.clone(), reason: reason.clone() });
            }
        })?;
        Ok(ended)
    }

    /// Waits until so many attempts that `wanted` takes have ended, and gives them.
    pub(crate) fn wait_for(&self, what: &str, count: usize, wanted: impl Fn(&EndedTask) -> bool) -> Vec<EndedTask> {
        wait_until(what, || {
            let found: Vec<EndedTask> = self.0.lock().iter().filter(|ended| wanted(ended)).cloned().collect();
            (found.len() >= count).then_some(found)
        })
    }
}

impl EndedTask {
    pub(crate) fn succeeded(&self) -> bool {
        self.reason == TaskEndReason::Success
    }
}
