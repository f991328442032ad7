//! What the driver's memory holds, told to listeners as often as executors tell theirs (UI-32).
//!
//! It is for the event log alone, so nobody looks unless that wants it. In local mode the driver is the executor too, and this is what
//! is known of it.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
};

use firesteel_block_store::MemoryManager;
use firesteel_conf::{SparkConf, keys};
use firesteel_driver::EventSink;
use firesteel_executor::executor_metrics;
use firesteel_model::{ExecutorId, ListenerEvent};
use tracing::warn;

use crate::error::SparkError;

/// Tells it until it is dropped.
pub(crate) struct DriverMetrics {
    /// Never sent to: its end is the thread's end.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DriverMetrics {
    /// None if nobody wants to know.
    pub(crate) fn start(
        conf: &SparkConf,
        memory: &Arc<MemoryManager>,
        sink: Arc<dyn EventSink>,
    ) -> Result<Option<Self>, SparkError> {
        if !(conf.get(&keys::EVENT_LOG_ENABLED)? && conf.get(&keys::EVENT_LOG_STAGE_EXECUTOR_METRICS)?) {
            return Ok(None);
        }
        let interval = conf.get(&keys::EXECUTOR_HEARTBEAT_INTERVAL)?;
        let memory = Arc::clone(memory);
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("driver-heartbeater".to_owned()).spawn(move || {
            loop {
                sink.post(ListenerEvent::ExecutorMetricsUpdate {
                    executor_id: ExecutorId::driver(),
                    updates: Vec::new(),
                    memory: vec![(None, executor_metrics(&memory))],
                });
                if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        match thread {
            Ok(thread) => Ok(Some(Self { stop: Some(stop), thread: Some(thread) })),
            Err(error) => {
                warn!(%error, "the event log will not say what the driver's memory holds");
                Ok(None)
            }
        }
    }
}

impl Drop for DriverMetrics {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic but to post.
            let _ = thread.join();
        }
    }
}
