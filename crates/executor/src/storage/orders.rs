//! The driver's orders about what is stored, carried out apart from tasks.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock, Weak},
    thread,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use firesteel_block_store::BlockManager;
use firesteel_messages::{DriverMessage, ExecutorMessage};
use tracing::{debug, warn};

use crate::{DriverLink, ExecutorShuffle};

/// Carries out orders one after the other, in a thread that the first order starts. Removing a block may wait for a task
/// that stores it just then, and that task may wait for the driver: whoever brings the order must not wait with them.
pub struct StorageOrders {
    blocks: Arc<BlockManager>,
    shuffle: Arc<ExecutorShuffle>,
    link: Arc<dyn DriverLink>,
    /// Unbounded, as nobody may wait here; what is in it the driver has decided to forget, and it forgets everything once.
    sender: OnceLock<Sender<ExecutorMessage>>,
}

impl StorageOrders {
    pub(super) fn new(blocks: Arc<BlockManager>, shuffle: Arc<ExecutorShuffle>, link: Arc<dyn DriverLink>) -> Self {
        Self { blocks, shuffle, link, sender: OnceLock::new() }
    }

    /// Queues an order. Messages that are none are dropped.
    pub fn give(&self, order: ExecutorMessage) {
        let sender = self.sender.get_or_init(|| {
            let (sender, orders) = unbounded();
            let worker = Worker {
                blocks: Arc::downgrade(&self.blocks),
                shuffle: Arc::downgrade(&self.shuffle),
                link: Arc::clone(&self.link),
            };
            let started =
                thread::Builder::new().name("block-manager-storage".to_owned()).spawn(move || worker.run(&orders));
            if let Err(error) = started {
                warn!(%error, "could not start the storage thread; blocks are not removed before the process ends");
            }
            sender
        });
        // Without a thread nobody listens, which was said above.
        let _ = sender.send(order);
    }
}

/// The thread's side. It keeps nothing alive: when the executor is given up, its blocks go, and the queue ends.
struct Worker {
    blocks: Weak<BlockManager>,
    shuffle: Weak<ExecutorShuffle>,
    link: Arc<dyn DriverLink>,
}

impl Worker {
    fn run(&self, orders: &Receiver<ExecutorMessage>) {
        for order in orders {
            let (Some(blocks), Some(shuffle)) = (self.blocks.upgrade(), self.shuffle.upgrade()) else { return };
            // Users' code runs here where values are dropped or encoded. Whoever waits for the orders behind must not wait for
            // ever because of it.
            let carried_out = catch_unwind(AssertUnwindSafe(|| self.carry_out(order, &blocks, &shuffle)));
            if let Err(payload) = carried_out {
                warn!("a panic ended an order about storage; the next ones are carried out");
                // Dropping it may panic, too.
                mem::forget(payload);
            }
        }
    }

    fn carry_out(&self, order: ExecutorMessage, blocks: &BlockManager, shuffle: &ExecutorShuffle) {
        match order {
            ExecutorMessage::RemoveRdd(rdd_id) => {
                let removed = blocks.remove_rdd(rdd_id);
                debug!(%rdd_id, removed, "blocks of an RDD removed");
            }
            ExecutorMessage::RemoveBroadcast(broadcast_id) => {
                let removed = blocks.remove_broadcast(broadcast_id);
                debug!(%broadcast_id, removed, "blocks of a broadcast value removed");
            }
            ExecutorMessage::RemoveBlocks(block_ids) => {
                for block_id in &block_ids {
                    blocks.remove_block(block_id);
                }
            }
            ExecutorMessage::RemoveShuffle(shuffle_id) => shuffle.remove(shuffle_id),
            ExecutorMessage::Replicate { block_id, copies, peers } => {
                match blocks.replicate_block(&block_id, copies as usize, &peers) {
                    Ok(taken) => debug!(%block_id, copies, taken, "block replicated"),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        warn!(%block_id, error, "could not replicate a block");
                    }
                }
            }
            ExecutorMessage::SyncStorage(number) => self.link.tell(DriverMessage::StorageSynced(number)),
            ExecutorMessage::Registered
            | ExecutorMessage::Refused(_)
            | ExecutorMessage::LaunchTasks { .. }
            | ExecutorMessage::AddFiles(_)
            | ExecutorMessage::KillTask { .. }
            | ExecutorMessage::RemoveStage(_)
            | ExecutorMessage::Answer { .. }
            | ExecutorMessage::ReRegister
            | ExecutorMessage::FarewellTaken
            | ExecutorMessage::Stop => debug!("message is no order about storage"),
        }
    }
}
