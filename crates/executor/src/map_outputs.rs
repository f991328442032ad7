//! What this executor knows of where map outputs are: the worker side of Spark's `MapOutputTracker` (RT-62).

use std::{collections::HashMap, sync::Arc, time::Duration};

use firesteel_messages::{Answer, Question};
use firesteel_model::{MapStatus, ShuffleId};
use parking_lot::Mutex;

use crate::driver_link::{AskError, DriverLink, Questions, take_turn};

/// The outputs of one shuffle by map partition; none where one is missing.
pub type MapStatuses = Arc<[Option<MapStatus>]>;

/// Map outputs that the driver has told of.
#[derive(Default)]
pub struct MapOutputs {
    known: Mutex<Known>,
    /// Held while the driver is asked, so that the tasks of a stage ask once, not once each.
    asking: Mutex<()>,
}

#[derive(Default)]
struct Known {
    epoch: u64,
    shuffles: HashMap<ShuffleId, MapStatuses>,
}

impl MapOutputs {
    /// Where the outputs of a shuffle are.
    pub fn get(
        &self,
        shuffle_id: ShuffleId,
        questions: &Questions,
        driver: &dyn DriverLink,
        time_out: Duration,
        killed: impl Fn() -> bool,
    ) -> Result<MapStatuses, AskError> {
        if let Some(statuses) = self.known.lock().shuffles.get(&shuffle_id) {
            return Ok(Arc::clone(statuses));
        }
        let _asking = take_turn(&self.asking, time_out, &killed)?;
        if let Some(statuses) = self.known.lock().shuffles.get(&shuffle_id) {
            return Ok(Arc::clone(statuses));
        }
        match questions.ask(driver, Question::MapOutputs(shuffle_id), time_out, killed)? {
            Answer::MapOutputs { epoch, statuses } => {
                let statuses: MapStatuses = statuses.into();
                let mut known = self.known.lock();
                // An answer from before outputs were lost serves the asking task, which may fail on it, and nobody else.
                if epoch >= known.epoch {
                    known.shuffles.insert(shuffle_id, Arc::clone(&statuses));
                }
                Ok(statuses)
            }
            other => Err(AskError::Refused(format!("it answered a question for map outputs with {other:?}"))),
        }
    }

    /// Outputs were lost or made anew before this epoch: what was learnt earlier is void.
    pub fn forget_before(&self, epoch: u64) {
        let mut known = self.known.lock();
        if epoch > known.epoch {
            known.epoch = epoch;
            known.shuffles.clear();
        }
    }

    /// The shuffle is gone.
    pub fn forget(&self, shuffle_id: ShuffleId) {
        self.known.lock().shuffles.remove(&shuffle_id);
    }
}
