//! What the configuration says about custom resources, such as GPUs (SC-07): the one place where
//! `spark.{driver,executor,task}.resource.*` become what subsystems take.
//!
//! As in Spark, local mode has resources of the driver only: its one executor has none to give to tasks.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};

use firesteel_conf::{KeyPrefix, MasterUrl, SparkConf, keys};
use firesteel_executor::{ResourceToDiscover, discover_resource};
use firesteel_model::{ExecutorResourceRequest, ListenerEvent, ResourceInformation, ResourceProfileId};
use firesteel_scheduler::{ExecutorSize, TaskRequirements, TaskResourceAmount, TaskResourceRequest, task_slots};

use crate::{
    error::{SparkError, chain},
    resource_profiles::ProfileLimits,
};

/// How long a discovery script may take. Tools that list devices wake them first, which takes seconds; a script that takes
/// longer than this has hung, and an executor that waits for it would never register.
const DISCOVERY_TIME_OUT: Duration = Duration::from_secs(60);

/// One resource of the driver or of executors.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Resource {
    name: String,
    amount: u32,
    discovery_script: String,
    vendor: String,
}

/// Everything that is configured.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct CustomResources {
    driver: Vec<Resource>,
    executor: Vec<Resource>,
    /// By name, and as it was given: a fraction stays one.
    task: Vec<(String, f64)>,
    /// What was set and does nothing.
    pub(crate) warnings: Vec<String>,
}

fn refused(message: String) -> SparkError {
    SparkError::Configuration(message)
}

/// The settings of a family by resource, and by the rest of the key.
fn by_resource<'a>(
    conf: &'a SparkConf,
    family: &'static KeyPrefix,
) -> Result<BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>, SparkError> {
    let mut resources: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (rest, value) in conf.get_prefix(family) {
        let prefix = family.prefix;
        let (name, setting) = rest.split_once('.').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            refused(format!(
                "{prefix}{rest} does not say what of the resource it sets; the amount is {prefix}{rest}.amount"
            ))
        })?;
        resources.entry(name).or_default().insert(setting, value.trim());
    }
    for (name, settings) in &resources {
        if !settings.contains_key("amount") {
            let prefix = family.prefix;
            return Err(refused(format!(
                "resource {name} is configured without its amount: set {prefix}{name}.amount"
            )));
        }
    }
    Ok(resources)
}

/// What is set and known to nobody.
fn unknown<'a>(
    family: &'static KeyPrefix,
    resources: &'a BTreeMap<&str, BTreeMap<&str, &str>>,
    known: &'a [&str],
) -> impl Iterator<Item = String> + 'a {
    let settings = resources.iter().flat_map(|(name, settings)| settings.keys().map(move |setting| (name, setting)));
    let strangers = settings.filter(|(_, setting)| !known.contains(*setting));
    strangers.map(|(name, setting)| {
        let prefix = family.prefix;
        format!("{prefix}{name}.{setting} is not a known key and does nothing; {} are", known.join(", "))
    })
}

/// Resources of a process, whose amounts are whole; those of which there are none are left out.
fn of_processes(
    conf: &SparkConf,
    family: &'static KeyPrefix,
    warnings: &mut Vec<String>,
) -> Result<Vec<Resource>, SparkError> {
    let resources = by_resource(conf, family)?;
    warnings.extend(unknown(family, &resources, &["amount", "discoveryScript", "vendor"]));
    let prefix = family.prefix;
    let mut found = Vec::new();
    for (name, settings) in resources {
        let text = settings["amount"];
        let amount: u32 = text.parse().map_err(|_| {
            refused(format!("{prefix}{name}.amount must be a whole number of at least 0, not {text:?}"))
        })?;
        let setting = |key| settings.get(key).copied().unwrap_or_default().to_owned();
        let resource = Resource {
            name: name.to_owned(),
            amount,
            discovery_script: setting("discoveryScript"),
            vendor: setting("vendor"),
        };
        if !resource.vendor.is_empty() {
            warnings.push(format!("{prefix}{name}.vendor is only told to listeners here; it is for Kubernetes"));
        }
        if amount > 0 {
            found.push(resource);
        }
    }
    Ok(found)
}

