//! Resource profiles: what the tasks of a stage take, said for a data set in place of the configuration (SC-08).
//!
//! Spark's profiles also say what executors must have, which needs executors that come when they are wanted. No master that is
//! built in has those, so what is here asks for tasks only: Spark's `TaskResourceProfile`.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use firesteel_model::ResourceProfileId;

use crate::{data::Data, error::SparkError, rdd::Rdd};

/// The request that is for cores; all others are for custom resources.
pub(crate) const CPUS: &str = "cpus";

/// The default profile is 0. They are numbered through all contexts of a process, as a profile belongs to none.
static NEXT_ID: AtomicU32 = AtomicU32::new(1);

/// So much of one resource for each task.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskResourceRequest {
    /// `cpus`, or the name of a custom resource.
    pub resource_name: String,
    /// How much: a whole number, or of a custom resource a fraction of one address.
    pub amount: f64,
}

/// What each task takes, by resource: Spark's `TaskResourceRequests`. Of several requests for a resource the last one counts.
///
/// ```
/// use firesteel::TaskResourceRequests;
/// let requests = TaskResourceRequests::new().cpus(2.0).resource("gpu", 0.5).cpus(3.0);
/// let amounts: Vec<_> = requests.requests().iter().map(|it| (it.resource_name.as_str(), it.amount)).collect();
/// assert_eq!(amounts, [("cpus", 3.0), ("gpu", 0.5)]);
/// ```
#[derive(Clone, PartialEq, Default, Debug)]
pub struct TaskResourceRequests {
    /// In the order of first mention.
    requests: Vec<TaskResourceRequest>,
}

impl TaskResourceRequests {
    /// None yet: tasks take `spark.task.cpus` cores and no custom resource.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many cores, in place of `spark.task.cpus`.
    #[must_use]
    pub fn cpus(self, amount: f64) -> Self {
        self.resource(CPUS, amount)
    }

    /// So much of a custom resource, which executors have by `spark.executor.resource.NAME.amount`: whole addresses, or a
    /// fraction of one that tasks share.
    #[must_use]
    pub fn resource(mut self, resource_name: &str, amount: f64) -> Self {
        match self.requests.iter_mut().find(|request| request.resource_name == resource_name) {
            Some(request) => request.amount = amount,
            None => self.requests.push(TaskResourceRequest { resource_name: resource_name.to_owned(), amount }),
        }
        self
    }

    /// The requests.
    pub fn requests(&self) -> &[TaskResourceRequest] {
        &self.requests
    }
}

/// What tasks of a stage take, for [`Rdd::with_resources`]: Spark's `ResourceProfile` with requests for tasks only. It never
/// changes, and is the same in every context. Two are equal if they are one, as in Spark.
#[derive(Clone)]
pub struct ResourceProfile(Arc<Made>);

struct Made {
    id: ResourceProfileId,
    task: TaskResourceRequests,
}

impl ResourceProfile {
    /// Makes one, with a number of its own.
    ///
    /// # Errors
    ///
    /// [`ResourceProfileError::Amount`] and [`ResourceProfileError::Cpus`].
    ///
    /// ```
    /// use firesteel::{ResourceProfile, TaskResourceRequests};
    /// let profile = ResourceProfile::new(TaskResourceRequests::new().cpus(2.0))?;
    /// assert_eq!(profile.task_resources()[0].amount, 2.0);
    /// assert!(profile.id() > 0, "the default profile is 0");
    /// assert!(ResourceProfile::new(TaskResourceRequests::new().resource("gpu", 1.5)).is_err());
    /// # Ok::<(), firesteel::ResourceProfileError>(())
    /// ```
    pub fn new(task: TaskResourceRequests) -> Result<Self, ResourceProfileError> {
        for TaskResourceRequest { resource_name, amount } in task.requests() {
            if resource_name == CPUS {
                // Spark's bounds; what is below them would round to none.
                if !(1e-9..=f64::from(i32::MAX)).contains(amount) {
                    return Err(ResourceProfileError::Cpus { amount: *amount });
                }
            } else if !(*amount <= 1.0 || amount.fract() == 0.0) {
                return Err(ResourceProfileError::Amount { name: resource_name.clone(), amount: *amount });
            }
        }
        let id = ResourceProfileId(NEXT_ID.fetch_add(1, Ordering::Relaxed));
        Ok(Self(Arc::new(Made { id, task })))
    }

