//! Keeping RDDs: levels, removal, and what is stored where (RT-50, RT-58).

use std::collections::BTreeMap;

use firesteel_block_master::BlockMaster;
use firesteel_driver::{DriverHandle, Removal};
use firesteel_model::{ByteCount, ExecutorId, RddId, StorageLevel};

use crate::{context::SparkContext, data::Data, error::SparkError, rdd::Rdd};

/// What is stored of one persisted RDD: Spark's `RDDInfo` of the Storage page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RddStorageInfo {
    /// Which.
    pub rdd_id: RddId,
    /// The name that it was given.
    pub name: Option<String>,
    /// How it is to be kept.
    pub storage_level: StorageLevel,
    /// How many partitions it has.
    pub partitions: u32,
    /// How many of them are stored.
    pub cached_partitions: u32,
    /// Bytes in memory, every copy counted.
    pub memory_size: ByteCount,
    /// Bytes on disk, every copy counted.
    pub disk_size: ByteCount,
}

/// How much storage memory an executor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutorMemory {
    /// The most that blocks may take, on heap and off heap.
    pub maximum: ByteCount,
    /// What its blocks leave of that, as far as the driver knows.
    pub remaining: ByteCount,
}

impl<T: Data> Rdd<T> {
    /// Keeps the partitions once they have been computed, as the level says. Nothing is computed or stored by this call:
    /// the next action does both.
    ///
    /// # Errors
    ///
    /// [`SparkError::StorageLevelChange`] if it is persisted already with another level;
    /// [`SparkError::InvalidArgument`] if the level is [`StorageLevel::NONE`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # use firesteel::StorageLevel;
    /// let computed = spark.long_accumulator("computed");
    /// let squares = spark.range(0, 4, 1, 2).with(computed.clone()).map(|computed, n| {
    ///     computed.add(1);
    ///     n * n
    /// });
    /// squares.persist(StorageLevel::DISK_ONLY)?;
    /// assert_eq!((squares.sum()?, squares.count()?), (14, 4));
    /// assert_eq!(computed.value(), 4, "once for both actions");
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn persist(&self, level: StorageLevel) -> Result<&Self, SparkError> {
        if !level.is_valid() {
            return Err(SparkError::InvalidArgument(format!(
                "RDD {} cannot be persisted with storage level NONE, which keeps nothing; use unpersist",
                self.id()
            )));
        }
        self.core().persist(level)?;
        Ok(self)
    }

    /// [`Rdd::persist`] with [`StorageLevel::MEMORY_ONLY`].
    ///
    /// # Errors
    ///
    /// As for [`Rdd::persist`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.range(0, 1000, 1, 4);
    /// numbers.cache()?.count()?;
    /// assert_eq!(spark.rdd_storage_info()[0].cached_partitions, 4);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn cache(&self) -> Result<&Self, SparkError> {
        self.persist(StorageLevel::MEMORY_ONLY)
    }

    /// Drops what is stored and stores no more. With `blocking`, returns when every executor has done so. Jobs that are
    /// under way go on, and may store partitions that they had begun; those go with the last handle of the RDD.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.range(0, 1000, 1, 4);
    /// numbers.cache()?.count()?;
    /// numbers.unpersist(true);
    /// assert!(spark.rdd_storage_info().is_empty());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn unpersist(&self, blocking: bool) -> &Self {
        if self.core().unpersist() {
            remove(self.context().driver(), Removal::Rdd(self.id()), blocking);
        }
        self
    }
}

impl SparkContext {
    /// Every RDD that is persisted at the moment, in the order of their ids: Spark's `getRDDStorageInfo`, with those that
    /// nothing is stored of yet.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.range(0, 1000, 1, 4);
    /// numbers.set_name("numbers").cache()?.count()?;
    /// let info = &spark.rdd_storage_info()[0];
    /// assert_eq!((info.name.as_deref(), info.cached_partitions), (Some("numbers"), 4));
    /// assert!(info.memory_size.bytes() > 0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn rdd_storage_info(&self) -> Vec<RddStorageInfo> {
        let persisted = self.registry().persisted();
        let infos = persisted.into_iter().map(|rdd| {
            let stored = self.blocks().with(|registry, _| registry.rdd_storage(rdd.id()));
            RddStorageInfo {
                rdd_id: rdd.id(),
                name: rdd.name(),
                storage_level: rdd.storage_level(),
                partitions: rdd.info.partitions,
                cached_partitions: stored.partitions.len() as u32,
                memory_size: stored.memory_size,
                disk_size: stored.disk_size,
            }
        });
        infos.collect()
    }

    /// How much storage memory each executor has: Spark's `getExecutorMemoryStatus`.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.range(0, 1000, 1, 4);
    /// numbers.cache()?.count()?;
    /// let memory = spark.executor_memory_status();
    /// assert!(memory.values().all(|executor| executor.remaining < executor.maximum));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn executor_memory_status(&self) -> BTreeMap<ExecutorId, ExecutorMemory> {
        let memory = |registry: &mut BlockMaster| {
            let storages = registry.storage().map(|storage| {
                let maximum = storage.maximum_on_heap + storage.maximum_off_heap;
                let remaining = ByteCount(maximum.bytes().saturating_sub(storage.memory_used.bytes()));
                (storage.id.executor_id, ExecutorMemory { maximum, remaining })
            });
            storages.collect()
        };
        self.blocks().with(|registry, _| memory(registry))
    }
}

/// Has executors drop something; with `blocking`, returns when every one has done so.
pub(crate) fn remove(driver: &DriverHandle, removal: Removal, blocking: bool) {
    if blocking {
        // Cut off without a word when the driver has stopped: then everything is gone.
        let _ = driver.remove_and_tell(removal).recv();
    } else {
        driver.remove(removal);
    }
}