fn of_tasks(conf: &SparkConf, warnings: &mut Vec<String>) -> Result<Vec<(String, f64)>, SparkError> {
    let family = &keys::TASK_RESOURCE;
    let resources = by_resource(conf, family)?;
    warnings.extend(unknown(family, &resources, &["amount"]));
    let mut found = Vec::new();
    for (name, settings) in resources {
        let (prefix, text) = (family.prefix, settings["amount"]);
        let amount: f64 =
            text.parse().map_err(|_| refused(format!("{prefix}{name}.amount must be a number, not {text:?}")))?;
        // None of it is asked for.
        if amount == 0.0 {
            continue;
        }
        TaskResourceAmount::from_number(amount).map_err(|error| refused(format!("{prefix}{name}.amount: {error}")))?;
        // Of a larger part no second task could have any. Only a resource profile may ask for that, as in Spark.
        if amount > 0.5 && amount < 1.0 {
            return Err(refused(format!(
                "{prefix}{name}.amount: the amount {amount} of a task's resource must be a whole number, or a fraction of at most 0.5"
            )));
        }
        found.push((name.to_owned(), amount));
    }
    Ok(found)
}

impl CustomResources {
    /// Reads the three families.
    pub(crate) fn of(conf: &SparkConf) -> Result<Self, SparkError> {
        let mut warnings = Vec::new();
        Ok(Self {
            driver: of_processes(conf, &keys::DRIVER_RESOURCE, &mut warnings)?,
            executor: of_processes(conf, &keys::EXECUTOR_RESOURCE, &mut warnings)?,
            task: of_tasks(conf, &mut warnings)?,
            warnings,
        })
    }

    /// What one task takes, with `cpus` of `spark.task.cpus`. Refuses what no executor could ever give; `cores` are those
    /// of an executor. What an executor has and no task can use becomes a warning.
    pub(crate) fn task_requirements(
        &mut self,
        cpus: NonZeroU32,
        master: &MasterUrl,
        cores: u32,
    ) -> Result<TaskRequirements, SparkError> {
        let requests = self.task.iter().map(|(name, amount)| {
            let amount = TaskResourceAmount::from_number(*amount).map_err(|error| refused(error.to_string()))?;
            Ok(TaskResourceRequest { name: name.clone(), amount })
        });
        let task = TaskRequirements { cpus, resources: requests.collect::<Result<_, SparkError>>()? };
        let local = matches!(master, MasterUrl::Local { .. });
        if let (true, Some(request)) = (local, task.resources.first()) {
            return Err(refused(format!(
                "spark.task.resource.{}.amount is set, but tasks of local mode can have no custom resources, as in Spark: use \
                 local-cluster[workers,cores,memory], or unset it",
                request.name
            )));
        }
        let has = self.executor.iter().map(|resource| (resource.name.clone(), resource.amount));
        let size = ExecutorSize { cores, resources: if local { Vec::new() } else { has.collect() } };
        let slots = task_slots(&size, &task).map_err(|error| refused(error.to_string()))?;
        self.warnings.extend(slots.wasted.iter().map(ToString::to_string));
        Ok(task)
    }

    /// The default resource profile as listeners are told it. `cores` are those that `spark.executor.cores` says;
    /// memory is in MiB.
    pub(crate) fn default_profile(&self, cores: Option<u32>, memory: u64, off_heap: u64, cpus: u32) -> ListenerEvent {
        let cores = cores.map(|cores| ExecutorResourceRequest::plain("cores", u64::from(cores)));
        let sizes = [("memory", memory), ("offHeap", off_heap)];
        let sizes = sizes.map(|(name, amount)| ExecutorResourceRequest::plain(name, amount));
        let custom = self.executor.iter().map(|resource| ExecutorResourceRequest {
            name: resource.name.clone(),
            amount: u64::from(resource.amount),
            discovery_script: resource.discovery_script.clone(),
            vendor: resource.vendor.clone(),
        });
        ListenerEvent::ResourceProfileAdded {
            id: ResourceProfileId(0),
            executor_resources: cores.into_iter().chain(sizes).chain(custom).collect(),
            task_resources: self.of_tasks(cpus),
        }
    }

