//! The measures of Python: scripts that unmodified PySpark runs on both engines, and Python alone as the limit.
//!
//! One interpreter runs all sides, the programs and the workers of both engines: that of the environment which has Spark.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use firesteel_testkit::pyspark_with_jars;

use crate::{
    data,
    measure::Role,
    parameters::Parameters,
    submit::{QUIET, spark_submit},
};

/// The scripts, and what they share.
const SCRIPTS: [(&str, &str); 8] = [
    ("broadcast.py", include_str!("../python/broadcast.py")),
    ("cached_iterations.py", include_str!("../python/cached_iterations.py")),
    ("collect.py", include_str!("../python/collect.py")),
    ("no_op_tasks.py", include_str!("../python/no_op_tasks.py")),
    ("pi.py", include_str!("../python/pi.py")),
    ("rounds.py", include_str!("../python/rounds.py")),
    ("sort_by_key.py", include_str!("../python/sort_by_key.py")),
    ("word_count.py", include_str!("../python/word_count.py")),
];

/// What would make an interpreter or an engine of the user's own out of ours.
const NOT_INHERITED: [&str; 8] = [
    "PYSPARK_DRIVER_PYTHON",
    "PYSPARK_SUBMIT_ARGS",
    "PYTHONHASHSEED",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "SPARK_CONF_DIR",
    "SPARK_LOCAL_DIRS",
];

/// An environment with PySpark and the Spark that comes with it, and our scripts.
pub struct Python {
    interpreter: PathBuf,
    pyspark: PathBuf,
    scripts: PathBuf,
}

impl Python {
    /// Installs it, and writes the scripts, unless that was done before.
    pub fn install() -> anyhow::Result<Self> {
        let environment = pyspark_with_jars()?;
        let packages = fs::read_dir(environment.join("lib"))?;
        let pyspark = packages
            .filter_map(|entry| Some(entry.ok()?.path().join("site-packages/pyspark")))
            .find(|home| home.join("jars").is_dir())
            .with_context(|| format!("no Spark in {}", environment.display()))?;
        Ok(Self { interpreter: environment.join("bin/python"), pyspark, scripts: write_scripts()? })
    }

    /// The installed package, which is the `SPARK_HOME` of real Spark.
    pub fn pyspark(&self) -> &Path {
        &self.pyspark
    }

    /// One of our scripts.
    pub fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }

    /// A script, run by Python alone; arguments are to follow.
    pub fn plain(&self, script: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command.arg(self.script(script));
        command
    }

    /// spark-submit of an engine, with the settings of these parameters; the program and its arguments are to follow.
    pub fn submit(&self, engine: Role, settings: &Parameters) -> anyhow::Result<Command> {
        let home: PathBuf = match engine {
            Role::Firesteel => {
                env::var_os("SPARK_HOME").context("SPARK_HOME is not set; bench/compare sets it")?.into()
            }
            Role::Spark => self.pyspark.clone(),
            Role::Limit => bail!("the limit has no spark-submit"),
        };
        let mut command = spark_submit(&home, settings);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command.env("PYSPARK_PYTHON", &self.interpreter);
        Ok(command)
    }

    /// A script of ours that does rounds.
    pub fn session(&self, role: Role, script: &str, parameters: &Parameters) -> anyhow::Result<Command> {
        let mut command = match role {
            Role::Limit => {
                let mut command = self.plain(script);
                command.arg("plain");
                command
            }
            Role::Firesteel | Role::Spark => {
                let mut command = self.submit(role, parameters)?;
                command.args(QUIET).arg(self.script(script)).arg("with-data-sets");
                command
            }
        };
        command.args(parameters.words());
        Ok(command)
    }
}

/// Writes the scripts, once per version of their text.
fn write_scripts() -> anyhow::Result<PathBuf> {
    data::once_per_version("python", &SCRIPTS, |directory| {
        SCRIPTS.iter().try_for_each(|(name, text)| Ok(fs::write(directory.join(name), text)?))
    })
}
