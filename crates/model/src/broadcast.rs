//! What must be known of a broadcast value to read it (RT-55).

use serde::{Deserialize, Serialize};

use crate::BroadcastId;

/// What a process must know to read a broadcast value: it travels with the closures that use the value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BroadcastInfo {
    /// Which value.
    pub id: BroadcastId,
    /// How many bytes its encoding has.
    pub size: u64,
    /// How many of them each piece has, but for the last.
    pub piece_size: u64,
    /// One CRC-32 for each piece as it is stored; empty if pieces are not verified.
    pub checksums: Vec<u32>,
}

impl BroadcastInfo {
    /// How many pieces there are.
    pub fn pieces(&self) -> u32 {
        self.size.div_ceil(self.piece_size.max(1)) as u32
    }
}
