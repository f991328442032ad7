//! Spark's exit codes of executors (RT-73).

/// How an executor process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExecutorExitCode {
    /// The driver told it to stop.
    Success,
    /// The driver refused it or is gone, or it could not start.
    General,
    /// A killed task did not end in time (RT-38): Spark throws where nobody catches, and its JVM ends with this code.
    UncaughtException,
    /// It holds more memory than it may.
    OutOfMemory,
    /// It cannot create a local directory.
    LocalDirectory,
}

impl ExecutorExitCode {
    /// The number.
    pub fn code(self) -> i32 {
        match self {
            Self::Success => 0,
            Self::General => 1,
            Self::UncaughtException => 50,
            Self::OutOfMemory => 52,
            Self::LocalDirectory => 53,
        }
    }
}
