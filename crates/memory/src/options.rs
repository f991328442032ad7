//! How large the pools are (RT-52).

use firesteel_model::ByteCount;

/// What stays outside both regions for everything that is not accounted: code, buffers, the user's own objects.
pub const RESERVED_HEAP: ByteCount = ByteCount::mib(300);

/// Below this an executor is refused: one and a half times the reserve, as in Spark.
pub const MINIMUM_HEAP: ByteCount = ByteCount::mib(450);

/// What the sizes of both pools follow from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MemoryOptions {
    /// `spark.executor.memory` (`spark.driver.memory` on the driver).
    pub heap: ByteCount,
    /// Which of the two keys it is.
    pub heap_setting: &'static str,
    /// `spark.memory.fraction`: the part of (heap − 300 MiB) that both regions share.
    pub fraction: f64,
    /// `spark.memory.storageFraction`: the part of that in which stored blocks are safe from execution.
    pub storage_fraction: f64,
    /// `spark.memory.offHeap.size` if `spark.memory.offHeap.enabled`, otherwise zero.
    pub off_heap: ByteCount,
}

/// The size of one pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PoolSize {
    /// What both uses share.
    pub capacity: ByteCount,
    /// The part of it in which stored blocks are safe from execution; at most the capacity.
    pub storage_region: ByteCount,
}

/// The options make no sense.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum MemoryOptionsError {
    /// RT-52: executor heap below 450 MiB is refused.
    #[error("{heap} of memory is too little, at least {MINIMUM_HEAP} are needed: raise {setting}")]
    HeapTooSmall {
        /// What was asked for.
        heap: ByteCount,
        /// The key that asked for it.
        setting: &'static str,
    },
    /// Not above 0 and at most 1.
    #[error("spark.memory.fraction must be above 0 and at most 1, and is {0}")]
    Fraction(f64),
    /// Not from 0 to 1.
    #[error("spark.memory.storageFraction must be from 0 to 1, and is {0}")]
    StorageFraction(f64),
}

impl MemoryOptions {
    /// The sizes of the on-heap and the off-heap pool.
    pub fn pool_sizes(&self) -> Result<(PoolSize, PoolSize), MemoryOptionsError> {
        if self.heap < MINIMUM_HEAP {
            return Err(MemoryOptionsError::HeapTooSmall { heap: self.heap, setting: self.heap_setting });
        }
        if !(self.fraction > 0.0 && self.fraction <= 1.0) {
            return Err(MemoryOptionsError::Fraction(self.fraction));
        }
        if !(0.0..=1.0).contains(&self.storage_fraction) {
            return Err(MemoryOptionsError::StorageFraction(self.storage_fraction));
        }
        let on_heap = part(self.heap - RESERVED_HEAP, self.fraction);
        Ok((self.pool_size(on_heap), self.pool_size(self.off_heap)))
    }

    fn pool_size(&self, capacity: ByteCount) -> PoolSize {
        PoolSize { capacity, storage_region: part(capacity, self.storage_fraction) }
    }
}

/// Rounded down, and never above the whole however floating-point numbers round.
fn part(whole: ByteCount, fraction: f64) -> ByteCount {
    ByteCount(((whole.bytes() as f64 * fraction) as u64).min(whole.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: MemoryOptions = MemoryOptions {
        heap: ByteCount::gib(1),
        heap_setting: "spark.executor.memory",
        fraction: 0.6,
        storage_fraction: 0.5,
        off_heap: ByteCount::ZERO,
    };

    #[test]
    fn one_gibibyte_gives_what_spark_gives() {
        let (on_heap, off_heap) = OPTIONS.pool_sizes().unwrap();
        // (1024 − 300) MiB × 0.6; Spark's UI shows the same as "434.4 MiB".
        assert_eq!(on_heap.capacity, ByteCount(455_501_414));
        assert_eq!(on_heap.storage_region, ByteCount(227_750_707));
        assert_eq!(off_heap, PoolSize::default());
    }

    #[test]
    fn too_small_a_heap_is_refused_with_the_key() {
        let heap = ByteCount(MINIMUM_HEAP.bytes() - 1);
        for setting in ["spark.executor.memory", "spark.driver.memory"] {
            let error = MemoryOptions { heap, heap_setting: setting, ..OPTIONS }.pool_sizes().unwrap_err();
            assert_eq!(error, MemoryOptionsError::HeapTooSmall { heap, setting });
            assert!(error.to_string().ends_with(&format!("are needed: raise {setting}")), "{error}");
        }
        assert!(MemoryOptions { heap: MINIMUM_HEAP, ..OPTIONS }.pool_sizes().is_ok());
    }

    #[test]
    fn fractions_are_checked() {
        for fraction in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(MemoryOptions { fraction, ..OPTIONS }.pool_sizes().is_err());
        }
        for storage_fraction in [-0.1, 1.1, f64::NAN] {
            assert!(MemoryOptions { storage_fraction, ..OPTIONS }.pool_sizes().is_err());
        }
        assert!(MemoryOptions { fraction: 1.0, storage_fraction: 0.0, ..OPTIONS }.pool_sizes().is_ok());
    }
}
