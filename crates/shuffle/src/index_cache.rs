//! Indexes that were read lately: `spark.shuffle.service.index.cache.size`, 100 MiB (SC-57).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use firesteel_model::{ApplicationId, ExecutorId};

use crate::index::{MapOutputId, MapOutputIndex};

pub(crate) type Key = (ApplicationId, ExecutorId, MapOutputId);

/// Bounded in bytes; the one that was used longest ago goes first. Files never change once they have their names, as a map id
/// is used once, so nothing here gets stale but what is removed.
#[derive(Debug)]
pub(crate) struct IndexCache {
    limit: u64,
    size: u64,
    clock: u64,
    entries: HashMap<Key, Entry>,
    by_use: BTreeMap<u64, Key>,
}

#[derive(Debug)]
struct Entry {
    index: Arc<MapOutputIndex>,
    used: u64,
}

/// What an entry takes beside the index itself: two copies of the key and the maps' own.
const OVERHEAD: u64 = 200;

impl IndexCache {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, size: 0, clock: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, key: &Key) -> Option<Arc<MapOutputIndex>> {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        let key = self.by_use.remove(&entry.used).expect("every entry has a time of use");
        entry.used = self.clock;
        self.by_use.insert(self.clock, key);
        Some(entry.index.clone())
    }

    pub(crate) fn insert(&mut self, key: Key, index: Arc<MapOutputIndex>) {
        self.remove(&key);
        let size = index.size() + OVERHEAD;
        if size > self.limit {
            return;
        }
        while self.size + size > self.limit {
            let (_, oldest) = self.by_use.pop_first().expect("what takes room is listed");
            let entry = self.entries.remove(&oldest).expect("what is listed is there");
            self.size -= entry.index.size() + OVERHEAD;
        }
        self.clock += 1;
        self.size += size;
        self.by_use.insert(self.clock, key.clone());
        self.entries.insert(key, Entry { index, used: self.clock });
    }

    pub(crate) fn remove_where(&mut self, is_removed: impl Fn(&Key) -> bool) {
        let removed: Vec<Key> = self.entries.keys().filter(|key| is_removed(key)).cloned().collect();
        for key in removed {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.size -= entry.index.size() + OVERHEAD;
        }
    }
}

#[cfg(test)]
mod tests {
    use firesteel_model::{MapId, ShuffleId};
    use proptest::prelude::*;

    use super::*;

    fn key(map_id: u64) -> Key {
        let map_output = MapOutputId { shuffle_id: ShuffleId(0), map_id: MapId(map_id) };
        (ApplicationId::from("app"), ExecutorId::from("1"), map_output)
    }

    proptest! {
        #[test]
        fn never_above_its_limit(actions in prop::collection::vec((0u64..8, 1usize..60, 0u8..3), 0..100)) {
            let mut cache = IndexCache::new(1500);
            for (map_id, reducers, action) in actions {
                match action {
                    0 => drop(cache.get(&key(map_id))),
                    1 => cache.insert(key(map_id), Arc::new(MapOutputIndex::new(vec![0; reducers + 1], None))),
                    _ => cache.remove_where(|(_, _, map_output)| map_output.map_id == MapId(map_id)),
                }
                prop_assert!(cache.size <= 1500);
                prop_assert_eq!(cache.size, cache.entries.values().map(|entry| entry.index.size() + OVERHEAD).sum::<u64>());
                prop_assert_eq!(cache.entries.len(), cache.by_use.len());
            }
        }
    }

    #[test]
    fn the_one_used_longest_ago_goes() {
        let index = || Arc::new(MapOutputIndex::new(vec![0; 2], None));
        let mut cache = IndexCache::new(2 * (16 + OVERHEAD));
        cache.insert(key(1), index());
        cache.insert(key(2), index());
        assert!(cache.get(&key(1)).is_some());
        cache.insert(key(3), index());
        assert!(cache.get(&key(2)).is_none());
        assert!(cache.get(&key(1)).is_some() && cache.get(&key(3)).is_some());
    }
}
