//! The rules of RT-52, one story each.

mod pool;

use firesteel_memory::{Eviction, ExecutionGrant, MemoryPool, StorageGrant, StorageRefusal, TaskHolding};
use firesteel_model::{ByteCount, TaskId};

use self::pool::{execute, granted, pool};

#[test]
fn storage_takes_all_that_is_free_and_then_evicts_only_storage() {
    let mut pool = pool(1000, 500);
    assert_eq!(store(&mut pool, 900), StorageGrant::Granted);
    assert_eq!(store(&mut pool, 300), StorageGrant::MustEvict { bytes: ByteCount(200) });
    pool.release_storage(ByteCount(250));
    assert_eq!(store(&mut pool, 300), StorageGrant::Granted);
    assert_eq!(pool.usage().storage, ByteCount(950));
}

#[test]
fn storage_never_evicts_execution() {
    let mut pool = pool(1000, 500);
    assert_eq!(execute(&mut pool, 1, 800), granted(800));
    assert_eq!(store(&mut pool, 201), refused_at(200));
    assert_eq!(store(&mut pool, 200), StorageGrant::Granted);
    let after_eviction_failed = pool.acquire_storage(ByteCount(100), Eviction::Exhausted);
    assert_eq!(after_eviction_failed, StorageGrant::Refused(StorageRefusal::NothingToEvict));
}

#[test]
fn execution_evicts_storage_down_to_its_region_and_no_further() {
    let mut pool = pool(1000, 500);
    store(&mut pool, 1000);
    assert_eq!(execute(&mut pool, 1, 800), ExecutionGrant::MustEvict { bytes: ByteCount(500) });
    pool.release_storage(ByteCount(500));
    assert_eq!(execute(&mut pool, 1, 800), granted(500));
    assert_eq!(execute(&mut pool, 1, 100), granted(0));
}

#[test]
fn execution_borrows_what_storage_does_not_use() {
    let mut pool = pool(1000, 500);
    store(&mut pool, 100);
    assert_eq!(execute(&mut pool, 1, 2000), granted(900));
}

#[test]
fn evicting_stops_when_nothing_can_go() {
    let mut pool = pool(1000, 500);
    store(&mut pool, 900);
    assert_eq!(pool.acquire_execution(TaskId(1), ByteCount(400), Eviction::Exhausted), granted(100));
}

#[test]
fn unroll_memory_is_storage_that_cannot_be_evicted() {
    let mut pool = pool(1000, 0);
    assert_eq!(pool.acquire_unroll(TaskId(7), ByteCount(600), Eviction::Possible), StorageGrant::Granted);
    store(&mut pool, 300);
    assert_eq!(execute(&mut pool, 1, 1000), ExecutionGrant::MustEvict { bytes: ByteCount(300) });
    assert_eq!(store(&mut pool, 401), refused_at(400));
    pool.unroll_to_storage(TaskId(7), ByteCount(600));
    assert_eq!(execute(&mut pool, 1, 1000), ExecutionGrant::MustEvict { bytes: ByteCount(900) });
    assert_eq!(pool.release_task(TaskId(7)), TaskHolding::default());
}

#[test]
fn a_task_holds_at_most_its_share() {
    let mut pool = pool(1000, 0);
    assert_eq!(execute(&mut pool, 1, 100), granted(100));
    assert_eq!(execute(&mut pool, 2, 1000), granted(500));
    assert_eq!(execute(&mut pool, 2, 1), granted(0));
    assert_eq!(execute(&mut pool, 1, 1000), granted(400));
}

#[test]
fn a_task_below_half_its_share_waits_until_others_release() {
    let mut pool = pool(1000, 0);
    assert_eq!(execute(&mut pool, 1, 1000), granted(1000));
    assert_eq!(execute(&mut pool, 2, 400), ExecutionGrant::Wait { minimum: ByteCount(250) });
    pool.release_execution(TaskId(1), ByteCount(200));
    assert_eq!(execute(&mut pool, 2, 400), ExecutionGrant::Wait { minimum: ByteCount(250) });
    pool.release_execution(TaskId(1), ByteCount(50));
    assert_eq!(execute(&mut pool, 2, 400), granted(250));
}

#[test]
fn a_small_wish_is_granted_below_half_the_share_without_waiting() {
    let mut pool = pool(1000, 0);
    execute(&mut pool, 1, 990);
    assert_eq!(execute(&mut pool, 2, 10), granted(10));
}

#[test]
fn whoever_gives_up_waiting_no_longer_takes_a_share() {
    let mut pool = pool(1000, 0);
    execute(&mut pool, 1, 1000);
    assert!(matches!(execute(&mut pool, 2, 400), ExecutionGrant::Wait { .. }));
    pool.release_execution(TaskId(1), ByteCount(200));
    pool.cancel_wait(TaskId(2));
    assert_eq!(execute(&mut pool, 1, 200), granted(200));
    pool.cancel_wait(TaskId(1));
    assert_eq!(pool.held_by(TaskId(1)).execution, ByteCount(1000));
}

#[test]
fn what_a_task_leaves_behind_is_reported_and_taken_back() {
    let mut pool = pool(1000, 500);
    execute(&mut pool, 1, 300);
    pool.acquire_unroll(TaskId(1), ByteCount(200), Eviction::Possible);
    pool.release_execution(TaskId(1), ByteCount(100));
    let left = pool.release_task(TaskId(1));
    assert_eq!(left, TaskHolding { execution: ByteCount(200), unroll: ByteCount(200) });
    assert_eq!((pool.usage().execution, pool.usage().storage), (ByteCount::ZERO, ByteCount::ZERO));
    pool.assert_invariants();
}

#[test]
#[should_panic(expected = "task 1 released 301 bytes of execution memory and held 300")]
fn releasing_more_than_is_held_is_a_broken_account() {
    let mut pool = pool(1000, 500);
    execute(&mut pool, 1, 300);
    pool.release_execution(TaskId(1), ByteCount(301));
}

fn store(pool: &mut MemoryPool, bytes: u64) -> StorageGrant {
    let grant = pool.acquire_storage(ByteCount(bytes), Eviction::Possible);
    pool.assert_invariants();
    grant
}

fn refused_at(maximum: u64) -> StorageGrant {
    StorageGrant::Refused(StorageRefusal::TooLarge { maximum: ByteCount(maximum) })
}
