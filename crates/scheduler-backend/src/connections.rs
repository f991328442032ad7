//! Who is connected, and how each executor that is gone went.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use firesteel_driver::{DriverHandle, Registration, StartingExecutors};
use firesteel_messages::ExecutorMessage;
use firesteel_model::{BlockManagerId, ByteCount, ExecutorId, ExecutorLossReason};
use firesteel_scheduler::LostOutputs;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc::UnboundedSender},
    time::timeout,
};
use tracing::{info, warn};

use crate::ExecutorExit;

/// The executors of one application, from the driver's side.
pub(crate) struct Connections {
    driver: DriverHandle,
    state: Mutex<State>,
    announcements: Notify,
}

#[derive(Default)]
struct State {
    expected: BTreeSet<ExecutorId>,
    /// Where the output of each executor can be read.
    logs: BTreeMap<ExecutorId, String>,
    connected: BTreeMap<ExecutorId, Connected>,
    /// The most resident memory that each executor has held, in bytes, by its last heartbeat.
    peak_memory: BTreeMap<ExecutorId, u64>,
    /// What an executor said when it left by itself.
    farewells: BTreeMap<ExecutorId, (i32, String)>,
    /// Executors that the driver has taken at some time.
    registered: BTreeSet<ExecutorId>,
    /// Executors that the driver has refused, though nothing was wrong with them.
    refused: BTreeSet<ExecutorId>,
    /// Executors whose loss was reported.
    lost: BTreeSet<ExecutorId>,
    /// Why the manager starts no more executors.
    waits: Option<String>,
    /// The application has ended.
    stopped: bool,
}

struct Connected {
    // Unbounded, as the event loop must not wait. What is in it is bounded by the executor's slots: it gets no task that it
    // has no slot for.
    messages: UnboundedSender<ExecutorMessage>,
    /// Where its blocks are served.
    block_address: (String, u16),
}

impl Connections {
    pub(crate) fn new(driver: DriverHandle) -> Self {
        Self { driver, state: Mutex::default(), announcements: Notify::new() }
    }

    pub(crate) fn driver(&self) -> &DriverHandle {
        &self.driver
    }

    pub(crate) fn expect(&self, executor_id: &ExecutorId, log: String) {
        let mut state = self.state.lock();
        state.expected.insert(executor_id.clone());
        state.logs.insert(executor_id.clone(), log);
        drop(state);
        self.announcements.notify_waiters();
    }

    pub(crate) fn starting(&self) -> StartingExecutors {
        let state = self.state.lock();
        let log = state.expected.first().and_then(|executor_id| state.logs.get(executor_id).cloned());
        StartingExecutors { count: state.expected.len(), log, waits: state.waits.clone() }
    }

    pub(crate) fn waits(&self, reason: Option<String>) {
        if let Some(reason) = &reason {
            warn!("executors are missing: {reason}");
        }
        self.state.lock().waits = reason;
    }

    /// Waits until the manager has announced the executor, as its word may be overtaken by the executor itself. False if it
    /// was not announced in this time.
    pub(crate) async fn announced(&self, executor_id: &ExecutorId, time_out: Duration) -> bool {
        let known = || {
            let state = self.state.lock();
            state.stopped || state.expected.contains(executor_id) || state.connected.contains_key(executor_id)
        };
        let announced = async {
            loop {
                let news = self.announcements.notified();
                tokio::pin!(news);
                // Before looking, so that what is announced in between is not missed.
                news.as_mut().enable();
                if known() {
                    return;
                }
                news.await;
            }
        };
        timeout(time_out, announced).await.is_ok()
    }

    /// Takes a connection for an executor that was announced and has none yet, and registers it with the driver.
    pub(crate) fn connect(
        &self,
        registration: Registration,
        messages: UnboundedSender<ExecutorMessage>,
    ) -> Result<(), String> {
        let executor_id = &registration.executor.executor_id;
        let mut state = self.state.lock();
        if state.stopped {
            // It comes too late for work and is told what the others were told.
            let _ = messages.send(ExecutorMessage::Stop);
            return Ok(());
        }
        if state.connected.contains_key(executor_id) {
            return Err(format!("an executor with id {executor_id} is registered already"));
        }
        if !state.expected.remove(executor_id) {
            return Err(format!("the driver has asked for no executor with id {executor_id}"));
        }
        let BlockManagerId { host, port, .. } = registration.block_manager_id.clone();
        state.connected.insert(executor_id.clone(), Connected { messages, block_address: (host, port) });
        // Under the lock, so that a loss that is reported from now on comes to the driver after it.
        self.driver.executor_registered(registration);
        Ok(())
    }

    /// The executor says that it leaves, and why.
    pub(crate) fn farewell(&self, executor_id: &ExecutorId, exit_code: i32, reason: String) {
        self.state.lock().farewells.insert(executor_id.clone(), (exit_code, reason));
    }

