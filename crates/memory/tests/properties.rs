//! Whatever is asked in whatever order: no memory is promised twice, none is lost, and somebody can always go on.

use std::collections::BTreeMap;

use firesteel_memory::{Eviction, ExecutionGrant, MemoryPool, PoolSize, PoolUsage, StorageGrant};
use firesteel_model::{ByteCount, TaskId};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Call {
    AcquireExecution(u64, u64),
    ReleaseExecution(u64, u64),
    AcquireStorage(u64),
    ReleaseStorage(u64),
    AcquireUnroll(u64, u64),
    UnrollToStorage(u64),
    EndTask(u64),
    /// So many percent of the pool are taken by what it does not know of.
    Unaccounted(u64),
}

fn call() -> impl Strategy<Value = Call> {
    let task = 0..5u64;
    let bytes = 0..700u64;
    prop_oneof![
        3 => (task.clone(), bytes.clone()).prop_map(|(task, bytes)| Call::AcquireExecution(task, bytes)),
        2 => (task.clone(), bytes.clone()).prop_map(|(task, bytes)| Call::ReleaseExecution(task, bytes)),
        3 => bytes.clone().prop_map(Call::AcquireStorage),
        1 => bytes.clone().prop_map(Call::ReleaseStorage),
        2 => (task.clone(), bytes).prop_map(|(task, bytes)| Call::AcquireUnroll(task, bytes)),
        1 => task.clone().prop_map(Call::UnrollToStorage),
        1 => task.prop_map(Call::EndTask),
        1 => prop_oneof![Just(0), 0..=100u64].prop_map(Call::Unaccounted),
    ]
}

/// The account of a shell that does what the pool says.
#[derive(Default)]
struct Account {
    execution: BTreeMap<u64, u64>,
    unroll: BTreeMap<u64, u64>,
    stored: u64,
    unaccounted: u64,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_neither_promised_twice_nor_lost(
        capacity in 0..1500u64,
        region_percent in 0..=100u64,
        calls in prop::collection::vec(call(), 1..200),
    ) {
        let region = capacity * region_percent / 100;
        let mut pool = MemoryPool::new(PoolSize { capacity: ByteCount(capacity), storage_region: ByteCount(region) });
        let mut account = Account::default();
        for call in calls {
            let before = pool.usage();
            perform(&mut pool, &mut account, (capacity, region), call);
            pool.assert_invariants();
            let usage = pool.usage();
            let used = |usage: PoolUsage| (usage.execution + usage.storage).bytes();
            prop_assert!(
                used(usage) <= used(before) || used(usage) <= capacity - account.unaccounted,
                "granted what something else has taken"
            );
            let (execution, unroll): (u64, u64) = (account.execution.values().sum(), account.unroll.values().sum());
            prop_assert_eq!(usage.execution.bytes(), execution);
            prop_assert_eq!(usage.unroll.bytes(), unroll);
            prop_assert_eq!(usage.storage.bytes(), unroll + account.stored);
        }
        for task in 0..5 {
            let left = pool.release_task(TaskId(task));
            prop_assert_eq!(left.execution.bytes(), account.execution.get(&task).copied().unwrap_or(0));
            prop_assert_eq!(left.unroll.bytes(), account.unroll.get(&task).copied().unwrap_or(0));
        }
        prop_assert_eq!(pool.usage().execution, ByteCount::ZERO);
        prop_assert_eq!(pool.usage().storage.bytes(), account.stored);
    }

    /// Liveness: where something else has taken a part of the pool, nobody waits, and no block is to go that cannot.
    #[test]
    fn nobody_waits_for_what_something_else_has_taken(
        unaccounted in 1..=1000u64,
        calls in prop::collection::vec(call(), 0..50),
        wishes in prop::collection::vec((0..5u64, 1..3000u64), 1..20),
    ) {
        let (capacity, region) = (1000, 500);
        let mut pool = MemoryPool::new(PoolSize { capacity: ByteCount(capacity), storage_region: ByteCount(region) });
        let mut account = Account::default();
        for call in calls {
            perform(&mut pool, &mut account, (capacity, region), call);
        }
        pool.set_unaccounted(ByteCount(unaccounted));
        prop_assert!(pool.excess_storage().bytes() <= account.stored);
        for (task, bytes) in wishes {
            let grant = pool.acquire_execution(TaskId(task), ByteCount(bytes), Eviction::Exhausted);
            prop_assert!(matches!(grant, ExecutionGrant::Granted(_)), "{grant:?}");
        }
    }

