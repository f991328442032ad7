//! The master side of Spark's `MapOutputTracker`: which map outputs exist, and where (RT-62).
//!
//! The epoch grows whenever outputs are lost or a map stage is complete; tasks carry the epoch they were made at, and an
//! executor forgets cached statuses that are older.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{BlockManagerId, ExecutorId, MapId, MapStatus, ReduceId, ShuffleId};

use crate::{MapOutputStatistics, ReducerLocalityOptions};

#[derive(Debug)]
struct ShuffleOutputs {
    statuses: Vec<Option<Arc<MapStatus>>>,
    reducers: u32,
    available: u32,
    /// Something was registered once: what is made anew may meet readers of the old (RT-36).
    ever_registered: bool,
}

/// A map output that is gone.
#[derive(Debug)]
pub(crate) struct LostOutput {
    pub(crate) shuffle_id: ShuffleId,
    pub(crate) map_index: u32,
    pub(crate) status: Arc<MapStatus>,
}

#[derive(Debug)]
pub(crate) struct MapOutputTracker {
    shuffles: BTreeMap<ShuffleId, ShuffleOutputs>,
    epoch: u64,
    /// Changed since the commands were last told.
    changed: BTreeSet<ShuffleId>,
}

impl MapOutputTracker {
    pub(crate) fn new() -> Self {
        Self { shuffles: BTreeMap::new(), epoch: 0, changed: BTreeSet::new() }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn increment_epoch(&mut self) {
        self.epoch += 1;
    }

    pub(crate) fn take_changed(&mut self) -> BTreeSet<ShuffleId> {
        std::mem::take(&mut self.changed)
    }

    /// Does nothing if the shuffle is known: a later job may need it again.
    pub(crate) fn register_shuffle(&mut self, shuffle_id: ShuffleId, maps: u32, reducers: u32) {
        self.shuffles.entry(shuffle_id).or_insert_with(|| ShuffleOutputs {
            statuses: vec![None; maps as usize],
            reducers,
            available: 0,
            ever_registered: false,
        });
    }

    pub(crate) fn remove_shuffle(&mut self, shuffle_id: ShuffleId) {
        if self.shuffles.remove(&shuffle_id).is_some() {
            self.epoch += 1;
            self.changed.insert(shuffle_id);
        }
    }

    pub(crate) fn register(&mut self, shuffle_id: ShuffleId, map_index: u32, status: Arc<MapStatus>) {
        let Some(outputs) = self.shuffles.get_mut(&shuffle_id) else { return };
        let Some(slot) = outputs.statuses.get_mut(map_index as usize) else { return };
        if slot.replace(status).is_none() {
            outputs.available += 1;
        }
        outputs.ever_registered = true;
        self.changed.insert(shuffle_id);
    }

    /// Forgets one output if it is still where the reader failed to find it.
    pub(crate) fn unregister(&mut self, shuffle_id: ShuffleId, map_index: u32, at: &BlockManagerId) -> Vec<LostOutput> {
        let one = |lost: u32, status: &MapStatus| lost == map_index && status.location == *at;
        self.unregister_where(Some(shuffle_id), one)
    }

    pub(crate) fn unregister_all(&mut self, shuffle_id: ShuffleId) -> Vec<LostOutput> {
        self.unregister_where(Some(shuffle_id), |_, _| true)
    }

    pub(crate) fn unregister_executor(&mut self, executor_id: &ExecutorId) -> Vec<LostOutput> {
        self.unregister_where(None, |_, status| status.location.executor_id == *executor_id)
    }

    pub(crate) fn unregister_host(&mut self, host: &str) -> Vec<LostOutput> {
        self.unregister_where(None, |_, status| status.location.host == host)
    }

    fn unregister_where(&mut self, only: Option<ShuffleId>, gone: impl Fn(u32, &MapStatus) -> bool) -> Vec<LostOutput> {
        let mut lost = Vec::new();
        for (&shuffle_id, outputs) in &mut self.shuffles {
            if only.is_some_and(|only| only != shuffle_id) {
                continue;
            }
            for (map_index, slot) in outputs.statuses.iter_mut().enumerate() {
                let map_index = map_index as u32;
                if let Some(status) = slot.take_if(|status| gone(map_index, status)) {
                    outputs.available -= 1;
                    lost.push(LostOutput { shuffle_id, map_index, status });
                }
            }
            if lost.last().is_some_and(|last| last.shuffle_id == shuffle_id) {
                self.changed.insert(shuffle_id);
            }
        }
        if !lost.is_empty() {
            self.epoch += 1;
        }
        lost
    }

    /// A decommissioned executor gave the output to another (RT-77). Unknown outputs are ignored: they were lost meanwhile.
    pub(crate) fn move_output(&mut self, shuffle_id: ShuffleId, map_id: MapId, location: BlockManagerId) {
        let Some(outputs) = self.shuffles.get_mut(&shuffle_id) else { return };
        if let Some(status) = outputs.statuses.iter_mut().flatten().find(|status| status.map_id == map_id) {
            Arc::make_mut(status).location = location;
            self.epoch += 1;
            self.changed.insert(shuffle_id);
        }
    }

    pub(crate) fn statuses(&self, shuffle_id: ShuffleId) -> Option<&[Option<Arc<MapStatus>>]> {
        self.shuffles.get(&shuffle_id).map(|outputs| &outputs.statuses[..])
    }

    pub(crate) fn ever_registered(&self, shuffle_id: ShuffleId) -> bool {
        self.shuffles.get(&shuffle_id).is_some_and(|outputs| outputs.ever_registered)
    }

    pub(crate) fn is_complete(&self, shuffle_id: ShuffleId) -> bool {
        self.shuffles.get(&shuffle_id).is_some_and(|outputs| outputs.available as usize == outputs.statuses.len())
    }

    /// The map partitions without output, ascending.
    pub(crate) fn missing(&self, shuffle_id: ShuffleId) -> Vec<u32> {
        let statuses = self.statuses(shuffle_id).unwrap_or_default();
        let missing = statuses.iter().enumerate().filter(|(_, status)| status.is_none());
        missing.map(|(map_index, _)| map_index as u32).collect()
    }

    /// The host that some output of the executor is on; for executors that are gone already.
    pub(crate) fn host_of(&self, executor_id: &ExecutorId) -> Option<String> {
        let mut statuses = self.shuffles.values().flat_map(|outputs| outputs.statuses.iter().flatten());
        statuses.find(|status| status.location.executor_id == *executor_id).map(|status| status.location.host.clone())
    }

    pub(crate) fn statistics(&self, shuffle_id: ShuffleId) -> MapOutputStatistics {
        let mut bytes_by_partition = Vec::new();
        if let Some(outputs) = self.shuffles.get(&shuffle_id) {
            bytes_by_partition.resize(outputs.reducers as usize, 0);
            for status in outputs.statuses.iter().flatten() {
                for (reducer, bytes) in bytes_by_partition.iter_mut().enumerate() {
                    *bytes += status.size(ReduceId(reducer as u32));
                }
            }
        }
        MapOutputStatistics { shuffle_id, bytes_by_partition }
    }

    /// The hosts that hold at least the given fraction of a reducer's input (RT-10), largest share first.
    pub(crate) fn preferred_hosts(
        &self,
        shuffle_id: ShuffleId,
        reducer: ReduceId,
        options: &ReducerLocalityOptions,
    ) -> Vec<String> {
        let Some(outputs) = self.shuffles.get(&shuffle_id) else { return Vec::new() };
        let few = (outputs.statuses.len() as u64) < u64::from(options.maps_threshold)
            && outputs.reducers < options.reducers_threshold;
        if !options.enabled || !few {
            return Vec::new();
        }
        let mut bytes_by_host: BTreeMap<&str, u64> = BTreeMap::new();
        for status in outputs.statuses.iter().flatten() {
            *bytes_by_host.entry(&status.location.host).or_default() += status.size(reducer);
        }
        let total: u64 = bytes_by_host.values().sum();
        let mut hosts: Vec<(&str, u64)> = bytes_by_host.into_iter().collect();
        hosts.retain(|&(_, bytes)| bytes > 0 && bytes as f64 >= total as f64 * options.fraction);
        hosts.sort_by_key(|&(host, bytes)| (std::cmp::Reverse(bytes), host));
        hosts.into_iter().map(|(host, _)| host.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHUFFLE: ShuffleId = ShuffleId(3);

    fn at(executor: &str, host: &str) -> BlockManagerId {
        BlockManagerId { executor_id: executor.into(), host: host.to_owned(), port: 7337 }
    }

    fn status(map: u64, executor: &str, host: &str, sizes: [u64; 2]) -> Arc<MapStatus> {
        Arc::new(MapStatus::new(at(executor, host), MapId(map), sizes))
    }

    fn tracker() -> MapOutputTracker {
        let mut tracker = MapOutputTracker::new();
        tracker.register_shuffle(SHUFFLE, 3, 2);
        tracker.register(SHUFFLE, 0, status(10, "1", "a", [1000, 0]));
        tracker.register(SHUFFLE, 1, status(11, "2", "a", [1000, 10]));
        tracker.register(SHUFFLE, 2, status(12, "3", "b", [200, 1000]));
        tracker
    }

    #[test]
    fn outputs_go_by_map_task_by_executor_and_by_host() {
        let mut one = tracker();
        assert!(one.unregister(SHUFFLE, 1, &at("9", "a")).is_empty(), "it was made anew elsewhere meanwhile");
        assert_eq!(one.epoch(), 0);
        assert_eq!(one.unregister(SHUFFLE, 1, &at("2", "a")).len(), 1);
        assert_eq!((one.missing(SHUFFLE), one.epoch(), one.is_complete(SHUFFLE)), (vec![1], 1, false));

        let mut executor = tracker();
        assert_eq!(executor.unregister_executor(&"3".into())[0].map_index, 2);
        let mut host = tracker();
        assert_eq!(host.unregister_host("a").len(), 2);
        assert_eq!(host.missing(SHUFFLE), [0, 1]);
        assert_eq!(host.unregister_all(SHUFFLE).len(), 1);
        assert_eq!((host.missing(SHUFFLE).len(), host.ever_registered(SHUFFLE)), (3, true));
        host.remove_shuffle(SHUFFLE);
        assert!(host.statuses(SHUFFLE).is_none() && !host.is_complete(SHUFFLE));
    }

    #[test]
    fn an_output_that_moved_is_not_lost_with_its_old_home() {
        let mut tracker = tracker();
        tracker.move_output(SHUFFLE, MapId(12), at("1", "a"));
        assert!(tracker.unregister_executor(&"3".into()).is_empty());
        assert!(tracker.is_complete(SHUFFLE));
    }

    #[test]
    fn reducers_prefer_hosts_with_a_fifth_of_their_input_in_small_shuffles() {
        let options =
            ReducerLocalityOptions { enabled: true, fraction: 0.2, maps_threshold: 1000, reducers_threshold: 1000 };
        let tracker = tracker();
        assert_eq!(tracker.preferred_hosts(SHUFFLE, ReduceId(0), &options), ["a"]);
        assert_eq!(tracker.preferred_hosts(SHUFFLE, ReduceId(1), &options), ["b"]);
        let all = ReducerLocalityOptions { fraction: 0.01, ..options.clone() };
        assert_eq!(tracker.preferred_hosts(SHUFFLE, ReduceId(0), &all), ["a", "b"]);
        for none in [
            ReducerLocalityOptions { enabled: false, ..all.clone() },
            ReducerLocalityOptions { maps_threshold: 3, ..all.clone() },
            ReducerLocalityOptions { reducers_threshold: 2, ..all },
        ] {
            assert!(tracker.preferred_hosts(SHUFFLE, ReduceId(0), &none).is_empty());
        }
    }

    #[test]
    fn statistics_add_up_what_each_reducer_reads() {
        let bytes = tracker().statistics(SHUFFLE).bytes_by_partition;
        assert!((1980..=2420).contains(&bytes[0]) && (900..=1120).contains(&bytes[1]), "{bytes:?}");
    }
}
