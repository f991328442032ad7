//! Why a daemon does not start.

use firesteel_conf::{ClusterSecretError, ConfError, ReadDefaultsError};

/// Why a daemon does not start. The message is for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The command line; the usage follows.
    #[error("{0}")]
    Usage(String),
    /// A setting.
    #[error("{0}")]
    Setting(String),
    /// A key of the configuration.
    #[error(transparent)]
    Conf(#[from] ConfError),
    /// A properties file.
    #[error(transparent)]
    Properties(#[from] ReadDefaultsError),
    /// The cluster's secret.
    #[error(transparent)]
    Secret(#[from] ClusterSecretError),
    /// The daemon itself.
    #[error("{0}")]
    Start(String),
}
