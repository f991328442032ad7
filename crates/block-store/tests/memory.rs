//! The shared memory manager: waiting, giving up, leaks.

use std::{
    sync::{Arc, Barrier, atomic::AtomicBool},
    thread,
    time::Duration,
};

use firesteel_block_store::{AcquireMemoryError, MemoryManager, TaskMemory};
use firesteel_memory::{MemoryMode, PoolSize, UnifiedMemoryManager};
use firesteel_model::{ByteCount, TaskId};

#[test]
fn a_waiting_task_goes_on_when_another_releases() {
    let memory = manager(1000, MemoryManager::WAIT_LIMIT);
    let holder = task(&memory, 1);
    assert_eq!(holder.acquire(1000), 1000);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| task(&memory, 2).acquire(600));
        wait_until(|| active(&memory) == 2);
        holder.release(400);
        assert_eq!(waiting.join().unwrap(), 400);
    });
    assert_eq!(memory.usage(MemoryMode::OnHeap).execution, ByteCount(1000));
}

#[test]
fn the_end_of_a_task_lets_others_go_on_and_reports_what_it_left() {
    let memory = manager(1000, MemoryManager::WAIT_LIMIT);
    let holder = task(&memory, 1);
    assert_eq!(holder.acquire(1000), 1000);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| task(&memory, 2).acquire(600));
        wait_until(|| active(&memory) == 2);
        let left = holder.release_all();
        assert_eq!((left.on_heap.execution, left.total()), (ByteCount(1000), ByteCount(1000)));
        assert_eq!(waiting.join().unwrap(), 600);
    });
    assert_eq!(holder.release_all().total(), ByteCount::ZERO);
}

#[test]
fn a_killed_task_stops_waiting_and_takes_no_share() {
    let memory = manager(1000, MemoryManager::WAIT_LIMIT);
    let holder = task(&memory, 1);
    holder.acquire(1000);
    let killed = Arc::new(AtomicBool::new(true));
    let waiting = TaskMemory::new(Arc::clone(&memory), TaskId(2), MemoryMode::OnHeap, killed);
    let expected = AcquireMemoryError::Killed { task_id: TaskId(2), bytes: ByteCount(600), mode: MemoryMode::OnHeap };
    assert_eq!(waiting.try_acquire(600), Err(expected));
    assert_eq!(waiting.acquire(600), 0);
    assert_eq!(active(&memory), 1);
}

#[test]
fn a_task_that_waits_too_long_is_told_who_holds_the_memory() {
    let memory = manager(1000, Duration::from_millis(1));
    task(&memory, 1).acquire(990);
    let error = task(&memory, 2).try_acquire(600).unwrap_err();
    let AcquireMemoryError::TimedOut { minimum, holders, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*minimum, holders.clone()), (ByteCount(250), [(TaskId(1), ByteCount(990))].into()));
    assert!(error.to_string().contains("raise spark.executor.memory"), "{error}");
    assert_eq!(active(&memory), 1);
}

#[test]
fn the_setting_that_would_help_is_that_of_the_process_and_of_the_pool() {
    let size = PoolSize { capacity: ByteCount(1000), storage_region: ByteCount(500) };
    let pools = || UnifiedMemoryManager::new(size, size);
    let limit = Duration::from_millis(1);
    let (executor, driver) = (MemoryManager::new(pools(), limit), MemoryManager::of_driver(pools(), limit));
    for (memory, mode, setting) in [
        (&executor, MemoryMode::OnHeap, "spark.executor.memory"),
        (&executor, MemoryMode::OffHeap, "spark.memory.offHeap.size"),
        (&driver, MemoryMode::OnHeap, "spark.driver.memory"),
        (&driver, MemoryMode::OffHeap, "spark.memory.offHeap.size"),
    ] {
        let task = |id| TaskMemory::new(Arc::clone(memory), TaskId(id), mode, Arc::default());
        let holder = task(1);
        holder.acquire(990);
        let error = task(2).try_acquire(600).unwrap_err().to_string();
        assert!(error.contains(&format!("raise {setting} or")), "{error}");
    }
}

#[test]
fn pools_are_apart() {
    let memory = manager(1000, MemoryManager::WAIT_LIMIT);
    assert_eq!(task(&memory, 1).acquire(1000), 1000);
    let off_heap = TaskMemory::new(Arc::clone(&memory), TaskId(2), MemoryMode::OffHeap, Arc::default());
    assert_eq!(off_heap.acquire(100), 100);
    assert_eq!(memory.usage(MemoryMode::OffHeap).execution, ByteCount(100));
}

/// Tasks on many threads ask for more than there is, and each spills what it has when it gets less. All come to their
/// end, none holds more than its share, and everything is given back.
#[test]
fn tasks_that_spill_all_come_to_their_end() {
    const TASKS: u64 = 8;
    let memory = manager(10_000, MemoryManager::WAIT_LIMIT);
    let start = Barrier::new(TASKS as usize);
    let processed: u64 = thread::scope(|scope| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task_id| {
                let (memory, start) = (&memory, &start);
                scope.spawn(move || {
                    let memory = task(memory, task_id);
                    start.wait();
                    let (mut held, mut processed) = (0, 0);
                    for step in 0..2000 {
                        let wanted = 100 + step % 300;
                        let granted = memory.acquire(wanted);
                        held += granted;
                        if granted < wanted {
                            processed += held;
                            memory.release(held);
                            held = 0;
                        }
                    }
                    memory.release(held);
                    assert_eq!(memory.release_all().total(), ByteCount::ZERO);
                    assert!(memory.peak() <= 10_000);
                    processed + held
                })
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).sum()
    });
    assert!(processed > 0);
    let usage = memory.usage(MemoryMode::OnHeap);
    assert_eq!((usage.execution, usage.storage, active(&memory)), (ByteCount::ZERO, ByteCount::ZERO, 0));
}

fn manager(capacity: u64, wait_limit: Duration) -> Arc<MemoryManager> {
    let size = PoolSize { capacity: ByteCount(capacity), storage_region: ByteCount::ZERO };
    MemoryManager::new(UnifiedMemoryManager::new(size, size), wait_limit)
}

fn task(memory: &Arc<MemoryManager>, task_id: u64) -> TaskMemory {
    TaskMemory::new(Arc::clone(memory), TaskId(task_id), MemoryMode::OnHeap, Arc::default())
}

fn active(memory: &MemoryManager) -> usize {
    memory.active_tasks(MemoryMode::OnHeap).len()
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}
