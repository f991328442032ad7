//! Updates of Python's accumulators: pickled pairs of id and value, which are not looked into here.

use bytes::Bytes;
use firesteel::Accumulate;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What one task has added. On the driver nothing gathers: what a successful task brings goes to [`Updates::take_arrived`], as its
/// sum is Python's to know.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Updates(Vec<Bytes>);

/// What has come from successful tasks of this process's application. Its bound is what jobs that run add: each takes it away at
/// its end. Those of each task stay together.
static ARRIVED: Mutex<Vec<Vec<Bytes>>> = Mutex::new(Vec::new());

impl Updates {
    /// What has come since this was called last, task by task.
    pub(crate) fn take_arrived() -> Vec<Vec<Bytes>> {
        std::mem::take(&mut *ARRIVED.lock())
    }
}

impl Accumulate for Updates {
    type Input = Vec<Bytes>;

    fn add(&mut self, input: Vec<Bytes>) {
        self.0.extend(input);
    }

    fn merge(&mut self, other: Self) {
        if !other.0.is_empty() {
            ARRIVED.lock().push(other.0);
        }
    }

    fn display(&self) -> String {
        format!("{} updates", self.0.len())
    }
}