    /// Its number, unique in the process. See [`ResourceProfile::new`].
    pub fn id(&self) -> u32 {
        self.0.id.0
    }

    /// What each task takes. See [`ResourceProfile::new`].
    pub fn task_resources(&self) -> &[TaskResourceRequest] {
        self.0.task.requests()
    }

    pub(crate) fn profile_id(&self) -> ResourceProfileId {
        self.0.id
    }
}

impl PartialEq for ResourceProfile {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl fmt::Debug for ResourceProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceProfile {} {:?}", self.0.id, self.0.task.requests())
    }
}

/// Why there can be no such profile, or a data set cannot have it. Where Spark refuses the same, the words are Spark's.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ResourceProfileError {
    /// The executor of local masters has nothing to give but its cores.
    #[error(
        "TaskResourceProfiles are only supported for Standalone, Yarn and Kubernetes cluster for now when dynamic allocation is disabled."
    )]
    Master,
    /// Not a number of cores.
    #[error("The cpus amount {amount:?} must be at least 1e-9 and at most 2147483647.")]
    Cpus {
        /// What was given.
        amount: f64,
    },
    /// More than one address, and not whole ones.
    #[error("The resource amount {amount:?} must be either <= 1.0, or a whole number.")]
    Amount {
        /// Of which resource.
        name: String,
        /// What was given.
        amount: f64,
    },
    /// An executor has a thread for each core, and not for parts of them.
    #[error(
        "tasks that take {amount} cpus are not built into Firesteel: the cpus of a resource profile must be a whole number"
    )]
    FractionalCpus {
        /// What was given.
        amount: f64,
    },
    /// No executor can ever have as many cores, by `spark.executor.cores`.
    #[error("The number of cores per executor (={cores}) has to be >= the number of cpus per task = {cpus}.")]
    Cores {
        /// What executors have.
        cores: u32,
        /// What a task takes.
        cpus: u32,
    },
    /// No executor can ever have as much of a custom resource.
    #[error(
        "The executor resource: {name}, amount: {has} needs to be >= the task resource request amount of {amount:?}"
    )]
    ExecutorResource {
        /// Which resource.
        name: String,
        /// What executors have.
        has: u32,
        /// What a task takes.
        amount: f64,
    },
    /// Executors have none of these custom resources.
    #[error("No executor resource configs were specified for the following task configs: {}", names.join(","))]
    NoExecutorResource {
        /// Which resources.
        names: Vec<String>,
    },
    /// A stage can only have one profile.
    #[error(
        "Multiple ResourceProfiles specified in the RDDs for this stage, either resolve the conflicting ResourceProfiles yourself or enable spark.scheduler.resource.profileMergeConflicts and understand how Spark handles the merging them."
    )]
    Conflict,
}

impl<T: Data> Rdd<T> {
    /// Has every stage that computes this data set run its tasks with a profile in place of what the configuration says. Data
    /// sets that are computed in the same stage must have the same profile or none, unless
    /// `spark.scheduler.resource.profileMergeConflicts` is set; that is found out by the action. A later call replaces the
    /// profile.
    ///
    /// # Errors
    ///
    /// [`SparkError::ResourceProfile`] if the executors can never serve it; local masters take none.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::{ResourceProfile, ResourceProfileError, SparkError, TaskResourceRequests};
    /// let numbers = spark.range(0, 10, 1, 4);
    /// let wide = ResourceProfile::new(TaskResourceRequests::new().cpus(2.0))?;
    /// // The examples run on a local master.
    /// let refused = numbers.with_resources(&wide).err();
    /// assert!(matches!(refused, Some(SparkError::ResourceProfile(ResourceProfileError::Master))));
    /// assert_eq!(numbers.get_resource_profile(), None);
    /// # Ok::<(), ResourceProfileError>(())
    /// ```
    pub fn with_resources(&self, profile: &ResourceProfile) -> Result<&Self, SparkError> {
        self.context().add_resource_profile(profile)?;
        self.core().set_resource_profile(profile.clone());
        Ok(self)
    }

    /// The profile that it was given by [`Rdd::with_resources`], and not one of what it is computed from.
    pub fn get_resource_profile(&self) -> Option<ResourceProfile> {
        self.core().resource_profile()
    }
}
