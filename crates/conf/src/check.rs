//! Settings that are fine alone but not together, and the check of everything that is set.

use std::time::Duration;

use firesteel_model::ByteCount;

use crate::{AnyKey, ConfError, MasterUrl, SparkConf, keys};

/// Settings that contradict each other, or one that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfConflict {
    /// A value cannot be read at all.
    #[error(transparent)]
    Value(#[from] ConfError),
    /// Executors would be lost between two heartbeats (RT-71).
    #[error(
        "spark.executor.heartbeatInterval ({interval:?}) must be less than the time after which a silent executor is lost ({timeout:?}: spark.storage.blockManagerHeartbeatTimeoutMs, else spark.network.timeout)"
    )]
    Heartbeat {
        /// The interval.
        interval: Duration,
        /// The time-out.
        timeout: Duration,
    },
    /// The driver would look too seldom for silent executors (RT-71).
    #[error("spark.network.timeoutInterval ({interval:?}) must not be more than the time-out it checks ({timeout:?})")]
    TimeoutInterval {
        /// The interval.
        interval: Duration,
        /// The time-out.
        timeout: Duration,
    },
    /// One bad node could fail the job before it is left alone (RT-74).
    #[error(
        "spark.excludeOnFailure.task.maxTaskAttemptsPerNode ({attempts_per_node}) must be less than spark.task.maxFailures ({max_failures}), or one bad node fails the job; lower the one or raise the other"
    )]
    ExcludeOnFailure {
        /// Attempts of one task on one node.
        attempts_per_node: u32,
        /// Failures that end the job.
        max_failures: u32,
    },
    /// An off-heap pool without a size (RT-52).
    #[error("spark.memory.offHeap.enabled is true, but spark.memory.offHeap.size is 0")]
    OffHeapSize,
    /// Only one side has its secret file (SE-02).
    #[error(
        "spark.authenticate.secret.driver.file and spark.authenticate.secret.executor.file must both be set, or neither"
    )]
    SecretFiles,
    /// No process can have such a variable.
    #[error(
        "{key:?} cannot be a variable of executors: the name behind spark.executorEnv. must not be empty or hold =, and neither name nor value a NUL character"
    )]
    ExecutorVariable {
        /// The key.
        key: String,
    },
    /// An executor fits no worker of the local cluster (SS-44).
    #[error("spark.executor.memory ({executor}) is more than a worker of {master} has")]
    LocalClusterMemory {
        /// Memory of an executor.
        executor: ByteCount,
        /// The master URL.
        master: String,
    },
}

impl SparkConf {
    /// Reads every declared key that is set; the first value that cannot be read is the error.
    pub fn verify(&self) -> Result<(), ConfError> {
        let is_set = |key: &&dyn AnyKey| {
            self.get_raw(key.name()).is_some() || key.formerly().iter().any(|older| self.get_raw(older).is_some())
        };
        keys::all().filter(is_set).try_for_each(|key| key.verify(self))
    }

    /// Refuses settings that contradict each other on this master. An application checks once, when it starts.
    pub fn check_conflicts(&self, master: &MasterUrl) -> Result<(), ConfConflict> {
        self.verify()?;
        // In local mode no executor can fall silent.
        if keys::BLOCK_MANAGER_HEARTBEAT_TIMEOUT.managers().contains(master.manager()) {
            self.check_heartbeats()?;
        }
        let max_failures = match master {
            MasterUrl::Local { max_failures, .. } => *max_failures,
            _ => self.get(&keys::TASK_MAX_FAILURES)?,
        };
        let attempts_per_node = self.get(&keys::EXCLUDE_MAX_TASK_ATTEMPTS_PER_NODE)?;
        // In local mode there is no other node to go to, so the key means nothing.
        let has_nodes = !matches!(master, MasterUrl::Local { .. });
        if has_nodes && self.get(&keys::EXCLUDE_ON_FAILURE_ENABLED)? && attempts_per_node >= max_failures {
            return Err(ConfConflict::ExcludeOnFailure { attempts_per_node, max_failures });
        }
        if self.get(&keys::MEMORY_OFF_HEAP_ENABLED)? && self.get(&keys::MEMORY_OFF_HEAP_SIZE)? == ByteCount::ZERO {
            return Err(ConfConflict::OffHeapSize);
        }
        let driver_file = self.get(&keys::AUTHENTICATE_SECRET_DRIVER_FILE)?;
        let executor_file = self.get(&keys::AUTHENTICATE_SECRET_EXECUTOR_FILE)?;
        if driver_file.is_some() != executor_file.is_some() {
            return Err(ConfConflict::SecretFiles);
        }
        let impossible =
            |&(name, value): &(&str, &str)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
        let has_executors = keys::EXECUTOR_ENV.managers.contains(master.manager());
        if let Some((name, _)) = self.get_prefix(&keys::EXECUTOR_ENV).find(impossible).filter(|_| has_executors) {
            return Err(ConfConflict::ExecutorVariable { key: format!("{}{name}", keys::EXECUTOR_ENV.prefix) });
        }
        if let MasterUrl::LocalCluster { memory_per_worker_mib, .. } = master {
            let executor = self.get(&keys::EXECUTOR_MEMORY)?;
            if executor > ByteCount::mib((*memory_per_worker_mib).into()) {
                return Err(ConfConflict::LocalClusterMemory { executor, master: master.to_string() });
            }
        }
        Ok(())
    }

