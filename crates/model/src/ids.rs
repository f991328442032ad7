//! Every id is its own type, so that two of them side by side in a signature cannot be mixed up.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($number:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$number> for $name {
            fn from(number: $number) -> Self {
                Self(number)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

number_id! {
    /// One action called by the application (RT-06). Numbered from 0 by the driver.
    JobId(u32)
}
number_id! {
    /// One stage of a job; shared by every job that needs the same shuffle output. Numbered from 0 by the driver.
    StageId(u32)
}
number_id! {
    /// How often the stage was submitted before this time, from 0.
    StageAttempt(u32)
}
number_id! {
    /// One task attempt, unique in the application. Spark's event log calls it `Task ID`.
    TaskId(u64)
}
number_id! {
    /// How often the task of this index was launched before in its task set, from 0. Speculative copies count.
    TaskAttemptNumber(u32)
}
number_id! {
    /// The index of a partition inside its RDD.
    Partition(u32)
}
number_id! {
    /// One data set in the lineage. Numbered from 0 by the driver.
    RddId(u32)
}
number_id! {
    /// One exchange between two stages. Numbered from 0 by the driver.
    ShuffleId(u32)
}
number_id! {
    /// The task attempt that wrote a map output; unique in the application, so an old attempt's file is never read for a
    /// newer one. Not to be mixed with [`MapIndex`].
    MapId(u64)
}
number_id! {
    /// The map-side partition that a map output was written for.
    MapIndex(u32)
}
number_id! {
    /// The reduce-side partition of a shuffle block.
    ReduceId(u32)
}
number_id! {
    /// One broadcast value.
    BroadcastId(u64)
}
number_id! {
    /// One accumulator, unique in the application.
    AccumulatorId(u64)
}
number_id! {
    /// The resource profile that an executor was asked for; 0 is the default one.
    ResourceProfileId(u32)
}

text_id! {
    /// The application, as its cluster manager numbers it (`local-1732190000000`, `app-20261121123400-0000`).
    ApplicationId
}
text_id! {
    /// One executor of the application. The driver's own id is [`ExecutorId::DRIVER`].
    ExecutorId
}

text_id! {
    /// A worker of the standalone manager (`worker-20261121123400-10.0.0.5-7078`, SA-30).
    WorkerId
}
text_id! {
    /// A driver that was submitted to a cluster: what `--status` and `--kill` take (`driver-20261121123400-0000`, SA-30).
    SubmissionId
}

impl ExecutorId {
    /// What Spark calls the driver's block manager, and the only executor of local mode (RT-05).
    pub const DRIVER: &'static str = "driver";

    /// The driver's own id.
    pub fn driver() -> Self {
        Self::new(Self::DRIVER)
    }

    /// Is this the driver itself?
    pub fn is_driver(&self) -> bool {
        self.as_str() == Self::DRIVER
    }
}

/// One submission of a stage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct StageAttemptId {
    /// Which stage.
    pub stage_id: StageId,
    /// Which submission of it.
    pub attempt: StageAttempt,
}

impl fmt::Display for StageAttemptId {
    /// `stage.attempt`, as Spark's log lines have it (`3.0`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stage_id, self.attempt)
    }
}
