//! The vocabulary: ids, plain values and listener events that three or more crates share.
//!
//! Nothing here decides, waits, reads a clock or touches a file. A type is born beside its owner and moves here at its
//! third user; what only one crate needs does not belong here.

#![forbid(unsafe_code)]

mod accumulator;
mod block;
mod broadcast;
mod byte_count;
mod error_chain;
mod executor_metrics;
mod heap_size;
mod ids;
mod listener;
mod locality;
mod map_status;
mod metrics;
mod properties;
mod reason;
mod resource;
mod storage_level;
mod time;
mod url;

pub use accumulator::{AccumulatorUpdate, AccumulatorValue};
pub use block::{BlockId, BlockManagerId, ParseBlockIdError};
pub use broadcast::BroadcastInfo;
pub use byte_count::ByteCount;
pub use error_chain::error_chain;
pub use executor_metrics::ExecutorMetrics;
pub use heap_size::{HeapMeasurement, heap_size, measure_heap};
pub use ids::{
    AccumulatorId, ApplicationId, BroadcastId, ExecutorId, JobId, MapId, MapIndex, Partition, RddId, ReduceId,
    ResourceProfileId, ShuffleId, StageAttempt, StageAttemptId, StageId, SubmissionId, TaskAttemptNumber, TaskId,
    WorkerId,
};
pub use listener::{
    AccumulableInfo, BlockUpdatedInfo, ExecutorInfo, JobOutcome, ListenerEvent, RddStorageInfo, StageSnapshot,
    TaskSnapshot,
};
pub use locality::{TaskLocality, TaskLocation};
pub use map_status::{MapStatus, MapStatusOptions};
pub use metrics::{InputMetrics, OutputMetrics, ShuffleReadMetrics, ShuffleWriteMetrics, TaskMetrics};
pub use properties::{LocalProperties, property};
pub use reason::{ExecutorLossReason, TaskEndReason};
pub use resource::{ExecutorResourceRequest, ResourceInformation};
pub use storage_level::{ParseStorageLevelError, StorageLevel};
pub use time::{Moment, Now};
pub use url::{REDACTED, has_user_info, hide_secrets_of_urls, url_without_secrets};
