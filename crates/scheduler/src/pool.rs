//! Which task set gets the next slot (SC-01…03): Spark's `Pool` and its two algorithms.

use std::{cmp::Ordering, collections::BTreeMap};

use firesteel_model::{JobId, StageAttemptId};

use crate::{PoolOptions, SchedulingMode};

/// The pool of jobs that name none.
pub(crate) const DEFAULT_POOL: &str = "default";

#[derive(Debug)]
struct Pool {
    mode: SchedulingMode,
    weight: u32,
    min_share: u32,
    running: u32,
}

/// A task set in a pool.
#[derive(Debug)]
struct Member {
    pool: String,
    priority: JobId,
    running: u32,
}

#[derive(Debug)]
pub(crate) struct Pools {
    mode: SchedulingMode,
    pools: BTreeMap<String, Pool>,
    members: BTreeMap<StageAttemptId, Member>,
}

impl Pools {
    pub(crate) fn new(mode: SchedulingMode, options: &[PoolOptions]) -> Self {
        let pools = options.iter().map(|pool| {
            let PoolOptions { mode, weight, min_share, .. } = *pool;
            (pool.name.clone(), Pool { mode, weight: weight.get(), min_share, running: 0 })
        });
        let mut pools = Self { mode, pools: pools.collect(), members: BTreeMap::new() };
        pools.ensure(DEFAULT_POOL);
        pools
    }

    /// Was the pool missing? Then it was made with Spark's defaults (SC-05).
    fn ensure(&mut self, name: &str) -> bool {
        let missing = !self.pools.contains_key(name);
        if missing {
            let pool = Pool { mode: SchedulingMode::Fifo, weight: 1, min_share: 0, running: 0 };
            self.pools.insert(name.to_owned(), pool);
        }
        missing
    }

    /// Adds a task set; tells whether its pool had to be made. FIFO mode knows no pools (SC-02).
    pub(crate) fn add(&mut self, id: StageAttemptId, priority: JobId, pool: Option<&str>) -> bool {
        let pool = match self.mode {
            SchedulingMode::Fifo => DEFAULT_POOL,
            SchedulingMode::Fair => pool.unwrap_or(DEFAULT_POOL),
        };
        let made = self.ensure(pool);
        self.members.insert(id, Member { pool: pool.to_owned(), priority, running: 0 });
        made
    }

    pub(crate) fn remove(&mut self, id: StageAttemptId) {
        if let Some(member) = self.members.remove(&id)
            && let Some(pool) = self.pools.get_mut(&member.pool)
        {
            pool.running -= member.running;
        }
    }

    pub(crate) fn task_launched(&mut self, id: StageAttemptId) {
        let member = self.members.get_mut(&id).expect("a task set with running tasks is in a pool");
        member.running += 1;
        self.pools.get_mut(&member.pool).expect("pools are never removed").running += 1;
    }

    pub(crate) fn task_ended(&mut self, id: StageAttemptId) {
        let member = self.members.get_mut(&id).expect("a task set with running tasks is in a pool");
        member.running -= 1;
        self.pools.get_mut(&member.pool).expect("pools are never removed").running -= 1;
    }

