//! Watches killed tasks until they have ended: Spark's `TaskReaper` (RT-38).
//!
//! A kill is a request: a task ends where records flow, and code that looks at nothing goes on. The reaper says so again and
//! again, with what the task's thread does, and after a time-out hands it to whoever can do more: nothing in a process ends
//! a thread but the end of the process.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use firesteel_model::TaskId;
use parking_lot::{Condvar, Mutex};

/// How killed tasks are watched. Each field names its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReaperOptions {
    /// `spark.task.reaper.pollingInterval`, 10 s: how often the log says that a killed task still runs.
    pub polling_interval: Duration,
    /// `spark.task.reaper.killTimeout`: how long a killed task may go on; for ever if none.
    pub kill_timeout: Option<Duration>,
    /// `spark.task.reaper.threadDump`: say what the task's thread does.
    pub thread_dump: bool,
}

/// What is to be done about a killed task that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overdue {
    pub(crate) task_id: TaskId,
    /// For how long it has gone on.
    pub(crate) elapsed: Duration,
    /// The time-out is over, and this is the last that is heard of the task.
    pub(crate) timed_out: bool,
}

/// Decides when to look at which task. Times are since some start that the caller chooses.
#[derive(Debug)]
struct Watch {
    options: ReaperOptions,
    killed: BTreeMap<TaskId, Killed>,
}

#[derive(Clone, Copy, Debug)]
struct Killed {
    at: Duration,
    next_look: Duration,
}

impl Watch {
    fn new(options: ReaperOptions) -> Self {
        Self { options, killed: BTreeMap::new() }
    }

    /// A task was told to end. A second kill of the same task changes nothing: its time runs from the first.
    fn killed(&mut self, task_id: TaskId, now: Duration) {
        let next_look = self.next_look_after(now, now);
        self.killed.entry(task_id).or_insert(Killed { at: now, next_look });
    }

    fn ended(&mut self, task_id: TaskId) {
        self.killed.remove(&task_id);
    }

    fn next_look(&self) -> Option<Duration> {
        self.killed.values().map(|killed| killed.next_look).min()
    }

    /// The tasks that are to be looked at now. One whose time is over is not watched any more.
    fn look(&mut self, now: Duration) -> Vec<Overdue> {
        let due = self.killed.iter().filter(|(_, killed)| killed.next_look <= now);
        let due: Vec<(TaskId, Killed)> = due.map(|(&task_id, &killed)| (task_id, killed)).collect();
        let mut overdue = Vec::with_capacity(due.len());
        for (task_id, killed) in due {
            let elapsed = now.saturating_sub(killed.at);
            let timed_out = self.options.kill_timeout.is_some_and(|timeout| elapsed >= timeout);
            if timed_out {
                self.killed.remove(&task_id);
            } else {
                let next_look = self.next_look_after(now, killed.at);
                self.killed.insert(task_id, Killed { next_look, ..killed });
            }
            overdue.push(Overdue { task_id, elapsed, timed_out });
        }
        overdue
    }

    /// After the interval, or sooner if the time-out is.
    fn next_look_after(&self, now: Duration, killed_at: Duration) -> Duration {
        let poll = now.saturating_add(self.options.polling_interval);
        match self.options.kill_timeout {
            Some(timeout) => poll.min(killed_at.saturating_add(timeout)),
            None => poll,
        }
    }
}

/// A thread that looks at killed tasks when it is time to. It waits without a time-out while nobody was killed.
pub(crate) struct TaskReaper {
    started: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    watch: Watch,
    stopped: bool,
}

impl TaskReaper {
    /// Starts the thread. `overdue` is called on it, without any lock held.
    pub(crate) fn start(
        options: ReaperOptions,
        mut overdue: impl FnMut(Overdue) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let state = Mutex::new(State { watch: Watch::new(options), stopped: false });
        let reaper = Arc::new(Self { started: Instant::now(), state, changed: Condvar::new() });
        let watching = Arc::clone(&reaper);
        thread::Builder::new().name("task-reaper".to_owned()).spawn(move || {
            while let Some(found) = watching.wait() {
                found.into_iter().for_each(&mut overdue);
            }
        })?;
        Ok(reaper)
    }

    pub(crate) fn killed(&self, task_id: TaskId) {
        self.state.lock().watch.killed(task_id, self.started.elapsed());
        self.changed.notify_one();
    }

    pub(crate) fn ended(&self, task_id: TaskId) {
        self.state.lock().watch.ended(task_id);
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_one();
    }

    /// Waits until a look is due; none when it is stopped.
    fn wait(&self) -> Option<Vec<Overdue>> {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return None;
            }
            let found = state.watch.look(self.started.elapsed());
            if !found.is_empty() {
                return Some(found);
            }
            match state.watch.next_look() {
                Some(next) => {
                    let wait = next.saturating_sub(self.started.elapsed());
                    self.changed.wait_for(&mut state, wait);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId(7);
    const OTHER: TaskId = TaskId(8);

    fn watch(polling_interval: u64, kill_timeout: Option<u64>) -> Watch {
        Watch::new(ReaperOptions {
            polling_interval: Duration::from_secs(polling_interval),
            kill_timeout: kill_timeout.map(Duration::from_secs),
            thread_dump: false,
        })
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn still_runs(task_id: TaskId, elapsed: u64) -> Overdue {
        Overdue { task_id, elapsed: seconds(elapsed), timed_out: false }
    }

    #[test]
    fn a_killed_task_is_looked_at_in_each_interval_until_it_ends() {
        let mut watch = watch(10, None);
        assert_eq!(watch.next_look(), None);
        watch.killed(TASK, seconds(100));
        assert_eq!(watch.next_look(), Some(seconds(110)));
        assert_eq!(watch.look(seconds(109)), []);
        assert_eq!(watch.look(seconds(110)), [still_runs(TASK, 10)]);
        assert_eq!(watch.look(seconds(110)), []);
        assert_eq!(watch.look(seconds(123)), [still_runs(TASK, 23)]);
        assert_eq!(watch.next_look(), Some(seconds(133)));
        watch.ended(TASK);
        assert_eq!(watch.next_look(), None);
        assert_eq!(watch.look(seconds(1000)), []);
    }

    #[test]
    fn the_time_out_ends_the_watch_between_two_looks_too() {
        let mut watch = watch(10, Some(25));
        watch.killed(TASK, seconds(0));
        assert_eq!(watch.look(seconds(10)), [still_runs(TASK, 10)]);
        assert_eq!(watch.look(seconds(20)), [still_runs(TASK, 20)]);
        assert_eq!(watch.next_look(), Some(seconds(25)));
        assert_eq!(watch.look(seconds(25)), [Overdue { timed_out: true, ..still_runs(TASK, 25) }]);
        assert_eq!(watch.next_look(), None);
    }

    #[test]
    fn a_second_kill_does_not_put_the_time_out_off() {
        let mut watch = watch(10, Some(15));
        watch.killed(TASK, seconds(0));
        watch.killed(TASK, seconds(14));
        watch.killed(OTHER, seconds(14));
        let found = watch.look(seconds(15));
        assert_eq!(found, [Overdue { timed_out: true, ..still_runs(TASK, 15) }]);
        assert_eq!(watch.next_look(), Some(seconds(24)));
    }
}
