//! What applications, drivers, executors, workers and masters can be (SA-31…35, SA-53), by Spark's own names.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// As Spark writes it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// An application at the master (SA-31).
    ApplicationState {
        /// It has registered and has no executor yet.
        Waiting = "WAITING",
        /// It has had an executor.
        Running = "RUNNING",
        /// It has ended by itself.
        Finished = "FINISHED",
        /// Its executors ended too often.
        Failed = "FAILED",
        /// Somebody has ended it.
        Killed = "KILLED",
        /// Nothing was heard of it since its connection ended, or since this master leads.
        Unknown = "UNKNOWN",
    }
}

impl ApplicationState {
    /// Does nothing follow any more?
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

states! {
    /// An executor at the master and at its worker (SA-34).
    ExecutorState {
        /// Its worker was told to start it.
        Launching = "LAUNCHING",
        /// Its process runs.
        Running = "RUNNING",
        /// Somebody has ended it.
        Killed = "KILLED",
        /// It could not be started.
        Failed = "FAILED",
        /// Its worker is gone.
        Lost = "LOST",
        /// Its process has ended.
        Exited = "EXITED",
        /// Its worker was leaving, and it has left with it.
        Decommissioned = "DECOMMISSIONED",
    }
}

impl ExecutorState {
    /// Does nothing follow any more?
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Launching | Self::Running)
    }
}

states! {
    /// A driver that was submitted (SA-33).
    DriverState {
        /// It waits for a worker.
        Submitted = "SUBMITTED",
        /// A worker has it.
        Running = "RUNNING",
        /// It has ended with exit code 0.
        Finished = "FINISHED",
        /// It has ended, and is to start again.
        Relaunching = "RELAUNCHING",
        /// Its worker was not heard of since this master leads.
        Unknown = "UNKNOWN",
        /// Somebody has ended it.
        Killed = "KILLED",
        /// It has ended with another exit code.
        Failed = "FAILED",
        /// It could not be started, or its worker is gone.
        Error = "ERROR",
    }
}

impl DriverState {
    /// Does nothing follow any more?
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Killed | Self::Failed | Self::Error)
    }
}

states! {
    /// A worker at the master (SA-35).
    WorkerState {
        /// It takes executors and drivers.
        Alive = "ALIVE",
        /// Nothing was heard of it for `spark.worker.timeout`.
        Dead = "DEAD",
        /// It takes nothing more and will leave.
        Decommissioned = "DECOMMISSIONED",
        /// It was not heard of since this master leads.
        Unknown = "UNKNOWN",
    }
}

states! {
    /// A master (SA-53).
    RecoveryState {
        /// Another one leads, or none yet.
        Standby = "STANDBY",
        /// It leads, and hears what was there before.
        Recovering = "RECOVERING",
        /// It leads, and puts in order what did not answer.
        CompletingRecovery = "COMPLETING_RECOVERY",
        /// It leads.
        Alive = "ALIVE",
    }
}

/// Which leader gives an order: of two, the one with the higher term was elected later. A deposed master cannot give orders to whoever
/// has heard of the next one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(pub u64);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
