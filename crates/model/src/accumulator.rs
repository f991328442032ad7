//! What tasks add to accumulators (RT-56).

use serde::{Deserialize, Serialize};

use crate::AccumulatorId;

/// What one task attempt added to one accumulator.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AccumulatorUpdate {
    /// Which accumulator.
    pub id: AccumulatorId,
    /// Its name, if it has one; named ones show in the UI and the event log.
    pub name: Option<String>,
    /// What was added.
    pub value: AccumulatorValue,
    /// In how many additions.
    pub additions: u64,
}

/// The added value. The engine merges none of these itself: the accumulator that the driver registered does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum AccumulatorValue {
    /// A sum of whole numbers.
    Long(i64),
    /// A sum of floating-point numbers.
    Double(f64),
    /// Any other kind: the accumulator's own encoding, and its text for the UI.
    Other {
        /// What the accumulator on the driver decodes and merges.
        encoded: Vec<u8>,
        /// What people see.
        display: String,
    },
}
