//! Writes [`ListenerEvent`](firesteel_model::ListenerEvent)s as an event log in Spark's format (UI-30 to UI-32, AS-30),
//! so that Spark's own history server, and every tool that reads its logs, shows our runs.
//!
//! One line is one event: a JSON object with an `Event` field, its other fields named and ordered as Spark 4.3 writes
//! them. The first line names that version. While the application runs, the log's name ends in `.inprogress`; the suffix
//! goes when the listener bus stops. A process that is killed leaves a log that is readable up to the last line that was
//! flushed: at the latest, the last start or end of a job or stage.
//!
//! ```no_run
//! use firesteel_event_log::{EventLogListener, EventLogOptions, log_directory};
//! use firesteel_listener_bus::{ListenerBus, ListenerBusOptions, QueueName};
//! use firesteel_model::{ApplicationId, ByteCount};
//!
//! let options = EventLogOptions {
//!     directory: log_directory("file:/tmp/spark-events")?,
//!     app_id: ApplicationId::from("app-20261121125303-0000"),
//!     app_attempt_id: None,
//!     overwrite: false,
//!     buffer_size: ByteCount::kib(100),
//!     compression: None,
//!     rolling: None,
//!     log_block_updates: false,
//!     log_stage_executor_metrics: false,
//!     include_task_metrics_accumulators: true,
//!     redaction: None,
//! };
//! let bus = ListenerBus::new(ListenerBusOptions::default());
//! bus.add_listener(QueueName::EVENT_LOG, EventLogListener::open(options)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading logs, listing them, compacting and deleting them belong to the history server, not here. Logs are written to
//! local directories.

#![forbid(unsafe_code)]

mod codec;
mod directory;
mod json;
mod listener;
mod log_file;
mod options;
mod redaction;

pub use codec::CompressionCodec;
pub use directory::{LogDirectoryError, log_directory};
pub use listener::EventLogListener;
pub use log_file::OpenEventLogError;
pub use options::{EventLogOptions, RollingOptions, RollingSizeError};

/// The version of Spark whose event log format this is; what the first line says.
pub const SPARK_VERSION: &str = "4.3.0";
