//! Starting and stopping the driver.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::unbounded;
use firesteel_allocation::{AllocationOptions, ExecutorAllocationManager};
use firesteel_block_store::LocalBlockManagerMaster;
use firesteel_model::ByteCount;
use firesteel_scheduler::{OptionsError, Scheduler, SchedulerOptions};
use tracing::warn;

use crate::{
    DriverHandle, EventSink, SchedulerBackend, StageSource,
    event_loop::{Loop, LoopParts},
    input::Input,
    map_output_answers::MapOutputAnswers,
};

/// What the loop is told at start beside the scheduler's own options.
#[derive(Clone, Debug)]
pub struct DriverOptions {
    /// The scheduler's.
    pub scheduler: SchedulerOptions,
    /// Dynamic allocation, if it is on.
    pub allocation: Option<AllocationOptions>,
    /// Seeds the scheduler's choices.
    pub seed: u64,
    /// `spark.rpc.message.maxSize` (RT-08): a task that is larger aborts its stage.
    pub max_message_size: ByteCount,
    /// `spark.shuffle.mapOutput.minSizeForBroadcast` (RT-62): larger answers about map outputs are broadcast.
    pub min_size_for_broadcast: ByteCount,
}

/// The driver could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartDriverError {
    /// The scheduler's options cannot work.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Those of dynamic allocation cannot.
    #[error(transparent)]
    Allocation(#[from] firesteel_allocation::OptionsError),
    /// The system gave no thread.
    #[error("could not start the thread of the scheduler's event loop")]
    Thread(#[source] io::Error),
}

/// The driver's event loop, from outside.
pub struct Driver {
    handle: DriverHandle,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    /// Starts the loop. `backend` is made with the handle that it reports through.
    pub fn start<E: From<StartDriverError>>(
        options: DriverOptions,
        stages: Arc<dyn StageSource>,
        events: Arc<dyn EventSink>,
        blocks: Arc<LocalBlockManagerMaster>,
        backend: impl FnOnce(&DriverHandle) -> Result<Arc<dyn SchedulerBackend>, E>,
    ) -> Result<Self, E> {
        let (sender, inputs) = unbounded();
        let handle = DriverHandle::new(sender, options.max_message_size);
        let scheduler = Scheduler::new(options.scheduler, options.seed).map_err(StartDriverError::Options)?;
        let allocation = options.allocation.map(ExecutorAllocationManager::new).transpose();
        let allocation = allocation.map_err(StartDriverError::Allocation)?;
        let backend = backend(&handle)?;
        let map_outputs = MapOutputAnswers::new(handle.clone(), Arc::clone(&backend), options.min_size_for_broadcast);
        let parts = LoopParts { scheduler, allocation, stages, events, blocks, backend, map_outputs };
        let state = Loop::new(parts, options.max_message_size);
        let thread = thread::Builder::new()
            .name("dag-scheduler-event-loop".to_owned())
            .spawn(move || state.run(&inputs))
            .map_err(StartDriverError::Thread)?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// The way in.
    pub fn handle(&self) -> &DriverHandle {
        &self.handle
    }

    /// Fails every job that is under way and ends the loop; returns when it has ended, and nothing is posted any more.
    /// Further calls do nothing.
    pub fn stop(&mut self) {
        self.handle.send(Input::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the scheduler's event loop had ended by a panic");
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}
