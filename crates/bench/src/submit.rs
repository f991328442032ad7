//! spark-submit of either engine, and what every run of it is told.

use std::{path::Path, process::Command};

use crate::parameters::Parameters;

/// A line for each task would be what is measured.
pub const QUIET: [&str; 4] = ["--conf", "spark.log.level=WARN", "--conf", "spark.ui.showConsoleProgress=false"];

/// spark-submit of the engine in this `SPARK_HOME`, with the settings of these parameters and none of the user's; the program and its
/// arguments are to follow.
pub fn spark_submit(home: &Path, settings: &Parameters) -> Command {
    let mut command = Command::new(home.join("bin/spark-submit"));
    command.env("SPARK_HOME", home).env("SPARK_LOCAL_IP", "127.0.0.1").env_remove("SPARK_CONF_DIR");
    for (key, value) in settings.settings() {
        command.arg("--conf").arg(format!("{key}={value}"));
    }
    command
}
