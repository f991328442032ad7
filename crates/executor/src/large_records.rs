//! Room for records that are so large that one for each slot would be more than the process can hold.
//!
//! A record is there several times while it is read, encoded, and stored or sent, beside all that the memory manager knows of. So the
//! large ones of all tasks share one budget, which is what a single one may take. Who wants more than is left waits for its turn, and
//! whoever has waited longer goes first.
//!
//! Tasks that hold room and want more could wait for one another. The eldest of those that hold any does not wait: it ends
//! sooner or later, and then another one is the eldest. What is left is a task that waits for something else of a task that waits here:
//! those of a barrier stage do not wait at all, nor those that compute a block of a cache, and any other circle ends when its time is up.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use firesteel_model::{ByteCount, TaskId};
use parking_lot::{Condvar, Mutex};

/// Shorter records are let pass: some of them for each slot are within what an executor has for its own needs.
pub const LARGE_RECORD: usize = 1 << 20;
/// How often a wait looks whether its task was killed.
const KILL_CHECK: Duration = Duration::from_millis(100);

/// The room for large records of one process.
#[derive(Debug)]
pub(crate) struct LargeRecords {
    most: u64,
    wait_limit: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<TaskId, u64>,
    /// Those who wait, by their tickets, the first one first.
    queue: VecDeque<u64>,
    next_ticket: u64,
}

/// Room for a record, as long as this lives.
#[derive(Debug)]
pub struct RoomForRecord {
    records: Arc<LargeRecords>,
    task_id: TaskId,
    bytes: u64,
}

/// There was no room.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoRoomError {
    #[error("the task was killed while it waited for room for a record of {bytes}")]
    Killed { bytes: ByteCount },
    #[error(
        "a record of {bytes} has waited {waited:?} for room: the large records of all tasks of an executor may take {most} at once, half of its memory for data and 64 MiB, and the tasks that hold some are {holders:?}; raise spark.executor.memory (in local mode spark.driver.memory), or run fewer tasks at once (spark.task.cpus)"
    )]
    TimedOut { bytes: ByteCount, waited: Duration, most: ByteCount, holders: BTreeMap<TaskId, ByteCount> },
}

/// Who asks.
pub(crate) struct Asker<'a> {
    pub(crate) task_id: TaskId,
    pub(crate) killed: &'a AtomicBool,
    /// May it be let wait?
    pub(crate) can_wait: bool,
}

impl LargeRecords {
    /// With room for so much, and so much time to wait for it.
    pub(crate) fn new(most: ByteCount, wait_limit: Duration) -> Arc<Self> {
        Arc::new(Self { most: most.bytes(), wait_limit, state: Mutex::default(), changed: Condvar::new() })
    }

    /// What all of them may take, and each.
    pub(crate) fn most(&self) -> ByteCount {
        ByteCount(self.most)
    }

    /// Room for a record of this length, when there is some.
    pub(crate) fn room(self: &Arc<Self>, bytes: u64, asker: &Asker<'_>) -> Result<RoomForRecord, NoRoomError> {
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.push_back(ticket);
        let since = Instant::now();
        let outcome = loop {
            let is_first = state.queue.front() == Some(&ticket);
            if !asker.can_wait || state.may_not_wait(asker.task_id) || is_first && state.fits(bytes, self.most) {
                break Ok(());
            }
            let waited = since.elapsed();
            if asker.killed.load(Ordering::Acquire) {
                break Err(NoRoomError::Killed { bytes: ByteCount(bytes) });
            }
            if waited >= self.wait_limit {
                let holders = state.held.iter().map(|(task_id, held)| (*task_id, ByteCount(*held))).collect();
                break Err(NoRoomError::TimedOut { bytes: ByteCount(bytes), waited, most: self.most(), holders });
            }
            self.changed.wait_for(&mut state, KILL_CHECK.min(self.wait_limit - waited));
        };
        state.queue.retain(|waiting| *waiting != ticket);
        if outcome.is_ok() {
            *state.held.entry(asker.task_id).or_default() += bytes;
        }
        drop(state);
        // Another one may be the first.
        self.changed.notify_all();
        outcome.map(|()| RoomForRecord { records: Arc::clone(self), task_id: asker.task_id, bytes })
    }
}

impl State {
    /// Is this the eldest of those that hold any?
    fn may_not_wait(&self, task_id: TaskId) -> bool {
        self.held.first_key_value().is_some_and(|(eldest, _)| *eldest == task_id)
    }

    fn fits(&self, bytes: u64, most: u64) -> bool {
        self.held.is_empty() || self.held.values().sum::<u64>().saturating_add(bytes) <= most
    }
}

