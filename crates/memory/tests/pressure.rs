//! What follows when the process holds more than the pools know of, one story each.

mod pool;

use firesteel_memory::{
    Eviction, ExecutionGrant, MemoryMode, PoolSize, Pressure, ResidentLimits, StorageGrant, StorageRefusal,
    UnifiedMemoryManager,
};
use firesteel_model::{ByteCount, TaskId};

use self::pool::{execute, granted, pool};

/// Half way is at 2600, a recall is due at every 100.
const LIMITS: ResidentLimits = ResidentLimits { given: ByteCount(1800), limit: ByteCount(3400) };

#[test]
fn the_pools_shrink_from_what_was_given_to_half_way_to_the_limit() {
    let mut memory = manager();
    let mut usable = |resident| {
        memory.observe_resident(&LIMITS, ByteCount(resident));
        MemoryMode::ALL.map(|mode| memory.pool(mode).usage().maximum_storage.bytes())
    };
    assert_eq!(usable(0), [1000, 200]);
    assert_eq!(usable(1800), [1000, 200]);
    assert_eq!(usable(2000), [750, 150]);
    assert_eq!(usable(2200), [500, 100]);
    assert_eq!(usable(2599), [2, 1]);
    assert_eq!(usable(2600), [0, 0]);
    assert_eq!(usable(5000), [0, 0]);
    assert_eq!(usable(1800), [1000, 200]);
}

#[test]
fn without_an_overhead_there_is_nothing_between_whole_and_empty() {
    let limits = ResidentLimits { given: ByteCount(1800), limit: ByteCount(1800) };
    let mut memory = manager();
    assert_eq!(memory.observe_resident(&limits, ByteCount(1800)), Pressure::default());
    let pressed = Pressure { is_pressed: true, is_changed: true, is_recall: true };
    assert_eq!(memory.observe_resident(&limits, ByteCount(1801)), pressed);
    assert_eq!(memory.pool(MemoryMode::OnHeap).usage().maximum_storage, ByteCount::ZERO);
}

#[test]
fn memory_is_recalled_whenever_the_process_has_grown_by_a_sixteenth_of_the_way() {
    let mut memory = manager();
    let mut recalled = |resident| memory.observe_resident(&LIMITS, ByteCount(resident)).is_recall;
    assert!(!recalled(1800) && !recalled(1899), "not grown enough");
    assert!(recalled(1900));
    assert!(!recalled(1900) && !recalled(1999), "as large as it was");
    assert!(recalled(2100), "from 1900");
    assert!(!recalled(2050) && !recalled(2149), "from its least, 2050");
    assert!(recalled(2150));
    assert!(!recalled(100) && !recalled(1899), "from what was given, however little it held");
    assert!(recalled(1900));
}

#[test]
fn a_process_that_stays_as_large_as_it_is_has_no_more_recalls() {
    let mut memory = manager();
    let recalls = |memory: &mut UnifiedMemoryManager, resident: u64| {
        (0..1000).filter(|turn| memory.observe_resident(&LIMITS, ByteCount(resident + turn % 99)).is_recall).count()
    };
    assert_eq!(recalls(&mut memory, 3000), 1);
    assert_eq!(recalls(&mut memory, 3000), 0);
    assert_eq!(recalls(&mut memory, 2000), 0);
}

#[test]
fn an_observation_says_what_it_changed() {
    let mut memory = manager();
    let observed = |is_pressed, is_changed, is_recall| Pressure { is_pressed, is_changed, is_recall };
    assert_eq!(memory.observe_resident(&LIMITS, ByteCount(500)), observed(false, false, false));
    assert_eq!(memory.observe_resident(&LIMITS, ByteCount(1880)), observed(true, true, false));
    assert_eq!(memory.observe_resident(&LIMITS, ByteCount(1880)), observed(true, false, false));
    assert_eq!(memory.observe_resident(&LIMITS, ByteCount(3000)), observed(true, true, true));
    assert_eq!(memory.observe_resident(&LIMITS, ByteCount(2900)), observed(true, false, false));
    assert_eq!(memory.observe_resident(&LIMITS, ByteCount(500)), observed(false, true, false));
}

