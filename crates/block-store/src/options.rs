//! What a block manager is told once.

use std::time::Duration;

use firesteel_model::ByteCount;

use crate::CompressionCodec;

/// What a block manager is told once. The shell fills it from `spark.*` keys, where the defaults are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockManagerOptions {
    /// `spark.rdd.compress`: compress cached partitions wherever they are kept as bytes.
    pub compress_rdds: bool,
    /// `spark.io.compression.codec`, for partitions and broadcast values alike.
    pub compression: CompressionCodec,
    /// `spark.storage.unrollMemoryThreshold`: with how much memory unrolling a block begins.
    pub unroll_memory_threshold: ByteCount,
    /// `spark.storage.maxReplicationFailures`: after how many failed peers a copy is given up.
    pub max_replication_failures: u32,
    /// `spark.storage.cachedPeersTtl`: how long the driver's list of peers is used.
    pub cached_peers_ttl: Duration,
    /// Makes the choices of peers and the order in which pieces are fetched. Different in each executor.
    pub seed: u64,
}

/// What the broadcast manager is told once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BroadcastOptions {
    /// `spark.broadcast.blockSize`: how large a piece is before it is compressed.
    pub block_size: ByteCount,
    /// `spark.broadcast.compress`.
    pub compress: bool,
    /// `spark.broadcast.checksum`: executors verify each piece.
    pub checksum: bool,
}