impl Drop for RoomForRecord {
    fn drop(&mut self) {
        let mut state = self.records.state.lock();
        if let Some(held) = state.held.get_mut(&self.task_id) {
            *held -= self.bytes;
            if *held == 0 {
                state.held.remove(&self.task_id);
            }
        }
        drop(state);
        self.records.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    static NEVER: AtomicBool = AtomicBool::new(false);

    fn room(records: &Arc<LargeRecords>, task_id: u64, bytes: u64) -> Result<RoomForRecord, NoRoomError> {
        records.room(bytes, &Asker { task_id: TaskId(task_id), killed: &NEVER, can_wait: true })
    }

    fn records(wait_limit: Duration) -> Arc<LargeRecords> {
        LargeRecords::new(ByteCount(100), wait_limit)
    }

    /// With a time to wait that is over at once.
    fn impatient() -> Arc<LargeRecords> {
        records(Duration::ZERO)
    }

    #[test]
    fn records_share_the_room_until_they_go() {
        let records = impatient();
        let [first, second] = [(1, 60), (2, 40)].map(|(task, bytes)| room(&records, task, bytes).unwrap());
        let NoRoomError::TimedOut { bytes, most, holders, .. } = room(&records, 3, 1).unwrap_err() else { panic!() };
        assert_eq!((bytes, most), (ByteCount(1), ByteCount(100)));
        assert_eq!(holders, BTreeMap::from([(TaskId(1), ByteCount(60)), (TaskId(2), ByteCount(40))]));
        drop(second);
        let third = room(&records, 3, 40).unwrap();
        drop((first, third));
        assert!(records.state.lock().held.is_empty() && records.state.lock().queue.is_empty());
    }

    #[test]
    fn whoever_is_alone_has_as_much_room_as_it_wants() {
        let records = impatient();
        let _large = room(&records, 7, 1000).unwrap();
        assert!(room(&records, 8, 1).is_err());
    }

    #[test]
    fn the_eldest_that_holds_any_does_not_wait_for_the_others() {
        let records = impatient();
        let _both = [(4, 50), (5, 50)].map(|(task, bytes)| room(&records, task, bytes).unwrap());
        assert!(room(&records, 5, 50).is_err(), "it waits for task 4");
        assert!(room(&records, 3, 50).is_err(), "it is elder, and holds none");
        let _more = room(&records, 4, 50).unwrap();
    }

    #[test]
    fn tasks_of_a_barrier_stage_are_not_let_wait() {
        let records = impatient();
        let _first = room(&records, 1, 100).unwrap();
        records.room(100, &Asker { task_id: TaskId(2), killed: &NEVER, can_wait: false }).unwrap();
    }

    #[test]
    fn a_task_that_is_killed_waits_no_longer() {
        let records = records(Duration::from_secs(600));
        let _first = room(&records, 1, 100).unwrap();
        let killed = AtomicBool::new(false);
        thread::scope(|scope| {
            let waiting = scope
                .spawn(|| records.room(1, &Asker { task_id: TaskId(2), killed: &killed, can_wait: true }).map(drop));
            killed.store(true, Ordering::Release);
            assert_eq!(waiting.join().unwrap(), Err(NoRoomError::Killed { bytes: ByteCount(1) }));
        });
    }

    #[test]
    fn who_has_waited_longer_goes_first() {
        let records = records(Duration::from_secs(600));
        let holder = room(&records, 1, 100).unwrap();
        let (came, order) = mpsc::channel();
        thread::scope(|scope| {
            // A large record, and then small ones that would fit beside what is held sooner.
            for (waiting, (task, bytes)) in [(2, 100), (3, 10), (4, 10)].into_iter().enumerate() {
                let (records, came) = (&records, came.clone());
                scope.spawn(move || {
                    let room = room(records, task, bytes).unwrap();
                    came.send(task).unwrap();
                    drop(room);
                });
                while records.state.lock().queue.len() <= waiting {
                    thread::yield_now();
                }
            }
            drop(holder);
        });
        assert_eq!(order.recv().unwrap(), 2);
    }

    /// Whatever they hold already, somebody can always go on.
    #[test]
    fn tasks_that_hold_some_and_want_more_all_end() {
        let records = records(Duration::from_secs(600));
        thread::scope(|scope| {
            for task in 1..=8 {
                let records = &records;
                scope.spawn(move || {
                    for _ in 0..200 {
                        let _first = room(records, task, 40).unwrap();
                        let _second = room(records, task, 70).unwrap();
                        let _third = room(records, task, 100).unwrap();
                    }
                });
            }
        });
        assert!(records.state.lock().held.is_empty() && records.state.lock().queue.is_empty());
    }
}