    pub(crate) fn running(&self, id: StageAttemptId) -> u32 {
        self.members.get(&id).map_or(0, |member| member.running)
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn mode(&self) -> SchedulingMode {
        self.mode
    }

    pub(crate) fn sort(&self, ids: &mut [StageAttemptId]) {
        ids.sort_by(|&left, &right| self.compare(left, right));
    }

    /// Less: gets slots first.
    pub(crate) fn compare(&self, left: StageAttemptId, right: StageAttemptId) -> Ordering {
        let fifo = |id| {
            let member = &self.members[&id];
            (member.priority, id)
        };
        let share = |id: StageAttemptId| {
            let member = &self.members[&id];
            Share { running: member.running, min_share: 0, weight: 1 }
        };
        if self.mode == SchedulingMode::Fifo {
            return fifo(left).cmp(&fifo(right));
        }
        let (left_pool, right_pool) = (&self.members[&left].pool, &self.members[&right].pool);
        if left_pool != right_pool {
            let shares = (self.pool_share(left_pool), self.pool_share(right_pool));
            return compare_fair(shares.0, shares.1).then_with(|| left_pool.cmp(right_pool));
        }
        match self.pools[left_pool].mode {
            SchedulingMode::Fifo => fifo(left).cmp(&fifo(right)),
            SchedulingMode::Fair => compare_fair(share(left), share(right)).then_with(|| left.cmp(&right)),
        }
    }

    fn pool_share(&self, name: &str) -> Share {
        let pool = &self.pools[name];
        Share { running: pool.running, min_share: pool.min_share, weight: pool.weight }
    }
}

#[derive(Clone, Copy)]
struct Share {
    running: u32,
    min_share: u32,
    weight: u32,
}

/// SC-03. Ratios are compared as products of integers: exact, and so a total order.
fn compare_fair(left: Share, right: Share) -> Ordering {
    let needy = |share: Share| share.running < share.min_share;
    let ratio = |numerator: u32, other: u32| u64::from(numerator) * u64::from(other);
    match (needy(left), needy(right)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (true, true) => ratio(left.running, right.min_share).cmp(&ratio(right.running, left.min_share)),
        (false, false) => ratio(left.running, right.weight).cmp(&ratio(right.running, left.weight)),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use firesteel_model::{StageAttempt, StageId};

    use super::*;

    fn id(stage: u32) -> StageAttemptId {
        StageAttemptId { stage_id: StageId(stage), attempt: StageAttempt(0) }
    }

    fn pool(name: &str, mode: SchedulingMode, weight: u32, min_share: u32) -> PoolOptions {
        PoolOptions { name: name.to_owned(), mode, weight: NonZeroU32::new(weight).unwrap(), min_share }
    }

    /// Gives slots one by one, always to the first, and counts who got them.
    fn shares(pools: &mut Pools, stages: &[u32], slots: u32) -> Vec<u32> {
        for _ in 0..slots {
            let mut order: Vec<_> = stages.iter().map(|&stage| id(stage)).collect();
            pools.sort(&mut order);
            pools.task_launched(order[0]);
        }
        stages.iter().map(|&stage| pools.running(id(stage))).collect()
    }

    #[test]
    fn fifo_takes_the_lower_job_then_the_lower_stage() {
        let mut pools = Pools::new(SchedulingMode::Fifo, &[]);
        for (stage, job) in [(5, 1), (9, 0), (4, 1)] {
            assert!(!pools.add(id(stage), JobId(job), Some("ignored in FIFO mode")));
        }
        let mut order = [id(5), id(4), id(9)];
        pools.sort(&mut order);
        assert_eq!(order, [id(9), id(4), id(5)]);
    }

    #[test]
    fn weight_two_gets_twice_the_slots_and_minimum_shares_come_first() {
        let options = [
            pool("a", SchedulingMode::Fair, 1, 0),
            pool("b", SchedulingMode::Fair, 2, 0),
            pool("c", SchedulingMode::Fair, 1, 6),
        ];
        let mut pools = Pools::new(SchedulingMode::Fair, &options);
        for (stage, name) in [(1, "a"), (2, "b")] {
            assert!(!pools.add(id(stage), JobId(0), Some(name)));
        }
        assert_eq!(shares(&mut pools, &[1, 2], 30), [10, 20]);
        pools.add(id(3), JobId(0), Some("c"));
        assert_eq!(shares(&mut pools, &[1, 2, 3], 6), [10, 20, 6]);
        assert!(pools.add(id(4), JobId(0), Some("unknown")), "an unknown pool is made");
        assert!(!pools.add(id(5), JobId(0), None));
    }

    #[test]
    fn a_fair_pool_shares_among_its_task_sets_and_a_fifo_pool_does_not() {
        for (mode, expected) in [(SchedulingMode::Fair, [5, 5]), (SchedulingMode::Fifo, [10, 0])] {
            let mut pools = Pools::new(SchedulingMode::Fair, &[pool("p", mode, 1, 0)]);
            pools.add(id(1), JobId(1), Some("p"));
            pools.add(id(2), JobId(2), Some("p"));
            assert_eq!(shares(&mut pools, &[1, 2], 10), expected);
        }
    }
}
