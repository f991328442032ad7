//! Where the executors of an application go: a pure function of what it wants and what room there is (SA-20…23).

use firesteel_model::ByteCount;

use crate::ExecutorDemand;

/// What an application may still get.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// What each executor takes.
    pub executor: &'a ExecutorDemand,
    /// How many more cores it may have.
    pub cores_left: u32,
    /// How many more executors it may have.
    pub executors_left: u32,
}

/// A worker with room, as placement sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Room {
    /// Free cores.
    pub cores: u32,
    /// Free memory.
    pub memory: ByteCount,
    /// Free addresses of each custom resource that the application wants, in the order of its requirements.
    pub resources: Vec<u32>,
}

/// What one worker gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Assignment {
    /// How many executors.
    pub executors: u32,
    /// How many cores they have together; as many each, as `spark.executor.cores` says, or all for the one.
    pub cores: u32,
}

impl Room {
    /// Is there room for one more executor?
    pub fn fits(&self, executor: &ExecutorDemand) -> bool {
        self.cores >= step(executor)
            && self.memory >= executor.memory
            && executor.resources.iter().zip(&self.resources).all(|(wanted, free)| *free >= wanted.amount)
    }
}

/// How many cores are dealt at a time.
fn step(executor: &ExecutorDemand) -> u32 {
    executor.cores.unwrap_or(1).max(1)
}

/// Deals cores to workers in the order given: one step to each in turn if `spread_out`, else to one as long as it has any
/// (`spark.deploy.spreadOut`). Without `spark.executor.cores` each worker gets one executor with all that it was dealt.
///
/// ```
/// use firesteel_model::ByteCount;
/// use firesteel_standalone::{Assignment, Demand, ExecutorDemand, Room, place_executors};
///
/// let executor = ExecutorDemand { cores: None, memory: ByteCount::gib(1), resources: Vec::new() };
/// let demand = Demand { executor: &executor, cores_left: 20, executors_left: u32::MAX };
/// let workers = vec![Room { cores: 4, memory: ByteCount::gib(8), resources: Vec::new() }; 10];
/// let spread = place_executors(demand, &workers, true);
/// assert_eq!(spread, [Assignment { executors: 1, cores: 2 }; 10]);
/// let packed = place_executors(demand, &workers, false);
/// assert_eq!(packed.iter().filter(|worker| worker.cores == 4).count(), 5);
/// ```
pub fn place_executors(demand: Demand<'_>, workers: &[Room], spread_out: bool) -> Vec<Assignment> {
    let step = step(demand.executor);
    let one_for_each = demand.executor.cores.is_none();
    let mut dealt = vec![Assignment::default(); workers.len()];
    let all_free = workers.iter().map(|worker| u64::from(worker.cores)).sum::<u64>();
    let mut cores_left = u64::from(demand.cores_left).min(all_free);
    let mut executors_left = demand.executors_left;
    // What still has room, in turn.
    let mut turn: Vec<usize> = (0..workers.len()).collect();
    while !turn.is_empty() {
        turn.retain(|&index| {
            let (room, given) = (&workers[index], &mut dealt[index]);
            loop {
                let another = !one_for_each || given.executors == 0;
                if cores_left < u64::from(step) || room.cores - given.cores < step {
                    return false;
                }
                if another && (executors_left == 0 || !has_room_beside(room, given.executors, demand.executor)) {
                    return false;
                }
                cores_left -= u64::from(step);
                given.cores += step;
                if another {
                    given.executors += 1;
                    executors_left -= 1;
                }
                if spread_out {
                    return true;
                }
            }
        });
    }
    dealt
}

