//! Shuffle writers and readers (RT-60…62).

use std::time::Duration;

use firesteel_model::ByteCount;

use super::{AnyKey, Key, Section, Unit};

keys! { Shuffle:
    /// Compress map outputs, with `spark.io.compression.codec`.
    SHUFFLE_COMPRESS: bool = "spark.shuffle.compress", since "0.6.0", default("true");

    /// Compress what shuffles spill to disk.
    SHUFFLE_SPILL_COMPRESS: bool = "spark.shuffle.spill.compress", since "0.9.0", default("true");

    /// Records in memory that force a spill, however small they are.
    SHUFFLE_SPILL_NUM_ELEMENTS_FORCE_SPILL_THRESHOLD: u64 = "spark.shuffle.spill.numElementsForceSpillThreshold",
        since "1.6.0", default("2147483647"), check(|number| *number > 0, "at least 1");

    /// Bytes of map output that one reduce task fetches at the same time. A number alone means MiB.
    REDUCER_MAX_SIZE_IN_FLIGHT: ByteCount = "spark.reducer.maxSizeInFlight", since "1.4.0",
        default("48m"), unit(Unit::MiB), check(|size| size.bytes() > 0, "more than 0"),
        formerly(&["spark.reducer.maxMbInFlight"]);

    /// Requests that one reduce task has open at the same time.
    REDUCER_MAX_REQS_IN_FLIGHT: u32 = "spark.reducer.maxReqsInFlight", since "2.0.0",
        default("2147483647"), check(|number| *number > 0, "at least 1");

    /// Blocks that one reduce task fetches from one address at the same time.
    REDUCER_MAX_BLOCKS_IN_FLIGHT_PER_ADDRESS: u32 = "spark.reducer.maxBlocksInFlightPerAddress", since "2.2.1",
        default("2147483647"), check(|number| *number > 0, "at least 1");

    /// Fetched blocks above this size go to disk instead of memory.
    MAX_REMOTE_BLOCK_SIZE_FETCH_TO_MEM: ByteCount = "spark.network.maxRemoteBlockSizeFetchToMem", since "3.0.0",
        default("200m"), unit(Unit::Bytes), formerly(&["spark.reducer.maxReqSizeShuffleToMem"]);

    /// How often a fetch is tried again after a connection failed.
    SHUFFLE_IO_MAX_RETRIES: u32 = "spark.shuffle.io.maxRetries", since "1.2.0", default("3");

    /// How long to wait before the next try.
    SHUFFLE_IO_RETRY_WAIT: Duration = "spark.shuffle.io.retryWait", since "1.2.1", default("5s"), unit(Unit::Seconds);

    /// Connections to each peer that shuffle data comes from.
    SHUFFLE_IO_NUM_CONNECTIONS_PER_PEER: u32 = "spark.shuffle.io.numConnectionsPerPeer", since "1.2.1",
        default("1"), check(|number| *number > 0, "at least 1");

    /// How long a shuffle connection with open requests may be silent.
    SHUFFLE_IO_CONNECTION_TIMEOUT: Duration = "spark.shuffle.io.connectionTimeout", since "1.2.0",
        falls_back_to(&super::NETWORK_TIMEOUT), unit(Unit::Seconds);

    /// Write a checksum for each segment of map output, so that a reader can tell a bad disk from a bad network.
    SHUFFLE_CHECKSUM_ENABLED: bool = "spark.shuffle.checksum.enabled", since "3.2.0", default("true");

    /// Map statuses of this size and above are broadcast instead of sent in answers (RT-62).
    SHUFFLE_MAP_OUTPUT_MIN_SIZE_FOR_BROADCAST: ByteCount = "spark.shuffle.mapOutput.minSizeForBroadcast",
        since "2.0.0", default("512k"), unit(Unit::Bytes);

    /// Above this many partitions a map status keeps an average size and only large blocks exactly (RT-62).
    SHUFFLE_MIN_NUM_PARTITIONS_TO_HIGHLY_COMPRESS: u32 = "spark.shuffle.minNumPartitionsToHighlyCompress",
        since "2.4.0", default("2000"), check(|number| *number > 0, "at least 1");

    /// Blocks above this size are always kept exactly (RT-62).
    SHUFFLE_ACCURATE_BLOCK_THRESHOLD: ByteCount = "spark.shuffle.accurateBlockThreshold", since "2.2.1",
        default("100m"), unit(Unit::Bytes);

    /// Open the shuffle files of other executors on the same host in place, instead of fetching them over the network.
    SHUFFLE_READ_HOST_LOCAL_DISK: bool = "spark.shuffle.readHostLocalDisk", since "3.0.0", default("true");

    /// The shuffle manager. Sort shuffle is the only one; the old names of it are accepted.
    SHUFFLE_MANAGER: String = "spark.shuffle.manager", since "1.1.0", default("sort"),
        check(
            |name| {
                ["sort", "tungsten-sort", "org.apache.spark.shuffle.sort.SortShuffleManager"].contains(&name.as_str())
            },
            "sort: no other shuffle manager can be plugged in, as they are JVM classes"
        );
}
