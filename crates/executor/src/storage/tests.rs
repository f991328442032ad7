//! Executors as processes are, but for the process: real servers on loopback, and a driver that answers at once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use firesteel_block_master::{BlockMaster, BlockMasterOptions};
use firesteel_block_store::{
    BlockError, BlockManagerMaster, BlockManagerOptions, BlockSource, BroadcastOptions, CompressionCodec,
    FetchBlockError, LocalBlockManagerMaster, MemoryManager, PostcardCodec, RecordCodec, TaskMemory,
};
use firesteel_local_dirs::LocalDirs;
use firesteel_memory::{MemoryMode, MemoryOptions, UnifiedMemoryManager};
use firesteel_messages::{Answer, DriverMessage, ExecutorMessage, Question, TaskResult};
use firesteel_model::{
    ApplicationId, BlockId, BlockManagerId, BroadcastId, ByteCount, ExecutorId, Partition, RddId, StorageLevel, TaskId,
};
use firesteel_rpc::Secret;
use firesteel_transfer::{ServerOptions, TransferServer};
use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;

use super::{ExecutorBlockSource, ExecutorStorage, StorageOptions, StoragePlace, fetch_task_result};
use crate::{DriverLink, ExecutorShuffle, Questions, ShuffleOptions};

/// The driver as one executor's link reaches it.
struct Driver {
    executor_id: ExecutorId,
    registry: Arc<LocalBlockManagerMaster>,
    questions: Arc<Questions>,
    synced: Mutex<Vec<u64>>,
    synced_changed: Condvar,
}

impl DriverLink for Driver {
    fn tell(&self, message: DriverMessage) {
        match message {
            DriverMessage::BlockUpdated(update) => {
                let _ = self.registry.update_block(update).unwrap();
            }
            DriverMessage::Ask { number, question } => {
                let answer = match question {
                    Question::BlockLocations(blocks) => {
                        Answer::BlockLocations(self.registry.locations(&blocks).unwrap())
                    }
                    Question::Peers => Answer::Peers(self.registry.peers(&self.executor_id).unwrap()),
                    other => Answer::Refused(format!("{other:?}")),
                };
                self.questions.answered(number, answer);
            }
            DriverMessage::StorageSynced(number) => {
                self.synced.lock().push(number);
                self.synced_changed.notify_all();
            }
            other => panic!("{other:?}"),
        }
    }
}

struct Process {
    storage: ExecutorStorage,
    shuffle: Arc<ExecutorShuffle>,
    driver: Arc<Driver>,
    memory: Arc<MemoryManager>,
    _server: TransferServer,
    _directory: TempDir,
}

struct Application {
    registry: Arc<LocalBlockManagerMaster>,
    secret: Secret,
}

impl Application {
    fn new() -> Self {
        let registry = BlockMaster::new(BlockMasterOptions { proactive_replication: true });
        Self { registry: LocalBlockManagerMaster::new(registry, 1), secret: Secret::generate() }
    }

    fn start(&self, executor_id: ExecutorId) -> Process {
        let directory = TempDir::new().unwrap();
        let (local_dirs, _) = LocalDirs::create(&[directory.path().to_owned()]).unwrap();
        let local_dirs = Arc::new(local_dirs);
        let memory = MemoryOptions {
            heap: ByteCount::gib(1),
            heap_setting: "spark.executor.memory",
            fraction: 0.6,
            storage_fraction: 0.5,
            off_heap: ByteCount(0),
        };
        let memory = UnifiedMemoryManager::from_options(&memory).unwrap();
        let memory = MemoryManager::new(memory, MemoryManager::WAIT_LIMIT);
        let application_id = ApplicationId::new("app");
        let shuffle = Arc::new(ExecutorShuffle::new(
            application_id.clone(),
            executor_id.clone(),
            Arc::clone(&local_dirs),
            self.secret.clone(),
            ShuffleOptions::default(),
        ));
        let source = ExecutorBlockSource::new(Arc::clone(shuffle.resolver()), application_id);
        let runtime = Arc::clone(shuffle.runtime().unwrap());
        let (secret, options) = (self.secret.clone(), ServerOptions::default());
        let server =
            TransferServer::start(&runtime, "127.0.0.1", 0, secret, Arc::clone(&source) as _, options).unwrap();
        let questions = Arc::<Questions>::default();
        let driver = Arc::new(Driver {
            executor_id: executor_id.clone(),
            registry: Arc::clone(&self.registry),
            questions: Arc::clone(&questions),
            synced: Mutex::default(),
            synced_changed: Condvar::new(),
        });
        let block_manager_id = BlockManagerId {
            executor_id: executor_id.clone(),
            host: "127.0.0.1".to_owned(),
            port: server.address().port(),
        };
        self.registry.register(&block_manager_id, ByteCount::gib(1), ByteCount(0)).unwrap();
        let place = StoragePlace { block_manager_id, memory: Arc::clone(&memory), local_dirs };
        let options = StorageOptions {
            blocks: BlockManagerOptions {
                compress_rdds: false,
                compression: CompressionCodec::Lz4,
                unroll_memory_threshold: ByteCount::mib(1),
                max_replication_failures: 1,
                cached_peers_ttl: Duration::from_secs(60),
                seed: u64::from(executor_id.is_driver()),
            },
            broadcast: BroadcastOptions { block_size: ByteCount::kib(64), compress: true, checksum: true },
        };
        let link: Arc<dyn DriverLink> = driver.clone();
        let storage = if executor_id.is_driver() {
            ExecutorStorage::driver(place, options, Arc::clone(&self.registry), link, &shuffle).unwrap()
        } else {
            ExecutorStorage::remote(place, options, link, questions, Duration::from_secs(60), &shuffle)
        };
        source.serve_blocks(storage.blocks());
        Process { storage, shuffle, driver, memory, _server: server, _directory: directory }
    }