    pub(crate) fn send(&self, executor_id: &ExecutorId, message: ExecutorMessage) -> bool {
        let mut state = self.state.lock();
        match &message {
            ExecutorMessage::Registered => {
                info!(%executor_id, "executor registered");
                state.registered.insert(executor_id.clone());
            }
            ExecutorMessage::Refused(reason) => {
                warn!(%executor_id, reason, "registration refused");
                state.refused.insert(executor_id.clone());
            }
            _ => {}
        }
        // A connection that has just ended takes no more; its loss is reported apart from this.
        state.connected.get(executor_id).is_some_and(|connected| connected.messages.send(message).is_ok())
    }

    /// Tells every executor to stop, and those that are still starting when they come.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        for connected in state.connected.values() {
            // As above.
            let _ = connected.messages.send(ExecutorMessage::Stop);
        }
    }

    pub(crate) fn block_address(&self, executor_id: &ExecutorId) -> Option<(String, u16)> {
        self.state.lock().connected.get(executor_id).map(|connected| connected.block_address.clone())
    }

    /// The process has ended, as the manager knows.
    pub(crate) fn exited(&self, executor_id: &ExecutorId, exit: ExecutorExit) {
        let mut reason = exit.reason;
        if let ExecutorLossReason::Exited { detail, .. } = &mut reason {
            *detail = self.state.lock().describe(executor_id, detail);
        }
        self.report_lost(executor_id, reason, exit.lost_outputs);
    }

    /// The connection is gone and nobody has said why.
    pub(crate) fn disconnected(&self, executor_id: &ExecutorId) {
        self.report_lost(executor_id, ExecutorLossReason::Disconnected, LostOutputs::OfExecutor);
    }

    pub(crate) fn report_lost(&self, executor_id: &ExecutorId, reason: ExecutorLossReason, lost_outputs: LostOutputs) {
        let wanted = {
            let mut state = self.state.lock();
            state.expected.remove(executor_id);
            state.connected.remove(executor_id);
            state.logs.remove(executor_id);
            state.peak_memory.remove(executor_id);
            if !state.lost.insert(executor_id.clone()) {
                return;
            }
            state.stopped || state.refused.contains(executor_id)
        };
        // What the driver itself wanted is no news to the user.
        if wanted || matches!(reason, ExecutorLossReason::KilledByDriver { .. }) {
            info!(%executor_id, %reason, "executor lost");
        } else {
            warn!(%executor_id, %reason, "executor lost");
        }
        self.driver.executor_lost(executor_id, reason, lost_outputs);
    }

    pub(crate) fn has_registered(&self, executor_id: &ExecutorId) -> bool {
        self.state.lock().registered.contains(executor_id)
    }

    pub(crate) fn was_refused(&self, executor_id: &ExecutorId) -> bool {
        self.state.lock().refused.contains(executor_id)
    }

    pub(crate) fn heartbeat(&self, executor_id: &ExecutorId, resident_memory: u64) {
        let mut state = self.state.lock();
        let peak = state.peak_memory.entry(executor_id.clone()).or_default();
        *peak = resident_memory.max(*peak);
    }

    pub(crate) fn is_lost(&self, executor_id: &ExecutorId) -> bool {
        self.state.lock().lost.contains(executor_id)
    }

    pub(crate) fn give_up(&self, reason: &str) {
        warn!(reason, "no executor can be had");
        self.driver.give_up(reason);
    }
}

impl State {
    /// All that is known of an executor whose process has ended: `detail` is what its manager knows (AS-02).
    fn describe(&mut self, executor_id: &ExecutorId, detail: &str) -> String {
        // What it said itself is told better than its last log lines.
        let said = self.farewells.remove(executor_id).map(|(_, said)| said);
        let told = Some(said.unwrap_or_else(|| detail.to_owned())).filter(|told| !told.is_empty());
        let peak = self.peak_memory.get(executor_id).filter(|&&peak| peak > 0);
        let peak = peak.map(|&peak| format!("by its last heartbeat it had held {} of memory at most", ByteCount(peak)));
        let log = self.logs.get(executor_id).map(|log| format!("its output is in {log}"));
        [told, peak, log].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_executor_is_told_with_all_that_is_known() {
        let id = ExecutorId::from("1");
        let mut state = State::default();
        assert_eq!(state.describe(&id, ""), "");
        assert_eq!(state.describe(&id, "its last words: oh"), "its last words: oh");
        state.logs.insert(id.clone(), "logs/app/1".to_owned());
        state.peak_memory.insert(id.clone(), 700 << 20);
        assert_eq!(
            state.describe(&id, "its last words: oh"),
            "its last words: oh; by its last heartbeat it had held 700.0 MiB of memory at most; its output is in logs/app/1"
        );
        state.farewells.insert(id.clone(), (52, "it held too much".to_owned()));
        assert!(state.describe(&id, "its last words: oh").starts_with("it held too much; by its last"));
    }
}
