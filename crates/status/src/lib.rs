//! The state of an application, folded from its listener events: what UI, REST, status tracker, progress bar and the
//! last line of a run read (UI-11 to UI-18, UI-40 and UI-41).
//!
//! [`ApplicationStatus::apply`] takes one event; everything else reads. Nothing here waits, locks or reads a clock, so
//! the same code serves a running application and one that is replayed from its event log.
//!
//! **Memory is bounded.** Jobs, stages, dead executors and task rows are kept up to [`RetainedLimits`] (UI-18); ended
//! ones go first, oldest first, and what is dropped still counts in [`ApplicationSummary`]. A stage's counts and sums are
//! kept without its task rows, so a stage of a million tasks costs the rows that are retained, and one bit for each task
//! while it runs.
//!
//! How it is shown is not decided here: no JSON, no HTML, no terminal.

#![forbid(unsafe_code)]

mod application;
mod executor;
mod job;
mod limits;
mod stage;
mod storage;
mod summary;
mod task;

pub use application::{ApplicationStatus, Properties, ResourceProfileStatus};
pub use executor::ExecutorStatus;
pub use job::{JobState, JobStatus};
pub use limits::RetainedLimits;
pub use stage::{ExecutorStageTotals, StageProgress, StageState, StageStatus};
pub use storage::{RddPartitionStatus, RddStatus};
pub use summary::{ApplicationSummary, ExecutorRemoval};
pub use task::{TaskRow, TaskState};
