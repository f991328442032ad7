//! Cluster managers by master URL (RT-03): Spark's `ExternalClusterManager`.
//!
//! `local[N]` has no manager, as it has no executor processes. Every other master is looked for among the managers that are
//! registered, `local-cluster` like those that an application brings along. Spark finds them by Java's service loader; a
//! program of Rust says so before it makes its context.

use std::{path::PathBuf, sync::Arc};

use firesteel_conf::SparkConf;
use firesteel_messages::Executable;
use firesteel_model::{ApplicationId, url_without_secrets};
use firesteel_scheduler_backend::ClusterManager;
use parking_lot::Mutex;

use crate::{error::SparkError, local_cluster::LocalCluster, standalone::Standalone};

/// Makes the cluster manager of the masters that it knows. See [`register_cluster_manager`].
pub trait ExternalClusterManager: Send + Sync + 'static {
    /// Is this master one of its own?
    fn can_create(&self, master_url: &str) -> bool;

    /// What executors there will be, or why there can be none. Called first, when nothing is started yet.
    ///
    /// # Errors
    ///
    /// Why the application cannot start; shown to the user as it is.
    fn layout(&self, master_url: &str, conf: &SparkConf) -> Result<ClusterLayout, String>;

    /// The manager of one application. Nothing runs before its `start`.
    ///
    /// # Errors
    ///
    /// As of [`Self::layout`].
    fn create(&self, request: ClusterRequest) -> Result<Arc<dyn ClusterManager>, String>;

    /// What messages call it.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// What executors there will be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterLayout {
    /// How many there will be in the end.
    pub executors: u32,
    /// How many cores they will have together, shared among them as evenly as can be.
    pub cores: u32,
    /// The name or address of the driver's host as executors see it, unless `spark.driver.host` says it.
    pub driver_host: String,
    /// The application's id and when it was given, in milliseconds since the Unix epoch, if the manager gives ids.
    pub application: Option<(ApplicationId, i64)>,
}

/// What a cluster manager knows of the application. Executors are processes of the application's own binary.
#[derive(Clone, Debug)]
pub struct ClusterRequest {
    /// The master URL.
    pub master_url: String,
    /// As [`ExternalClusterManager::layout`] gave it.
    pub layout: ClusterLayout,
    /// The application.
    pub application_id: ApplicationId,
    /// The program that executors must run. Where another machine has no such file, the driver's data plane serves it.
    pub executable: Executable,
    /// Its configuration, which executors must get.
    pub conf: Vec<(String, String)>,
    /// `spark.executorEnv.NAME`: what executors find in their environment.
    pub environment: Vec<(String, String)>,
    /// Scratch space on the driver's machine, removed with the application.
    pub scratch: PathBuf,
    /// All that the driver has of it. Executors that the driver's own machine runs should remove it when the driver was killed.
    pub driver_directories: Vec<PathBuf>,
    /// Where what executors print may be kept on the driver's machine.
    pub logs: PathBuf,
}

static REGISTERED: Mutex<Vec<Arc<dyn ExternalClusterManager>>> = Mutex::new(Vec::new());

/// Lets masters be used that this manager can create. Contexts that are made from here on ask it. `spark-submit` knows
/// nothing of it and takes Spark's own masters only; a program sets `spark.master` to such a one itself.
///
/// ```
/// use std::sync::Arc;
///
/// use firesteel::{
///     ClusterLayout, ClusterManager, ClusterRequest, ExternalClusterManager, SparkConf, SparkContext,
///     register_cluster_manager,
/// };
///
/// struct Rack;
///
/// impl ExternalClusterManager for Rack {
///     fn can_create(&self, master_url: &str) -> bool {
///         master_url.starts_with("rack://")
///     }
///
///     fn layout(&self, master_url: &str, _conf: &SparkConf) -> Result<ClusterLayout, String> {
///         Err(format!("{master_url} has no free machine"))
///     }
///
///     fn create(&self, _request: ClusterRequest) -> Result<Arc<dyn ClusterManager>, String> {
///         unreachable!("there is no room for any executor")
///     }
/// }
///
/// register_cluster_manager(Rack);
/// let mut conf = SparkConf::new();
/// conf.set("spark.master", "rack://7").set("spark.app.name", "nowhere to run");
/// let error = SparkContext::new(&conf).err().expect("the application does not start");
/// assert!(error.to_string().contains("rack://7 has no free machine"));
/// ```
pub fn register_cluster_manager(manager: impl ExternalClusterManager) {
    REGISTERED.lock().push(Arc::new(manager));
}

/// The manager that takes the master; none if nobody does.
///
/// # Errors
///
/// [`SparkError::Configuration`] if more than one does.
pub(crate) fn claimant(master_url: &str) -> Result<Option<Arc<dyn ExternalClusterManager>>, SparkError> {
    let built_in: [Arc<dyn ExternalClusterManager>; 2] = [Arc::new(LocalCluster), Arc::new(Standalone)];
    let registered = REGISTERED.lock().clone();
    let mut claimants: Vec<_> =
        built_in.into_iter().chain(registered).filter(|manager| manager.can_create(master_url)).collect();
    if claimants.len() > 1 {
        let names: Vec<&str> = claimants.iter().map(|manager| manager.name()).collect();
        return Err(SparkError::Configuration(format!(
            "Multiple external cluster managers registered for the url {}: {}",
            url_without_secrets(master_url),
            names.join(", ")
        )));
    }
    Ok(claimants.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Claimant;

    impl ExternalClusterManager for Claimant {
        fn can_create(&self, master_url: &str) -> bool {
            master_url.starts_with("claimed-twice://")
        }

        fn layout(&self, _master_url: &str, _conf: &SparkConf) -> Result<ClusterLayout, String> {
            Err("nothing starts here".to_owned())
        }

        fn create(&self, _request: ClusterRequest) -> Result<Arc<dyn ClusterManager>, String> {
            unreachable!("there is no layout")
        }

        fn name(&self) -> &'static str {
            "Claimant"
        }
    }

    #[test]
    fn who_claims_a_master_too_is_told_without_its_password() {
        register_cluster_manager(Claimant);
        register_cluster_manager(Claimant);
        let refused = claimant("claimed-twice://me:word@host/").err().unwrap().to_string();
        assert!(refused.contains("for the url claimed-twice://host/: Claimant, Claimant"), "{refused}");
    }
}
