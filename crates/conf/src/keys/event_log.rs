//! The event log, in Spark's format (UI-30, UI-31).

use firesteel_model::ByteCount;

use super::{AnyKey, CompressionCodec, Key, Section, Unit};

keys! { EventLog:
    /// Write the event log, from which a history server shows the application after its end.
    EVENT_LOG_ENABLED: bool = "spark.eventLog.enabled", since "1.0.0", default("false");

    /// The directory of the event logs. It must exist.
    EVENT_LOG_DIR: String = "spark.eventLog.dir", since "1.0.0", default("file:/tmp/spark-events");

    /// Compress event logs.
    EVENT_LOG_COMPRESS: bool = "spark.eventLog.compress", since "1.0.0", default("false");

    /// The codec.
    EVENT_LOG_COMPRESSION_CODEC: CompressionCodec = "spark.eventLog.compression.codec", since "3.0.0", default("zstd");

    /// Replace an event log of the same application that is there already.
    EVENT_LOG_OVERWRITE: bool = "spark.eventLog.overwrite", since "1.0.0", default("false");

    /// Buffer of the file. A number alone means KiB.
    EVENT_LOG_BUFFER: ByteCount = "spark.eventLog.buffer.kb", since "1.0.0",
        default("100k"), unit(Unit::KiB), check(|size| size.bytes() > 0, "more than 0");

    /// Log changes of blocks too; makes logs large.
    EVENT_LOG_BLOCK_UPDATES: bool = "spark.eventLog.logBlockUpdates.enabled", since "2.3.0", default("false");

    /// Log at the end of each stage how much memory each executor has held at most meanwhile, as far as heartbeats have told, and how
    /// much the driver holds at each heartbeat.
    EVENT_LOG_STAGE_EXECUTOR_METRICS: bool = "spark.eventLog.logStageExecutorMetrics", since "3.0.0", default("false");

    /// Log the metrics of tasks as `internal.metrics.*` accumulators too. Spark's history server does not need them, some
    /// tools do.
    EVENT_LOG_INCLUDE_TASK_METRICS_ACCUMULATORS: bool = "spark.eventLog.includeTaskMetricsAccumulators",
        since "4.0.0", default("true");

    /// Begin a new file when one is full.
    EVENT_LOG_ROLLING_ENABLED: bool = "spark.eventLog.rolling.enabled", since "3.0.0", default("false");

    /// When a file is full.
    EVENT_LOG_ROLLING_MAX_FILE_SIZE: ByteCount = "spark.eventLog.rolling.maxFileSize", since "3.0.0",
        default("128m"), unit(Unit::Bytes), check(|size| *size >= ByteCount::mib(10), "at least 10m");
}