    fn check_heartbeats(&self) -> Result<(), ConfConflict> {
        let timeout = self.get(&keys::BLOCK_MANAGER_HEARTBEAT_TIMEOUT)?;
        let interval = self.get(&keys::EXECUTOR_HEARTBEAT_INTERVAL)?;
        if interval >= timeout {
            return Err(ConfConflict::Heartbeat { interval, timeout });
        }
        let interval = self.get(&keys::NETWORK_TIMEOUT_INTERVAL)?;
        if interval > timeout {
            return Err(ConfConflict::TimeoutInterval { interval, timeout });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflict(master: &str, settings: &[(&str, &str)]) -> Option<String> {
        let conf: SparkConf = settings.iter().copied().collect();
        conf.check_conflicts(&master.parse().unwrap()).err().map(|error| error.to_string())
    }

    #[test]
    fn the_defaults_agree_on_every_master() {
        for master in
            ["local", "local[4,3]", "local-cluster[2,1,1024]", "spark://h:7077", "yarn", "mesos://h", "k8s://h"]
        {
            assert_eq!(conflict(master, &[]), None, "{master}");
        }
    }

    #[test]
    fn contradictions_name_both_sides() {
        let exclude = [("spark.excludeOnFailure.enabled", "true"), ("spark.task.maxFailures", "2")];
        let cases: &[(&[(&str, &str)], &str)] = &[
            (
                &[("spark.executor.heartbeatInterval", "200s")],
                "spark.executor.heartbeatInterval (200s) must be less than",
            ),
            (&[("spark.network.timeout", "10")], "spark.executor.heartbeatInterval (10s) must be less than"),
            (&[("spark.network.timeout", "30s")], "spark.network.timeoutInterval (60s) must not be more than"),
            (&exclude, "maxTaskAttemptsPerNode (2) must be less than spark.task.maxFailures (2)"),
            (&[("spark.memory.offHeap.enabled", "true")], "spark.memory.offHeap.size is 0"),
            (&[("spark.authenticate.secret.driver.file", "/s")], "must both be set, or neither"),
            (&[("spark.executor.memory", "2g")], "spark.executor.memory (2.0 GiB) is more than a worker"),
            (
                &[("spark.task.cpus", "x")],
                "spark.task.cpus is \"x\", but it must be a whole number from 1 to 4294967295",
            ),
            (&[("spark.cores.max", "-1")], "it must be a whole number from 1 to 4294967295"),
            (&[("spark.scheduler.launchAhead.maxTasksPerSlot", "many")], "it must be a whole number from 0 to 1000"),
            (&[("spark.io.compression.zstd.level", "x")], "it must be a whole number from -131072 to 22"),
            (&[("spark.stage.maxAttempts", "0")], "it must be at least 1"),
            (&[("spark.executorEnv.", "x")], "\"spark.executorEnv.\" cannot be a variable of executors"),
            (&[("spark.executorEnv.A=B", "x")], "\"spark.executorEnv.A=B\" cannot be a variable"),
            (&[("spark.executorEnv.A", "x\0")], "\"spark.executorEnv.A\" cannot be a variable"),
        ];
        for (settings, words) in cases {
            let error = conflict("local-cluster[2,1,1024]", settings).unwrap_or_default();
            assert!(error.contains(words), "{settings:?}: {error}");
        }
        assert_eq!(conflict("local[2]", &exclude), None);
        let silent = [("spark.storage.blockManagerHeartbeatTimeoutMs", "5s"), ("spark.network.timeout", "5s")];
        assert_eq!(conflict("local[2]", &silent), None, "no executor can be silent there");
        assert_eq!(conflict("local[2]", &[("spark.executorEnv.", "x")]), None, "it does nothing there");
        assert_eq!(conflict("yarn", &[("spark.authenticate.secret.file", "/s")]), None);
    }
}
