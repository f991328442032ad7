//! Dynamic allocation: what it hears, and what it decides, carried out.

use firesteel_model::{ExecutorId, ListenerEvent, Moment, ShuffleId};
use tracing::info;

use super::Loop;

/// Why dynamic allocation gives an executor back.
pub(super) const IDLE: &str = "it has been idle for long enough (spark.dynamicAllocation.*IdleTimeout)";

impl Loop {
    /// Tells everybody who listens. Dynamic allocation hears all of it, as nothing is dropped on the way here.
    pub(super) fn post(&mut self, event: ListenerEvent) {
        let now = self.moment();
        if let Some(allocation) = &mut self.allocation {
            allocation.listen(now, &event);
        }
        self.events.post(event);
    }

    /// Asks for as many executors as are wanted. Returns those that are to be given back, if there are any.
    pub(super) fn allocate(&mut self) -> Option<Vec<ExecutorId>> {
        let now = self.moment();
        let decision = self.allocation.as_mut()?.decide(now);
        if let Some(total) = decision.total {
            self.backend.request_total_executors(total);
        }
        for executor_id in &decision.remove {
            info!(%executor_id, "giving an executor back: {IDLE}");
        }
        (!decision.remove.is_empty()).then_some(decision.remove)
    }

    /// Whoever of these is still there had a task after all.
    pub(super) fn keep(&mut self, executor_ids: &[ExecutorId]) {
        let now = self.moment();
        if let Some(allocation) = &mut self.allocation {
            for executor_id in executor_ids {
                allocation.kept(now, executor_id);
            }
        }
    }

    pub(super) fn shuffle_removed(&mut self, shuffle: ShuffleId) {
        if let Some(allocation) = &mut self.allocation {
            allocation.shuffle_removed(shuffle);
        }
    }

    pub(super) fn allocation_deadline(&self) -> Option<Moment> {
        self.allocation.as_ref()?.next_deadline(self.moment())
    }
}
