//! The processes of a worker, from the order to start them until their end.

use std::{collections::BTreeMap, io};

use firesteel_executor_process::ExecutorProcess;
use firesteel_standalone::worker::ProcessId;
use parking_lot::Mutex;
use rustix::process::Pid;

/// What was ordered and has not ended.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    all: Mutex<BTreeMap<ProcessId, Entry>>,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    /// It is being prepared.
    Prepared,
    /// It is not wanted any more, and will not be started.
    Cancelled,
    /// It runs, or has ended and was not reaped, so that the number is its own.
    Runs(Pid),
}

/// Why there is no process.
#[derive(Debug)]
pub(crate) enum NotStarted {
    Cancelled,
    Failed(io::Error),
}

impl Processes {
    /// It was ordered.
    pub(crate) fn prepare(&self, process: ProcessId) {
        self.all.lock().insert(process, Entry::Prepared);
    }

    /// Is it not wanted any more?
    pub(crate) fn is_cancelled(&self, process: ProcessId) -> bool {
        matches!(self.all.lock().get(&process), Some(Entry::Cancelled) | None)
    }

    /// Starts it, unless it was cancelled. Whoever wants it to end from here on finds it.
    pub(crate) fn start(
        &self,
        process: ProcessId,
        start: impl FnOnce() -> io::Result<ExecutorProcess>,
    ) -> Result<ExecutorProcess, NotStarted> {
        let mut all = self.all.lock();
        match all.get_mut(&process) {
            Some(entry @ Entry::Prepared) => {
                let started = start().map_err(NotStarted::Failed)?;
                *entry = Entry::Runs(started.pid());
                Ok(started)
            }
            _ => Err(NotStarted::Cancelled),
        }
    }

    /// It has ended, or was not started. Ends what it has left behind in its group. To be called before it is reaped.
    pub(crate) fn end(&self, process: ProcessId) {
        if let Some(Entry::Runs(pid)) = self.all.lock().remove(&process) {
            ExecutorProcess::kill_group(pid);
        }
    }

    /// Asks it to end. The process alone is asked: what it has started it ends by itself, in its own order.
    pub(crate) fn terminate(&self, process: ProcessId) {
        match self.all.lock().get_mut(&process) {
            Some(Entry::Runs(pid)) => ExecutorProcess::terminate(*pid),
            Some(entry @ Entry::Prepared) => *entry = Entry::Cancelled,
            Some(Entry::Cancelled) | None => {}
        }
    }

    /// Ends it with all that it has started.
    pub(crate) fn kill(&self, process: ProcessId) {
        if let Some(Entry::Runs(pid)) = self.all.lock().get(&process) {
            ExecutorProcess::kill_group(*pid);
        }
    }

    /// Ends all of them: the worker is gone.
    pub(crate) fn kill_all(&self) {
        for entry in self.all.lock().values_mut() {
            match entry {
                Entry::Runs(pid) => ExecutorProcess::kill_group(*pid),
                Entry::Prepared | Entry::Cancelled => *entry = Entry::Cancelled,
            }
        }
    }
}
