//! Why a task ended and why an executor was lost.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BlockManagerId, ExecutorId, MapId, MapIndex, Partition, ReduceId, ShuffleId, StageId, TaskAttemptNumber};

/// How a task attempt ended. What the protocol knows is data, not an error.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TaskEndReason {
    /// It finished.
    Success,
    /// Its output was made by another attempt already; the stage does not need it again.
    Resubmitted,
    /// A shuffle block could not be fetched (RT-35).
    FetchFailed {
        /// Who should have served the block; none if the map output had no location at all.
        block_manager_id: Option<BlockManagerId>,
        /// The shuffle.
        shuffle_id: ShuffleId,
        /// The map task attempt that wrote the block.
        map_id: MapId,
        /// The map partition.
        map_index: MapIndex,
        /// The reducer that wanted it.
        reduce_id: ReduceId,
        /// What went wrong.
        message: String,
    },
    /// The task's own code failed: an error, or a panic.
    ExceptionFailure {
        /// The kind of failure (`panic`, an error type's name).
        class_name: String,
        /// What it said.
        description: String,
        /// Where, as far as that is known; may be empty.
        stack_trace: String,
        /// The failure will be the same at every attempt, so none follows (RT-32).
        retryable: bool,
    },
    /// The result was computed, but it was lost before the driver could fetch it.
    TaskResultLost,
    /// Killed on request: a cancelled job, another attempt that won, the UI.
    TaskKilled {
        /// Who wanted it and why.
        reason: String,
    },
    /// Another attempt may commit this partition's output (RT-37).
    TaskCommitDenied {
        /// The job that the output belongs to, by its stage.
        stage_id: StageId,
        /// The partition.
        partition: Partition,
        /// The attempt that was denied.
        attempt_number: TaskAttemptNumber,
    },
    /// The executor was lost while the task ran (RT-34).
    ExecutorLostFailure {
        /// Which executor.
        executor_id: ExecutorId,
        /// The loss counts as the application's fault, and so as a failure of the task (RT-31).
        exit_caused_by_app: bool,
        /// Why it was lost.
        reason: Option<String>,
    },
}

impl TaskEndReason {
    /// Does this end count towards `spark.task.maxFailures` (RT-31)?
    pub fn counts_towards_task_failures(&self) -> bool {
        match self {
            Self::ExceptionFailure { .. } | Self::TaskResultLost => true,
            Self::ExecutorLostFailure { exit_caused_by_app, .. } => *exit_caused_by_app,
            Self::Success
            | Self::Resubmitted
            | Self::FetchFailed { .. }
            | Self::TaskKilled { .. }
            | Self::TaskCommitDenied { .. } => false,
        }
    }
}

impl fmt::Display for TaskEndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("Success"),
            Self::Resubmitted => f.write_str("Resubmitted (resubmitted due to lost executor)"),
            Self::FetchFailed { block_manager_id, shuffle_id, map_id, map_index, reduce_id, message } => {
                match block_manager_id {
                    Some(id) => write!(f, "FetchFailed({id}, ")?,
                    None => f.write_str("FetchFailed(null, ")?,
                }
                write!(
                    f,
                    "shuffleId={shuffle_id}, mapIndex={map_index}, mapId={map_id}, reduceId={reduce_id}, message={message})"
                )
            }
            Self::ExceptionFailure { class_name, description, stack_trace, .. } => {
                write!(f, "{class_name}: {description}")?;
                if stack_trace.is_empty() { Ok(()) } else { write!(f, "\n{stack_trace}") }
            }
            Self::TaskResultLost => f.write_str("TaskResultLost (result lost from block manager)"),
            Self::TaskKilled { reason } => write!(f, "TaskKilled ({reason})"),
            Self::TaskCommitDenied { stage_id, partition, attempt_number } => write!(
                f,
                "TaskCommitDenied (Driver denied task commit) for stage: {stage_id}, partition: {partition}, attemptNumber: {attempt_number}"
            ),
            Self::ExecutorLostFailure { executor_id, exit_caused_by_app, reason } => {
                let cause = if *exit_caused_by_app { "caused by" } else { "unrelated to" };
                write!(f, "ExecutorLostFailure (executor {executor_id} exited {cause} one of the running tasks)")?;
                match reason {
                    Some(reason) => write!(f, " Reason: {reason}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Why an executor is gone (AS-02: one record, everything that is known).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ExecutorLossReason {
    /// The process ended.
    Exited {
        /// Its exit code, if it ended by itself (RT-73).
        exit_code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// The end counts as the application's fault.
        caused_by_app: bool,
        /// What is known beside: its own or its last words, the most memory it held, where its output is.
        detail: String,
    },
    /// No heartbeat within `spark.network.timeout` (RT-71).
    HeartbeatTimedOut {
        /// How long nothing was heard, in milliseconds.
        silence_ms: u64,
    },
    /// The connection closed and nothing else is known yet.
    Disconnected,
    /// The driver ended it on purpose: idle, excluded, replaced.
    KilledByDriver {
        /// Why.
        reason: String,
    },
    /// It was decommissioned and has left in good order (RT-77).
    Decommissioned,
    /// The machine or its worker is gone, and its shuffle files with it.
    WorkerLost {
        /// What is known.
        message: String,
    },
}

impl ExecutorLossReason {
    /// Do the executor's running tasks count as failed (RT-31)?
    pub fn caused_by_app(&self) -> bool {
        match self {
            Self::Exited { caused_by_app, .. } => *caused_by_app,
            Self::Disconnected => true,
            Self::HeartbeatTimedOut { .. }
            | Self::KilledByDriver { .. }
            | Self::Decommissioned
            | Self::WorkerLost { .. } => false,
        }
    }
}

impl fmt::Display for ExecutorLossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { exit_code, signal, detail, .. } => {
                match (exit_code, signal) {
                    (Some(code), _) => write!(f, "exited with code {code}{}", explain_exit_code(*code))?,
                    (None, Some(signal)) => write!(f, "killed by signal {signal}{}", explain_signal(*signal))?,
                    (None, None) => f.write_str("exited")?,
                }
                if detail.is_empty() { Ok(()) } else { write!(f, "; {detail}") }
            }
            Self::HeartbeatTimedOut { silence_ms } => {
                write!(f, "no heartbeat for {silence_ms} ms (spark.network.timeout)")
            }
            Self::Disconnected => f.write_str("connection to the executor closed"),
            Self::KilledByDriver { reason } => write!(f, "killed by the driver: {reason}"),
            Self::Decommissioned => f.write_str("decommissioned"),
            Self::WorkerLost { message } => write!(f, "worker lost: {message}"),
        }
    }
}

/// Spark's executor exit codes in words (RT-73).
fn explain_exit_code(code: i32) -> &'static str {
    match code {
        50 => " (uncaught error)",
        51 => " (uncaught error while handling another)",
        52 => " (out of memory: raise spark.executor.memory, or use more partitions)",
        53 => " (could not create its local directory: see spark.local.dir)",
        56 => " (could not send heartbeats to the driver)",
        137 => " (128+9: killed from outside; most often the kernel, for lack of memory)",
        143 => " (128+15: asked to end from outside)",
        _ => "",
    }
}

fn explain_signal(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL: illegal instruction)",
        6 => " (SIGABRT: the process aborted itself)",
        7 => " (SIGBUS)",
        9 => " (SIGKILL: killed from outside; most often the kernel, for lack of memory)",
        11 => " (SIGSEGV: invalid memory access)",
        15 => " (SIGTERM: asked to end from outside)",
        _ => "",
    }
}
