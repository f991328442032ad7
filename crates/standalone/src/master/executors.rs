//! Executors start and end (SA-32, SA-34).

use firesteel_model::{ApplicationId, ExecutorLossReason, WorkerId};

use super::{ExecutorRecord, Master, Turn};
use crate::{
    ApplicationState, ExecutorState,
    protocol::{ExecutorNumber, ExecutorUpdate, ToApplication, ToWorker},
};

/// How many ended executors of an application are remembered: for its page, and for a driver that was away.
const REMEMBERED: usize = 100;

impl Master {
    pub(super) fn executor_changed(&mut self, worker_id: &WorkerId, update: ExecutorUpdate, turn: &mut Turn) {
        let ExecutorUpdate { application_id, executor: number, state, .. } = &update;
        if state.is_final() {
            let (application_id, executor) = (application_id.clone(), *number);
            self.tell_worker(worker_id, ToWorker::ExecutorUpdateTaken { application_id, executor }, turn);
        }
        let Some(application) = self.applications.get_mut(application_id) else { return };
        let Some(executor) = application.executors.get_mut(number).filter(|known| known.worker_id == *worker_id) else {
            return;
        };
        if state.is_final() {
            let abnormal = update.is_abnormal();
            let ExecutorUpdate { application_id, executor, state, reason } = update;
            self.remove_executor(&application_id, executor, state, reason, false, turn);
            self.count_failure(&application_id, abnormal, turn);
        } else if executor.state == ExecutorState::Launching {
            executor.state = *state;
            let (number, state) = (*number, *state);
            let message = ToApplication::ExecutorUpdated { executor: number, state, reason: None, worker_lost: false };
            self.tell_application(application_id, message, turn);
        }
    }

    /// SA-32: an application whose executors cannot start is not tried for ever.
    fn count_failure(&mut self, application_id: &ApplicationId, abnormal: bool, turn: &mut Turn) {
        let Some(application) = self.applications.get_mut(application_id).filter(|_| abnormal) else { return };
        application.failures_in_a_row = application.failures_in_a_row.saturating_add(1);
        let failures = application.failures_in_a_row;
        let too_many = self.options.max_executor_retries.is_some_and(|most| failures >= most);
        if !too_many || application.executors.values().any(|executor| executor.ready) {
            return;
        }
        let last = application.removed_executors.last().and_then(|executor| executor.reason.as_ref());
        let last = last.map_or_else(String::new, |reason| format!("; the last one {reason}"));
        let message = format!(
            "{failures} executors in a row ended before they had registered with the driver, and no other runs \
             (spark.deploy.maxExecutorRetries){last}"
        );
        self.finish_application(application_id, ApplicationState::Failed, &message, turn);
    }

    /// The executor is gone: its room is free, and its application knows.
    pub(super) fn remove_executor(
        &mut self,
        application_id: &ApplicationId,
        number: ExecutorNumber,
        state: ExecutorState,
        reason: Option<ExecutorLossReason>,
        worker_lost: bool,
        turn: &mut Turn,
    ) {
        if !self.release_executor(application_id, number, state, reason.clone()) {
            return;
        }
        let message = ToApplication::ExecutorUpdated { executor: number, state, reason, worker_lost };
        self.tell_application(application_id, message, turn);
        self.to_schedule = true;
    }

    /// Takes it off all lists; false if it is on none.
    pub(super) fn release_executor(
        &mut self,
        application_id: &ApplicationId,
        number: ExecutorNumber,
        state: ExecutorState,
        reason: Option<ExecutorLossReason>,
    ) -> bool {
        let Some(application) = self.applications.get_mut(application_id) else { return false };
        let Some(mut executor) = application.executors.remove(&number) else { return false };
        if let Some(worker) = self.workers.get_mut(&executor.worker_id)
            && worker.executors.remove(&(application_id.clone(), number))
        {
            worker.release(executor.cores, executor.memory, &executor.resources);
        }
        executor.state = state;
        executor.reason = reason;
        if application.removed_executors.len() >= REMEMBERED {
            application.removed_executors.remove(0);
        }
        application.removed_executors.push(executor);
        true
    }

    pub(super) fn tell_executor_added(
        &self,
        application_id: &ApplicationId,
        executor: &ExecutorRecord,
        turn: &mut Turn,
    ) {
        let Some(worker) = self.workers.get(&executor.worker_id) else { return };
        let number = executor.number;
        let web_ui = &worker.description.web_ui_url;
        let page = format!("{web_ui}/logPage/?appId={application_id}&executorId={number}&logType=stderr");
        let message = ToApplication::ExecutorAdded {
            executor: number,
            worker_id: executor.worker_id.clone(),
            host: worker.description.host.clone(),
            log_url: if web_ui.is_empty() { String::new() } else { page },
            cores: executor.cores,
            memory: executor.memory,
        };
        self.tell_application(application_id, message, turn);
    }
}
