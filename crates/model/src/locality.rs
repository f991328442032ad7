//! How near a task runs to its data (RT-20).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ExecutorId;

/// How near a task runs to its data, nearest first; the order is the order in which delay scheduling gives ground.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskLocality {
    /// In the executor that holds the data.
    ProcessLocal,
    /// On the host that holds the data.
    NodeLocal,
    /// The task has no preference.
    NoPref,
    /// In the rack that holds the data.
    RackLocal,
    /// Anywhere.
    Any,
}

impl TaskLocality {
    /// Every level, nearest first.
    pub const ALL: [Self; 5] = [Self::ProcessLocal, Self::NodeLocal, Self::NoPref, Self::RackLocal, Self::Any];

    /// Spark's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProcessLocal => "PROCESS_LOCAL",
            Self::NodeLocal => "NODE_LOCAL",
            Self::NoPref => "NO_PREF",
            Self::RackLocal => "RACK_LOCAL",
            Self::Any => "ANY",
        }
    }
}

impl fmt::Display for TaskLocality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a partition would like to be computed (RT-10).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum TaskLocation {
    /// The executor that holds a cached copy.
    Executor {
        /// The host that the executor runs on.
        host: String,
        /// The executor.
        executor_id: ExecutorId,
    },
    /// A host that holds the input split.
    Host(String),
}

impl TaskLocation {
    /// The host.
    pub fn host(&self) -> &str {
        match self {
            Self::Executor { host, .. } | Self::Host(host) => host,
        }
    }
}

impl fmt::Display for TaskLocation {
    /// Spark's spelling: a bare host, or `executor_HOST_ID`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Executor { host, executor_id } => write!(f, "executor_{host}_{executor_id}"),
            Self::Host(host) => f.write_str(host),
        }
    }
}

impl FromStr for TaskLocation {
    type Err = std::convert::Infallible;

    /// The first `_` after the prefix ends the host, as host names cannot hold one but executor ids can.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let executor = text.strip_prefix("executor_").and_then(|rest| rest.split_once('_'));
        Ok(match executor {
            Some((host, id)) => Self::Executor { host: host.to_owned(), executor_id: ExecutorId::from(id) },
            None => Self::Host(text.to_owned()),
        })
    }
}
