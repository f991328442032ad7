//! Which executors of this host are read from their files (`spark.shuffle.readHostLocalDisk`): Spark's `HostLocalDirManager`.
//!
//! A reducer that finds map outputs of another executor on its own host asks the driver once for that executor's local
//! directories and opens the files itself: no socket, no copy, and the page cache serves both. The directories come from
//! another process, so they are checked before anything in them is opened; whoever fails the check is asked over the
//! network, as are executors of other hosts.

use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
};

use firesteel_model::{ApplicationId, BlockManagerId, ExecutorId};
use firesteel_shuffle::ShuffleBlockResolver;
use parking_lot::Mutex;
use tracing::{debug, info};

/// Spark's `spark.storage.localDiskByExecutors.cacheSize`: the directories of so many executors are kept.
const KNOWN_EXECUTORS: usize = 1000;

/// Whose directories are known, and where they may be.
pub(crate) struct HostLocalDirectories {
    /// The directories of other executors are inside one of these; none at all switches host-local reads off.
    allowed: Vec<PathBuf>,
    known: Mutex<Known>,
    /// Held while the driver is asked, so that the tasks of a stage ask once, not once each.
    asking: Mutex<()>,
}

#[derive(Default)]
struct Known {
    executors: BTreeSet<ExecutorId>,
    /// The oldest first.
    order: VecDeque<ExecutorId>,
}

impl HostLocalDirectories {
    pub(crate) fn new(allowed: Vec<PathBuf>) -> Self {
        Self { allowed, known: Mutex::default(), asking: Mutex::default() }
    }

    /// The executors among `holders` that are on the host of `ours`, and whose directories have not been asked for.
    pub(crate) fn unknown<'a>(
        &self,
        ours: &BlockManagerId,
        holders: impl Iterator<Item = &'a BlockManagerId>,
    ) -> Vec<ExecutorId> {
        if self.allowed.is_empty() {
            return Vec::new();
        }
        let neighbours: BTreeSet<&ExecutorId> = holders
            .filter(|holder| holder.host == ours.host && holder.executor_id != ours.executor_id)
            .map(|holder| &holder.executor_id)
            .collect();
        let known = self.known.lock();
        neighbours.into_iter().filter(|id| !known.executors.contains(*id)).cloned().collect()
    }

    /// Held by the one who asks the driver.
    pub(crate) fn asking(&self) -> &Mutex<()> {
        &self.asking
    }

    /// Takes what the driver has answered for an executor; no directories if it is gone. In each case it is not asked for
    /// again.
    pub(crate) fn learn(
        &self,
        application_id: &ApplicationId,
        executor_id: &ExecutorId,
        directories: &[String],
        resolver: &ShuffleBlockResolver,
    ) {
        if directories.is_empty() {
            debug!(%executor_id, "the driver knows no local directories of the executor");
        } else {
            let registered =
                resolver.register_host_local(application_id.clone(), executor_id.clone(), directories, &self.allowed);
            if let Err(error) = registered {
                info!(%executor_id, %error, "shuffle files of another executor on this host are fetched over the network");
            }
        }
        let forgotten = self.known.lock().insert(executor_id.clone());
        if let Some(forgotten) = forgotten {
            resolver.forget_executor(application_id, &forgotten);
        }
    }
}

impl Known {
    /// Gives the executor that has to go for it.
    fn insert(&mut self, executor_id: ExecutorId) -> Option<ExecutorId> {
        if !self.executors.insert(executor_id.clone()) {
            return None;
        }
        self.order.push_back(executor_id);
        let oldest = (self.order.len() > KNOWN_EXECUTORS).then(|| self.order.pop_front()).flatten()?;
        self.executors.remove(&oldest);
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use firesteel_local_dirs::LocalDirs;
    use firesteel_model::ByteCount;

    use super::*;

    fn holder(executor_id: &str, host: &str) -> BlockManagerId {
        BlockManagerId { executor_id: ExecutorId::new(executor_id), host: host.to_owned(), port: 1 }
    }

    #[test]
    fn only_others_on_this_host_are_asked_for_and_only_once() {
        let root = tempfile::tempdir().unwrap();
        let directories = HostLocalDirectories::new(vec![root.path().to_owned()]);
        let (application, resolver) = (ApplicationId::new("app"), ShuffleBlockResolver::new(ByteCount::mib(1)));
        let ours = holder("1", "here");
        let holders = [holder("1", "here"), holder("2", "here"), holder("3", "there"), holder("4", "here")];
        let unknown = |directories: &HostLocalDirectories| directories.unknown(&ours, holders.iter());
        assert_eq!(unknown(&directories), [ExecutorId::new("2"), ExecutorId::new("4")]);

        let told = |local_dirs: &LocalDirs| -> Vec<String> {
            local_dirs.directories().iter().map(|path| path.display().to_string()).collect()
        };
        let (gone, _) = LocalDirs::create(&[root.path().join("two")]).unwrap();
        let gone = told(&gone);
        fs::remove_dir_all(root.path().join("two")).unwrap();
        directories.learn(&application, &ExecutorId::new("2"), &gone, &resolver);
        assert!(!resolver.is_registered(&application, &ExecutorId::new("2")));
        let (there, _) = LocalDirs::create(&[root.path().join("four")]).unwrap();
        directories.learn(&application, &ExecutorId::new("4"), &told(&there), &resolver);
        assert!(resolver.is_registered(&application, &ExecutorId::new("4")));
        assert_eq!(unknown(&directories), []);
    }

    #[test]
    fn nobody_is_asked_for_if_it_is_switched_off() {
        let directories = HostLocalDirectories::new(Vec::new());
        assert_eq!(directories.unknown(&holder("1", "here"), [holder("2", "here")].iter()), []);
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let mut known = Known::default();
        for number in 0..KNOWN_EXECUTORS {
            assert_eq!(known.insert(ExecutorId::new(number.to_string())), None);
        }
        assert_eq!(known.insert(ExecutorId::new("5")), None);
        assert_eq!(known.insert(ExecutorId::new("another")), Some(ExecutorId::new("0")));
        assert_eq!(known.insert(ExecutorId::new("0")), Some(ExecutorId::new("1")));
    }
}