#[test]
fn execution_evicts_first_and_then_gets_less_at_once() {
    let mut pool = pool(1000, 500);
    assert_eq!(pool.acquire_storage(ByteCount(900), Eviction::Possible), StorageGrant::Granted);
    assert!(pool.set_unaccounted(ByteCount(600)));
    // 400 are usable, of which 200 are safe for storage.
    assert_eq!(execute(&mut pool, 1, 300), ExecutionGrant::MustEvict { bytes: ByteCount(700) });
    pool.release_storage(ByteCount(700));
    assert_eq!(execute(&mut pool, 1, 300), granted(200));
    assert_eq!(execute(&mut pool, 2, 300), granted(0), "and does not wait for what is not there");
}

#[test]
fn with_nothing_left_all_blocks_go_and_nobody_gets_anything() {
    let mut pool = pool(1000, 500);
    pool.acquire_storage(ByteCount(300), Eviction::Possible);
    pool.acquire_unroll(TaskId(3), ByteCount(200), Eviction::Possible);
    execute(&mut pool, 1, 400);
    pool.set_unaccounted(ByteCount(1000));
    assert_eq!(pool.excess_storage(), ByteCount(300), "unroll memory cannot go");
    assert_eq!(execute(&mut pool, 2, 1), ExecutionGrant::MustEvict { bytes: ByteCount(300) });
    assert_eq!(pool.acquire_execution(TaskId(2), ByteCount(1), Eviction::Exhausted), granted(0));
    pool.release_storage(ByteCount(300));
    assert_eq!(execute(&mut pool, 2, 1), granted(0));
    let refused = StorageGrant::Refused(StorageRefusal::TooLarge { maximum: ByteCount::ZERO });
    assert_eq!(pool.acquire_storage(ByteCount(1), Eviction::Possible), refused);
    assert_eq!(pool.acquire_unroll(TaskId(3), ByteCount(1), Eviction::Possible), refused);
    assert_eq!(pool.acquire_unroll(TaskId(3), ByteCount(0), Eviction::Possible), StorageGrant::Granted);
    pool.unroll_to_storage(TaskId(3), ByteCount(200));
    pool.release_execution(TaskId(1), ByteCount(400));
    pool.assert_invariants();
}

#[test]
fn blocks_within_what_is_usable_stay() {
    let mut pool = pool(1000, 500);
    pool.acquire_storage(ByteCount(600), Eviction::Possible);
    execute(&mut pool, 1, 200);
    pool.set_unaccounted(ByteCount(200));
    assert_eq!(pool.excess_storage(), ByteCount::ZERO);
    pool.set_unaccounted(ByteCount(400));
    assert_eq!(pool.excess_storage(), ByteCount(200));
    pool.set_unaccounted(ByteCount(600));
    assert_eq!(pool.excess_storage(), ByteCount(400), "200 of 400 are safe");
    assert!(!pool.set_unaccounted(ByteCount(600)), "as before");
}

#[test]
fn a_task_that_had_to_wait_gets_what_there_is_when_the_pool_shrinks_and_its_share_when_it_is_whole_again() {
    let mut pool = pool(1000, 500);
    assert_eq!(execute(&mut pool, 1, 1000), granted(1000));
    assert_eq!(execute(&mut pool, 2, 400), ExecutionGrant::Wait { minimum: ByteCount(250) });
    pool.set_unaccounted(ByteCount(1));
    assert_eq!(execute(&mut pool, 2, 400), granted(0));
    pool.release_execution(TaskId(1), ByteCount(600));
    assert_eq!(execute(&mut pool, 2, 700), granted(499));
    pool.set_unaccounted(ByteCount(0));
    assert_eq!(execute(&mut pool, 2, 700), granted(1));
}

fn manager() -> UnifiedMemoryManager {
    let size = |capacity| PoolSize { capacity: ByteCount(capacity), storage_region: ByteCount(capacity / 2) };
    UnifiedMemoryManager::new(size(1000), size(200))
}
