//! The block manager of one process: cached partitions, broadcast values, large task results (RT-50 to RT-55).
//!
//! ```text
//!  task ──► BlockManager ──► MemoryStore ──► MemoryManager (rules: firesteel-memory) ◄── TaskMemory ◄── spilling operators
//!               │  │  └────► DiskStore ────► LocalDirs
//!               │  └───────► BlockManagerMaster (the driver's registry: firesteel-block-master)
//!               └──────────► BlockTransfer (other block managers: the data plane)
//!  BroadcastManager ──► BlockManager
//! ```
//!
//! Everything here blocks its caller and may be called from many threads. What a task needs to know:
//!
//! - [`BlockManager::get_or_compute`] is how a cached partition is read. The caller supplies a [`RecordCodec`] for its
//!   type; the store never needs to know the type otherwise.
//! - [`TaskMemory`] is a task's view of execution memory. Whoever runs the task releases it at the end.
//! - [`BroadcastManager`] makes and reads broadcast values.
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use firesteel_block_master::{BlockMaster, BlockMasterOptions};
//! # use firesteel_block_store::*;
//! # use firesteel_local_dirs::LocalDirs;
//! # use firesteel_memory::{MemoryMode, MemoryOptions, UnifiedMemoryManager};
//! # use firesteel_model::*;
//! # let root = tempfile::tempdir()?;
//! # let (dirs, _) = LocalDirs::create(&[root.path().to_owned()])?;
//! # let options = BlockManagerOptions {
//! #     compress_rdds: false,
//! #     compression: CompressionCodec::Lz4,
//! #     unroll_memory_threshold: ByteCount::mib(1),
//! #     max_replication_failures: 1,
//! #     cached_peers_ttl: Duration::from_secs(60),
//! #     seed: 1,
//! # };
//! # let (heap, heap_setting) = (ByteCount::gib(1), "spark.executor.memory");
//! # let heap =
//! #     MemoryOptions { heap, heap_setting, fraction: 0.6, storage_fraction: 0.5, off_heap: ByteCount::ZERO };
//! let memory = MemoryManager::new(UnifiedMemoryManager::from_options(&heap)?, MemoryManager::WAIT_LIMIT);
//! let registry = BlockMaster::new(BlockMasterOptions { proactive_replication: true });
//! let master = LocalBlockManagerMaster::new(registry, 1);
//! let id = BlockManagerId { executor_id: ExecutorId::driver(), host: "localhost".into(), port: 0 };
//! let blocks = BlockManager::new(id, options, memory.clone(), Arc::new(dirs), master, InMemoryTransfer::new());
//! blocks.register()?;
//!
//! let codec: Arc<dyn RecordCodec<u64>> = Arc::new(PostcardCodec::new());
//! let task = TaskMemory::new(memory, TaskId(0), MemoryMode::OnHeap, Arc::default());
//! let block_id = BlockId::Rdd(RddId(0), Partition(0));
//! for source in [BlockSource::Computed, BlockSource::LocalMemory] {
//!     let found = blocks.get_or_compute(&task, block_id, StorageLevel::MEMORY_ONLY, &codec, || {
//!         Ok::<_, BlockError>((0..1000).map(Ok))
//!     })?;
//!     assert_eq!(found.source, source);
//!     let sum: u64 = found.records.into_iter().sum::<Result<_, _>>()?;
//!     assert_eq!(sum, 499_500);
//! }
//! assert_eq!(task.release_all().total(), ByteCount::ZERO);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Locks: reading needs none, because values are reference-counted; changing a block needs its claim (`block_locks`).
//! The order is: a block's claim, then the eviction lock, then the stores' and the memory manager's own, which are
//! leaves. Nobody waits for a claim while holding any of the others.
//!
//! What does not belong here: shuffle files, which outlive their executor and are read by whoever serves shuffles; the
//! protocol between processes; which RDDs there are.

#![forbid(unsafe_code)]
mod block_locks;
mod block_manager;
mod broadcast;
mod codec;
mod compression;
mod disk_block_reader;
mod disk_store;
mod error;
mod master;
mod memory_manager;
mod memory_store;
mod options;
mod record_stream;
mod records;
mod statistics;
mod task_memory;
mod transfer;
mod unroll;

pub use block_manager::{BlockManager, PutBlock};
pub use broadcast::{BroadcastManager, ReadBroadcastError, WriteBroadcastError};
pub use codec::{CodecError, PostcardCodec, RecordCodec};
pub use compression::CompressionCodec;
pub use disk_block_reader::DiskBlockReader;
pub use disk_store::{DiskBlockWriter, DiskStore, DiskStoreError};
pub use error::BlockError;
pub use master::{BlockManagerMaster, BlockManagerMasterError, LocalBlockManagerMaster};
pub use memory_manager::{AcquireMemoryError, MemoryManager};
pub use options::{BlockManagerOptions, BroadcastOptions};
pub use record_stream::ReadRecordsError;
pub use records::{BlockSource, FoundBlock, Records, RecordsIter};
pub use statistics::StorageStatistics;
pub use task_memory::TaskMemory;
pub use transfer::{BlockServer, BlockTransfer, FetchBlockError, InMemoryTransfer, UploadBlockError};
