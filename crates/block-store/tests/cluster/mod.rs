//! Several block managers in one process, with a registry and a transfer between them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{sync::Arc, time::Duration};

use firesteel_block_master::{BlockMaster, BlockMasterCommand, BlockMasterOptions};
use firesteel_block_store::{
    BlockError, BlockManager, BlockManagerMaster, BlockManagerOptions, BlockSource, CompressionCodec, FoundBlock,
    InMemoryTransfer, LocalBlockManagerMaster, MemoryManager, PostcardCodec, RecordCodec, TaskMemory,
};
use firesteel_io_encryption::{IoEncryption, KeySize};
use firesteel_local_dirs::LocalDirs;
use firesteel_memory::{MemoryMode, PoolSize, UnifiedMemoryManager};
use firesteel_model::{BlockId, BlockManagerId, ByteCount, ExecutorId, Partition, RddId, StorageLevel, TaskId};

pub struct Cluster {
    pub master: Arc<LocalBlockManagerMaster>,
    pub transfer: Arc<InMemoryTransfer>,
    pub executors: Vec<Executor>,
    pub root: tempfile::TempDir,
}

pub struct Executor {
    pub blocks: Arc<BlockManager>,
    pub memory: Arc<MemoryManager>,
}

pub fn options() -> BlockManagerOptions {
    BlockManagerOptions {
        compress_rdds: false,
        compression: CompressionCodec::Lz4,
        unroll_memory_threshold: ByteCount(64),
        max_replication_failures: 1,
        cached_peers_ttl: Duration::from_secs(60),
        seed: 1,
    }
}

/// Half of the memory is the storage region.
pub fn memory(capacity: u64) -> Arc<MemoryManager> {
    let size = PoolSize { capacity: ByteCount(capacity), storage_region: ByteCount(capacity / 2) };
    MemoryManager::new(UnifiedMemoryManager::new(size, size), MemoryManager::WAIT_LIMIT)
}

impl Cluster {
    /// Each name's first letter is its host.
    pub fn new(names: &[&str], capacity: u64) -> Self {
        Self::with_options(names, capacity, &options())
    }

    pub fn with_options(names: &[&str], capacity: u64, options: &BlockManagerOptions) -> Self {
        Self::with_encryption(names, capacity, options, None)
    }

    /// One whose blocks on disk are as they are, and one where they are encrypted.
    pub fn plain_and_encrypted(names: &[&str], capacity: u64) -> [Self; 2] {
        [None, Some(IoEncryption::generate(KeySize::Bits128))]
            .map(|encryption| Self::with_encryption(names, capacity, &options(), encryption))
    }

    fn with_encryption(
        names: &[&str],
        capacity: u64,
        options: &BlockManagerOptions,
        encryption: Option<IoEncryption>,
    ) -> Self {
        let registry = BlockMaster::new(BlockMasterOptions { proactive_replication: true });
        let mut cluster = Self {
            master: LocalBlockManagerMaster::new(registry, 1),
            transfer: InMemoryTransfer::new(),
            executors: Vec::new(),
            root: tempfile::tempdir().unwrap(),
        };
        for (index, name) in names.iter().enumerate() {
            let (dirs, _) = LocalDirs::create(&[cluster.root.path().join(name)]).unwrap();
            let dirs = dirs.with_encryption(encryption.clone());
            let options = BlockManagerOptions { seed: index as u64 + 1, ..options.clone() };
            let memory = memory(capacity);
            let master: Arc<dyn BlockManagerMaster> = Arc::clone(&cluster.master) as _;
            let transfer = Arc::clone(&cluster.transfer) as _;
            let blocks =
                BlockManager::new(manager_id(name), options, Arc::clone(&memory), Arc::new(dirs), master, transfer);
            blocks.register().unwrap();
            cluster.transfer.add(ExecutorId::new(*name), Arc::downgrade(&(Arc::clone(&blocks) as _)));
            cluster.executors.push(Executor { blocks, memory });
        }
        cluster
    }

