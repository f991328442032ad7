//! How `spark-submit` hands the configuration to the application.
//!
//! The launcher becomes the application by `exec`. It leaves the resolved configuration in a memory file whose descriptor
//! the application inherits: values may be secrets, and both the arguments and the environment of a process can be read by
//! others. The contract: the variable `FIRESTEEL_CONF_FD` holds the descriptor's number; the file holds Java properties and
//! is read from its beginning; `FIRESTEEL_MAIN_CLASS` holds the value of `--class` if there was one.

use std::{
    env, io,
    io::Read,
    sync::{Mutex, PoisonError},
};

use crate::{
    ReadDefaultsError, SparkConf, defaults_file_path, inherited_fd,
    properties::{self, ParsePropertiesError},
    read_properties_file_if_there,
};

/// The variable that holds the number of the inherited descriptor.
pub const CONF_FD_VARIABLE: &str = "FIRESTEEL_CONF_FD";

/// The variable that holds the value of `--class`.
pub const MAIN_CLASS_VARIABLE: &str = "FIRESTEEL_MAIN_CLASS";

/// The variable that holds the path of the executable if `spark-submit` has fetched it (SS-81). The application removes the file
/// and its directory at its end.
pub const FETCHED_VARIABLE: &str = "FIRESTEEL_FETCHED_APPLICATION";

/// The configuration could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FromLauncherError {
    /// The variable is there, but not the descriptor.
    #[error(
        "{CONF_FD_VARIABLE} is {number:?}, but this process did not inherit the configuration from spark-submit; unset the variable"
    )]
    NotInherited {
        /// The variable's value.
        number: String,
        /// Why the descriptor could not be taken.
        #[source]
        source: Option<io::Error>,
    },
    /// The memory file could not be read.
    #[error("could not read the configuration that spark-submit left")]
    Read(#[source] io::Error),
    /// The memory file is damaged.
    #[error("could not read the configuration that spark-submit left")]
    Parse(#[source] ParsePropertiesError),
    /// Started without the launcher, and the defaults file cannot be used.
    #[error(transparent)]
    Defaults(#[from] ReadDefaultsError),
}

impl SparkConf {
    /// The name that the launcher gives its memory file.
    pub const LAUNCHER_FILE_NAME: &'static str = inherited_fd::MEMORY_FILE_NAME;

    /// What an application begins with: the configuration that `spark-submit` resolved, if it started this process;
    /// otherwise what `spark-defaults.conf` has, if there is one; otherwise nothing.
    ///
    /// The first call takes the inherited descriptor, closes it, and removes the variable that names it from the
    /// environment; call it before other threads are started. Later calls give the same again.
    pub fn from_launcher() -> Result<Self, FromLauncherError> {
        static FIRST: Mutex<Option<SparkConf>> = Mutex::new(None);
        let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(conf) = &*first {
            return Ok(conf.clone());
        }
        let conf = match env::var(CONF_FD_VARIABLE) {
            Ok(number) => {
                inherited_fd::remove_variable(CONF_FD_VARIABLE);
                inherited(number)?
            }
            Err(_) => from_defaults_file()?,
        };
        Ok(first.insert(conf).clone())
    }

    /// Has `spark-submit` handed over a configuration that nobody has taken by [`SparkConf::from_launcher`]? All that it was
    /// told would be lost.
    pub fn is_left_by_launcher() -> bool {
        env::var_os(CONF_FD_VARIABLE).is_some()
    }

    /// The text that the launcher leaves for [`SparkConf::from_launcher`].
    pub fn to_launcher_text(&self) -> String {
        properties::format(self.get_all())
    }
}

fn inherited(number: String) -> Result<SparkConf, FromLauncherError> {
    let Ok(descriptor) = number.parse() else {
        return Err(FromLauncherError::NotInherited { number, source: None });
    };
    let mut file = inherited_fd::take(descriptor)
        .map_err(|error| FromLauncherError::NotInherited { number, source: Some(error) })?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(FromLauncherError::Read)?;
    let settings = properties::parse_untrimmed(&text).map_err(FromLauncherError::Parse)?;
    let mut conf: SparkConf = settings.into_iter().collect();
    // The launcher has warned about these.
    conf.handed_over = conf.get_all().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Ok(conf)
}

fn from_defaults_file() -> Result<SparkConf, FromLauncherError> {
    let path = defaults_file_path(env::var_os("SPARK_CONF_DIR"), env::var_os("SPARK_HOME"));
    let settings = path.map(|path| read_properties_file_if_there(&path)).transpose()?.unwrap_or_default();
    Ok(settings.into_iter().filter(|(key, _)| key.starts_with("spark.")).collect())
}
