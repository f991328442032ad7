//! What to ask of whom, and when: decides, and does nothing.

use std::collections::{HashMap, VecDeque};

use firesteel_model::{BlockManagerId, ByteCount};
use rand::seq::SliceRandom;

use crate::BlockToFetch;

/// How much one reduce task may have under way (RT-61).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchLimits {
    /// `spark.reducer.maxSizeInFlight`, 48 MiB: bytes that were asked for and that the task has not taken yet, estimated. One
    /// request is a fifth of it at most, so that several peers send at once; a larger segment is fetched alone.
    pub max_size_in_flight: ByteCount,
    /// `spark.reducer.maxReqsInFlight`, no limit.
    pub max_requests_in_flight: usize,
    /// `spark.reducer.maxBlocksInFlightPerAddress`, no limit.
    pub max_blocks_in_flight_per_address: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            max_size_in_flight: ByteCount::mib(48),
            max_requests_in_flight: usize::MAX,
            max_blocks_in_flight_per_address: usize::MAX,
        }
    }
}

/// Blocks of one peer, asked for together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FetchRequest {
    pub(crate) peer: BlockManagerId,
    /// By their index in the list of all blocks.
    pub(crate) blocks: Vec<usize>,
    pub(crate) size: u64,
}

#[derive(Debug)]
pub(crate) struct FetchPlan {
    limits: FetchLimits,
    waiting: VecDeque<FetchRequest>,
    size_in_flight: u64,
    requests_in_flight: usize,
    blocks_in_flight: HashMap<BlockManagerId, usize>,
}

impl FetchPlan {
    /// Divides blocks of other processes into requests, in an order of chance: all reducers start at once, and must not all
    /// begin with the same peer.
    pub(crate) fn new(
        limits: FetchLimits,
        blocks: &[BlockToFetch],
        remote: impl IntoIterator<Item = usize>,
        random: &mut impl rand::Rng,
    ) -> Self {
        let mut peers: Vec<(&BlockManagerId, Vec<usize>)> = Vec::new();
        let mut places: HashMap<&BlockManagerId, usize> = HashMap::new();
        for index in remote {
            let peer = &blocks[index].block_manager_id;
            let place = *places.entry(peer).or_insert(peers.len());
            if place == peers.len() {
                peers.push((peer, Vec::new()));
            }
            peers[place].1.push(index);
        }
        let mut requests = Vec::new();
        for (peer, indexes) in peers {
            divide(&limits, blocks, peer, indexes, &mut requests);
        }
        requests.shuffle(random);
        Self {
            limits,
            waiting: requests.into(),
            size_in_flight: 0,
            requests_in_flight: 0,
            blocks_in_flight: HashMap::new(),
        }
    }

    /// A block has to be asked for once more, or of somebody else after all.
    pub(crate) fn add(&mut self, index: usize, block: &BlockToFetch) {
        let request = FetchRequest { peer: block.block_manager_id.clone(), blocks: vec![index], size: block.size };
        self.waiting.push_front(request);
    }

    /// A request that may be sent, and counts as under way from here on.
    pub(crate) fn next_request(&mut self) -> Option<FetchRequest> {
        let limits = self.limits;
        let position = self.waiting.iter().position(|request| {
            let blocks = self.blocks_in_flight.get(&request.peer).copied().unwrap_or(0);
            blocks == 0 || blocks + request.blocks.len() <= limits.max_blocks_in_flight_per_address
        })?;
        let size = self.size_in_flight + self.waiting[position].size;
        // With nothing under way anything may be asked for, or it would never be.
        let alone = self.requests_in_flight == 0 && self.size_in_flight == 0;
        let fits = self.requests_in_flight < limits.max_requests_in_flight && size <= limits.max_size_in_flight.bytes();
        if !alone && !fits {
            return None;
        }
        let request = self.waiting.remove(position)?;
        self.size_in_flight = size;
        self.requests_in_flight += 1;
        *self.blocks_in_flight.entry(request.peer.clone()).or_default() += request.blocks.len();
        Some(request)
    }

    /// A block of a request came, or will not; `last` if it was the last of its request.
    pub(crate) fn arrived(&mut self, peer: &BlockManagerId, last: bool) {
        if let Some(blocks) = self.blocks_in_flight.get_mut(peer) {
            *blocks -= 1;
            if *blocks == 0 {
                self.blocks_in_flight.remove(peer);
            }
        }
        if last {
            self.requests_in_flight -= 1;
        }
    }

