//! The configuration: every `spark.*` key once, and the places that values come from.
//!
//! [`keys`] declares each key beside its type, unit, default, check, documentation and the Spark release that brought it;
//! [`SparkConf`] holds what was set and reads it typed; [`manual`] prints the table of keys that the documentation has.
//! Around them: the `spark-defaults.conf` syntax ([`properties`]), `spark-env.sh` ([`spark_env`]), master URLs
//! ([`MasterUrl`]), the places of an application's files ([`Artifact`]), redaction ([`Redactor`]), and the warnings about
//! keys that do nothing ([`SparkConf::review`]).
//!
//! What does not belong here: deciding anything from the values. Each subsystem declares an options struct of its own with
//! real types, which is filled from here once.
//!
//! ```
//! use firesteel_conf::{SparkConf, keys};
//!
//! let mut conf = SparkConf::new();
//! conf.set("spark.task.maxFailures", "8");
//! assert_eq!(conf.get(&keys::TASK_MAX_FAILURES)?, 8);
//! assert_eq!(conf.get(&keys::LOCALITY_WAIT_NODE)?, std::time::Duration::from_secs(3));
//! # Ok::<(), firesteel_conf::ConfError>(())
//! ```

#![deny(unsafe_code)]

mod account;
mod artifact;
mod bounded_file;
mod check;
mod cluster_manager;
mod cluster_secret;
mod conf_error;
mod defaults_file;
mod deprecated;
pub mod hadoop;
mod inherited_fd;
mod key;
pub mod keys;
mod known;
mod launcher;
mod local_dirs;
pub mod manual;
mod master_url;
mod nearest;
pub mod properties;
mod quantity;
mod redaction;
mod review;
mod secret;
mod spark_conf;
pub mod spark_env;
mod substitution;
mod value;

/// The release of Spark whose interfaces are spoken: what is told to those who ask for Spark's version.
pub const SPARK_VERSION: &str = "4.3.0";

pub use account::account_name;
pub use artifact::{Artifact, ArtifactLocation, ParseArtifactError};
pub use bounded_file::{read_bounded, read_bounded_file};
pub use check::ConfConflict;
pub use cluster_manager::{ClusterManager, Managers};
pub use cluster_secret::{ClusterSecretError, create_cluster_secret};
pub use conf_error::ConfError;
pub use defaults_file::{
    ReadDefaultsError, conf_directory, defaults_file_path, read_properties_file, read_properties_file_if_there,
};
pub use key::{AnyKey, DefaultValue, Key, KeyPrefix, Section, Unit};
pub use launcher::{CONF_FD_VARIABLE, FETCHED_VARIABLE, FromLauncherError, MAIN_CLASS_VARIABLE};
pub use master_url::{DeployMode, HostPort, MasterUrl, ParseMasterUrlError, WorkerThreads};
pub use nearest::nearest;
pub use redaction::{REDACTED, Redactor};
pub use review::{ConfWarning, listed};
pub use secret::{AUTH_SECRET_VARIABLE, ReadSecretError, Secret, SecretSide};
pub use spark_conf::SparkConf;
pub use value::{CompressionCodec, ConfValue, LogLevel, SchedulingMode, Timeout};