    /// Liveness: if every task waits at the same time, one of them would be granted memory if it asked again.
    #[test]
    fn not_every_task_waits(capacity in 8..4000u64, wishes in prop::collection::vec((0..4u64, 1..3000u64), 1..60)) {
        let mut pool = MemoryPool::new(PoolSize { capacity: ByteCount(capacity), storage_region: ByteCount(capacity / 2) });
        let mut waiting = BTreeMap::new();
        for (task, bytes) in wishes {
            if waiting.contains_key(&task) {
                continue;
            }
            match pool.acquire_execution(TaskId(task), ByteCount(bytes), Eviction::Possible) {
                ExecutionGrant::Wait { .. } => _ = waiting.insert(task, bytes),
                ExecutionGrant::Granted(_) => {}
                ExecutionGrant::MustEvict { .. } => prop_assert!(false, "nothing is stored"),
            }
            let active = pool.active_tasks().count();
            if waiting.len() == active {
                let go_on = waiting.iter().any(|(task, bytes)| {
                    let again = pool.clone().acquire_execution(TaskId(*task), ByteCount(*bytes), Eviction::Possible);
                    matches!(again, ExecutionGrant::Granted(_))
                });
                prop_assert!(go_on, "all {active} tasks wait: {pool:?}");
            }
        }
    }
}

fn perform(pool: &mut MemoryPool, account: &mut Account, (capacity, region): (u64, u64), call: Call) {
    // The storage region shrinks with the pool.
    let region = (region * (capacity - account.unaccounted)).checked_div(capacity).unwrap_or(0);
    match call {
        Call::AcquireExecution(task, bytes) => {
            let mut grant = pool.acquire_execution(TaskId(task), ByteCount(bytes), Eviction::Possible);
            if let ExecutionGrant::MustEvict { bytes: evict } = grant {
                assert!(evict.bytes() > 0 && evict.bytes() <= account.stored, "evicts what is not there");
                assert!(pool.usage().storage.bytes() - evict.bytes() >= region, "evicts below the region");
                pool.release_storage(evict);
                account.stored -= evict.bytes();
                grant = pool.acquire_execution(TaskId(task), ByteCount(bytes), Eviction::Possible);
            }
            match grant {
                ExecutionGrant::Granted(granted) => {
                    assert!(granted.bytes() <= bytes);
                    *account.execution.entry(task).or_default() += granted.bytes();
                }
                ExecutionGrant::Wait { minimum } => {
                    assert!(account.execution.get(&task).copied().unwrap_or(0) < minimum.bytes());
                    pool.cancel_wait(TaskId(task));
                }
                ExecutionGrant::MustEvict { .. } => panic!("asked to evict twice"),
            }
        }
        Call::ReleaseExecution(task, bytes) => {
            let held = account.execution.entry(task).or_default();
            let bytes = bytes.min(*held);
            pool.release_execution(TaskId(task), ByteCount(bytes));
            *held -= bytes;
        }
        Call::AcquireStorage(bytes) => {
            let evicted = evict_for(pool, account, |pool| pool.acquire_storage(ByteCount(bytes), Eviction::Possible));
            account.stored += if evicted { bytes } else { 0 };
        }
        Call::ReleaseStorage(bytes) => {
            let bytes = bytes.min(account.stored);
            pool.release_storage(ByteCount(bytes));
            account.stored -= bytes;
        }
        Call::AcquireUnroll(task, bytes) => {
            let granted = evict_for(pool, account, |pool| {
                pool.acquire_unroll(TaskId(task), ByteCount(bytes), Eviction::Possible)
            });
            *account.unroll.entry(task).or_default() += if granted { bytes } else { 0 };
        }
        Call::UnrollToStorage(task) => {
            let bytes = account.unroll.remove(&task).unwrap_or(0);
            pool.unroll_to_storage(TaskId(task), ByteCount(bytes));
            account.stored += bytes;
        }
        Call::EndTask(task) => {
            let left = pool.release_task(TaskId(task));
            assert_eq!(left.execution.bytes(), account.execution.remove(&task).unwrap_or(0));
            assert_eq!(left.unroll.bytes(), account.unroll.remove(&task).unwrap_or(0));
        }
        Call::Unaccounted(percent) => {
            account.unaccounted = capacity * percent / 100;
            pool.set_unaccounted(ByteCount(account.unaccounted));
            let excess = pool.excess_storage();
            assert!(excess.bytes() <= account.stored, "evicts what is not there");
            pool.release_storage(excess);
            account.stored -= excess.bytes();
            assert_eq!(pool.excess_storage(), ByteCount::ZERO, "evicting it is enough");
        }
    }
}

/// Asks; evicts exactly what it must; asks again. Was it granted?
fn evict_for(pool: &mut MemoryPool, account: &mut Account, ask: impl Fn(&mut MemoryPool) -> StorageGrant) -> bool {
    match ask(pool) {
        StorageGrant::Granted => true,
        StorageGrant::Refused(_) => false,
        StorageGrant::MustEvict { bytes } => {
            assert!(bytes.bytes() <= account.stored, "evicts what is not there");
            pool.release_storage(bytes);
            account.stored -= bytes.bytes();
            assert_eq!(ask(pool), StorageGrant::Granted, "evicting what was asked for is enough");
            true
        }
    }
}
