//! Executors on a worker (SA-34).

use firesteel_model::{ApplicationId, ExecutorLossReason};

use super::{
    Owner, ProcessEnd, Turn, Worker, WorkerCommand,
    records::{ExecutorRecord, Kill, KillCause},
    reports::ReportKey,
    room::Launch,
};
use crate::{
    ExecutorState,
    protocol::{ExecutorNumber, ExecutorUpdate, FromWorker, LaunchExecutor},
};

type Key = (ApplicationId, ExecutorNumber);

impl Worker {
    pub(super) fn launch_executor(&mut self, launch: LaunchExecutor, turn: &mut Turn) {
        let key = (launch.application_id.clone(), launch.executor);
        let (application_id, number) = (&key.0, key.1);
        let forgotten = self.applications.get(application_id).is_some_and(|known| number < known.forgotten_below);
        if self.executors.contains_key(&key) || forgotten {
            turn.warn(format!("executor {application_id}/{number} was started before and is not again"));
            return self.tell_of_ended(key, turn);
        }
        if let Some((state, reason)) = self.why_not_start() {
            turn.warn(format!("executor {application_id}/{number} is not started, as this worker leaves"));
            let update = ExecutorUpdate { application_id: key.0, executor: number, state, reason: Some(reason) };
            return self.tell_leader(FromWorker::ExecutorChanged(update), turn);
        }
        let (name, cores) = (&launch.application_name, launch.cores);
        turn.info(format!("Asked to launch executor {application_id}/{number} for {name}, with {cores} cores"));
        let process = self.new_process();
        let owner = Owner::Executor(application_id.clone(), number);
        let application = self.applications.entry(application_id.clone()).or_default();
        application.finished = false;
        application.idle_since = None;
        self.executors.insert(key, ExecutorRecord::new(&launch, process));
        self.start_in_room(process, owner, Launch::Executor(Box::new(launch)), turn);
    }

    /// A master that has lost its memory may count from the start: it hears that this number brings it nothing. Of one that runs it
    /// knows, or is told when this worker registers.
    fn tell_of_ended(&self, (application_id, executor): Key, turn: &mut Turn) {
        let known = self.executors.get(&(application_id.clone(), executor));
        if known.is_some_and(|known| !known.state.is_final()) {
            return;
        }
        let message = "an executor with this number has ended on this worker before".to_owned();
        let reason = Some(ExecutorLossReason::WorkerLost { message });
        let update = ExecutorUpdate { application_id, executor, state: ExecutorState::Killed, reason };
        self.tell_leader(FromWorker::ExecutorChanged(update), turn);
    }

    fn why_not_start(&self) -> Option<(ExecutorState, ExecutorLossReason)> {
        if self.ending.is_some() {
            Some((ExecutorState::Killed, worker_ends()))
        } else if self.decommissioning {
            Some((ExecutorState::Decommissioned, ExecutorLossReason::Decommissioned))
        } else {
            None
        }
    }

    pub(super) fn executor_started(&mut self, key: &Key, pid: u32, turn: &mut Turn) {
        let Some(executor) = self.executors.get_mut(key) else { return };
        // RUNNING comes from LAUNCHING only.
        if executor.state == ExecutorState::Launching {
            executor.state = ExecutorState::Running;
            executor.pid = Some(pid);
            let update = executor.update();
            self.tell_leader(FromWorker::ExecutorChanged(update), turn);
        }
    }

    pub(super) fn terminate_executor(&mut self, key: &Key, why: KillCause, turn: &mut Turn) {
        let Some(executor) = self.executors.get_mut(key).filter(|executor| !executor.state.is_final()) else { return };
        if executor.kill.is_none() {
            let forced_at = Some(turn.now.moment + self.options.executor_kill_grace);
            executor.kill = Some(Kill { why, forced_at });
            let process = executor.process;
            if self.withdraw(process) {
                return self.executor_ended(key, Err("it had not been started".to_owned()), turn);
            }
            turn.commands.push(WorkerCommand::Terminate { process });
        }
    }

    /// Those that were asked to end, and have not in time.
    pub(super) fn force_executors(&mut self, turn: &mut Turn) {
        for executor in self.executors.values_mut() {
            let Some(kill) = &mut executor.kill else { continue };
            if kill.forced_at.is_some_and(|moment| moment <= turn.now.moment) {
                kill.forced_at = None;
                let (application_id, number) = (&executor.application_id, executor.number);
                turn.warn(format!("executor {application_id}/{number} did not end in time and is killed"));
                turn.commands.push(WorkerCommand::Kill { process: executor.process });
            }
        }
    }

    pub(super) fn executor_ended(&mut self, key: &Key, end: Result<ProcessEnd, String>, turn: &mut Turn) {
        let decommissioning = self.decommissioning;
        let Some(executor) = self.executors.get_mut(key) else { return };
        let why = executor.kill.take().map(|kill| kill.why);
        let (state, reason) = match (why, end) {
            (Some(KillCause::WorkerEnds), _) => (ExecutorState::Killed, worker_ends()),
            (Some(KillCause::Ordered), _) => {
                let reason = "the master has told its worker to end it".to_owned();
                (ExecutorState::Killed, ExecutorLossReason::KilledByDriver { reason })
            }
            (None, Err(message)) => {
                let detail = format!("its process could not be started: {message}");
                let reason = ExecutorLossReason::Exited { exit_code: None, signal: None, caused_by_app: false, detail };
                (ExecutorState::Failed, reason)
            }
            (None, Ok(ProcessEnd { exit_code: Some(0), .. })) if decommissioning => {
                (ExecutorState::Decommissioned, ExecutorLossReason::Decommissioned)
            }
            (None, Ok(ProcessEnd { exit_code, signal, caused_by_app, detail })) => {
                (ExecutorState::Exited, ExecutorLossReason::Exited { exit_code, signal, caused_by_app, detail })
            }
        };
        turn.info(format!("Executor {}/{} finished with state {state}: {reason}", key.0, key.1));
        executor.state = state;
        executor.reason = Some(reason);
        executor.pid = None;
        self.finished_executors.push_back(key.clone());
        self.report(ReportKey::Executor(key.0.clone(), key.1), turn);
        self.application_idle(&key.0, turn);
        self.forget_surplus();
    }
}

/// Not the application's fault, nor that of what it runs.
fn worker_ends() -> ExecutorLossReason {
    ExecutorLossReason::WorkerLost { message: "it was told to end".to_owned() }
}