/// Is there memory, and are there custom resources, for one executor more than these?
fn has_room_beside(room: &Room, executors: u32, executor: &ExecutorDemand) -> bool {
    let all = u64::from(executors) + 1;
    let memory = executor.memory.bytes().saturating_mul(all);
    let resources = executor.resources.iter().zip(&room.resources);
    memory <= room.memory.bytes()
        && resources.into_iter().all(|(wanted, free)| u64::from(wanted.amount).saturating_mul(all) <= u64::from(*free))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ResourceRequirement;

    fn room(cores: u32, gib: u64) -> Room {
        Room { cores, memory: ByteCount::gib(gib), resources: Vec::new() }
    }

    fn executor(cores: Option<u32>, gib: u64) -> ExecutorDemand {
        ExecutorDemand { cores, memory: ByteCount::gib(gib), resources: Vec::new() }
    }

    /// `executors x cores` for each worker.
    fn placed(executor: &ExecutorDemand, left: (u32, u32), workers: &[Room], spread_out: bool) -> String {
        let demand = Demand { executor, cores_left: left.0, executors_left: left.1 };
        let placed = place_executors(demand, workers, spread_out);
        placed.iter().map(|worker| format!("{}x{}", worker.executors, worker.cores)).collect::<Vec<_>>().join(" ")
    }

    /// SA-20…23, with the numbers that Spark's own rule gives.
    #[test]
    fn executors_are_spread_and_packed_as_in_spark() {
        let any = u32::MAX;
        let three = [room(8, 16), room(8, 16), room(8, 16)];
        let uneven = [room(4, 2), room(2, 16), room(1, 16)];
        #[rustfmt::skip]
        let cases = [
            // executor, (cores, executors) left, workers, spread out, packed
            (executor(None, 1), (any, any), &three[..], "1x8 1x8 1x8", "1x8 1x8 1x8"),
            (executor(None, 1), (10, any), &three, "1x4 1x3 1x3", "1x8 1x2 0x0"),
            (executor(None, 1), (2, any), &three, "1x1 1x1 0x0", "1x2 0x0 0x0"),
            (executor(None, 1), (10, 2), &three, "1x5 1x5 0x0", "1x8 1x2 0x0"),
            (executor(None, 17), (any, any), &three, "0x0 0x0 0x0", "0x0 0x0 0x0"),
            (executor(None, 1), (0, any), &three, "0x0 0x0 0x0", "0x0 0x0 0x0"),
            (executor(None, 1), (any, 0), &three, "0x0 0x0 0x0", "0x0 0x0 0x0"),
            (executor(Some(2), 1), (10, any), &three, "2x4 2x4 1x2", "4x8 1x2 0x0"),
            (executor(Some(3), 1), (any, any), &three, "2x6 2x6 2x6", "2x6 2x6 2x6"),
            (executor(Some(16), 1), (48, any), &three, "0x0 0x0 0x0", "0x0 0x0 0x0"),
            (executor(Some(2), 1), (11, any), &three, "2x4 2x4 1x2", "4x8 1x2 0x0"),
            (executor(Some(1), 6), (any, any), &three, "2x2 2x2 2x2", "2x2 2x2 2x2"),
            (executor(Some(1), 1), (any, 4), &three, "2x2 1x1 1x1", "4x4 0x0 0x0"),
            (executor(Some(1), 1), (any, any), &uneven, "2x2 2x2 1x1", "2x2 2x2 1x1"),
            (executor(None, 1), (any, any), &uneven, "1x4 1x2 1x1", "1x4 1x2 1x1"),
            (executor(None, 1), (4, any), &uneven, "1x2 1x1 1x1", "1x4 0x0 0x0"),
            (executor(Some(0), 1), (2, any), &uneven, "1x1 1x1 0x0", "2x2 0x0 0x0"),
        ];
        for (executor, left, workers, spread, packed) in cases {
            assert_eq!(placed(&executor, left, workers, true), spread, "{executor:?} {left:?} {workers:?}, spread out");
            assert_eq!(placed(&executor, left, workers, false), packed, "{executor:?} {left:?} {workers:?}, packed");
        }
    }

    #[test]
    fn custom_resources_limit_executors() {
        let mut wanted = executor(Some(1), 1);
        wanted.resources = vec![ResourceRequirement { name: "gpu".to_owned(), amount: 2 }];
        let with = |gpus| Room { resources: vec![gpus], ..room(8, 16) };
        assert_eq!(placed(&wanted, (9, 9), &[with(5), with(1), with(2)], true), "2x2 0x0 1x1");
        wanted.cores = None;
        assert_eq!(placed(&wanted, (9, 9), &[with(5), with(1), with(2)], true), "1x5 0x0 1x4");
    }

    proptest! {
        /// Never more than there is, and nothing is left that could be used.
        #[test]
        fn no_core_is_given_twice_and_none_is_kept_back(
            workers in proptest::collection::vec((0_u32..20, 0_u64..20), 0..12),
            cores in proptest::option::of(1_u32..6),
            memory in 1_u64..8,
            cores_left in 0_u32..80,
            executors_left in 0_u32..30,
            spread_out: bool,
        ) {
            let rooms: Vec<Room> = workers.iter().map(|&(cores, gib)| room(cores, gib)).collect();
            let executor = executor(cores, memory);
            let demand = Demand { executor: &executor, cores_left, executors_left };
            let dealt = place_executors(demand, &rooms, spread_out);
            let (mut given_cores, mut given_executors) = (0, 0);
            for (room, given) in rooms.iter().zip(&dealt) {
                prop_assert!(given.cores <= room.cores);
                prop_assert!(executor.memory.bytes() * u64::from(given.executors) <= room.memory.bytes());
                match cores {
                    Some(each) => prop_assert_eq!(given.cores, given.executors * each),
                    None => prop_assert!(given.executors <= 1 && (given.executors == 1) == (given.cores > 0)),
                }
                given_cores += given.cores;
                given_executors += given.executors;
            }
            prop_assert!(given_cores <= cores_left && given_executors <= executors_left);
            let step = step(&executor);
            if given_cores + step <= cores_left {
                for (room, given) in rooms.iter().zip(&dealt) {
                    let grows = cores.is_none() && given.executors == 1;
                    let another = (cores.is_some() || given.executors == 0)
                        && given_executors < executors_left
                        && has_room_beside(room, given.executors, &executor);
                    prop_assert!(room.cores - given.cores < step || !(grows || another), "{room:?} {given:?}");
                }
            }
        }
    }
}
