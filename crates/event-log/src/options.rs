//! How an event log is written.

use std::path::PathBuf;

use firesteel_model::{ApplicationId, ByteCount};
use regex::Regex;

use crate::CompressionCodec;

/// How an event log is written. Defaults are where the keys are declared.
#[derive(Clone, Debug)]
pub struct EventLogOptions {
    /// `spark.eventLog.dir`, see [`crate::log_directory`]. It must exist.
    pub directory: PathBuf,
    /// The application; part of the log's name.
    pub app_id: ApplicationId,
    /// Which attempt of it this is, where the cluster manager counts them.
    pub app_attempt_id: Option<String>,
    /// `spark.eventLog.overwrite`: a log of that name may be replaced. If not, opening fails.
    pub overwrite: bool,
    /// `spark.eventLog.buffer.kb`: how much is gathered before it is written, unless an event that flushes comes first.
    pub buffer_size: ByteCount,
    /// `spark.eventLog.compress` and `spark.eventLog.compression.codec`; none to write plain text.
    pub compression: Option<CompressionCodec>,
    /// `spark.eventLog.rolling.enabled`: several files in a directory of the application's own; none for one file.
    pub rolling: Option<RollingOptions>,
    /// `spark.eventLog.logBlockUpdates.enabled`.
    pub log_block_updates: bool,
    /// `spark.eventLog.logStageExecutorMetrics`: also write the most that each executor's memory held during a stage, and what the
    /// driver's holds now and then.
    pub log_stage_executor_metrics: bool,
    /// `spark.eventLog.includeTaskMetricsAccumulators`: write task metrics a second time, as `internal.metrics.*`
    /// accumulators. The history server does not need them; some tools do.
    pub include_task_metrics_accumulators: bool,
    /// `spark.redaction.regex` (SE-08): values of properties whose key or value it matches are not written.
    pub redaction: Option<Regex>,
}

/// When a rolling log begins its next file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RollingOptions {
    max_file_size: ByteCount,
}

/// A rolling file would be too small.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("spark.eventLog.rolling.maxFileSize is {given}, but must be at least {}", RollingOptions::MIN_FILE_SIZE)]
pub struct RollingSizeError {
    given: ByteCount,
}

impl RollingOptions {
    /// The least size that Spark takes: below it, the history server would drown in files.
    pub const MIN_FILE_SIZE: ByteCount = ByteCount::mib(10);

    /// `spark.eventLog.rolling.maxFileSize`: how large a file gets before the next one begins, before compression.
    pub fn new(max_file_size: ByteCount) -> Result<Self, RollingSizeError> {
        if max_file_size < Self::MIN_FILE_SIZE {
            return Err(RollingSizeError { given: max_file_size });
        }
        Ok(Self { max_file_size })
    }

    /// How large a file gets before the next one begins, before compression.
    pub fn max_file_size(self) -> ByteCount {
        self.max_file_size
    }
}