    /// What a task of the default profile takes, by name: its cores as `cpus`, and custom resources.
    pub(crate) fn of_tasks(&self, cpus: u32) -> Vec<(String, f64)> {
        [("cpus".to_owned(), f64::from(cpus))].into_iter().chain(self.task.iter().cloned()).collect()
    }

    /// What is known ahead of what executors can give to tasks of other profiles.
    pub(crate) fn profile_limits(&self, conf: &SparkConf, task_cpus: NonZeroU32) -> Result<ProfileLimits, SparkError> {
        Ok(ProfileLimits {
            cores: conf.get(&keys::EXECUTOR_CORES)?,
            resources: self.executor.iter().map(|resource| (resource.name.clone(), resource.amount)).collect(),
            task_cpus,
            merge_conflicts: conf.get(&keys::SCHEDULER_RESOURCE_PROFILE_MERGE_CONFLICTS)?,
        })
    }

    /// Runs the discovery scripts of the driver's resources.
    pub(crate) fn discover_for_driver(&self) -> Result<Vec<ResourceInformation>, SparkError> {
        discover(&self.driver, &keys::DRIVER_RESOURCE)
    }

    /// What each executor must have.
    pub(crate) fn of_executors(&self) -> impl Iterator<Item = (&str, u64)> {
        self.executor.iter().map(|resource| (resource.name.as_str(), u64::from(resource.amount)))
    }

    /// Runs the discovery scripts of an executor's resources, in the executor.
    pub(crate) fn discover_for_executor(&self) -> Result<Vec<ResourceInformation>, SparkError> {
        discover(&self.executor, &keys::EXECUTOR_RESOURCE)
    }
}

