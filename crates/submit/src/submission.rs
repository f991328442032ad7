//! A submission: everything that the command line, the environment and the files decided.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt::{self, Write},
};

use firesteel_conf::{ClusterManager, DeployMode, MasterUrl, SparkConf, nearest, spark_env::Environment};
use firesteel_model::hide_secrets_of_urls;

use crate::{PrimaryResource, Refusal};

/// What is to be run, where, and with what configuration.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The cluster manager.
    pub master: MasterUrl,
    /// Where the driver runs.
    pub deploy_mode: DeployMode,
    /// The application.
    pub resource: PrimaryResource,
    /// `--class`, or the example's class.
    pub main_class: Option<String>,
    /// The application's own arguments.
    pub application_arguments: Vec<OsString>,
    /// The configuration, with `spark.master`, `spark.submit.deployMode`, `spark.app.name` and `spark.app.submitTime`.
    pub conf: SparkConf,
    /// Where each key of the configuration came from.
    pub origins: BTreeMap<String, Origin>,
    /// `--proxy-user`
    pub proxy_user: Option<String>,
    /// Lines for the user: what does nothing, what has a new name.
    pub warnings: Vec<String>,
    /// `--verbose`
    pub verbose: bool,
}

/// Where a value came from, weakest first (SS-70).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// This environment variable.
    Environment(&'static str),
    /// The properties file.
    PropertiesFile,
    /// `--conf`
    Conf,
    /// This option.
    Option(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::PropertiesFile => f.write_str("properties file"),
            Self::Conf => f.write_str("--conf"),
            Self::Option(option) => f.write_str(option),
        }
    }
}

impl Submission {
    /// Refuses an application for YARN whose cluster cannot be found (SS-49), with a hint at near misses (DX-22).
    ///
    /// # Errors
    ///
    /// [`Refusal::NoHadoopConf`]
    pub fn require_hadoop_conf(&self, environment: &Environment) -> Result<(), Refusal> {
        const VARIABLES: [&str; 2] = ["HADOOP_CONF_DIR", "YARN_CONF_DIR"];
        let is_set = |name| environment.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
        if self.master.manager() != ClusterManager::Yarn || VARIABLES.into_iter().any(is_set) {
            return Ok(());
        }
        let near = environment.keys().find_map(|name| Some((name.to_str()?, nearest(name.to_str()?, VARIABLES)?)));
        let hint = near.map(|(name, meant)| format!("; {name} is set, was {meant} meant?")).unwrap_or_default();
        Err(Refusal::NoHadoopConf { hint })
    }

    /// What `--verbose` prints, without secrets (SS-06).
    pub fn describe(&self) -> String {
        let redactor = self.conf.redactor().unwrap_or_else(|_| firesteel_conf::Redactor::standard());
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:24}{value}");
        };
        line("master", &self.master.redacted());
        line("deploy mode", &self.deploy_mode.to_string());
        line("application", &hide_secrets_of_urls(self.resource.text()));
        line("main class", self.main_class.as_deref().unwrap_or("none"));
        if let Some(user) = &self.proxy_user {
            line("proxy user", user);
        }
        let _ = writeln!(text, "arguments:");
        for argument in &self.application_arguments {
            let argument = argument.to_string_lossy();
            let _ = writeln!(text, "  {}", redactor.redact("", &argument));
        }
        let _ = writeln!(text, "configuration:");
        for (key, value) in self.conf.get_all() {
            let value = if key == "spark.master" { self.master.redacted() } else { value.to_owned() };
            let origin = self.origins.get(key).copied().unwrap_or(Origin::Default);
            let _ = writeln!(text, "  {key}={} ({origin})", redactor.redact(key, &value));
        }
        text
    }
}
