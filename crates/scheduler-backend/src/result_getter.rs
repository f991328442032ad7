//! Large results, fetched from the executors that hold them: Spark's `TaskResultGetter`.

use std::{sync::Arc, thread};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use firesteel_driver::ResultFetch;
use firesteel_messages::ExecutorMessage;
use firesteel_model::{BlockId, BlockManagerId};
use parking_lot::Mutex;
use tracing::warn;

use crate::connections::Connections;

/// Fetches a block from the executor that has it; blocks until it is here. The error is for people.
pub type FetchBlock = Arc<dyn Fn(&BlockManagerId, BlockId) -> Result<Bytes, String> + Send + Sync>;

/// So many results are fetched at once, as by Spark's `spark.resultGetter.threads`.
const THREADS_MAX: usize = 4;

/// Fetches results aside, as the event loop must not wait for them.
pub(crate) struct ResultGetter {
    connections: Arc<Connections>,
    fetch_block: FetchBlock,
    /// Unbounded, as the event loop must not wait. What is in it are names of results, which the scheduler has counted
    /// against `spark.driver.maxResultSize` before it wanted them fetched.
    queue: Sender<ResultFetch>,
    fetches: Receiver<ResultFetch>,
    /// How many there are. They start as they are needed and end with this.
    threads: Mutex<usize>,
}

impl ResultGetter {
    pub(crate) fn new(connections: Arc<Connections>, fetch_block: FetchBlock) -> Self {
        let (queue, fetches) = unbounded();
        Self { connections, fetch_block, queue, fetches, threads: Mutex::new(0) }
    }

    /// Tells the driver the outcome later.
    pub(crate) fn fetch(&self, fetch: ResultFetch) {
        if !self.has_thread() {
            return self.connections.driver().result_fetched(fetch.task_id, None);
        }
        // This holds the other end as well.
        let _ = self.queue.send(fetch);
    }

    /// Is there a thread that will come to what is queued? Starts one more as long as there may be more.
    fn has_thread(&self) -> bool {
        let mut threads = self.threads.lock();
        if *threads < THREADS_MAX {
            let (fetches, connections) = (self.fetches.clone(), Arc::clone(&self.connections));
            let fetch_block = Arc::clone(&self.fetch_block);
            let name = format!("task-result-getter-{threads}");
            let started = thread::Builder::new().name(name).spawn(move || {
                fetches.iter().for_each(|fetch| get(&fetch, &connections, &fetch_block));
            });
            match started {
                Ok(_) => *threads += 1,
                Err(error) => warn!(%error, "no thread to fetch a result with"),
            }
        }
        *threads > 0
    }
}

fn get(fetch: &ResultFetch, connections: &Connections, fetch_block: &FetchBlock) {
    let ResultFetch { task_id, executor_id, block_id, size: _ } = fetch;
    let bytes = connections.block_address(executor_id).and_then(|(host, port)| {
        let holder = BlockManagerId { executor_id: executor_id.clone(), host, port };
        fetch_block(&holder, *block_id)
            .inspect_err(|error| warn!(%task_id, %executor_id, error, "result could not be fetched"))
            .ok()
    });
    connections.send(executor_id, ExecutorMessage::RemoveBlocks(vec![*block_id]));
    connections.driver().result_fetched(*task_id, bytes);
}
