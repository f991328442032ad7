//! Cached blocks, broadcast, checkpoints, compression (RT-50…59).

use std::time::Duration;

use firesteel_model::ByteCount;

use super::{AnyKey, CompressionCodec, Key, Section, Unit};

/// Readers of shuffle files take no longer block, so that a damaged length makes nobody hold more.
const BLOCK_SIZE: &str = "more than 0 and at most 8m";

fn is_block_size(size: &ByteCount) -> bool {
    (1..=8 << 20).contains(&size.bytes())
}

keys! { Storage:
    /// The codec of shuffle files, broadcast pieces and serialized blocks. Class names of Spark's codecs are taken too. What is spilled is always in LZ4.
    IO_COMPRESSION_CODEC: CompressionCodec = "spark.io.compression.codec", since "0.8.0", default("lz4");

    /// How much of a shuffle file LZ4 compresses at a time. Spark's default is 32k, which here would cost ratio and save nothing.
    IO_COMPRESSION_LZ4_BLOCK_SIZE: ByteCount = "spark.io.compression.lz4.blockSize", since "1.4.0",
        default("63k"), unit(Unit::Bytes), check(is_block_size, BLOCK_SIZE),
        formerly(&["spark.io.compression.lz4.block.size"]);

    /// The same for Snappy.
    IO_COMPRESSION_SNAPPY_BLOCK_SIZE: ByteCount = "spark.io.compression.snappy.blockSize", since "1.4.0",
        default("63k"), unit(Unit::Bytes), check(is_block_size, BLOCK_SIZE),
        formerly(&["spark.io.compression.snappy.block.size"]);

    /// Level of Zstandard; higher is smaller and slower.
    IO_COMPRESSION_ZSTD_LEVEL: i64 = "spark.io.compression.zstd.level", since "2.3.0",
        default("1"), check(|level| (-131_072..=22).contains(level), "from -131072 to 22");

    /// Compress cached blocks that are kept serialized.
    RDD_COMPRESS: bool = "spark.rdd.compress", since "0.6.0", default("false");

    /// Size of the pieces that a broadcast value is cut into. A number alone means KiB.
    BROADCAST_BLOCK_SIZE: ByteCount = "spark.broadcast.blockSize", since "0.5.0",
        default("4m"), unit(Unit::KiB), check(|size| size.bytes() > 0, "more than 0");

    /// Compress broadcast values.
    BROADCAST_COMPRESS: bool = "spark.broadcast.compress", since "0.6.0", default("true");

    /// Check the pieces of broadcast values when they arrive.
    BROADCAST_CHECKSUM: bool = "spark.broadcast.checksum", since "2.1.1", default("true");

    /// Memory that is asked for before the first record of a block to be cached is read.
    STORAGE_UNROLL_MEMORY_THRESHOLD: ByteCount = "spark.storage.unrollMemoryThreshold", since "1.1.0",
        default("1m"), unit(Unit::Bytes);

    /// Make new copies of replicated blocks when an executor is lost (RT-54).
    STORAGE_REPLICATION_PROACTIVE: bool = "spark.storage.replication.proactive", since "2.2.0", default("true");

    /// How many failed copies of one block are given up before replication is (RT-54).
    STORAGE_MAX_REPLICATION_FAILURES: u32 = "spark.storage.maxReplicationFailures", since "1.1.1", default("1");

    /// How long the list of peers to copy blocks to is kept.
    STORAGE_CACHED_PEERS_TTL: Duration = "spark.storage.cachedPeersTtl", since "1.1.1",
        default("60s"), unit(Unit::Milliseconds);

    /// Compress checkpoints.
    CHECKPOINT_COMPRESS: bool = "spark.checkpoint.compress", since "2.2.0", default("false");

    /// Remove shuffle files and cached blocks that the program has dropped (RT-58). Broadcast values go with their last handle in any case.
    CLEANER_REFERENCE_TRACKING: bool = "spark.cleaner.referenceTracking", since "1.0.0", default("true");

    /// Remove checkpoints that the program has dropped.
    CLEANER_REFERENCE_TRACKING_CLEAN_CHECKPOINTS: bool = "spark.cleaner.referenceTracking.cleanCheckpoints",
        since "1.4.0", default("false");
}
