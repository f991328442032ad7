//! Who may change a block: one thread at a time.
//!
//! Spark's `BlockInfoManager` counts readers and writers of each block and releases them at the end of a task. Values here
//! are reference-counted, so reading needs no lock at all: a reader keeps what it got, whatever becomes of the block, and
//! eviction passes over blocks that somebody reads because that would free nothing. What remains is the writer's lock: a
//! [`Claim`], held to compute, store, evict or remove a block, and released when it is dropped, whether its task ends
//! well, fails or panics.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use firesteel_model::BlockId;
use parking_lot::{Condvar, Mutex};

/// How often a waiting thread looks at its kill flag.
const KILL_CHECK: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(crate) struct BlockLocks {
    claimed: Mutex<BTreeSet<BlockId>>,
    released: Condvar,
}

/// The right to change one block.
pub(crate) struct Claim {
    locks: Arc<BlockLocks>,
    block_id: BlockId,
}

/// The kill flag was raised while the thread waited.
#[derive(Debug)]
pub(crate) struct Killed;

impl BlockLocks {
    /// Waits until nobody else changes the block. A thread that waits for a block while it holds another must be about to
    /// compute the other from it: lineage has no cycles, so neither has the waiting.
    pub(crate) fn claim(self: &Arc<Self>, block_id: BlockId, killed: &AtomicBool) -> Result<Claim, Killed> {
        let mut claimed = self.claimed.lock();
        while !claimed.insert(block_id) {
            if killed.load(Ordering::Acquire) {
                return Err(Killed);
            }
            self.released.wait_for(&mut claimed, KILL_CHECK);
        }
        Ok(Claim { locks: Arc::clone(self), block_id })
    }

    pub(crate) fn try_claim(self: &Arc<Self>, block_id: BlockId) -> Option<Claim> {
        let free = self.claimed.lock().insert(block_id);
        free.then(|| Claim { locks: Arc::clone(self), block_id })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.locks.claimed.lock().remove(&self.block_id);
        self.locks.released.notify_all();
    }
}