    fn holders(&self, block_id: BlockId) -> usize {
        self.registry.locations(&[block_id]).unwrap()[0].len()
    }
}

impl Process {
    /// The sum of a cached partition of a thousand numbers, and where it came from.
    fn sum(&self, block_id: BlockId, level: StorageLevel) -> (u64, BlockSource) {
        let task = TaskMemory::new(Arc::clone(&self.memory), TaskId(0), MemoryMode::OnHeap, Arc::default());
        let codec: Arc<dyn RecordCodec<u64>> = Arc::new(PostcardCodec::new());
        let compute = || Ok::<_, BlockError>((0..1000).map(Ok));
        let found = self.storage.blocks().get_or_compute(&task, block_id, level, &codec, compute).unwrap();
        let sum = found.records.into_iter().sum::<Result<u64, _>>().unwrap();
        assert_eq!(task.release_all().total(), ByteCount::ZERO);
        (sum, found.source)
    }

    /// Gives orders and waits until they are carried out.
    fn order(&self, orders: impl IntoIterator<Item = ExecutorMessage>) {
        orders.into_iter().for_each(|order| self.storage.orders().give(order));
        self.storage.orders().give(ExecutorMessage::SyncStorage(7));
        let mut synced = self.driver.synced.lock();
        while synced.pop() != Some(7) {
            self.driver.synced_changed.wait(&mut synced);
        }
    }
}

const BLOCK: BlockId = BlockId::Rdd(RddId(3), Partition(1));

#[test]
fn a_cached_partition_is_read_from_another_executor() {
    let application = Application::new();
    let (first, second) = (application.start(ExecutorId::new("1")), application.start(ExecutorId::new("2")));
    assert_eq!(first.sum(BLOCK, StorageLevel::MEMORY_ONLY), (499_500, BlockSource::Computed));
    let from = BlockSource::Remote(first.storage.blocks().id().clone());
    assert_eq!(second.sum(BLOCK, StorageLevel::MEMORY_ONLY), (499_500, from));
    first.order([ExecutorMessage::RemoveRdd(RddId(3))]);
    assert_eq!(application.holders(BLOCK), 0);
    assert_eq!(second.sum(BLOCK, StorageLevel::DISK_ONLY), (499_500, BlockSource::Computed));
}

#[test]
fn copies_are_made_and_lost_ones_restored() {
    let application = Application::new();
    let (first, second) = (application.start(ExecutorId::new("1")), application.start(ExecutorId::new("2")));
    assert_eq!(first.sum(BLOCK, StorageLevel::MEMORY_ONLY_2).1, BlockSource::Computed);
    assert_eq!(application.holders(BLOCK), 2);
    assert_eq!(second.sum(BLOCK, StorageLevel::MEMORY_ONLY_2), (499_500, BlockSource::LocalMemory));
    second.order([ExecutorMessage::RemoveBlocks(vec![BLOCK])]);
    assert_eq!(application.holders(BLOCK), 1);
    let peers = vec![second.storage.blocks().id().clone()];
    first.order([ExecutorMessage::Replicate { block_id: BLOCK, copies: 1, peers }]);
    assert_eq!(application.holders(BLOCK), 2);
    assert_eq!(second.sum(BLOCK, StorageLevel::MEMORY_ONLY_2), (499_500, BlockSource::LocalMemory));
}

#[test]
fn executors_pass_broadcast_pieces_on() {
    let application = Application::new();
    let driver = application.start(ExecutorId::driver());
    let (first, second) = (application.start(ExecutorId::new("1")), application.start(ExecutorId::new("2")));
    let value: Vec<u64> = (0..50_000).map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let codec = PostcardCodec::<Vec<u64>>::new();
    let info = driver.storage.broadcasts().write(BroadcastId(0), &Arc::new(value.clone()), &codec).unwrap();
    assert!(info.pieces() > 3);
    assert_eq!(*first.storage.broadcasts().read(&info, &codec).unwrap(), value);
    assert_eq!(application.holders(BlockId::BroadcastPiece(BroadcastId(0), 0)), 2);
    // The driver has forgotten the value: all pieces come from the other executor.
    driver.order([ExecutorMessage::RemoveBroadcast(BroadcastId(0))]);
    assert_eq!(*second.storage.broadcasts().read(&info, &codec).unwrap(), value);
}

#[test]
fn a_large_result_is_fetched_and_then_removed() {
    let application = Application::new();
    let (driver, executor) = (application.start(ExecutorId::driver()), application.start(ExecutorId::new("1")));
    let result = Bytes::from(vec![42; 3 << 20]);
    let stored = executor.storage.store_result(TaskId(9), result.clone()).unwrap();
    let TaskResult::Indirect { block_id, size } = stored else { panic!("{stored:?}") };
    assert_eq!((block_id, size), (BlockId::TaskResult(TaskId(9)), 3 << 20));
    let (client, holder) = (driver.shuffle.client().unwrap(), executor.storage.blocks().id());
    assert_eq!(fetch_task_result(client, holder, block_id).unwrap(), result);
    executor.order([ExecutorMessage::RemoveBlocks(vec![block_id])]);
    let lost = fetch_task_result(client, holder, block_id).unwrap_err();
    assert!(matches!(lost, FetchBlockError::NotFound { .. }), "{lost:?}");
    assert_eq!(executor.storage.blocks().block_ids(), []);
}
