//! What the configuration says about dynamic allocation (SC-20…28).

use firesteel_allocation::{AllocationOptions, ExecutorShape};
use firesteel_conf::{ConfError, MasterUrl, SparkConf, keys};
use tracing::warn;

use crate::{error::SparkError, resources::CustomResources};

/// Is it on? Not in local mode, whose one executor is the driver; that the key does nothing there has been said.
pub(crate) fn is_enabled(conf: &SparkConf, master: &MasterUrl) -> Result<bool, ConfError> {
    Ok(conf.get(&keys::DYNAMIC_ALLOCATION_ENABLED)? && !matches!(master, MasterUrl::Local { .. }))
}

/// How many executors an application begins with (SC-21); none: as many as there is room for.
pub(crate) fn initial_executors(conf: &SparkConf) -> Result<Option<u32>, ConfError> {
    if !conf.get(&keys::DYNAMIC_ALLOCATION_ENABLED)? {
        return Ok(None);
    }
    let min = conf.get(&keys::DYNAMIC_ALLOCATION_MIN_EXECUTORS)?;
    let initial = conf.get(&keys::DYNAMIC_ALLOCATION_INITIAL_EXECUTORS)?.unwrap_or(min);
    let instances = conf.get(&keys::EXECUTOR_INSTANCES)?.unwrap_or(0);
    for (key, smaller) in [
        (keys::DYNAMIC_ALLOCATION_INITIAL_EXECUTORS.name(), initial < min),
        (
            keys::EXECUTOR_INSTANCES.name(),
            conf.get(&keys::EXECUTOR_INSTANCES)?.is_some_and(|instances| instances < min),
        ),
    ] {
        if smaller {
            warn!("{key} is less than spark.dynamicAllocation.minExecutors ({min}), which is begun with");
        }
    }
    Ok(Some(min.max(initial).max(instances)))
}

/// What the driver is told, if it is on.
pub(crate) fn options(
    conf: &SparkConf,
    master: &MasterUrl,
    resources: &CustomResources,
    task_cpus: u32,
) -> Result<Option<AllocationOptions>, SparkError> {
    let (true, Some(initial_executors)) = (is_enabled(conf, master)?, initial_executors(conf)?) else {
        return Ok(None);
    };
    if !conf.get(&keys::DYNAMIC_ALLOCATION_SHUFFLE_TRACKING_ENABLED)? {
        return Err(SparkError::Configuration(format!(
            "{} is set and {} is false: map outputs would be lost with every executor that is given back, as there is no external \
             shuffle service; leave the latter at its default",
            keys::DYNAMIC_ALLOCATION_ENABLED.name(),
            keys::DYNAMIC_ALLOCATION_SHUFFLE_TRACKING_ENABLED.name(),
        )));
    }
    let cores = conf.get(&keys::EXECUTOR_CORES)?;
    if cores.is_none() && matches!(master, MasterUrl::Standalone { .. }) {
        warn!(
            "{} is not set, so each executor takes all free cores of its worker: fewer executors are needed than are asked for \
             at first, and few workers are left to other applications",
            keys::EXECUTOR_CORES.name()
        );
    }
    let backlog = conf.get(&keys::DYNAMIC_ALLOCATION_SCHEDULER_BACKLOG_TIMEOUT)?;
    let options = AllocationOptions {
        min_executors: conf.get(&keys::DYNAMIC_ALLOCATION_MIN_EXECUTORS)?,
        max_executors: conf.get(&keys::DYNAMIC_ALLOCATION_MAX_EXECUTORS)?.unwrap_or(u32::MAX),
        initial_executors,
        executor_allocation_ratio: conf.get(&keys::DYNAMIC_ALLOCATION_EXECUTOR_ALLOCATION_RATIO)?,
        scheduler_backlog_timeout: backlog,
        sustained_scheduler_backlog_timeout: conf
            .get(&keys::DYNAMIC_ALLOCATION_SUSTAINED_SCHEDULER_BACKLOG_TIMEOUT)?
            .unwrap_or(backlog),
        executor_idle_timeout: conf.get(&keys::DYNAMIC_ALLOCATION_EXECUTOR_IDLE_TIMEOUT)?,
        cached_executor_idle_timeout: conf.get(&keys::DYNAMIC_ALLOCATION_CACHED_EXECUTOR_IDLE_TIMEOUT)?,
        shuffle_tracking: true,
        shuffle_tracking_timeout: conf.get(&keys::DYNAMIC_ALLOCATION_SHUFFLE_TRACKING_TIMEOUT)?,
        disk_blocks_outlive_executors: false,
        executor: ExecutorShape {
            cores,
            resources: resources.of_executors().map(|(name, amount)| (name.to_owned(), amount)).collect(),
        },
        task: resources.of_tasks(task_cpus),
    };
    // Once more in the driver; a contradiction is the user's, though, and is said as such.
    options.validate().map_err(|error| SparkError::Configuration(error.to_string()))?;
    Ok(Some(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn initial(settings: &[(&str, &str)]) -> Option<u32> {
        let all = [&[("spark.dynamicAllocation.enabled", "true")], settings].concat();
        initial_executors(&all.into_iter().collect()).unwrap()
    }

    #[test]
    fn an_application_begins_with_the_largest_number_that_is_given() {
        assert_eq!(initial_executors(&SparkConf::new()).unwrap(), None);
        assert_eq!(initial(&[]), Some(0));
        assert_eq!(initial(&[("spark.dynamicAllocation.minExecutors", "2")]), Some(2));
        assert_eq!(
            initial(&[("spark.dynamicAllocation.minExecutors", "2"), ("spark.executor.instances", "5")]),
            Some(5)
        );
        let all = [
            ("spark.dynamicAllocation.minExecutors", "2"),
            ("spark.dynamicAllocation.initialExecutors", "7"),
            ("spark.executor.instances", "5"),
        ];
        assert_eq!(initial(&all), Some(7));
    }
}