    /// The task took a block that had arrived, or it is gone.
    pub(crate) fn taken(&mut self, block: &BlockToFetch) {
        self.size_in_flight -= block.size;
    }

    /// Is nothing waiting and nothing under way?
    pub(crate) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.requests_in_flight == 0
    }
}

fn divide(
    limits: &FetchLimits,
    blocks: &[BlockToFetch],
    peer: &BlockManagerId,
    indexes: Vec<usize>,
    requests: &mut Vec<FetchRequest>,
) {
    let target = (limits.max_size_in_flight.bytes() / 5).max(1);
    let empty = || FetchRequest { peer: peer.clone(), blocks: Vec::new(), size: 0 };
    let mut request = empty();
    for index in indexes {
        request.blocks.push(index);
        request.size += blocks[index].size;
        if request.size >= target
            || request.blocks.len() >= limits.max_blocks_in_flight_per_address.clamp(1, MAX_BLOCKS_PER_REQUEST)
        {
            requests.push(std::mem::replace(&mut request, empty()));
        }
    }
    if !request.blocks.is_empty() {
        requests.push(request);
    }
}

/// Far below what a request can hold, and enough that the round trip does not matter.
const MAX_BLOCKS_PER_REQUEST: usize = 10_000;

#[cfg(test)]
mod tests {
    use firesteel_model::{ExecutorId, MapId, MapIndex, ReduceId};
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn block(executor: u16, map: u32, size: u64) -> BlockToFetch {
        BlockToFetch {
            block_manager_id: BlockManagerId {
                executor_id: ExecutorId::new(executor.to_string()),
                host: "host".to_owned(),
                port: executor,
            },
            map_id: MapId(map.into()),
            map_index: MapIndex(map),
            reduce_start: ReduceId(0),
            reduce_end: ReduceId(1),
            size,
        }
    }

    proptest! {
        /// Safety: limits hold. Liveness: every block is asked for exactly once.
        #[test]
        fn limits_hold_and_all_blocks_come(
            sizes in prop::collection::vec((0u16..4, 1u64..400), 0..60),
            max_size in 1u64..1000,
            max_requests in 1usize..4,
            max_blocks in 1usize..8,
            seed: u64,
        ) {
            let blocks: Vec<BlockToFetch> =
                sizes.iter().enumerate().map(|(map, (executor, size))| block(*executor, map as u32, *size)).collect();
            let limits = FetchLimits {
                max_size_in_flight: ByteCount(max_size),
                max_requests_in_flight: max_requests,
                max_blocks_in_flight_per_address: max_blocks,
            };
            let mut plan = FetchPlan::new(limits, &blocks, 0..blocks.len(), &mut StdRng::seed_from_u64(seed));
            let mut under_way: VecDeque<FetchRequest> = VecDeque::new();
            let mut asked = Vec::new();
            while !plan.is_done() {
                while let Some(request) = plan.next_request() {
                    asked.extend_from_slice(&request.blocks);
                    under_way.push_back(request);
                    let size: u64 = under_way.iter().map(|request| request.size).sum();
                    prop_assert!(size <= max_size || under_way.len() == 1);
                    prop_assert!(under_way.len() <= max_requests);
                    for request in &under_way {
                        let peers = under_way.iter().filter(|other| other.peer == request.peer);
                        prop_assert!(peers.map(|other| other.blocks.len()).sum::<usize>() <= max_blocks);
                    }
                }
                let request = under_way.pop_front().expect("something is under way while it is not done");
                for (position, &index) in request.blocks.iter().enumerate() {
                    plan.arrived(&request.peer, position + 1 == request.blocks.len());
                    plan.taken(&blocks[index]);
                }
            }
            prop_assert!(under_way.is_empty());
            asked.sort_unstable();
            prop_assert_eq!(asked, (0..blocks.len()).collect::<Vec<_>>());
            prop_assert_eq!(plan.size_in_flight, 0);
            prop_assert!(plan.blocks_in_flight.is_empty());
        }
    }

    #[test]
    fn what_was_not_taken_holds_back_what_follows() {
        let blocks = [block(1, 0, 60), block(2, 1, 60)];
        let limits = FetchLimits { max_size_in_flight: ByteCount(100), ..FetchLimits::default() };
        let mut plan = FetchPlan::new(limits, &blocks, 0..2, &mut StdRng::seed_from_u64(0));
        let first = plan.next_request().unwrap();
        plan.arrived(&first.peer, true);
        assert_eq!(plan.next_request(), None);
        plan.taken(&blocks[first.blocks[0]]);
        assert!(plan.next_request().is_some());
    }
}
