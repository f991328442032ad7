//! Execution and storage memory (RT-52).

use firesteel_model::ByteCount;

use super::{AnyKey, Key, Section, Unit};

keys! { Memory:
    /// The share of the process's memory, less 300 MiB, that execution and storage have together.
    MEMORY_FRACTION: f64 = "spark.memory.fraction", since "1.6.0",
        default("0.6"), check(|share| *share > 0.0 && *share <= 1.0, "above 0 and at most 1");

    /// The share of that which execution cannot take from cached blocks.
    MEMORY_STORAGE_FRACTION: f64 = "spark.memory.storageFraction", since "1.6.0",
        default("0.5"), check(|share| (0.0..1.0).contains(share), "at least 0 and below 1");

    /// Have an off-heap pool of its own size beside the other one.
    MEMORY_OFF_HEAP_ENABLED: bool = "spark.memory.offHeap.enabled", since "1.6.0",
        default("false"), formerly(&["spark.unsafe.offHeap"]);

    /// The size of that pool.
    MEMORY_OFF_HEAP_SIZE: ByteCount = "spark.memory.offHeap.size", since "1.6.0", default("0"), unit(Unit::Bytes);
}