fn discover(resources: &[Resource], family: &'static KeyPrefix) -> Result<Vec<ResourceInformation>, SparkError> {
    let found = resources.iter().map(|resource| {
        let script = Some(&resource.discovery_script).filter(|script| !script.is_empty());
        let to_discover = ResourceToDiscover {
            name: resource.name.clone(),
            amount: resource.amount,
            discovery_script: script.map(PathBuf::from),
            configured_at: format!("{}{}", family.prefix, resource.name),
        };
        discover_resource(&to_discover, DISCOVERY_TIME_OUT).map_err(|error| refused(chain(&error)))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<CustomResources, String> {
        CustomResources::of(&settings.iter().copied().collect()).map_err(|error| error.to_string())
    }

    fn requirements(settings: &[(&str, &str)], master: &str, cores: u32) -> Result<TaskRequirements, String> {
        let mut resources = read(settings)?;
        let requirements = resources.task_requirements(NonZeroU32::MIN, &master.parse().unwrap(), cores);
        requirements.map_err(|error| error.to_string())
    }

    const CLUSTER: &str = "local-cluster[1,4,1024]";

    #[test]
    fn amounts_become_what_tasks_take() {
        let settings = [
            ("spark.executor.resource.gpu.amount", "2"),
            ("spark.executor.resource.fpga.amount", "4"),
            ("spark.task.resource.gpu.amount", "0.5"),
            ("spark.task.resource.fpga.amount", "1"),
            ("spark.task.resource.tpu.amount", "0"),
        ];
        let task = requirements(&settings, CLUSTER, 4).unwrap();
        let amounts: Vec<_> = task.resources.iter().map(|request| (request.name.as_str(), request.amount)).collect();
        let half = TaskResourceAmount::from_number(0.5).unwrap();
        let expected = [("fpga", TaskResourceAmount::Addresses(NonZeroU32::MIN)), ("gpu", half)];
        assert_eq!(amounts, expected);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_key() {
        let cases: [(&[(&str, &str)], &str); 9] = [
            (&[("spark.task.resource.gpu.amount", "0.6")], "spark.task.resource.gpu.amount: the amount 0.6"),
            (&[("spark.task.resource.gpu.amount", "1.5")], "a fraction of 1"),
            (&[("spark.task.resource.gpu.amount", "-1")], "spark.task.resource.gpu.amount: the amount -1"),
            (&[("spark.task.resource.gpu.amount", "many")], "must be a number, not \"many\""),
            (&[("spark.executor.resource.gpu.amount", "1.5")], "must be a whole number of at least 0, not \"1.5\""),
            (&[("spark.executor.resource.gpu.discoveryScript", "x")], "set spark.executor.resource.gpu.amount"),
            (&[("spark.driver.resource.gpu", "1")], "the amount is spark.driver.resource.gpu.amount"),
            (&[("spark.task.resource.gpu.amount", "1")], "set spark.executor.resource.gpu.amount"),
            (
                &[("spark.task.resource.gpu.amount", "2"), ("spark.executor.resource.gpu.amount", "1")],
                "less than the 2 that one task takes",
            ),
        ];
        for (settings, expected) in cases {
            let error = requirements(settings, CLUSTER, 4).unwrap_err();
            assert!(error.contains(expected), "{settings:?}: {error}");
        }
    }

    #[test]
    fn local_mode_gives_tasks_no_resources() {
        let settings = [("spark.task.resource.gpu.amount", "1"), ("spark.executor.resource.gpu.amount", "1")];
        let error = requirements(&settings, "local[4]", 4).unwrap_err();
        assert!(error.contains("spark.task.resource.gpu.amount") && error.contains("local-cluster"), "{error}");
        assert!(requirements(&[("spark.driver.resource.gpu.amount", "1")], "local[4]", 4).is_ok());
    }

    #[test]
    fn what_does_nothing_and_what_is_wasted_is_said() {
        let mut resources = read(&[
            ("spark.executor.resource.gpu.amount", "2"),
            ("spark.executor.resource.gpu.vendor", "nvidia.com"),
            ("spark.executor.resource.gpu.discoveryScripts", "x"),
            ("spark.task.resource.gpu.amount", "1"),
        ])
        .unwrap();
        resources.task_requirements(NonZeroU32::MIN, &CLUSTER.parse().unwrap(), 4).unwrap();
        let [unknown, vendor, waste] = &resources.warnings[..] else { panic!("three: {:?}", resources.warnings) };
        assert!(unknown.starts_with("spark.executor.resource.gpu.discoveryScripts is not a known key"), "{unknown}");
        assert!(vendor.starts_with("spark.executor.resource.gpu.vendor "), "{vendor}");
        assert!(waste.contains("resource gpu allows only 2 at once"), "{waste}");
    }

    #[test]
    fn the_default_profile_says_what_was_asked_for() {
        let resources = read(&[
            ("spark.executor.resource.gpu.amount", "2"),
            ("spark.executor.resource.gpu.discoveryScript", "/opt/gpus.sh"),
            ("spark.task.resource.gpu.amount", "0.3"),
        ])
        .unwrap();
        let gpu = ExecutorResourceRequest {
            name: "gpu".to_owned(),
            amount: 2,
            discovery_script: "/opt/gpus.sh".to_owned(),
            vendor: String::new(),
        };
        let plain = ExecutorResourceRequest::plain;
        let expected = ListenerEvent::ResourceProfileAdded {
            id: ResourceProfileId(0),
            executor_resources: vec![plain("cores", 4), plain("memory", 1024), plain("offHeap", 0), gpu],
            task_resources: vec![("cpus".to_owned(), 2.0), ("gpu".to_owned(), 0.3)],
        };
        assert_eq!(resources.default_profile(Some(4), 1024, 0, 2), expected);
    }
}