    /// What the driver does with what its registry decided.
    pub fn perform(&self, commands: &[BlockMasterCommand]) {
        for command in commands {
            let (BlockMasterCommand::RemoveRdd { from, .. }
            | BlockMasterCommand::RemoveBroadcast { from, .. }
            | BlockMasterCommand::RemoveBlock { from, .. }
            | BlockMasterCommand::ReplicateBlock { holder: from, .. }) = command;
            let executor = self.executors.iter().find(|executor| executor.blocks.id() == from).unwrap();
            executor.blocks.perform(command).unwrap();
        }
    }

    /// The executor's process dies.
    pub fn kill(&self, name: &str) -> Vec<BlockMasterCommand> {
        self.transfer.cut(&name.into());
        let removed = self.master.with(|registry, seed| registry.remove_executor(&name.into(), seed));
        removed.unwrap().commands
    }

    pub fn holders(&self, block_id: BlockId) -> Vec<String> {
        let locations = self.master.with(|registry, _| registry.locations(&block_id));
        locations.iter().map(|id| id.executor_id.to_string()).collect()
    }

    pub fn assert_invariants(&self) {
        self.master.with(|registry, _| registry.assert_invariants());
        for executor in &self.executors {
            let statuses = executor.blocks.block_ids().into_iter().map(|block_id| executor.blocks.status(&block_id));
            let in_memory: u64 = statuses.map(|status| status.memory_size).sum();
            let used = MemoryMode::ALL.map(|mode| executor.memory.usage(mode).storage.bytes()).iter().sum::<u64>();
            assert_eq!(in_memory, used, "memory of blocks and memory that is granted differ");
        }
    }
}

impl Executor {
    pub fn task(&self, task_id: u64) -> TaskMemory {
        TaskMemory::new(Arc::clone(&self.memory), TaskId(task_id), MemoryMode::OnHeap, Arc::default())
    }

    /// Reads the block, computing it as `values(block)` if it is nowhere.
    pub fn read(&self, block_id: BlockId, level: StorageLevel, count: u64) -> (Vec<u64>, BlockSource) {
        let task = self.task(0);
        let found = self.get_or_compute(&task, block_id, level, count).unwrap();
        let read = (found.records.into_iter().collect::<Result<_, _>>().unwrap(), found.source);
        assert_eq!(task.release_all().total(), ByteCount::ZERO, "a task that has read everything holds nothing");
        read
    }

    pub fn get_or_compute(
        &self,
        task: &TaskMemory,
        block_id: BlockId,
        level: StorageLevel,
        count: u64,
    ) -> Result<FoundBlock<'static, u64, BlockError>, BlockError> {
        self.blocks.get_or_compute(task, block_id, level, &codec(), || Ok(values(block_id, count).into_iter().map(Ok)))
    }

    pub fn status(&self, block_id: BlockId) -> (StorageLevel, u64, u64) {
        let status = self.blocks.status(&block_id);
        (status.storage_level, status.memory_size, status.disk_size)
    }
}

/// What the partition's records are: each is 8 bytes of memory and encoded as 9 or 10, with 4 in front.
pub fn values(block_id: BlockId, count: u64) -> Vec<u64> {
    let BlockId::Rdd(rdd_id, partition) = block_id else { panic!("{block_id} is no partition") };
    let base = u64::MAX / 2 + (u64::from(rdd_id.0) << 40) + (u64::from(partition.0) << 20);
    (base..base + count).collect()
}

pub fn codec() -> Arc<dyn RecordCodec<u64>> {
    Arc::new(PostcardCodec::new())
}

pub fn manager_id(name: &str) -> BlockManagerId {
    BlockManagerId { executor_id: ExecutorId::new(name), host: format!("host-{}", &name[..1]), port: 1 }
}

pub fn rdd(rdd_id: u32, partition: u32) -> BlockId {
    BlockId::Rdd(RddId(rdd_id), Partition(partition))
}
