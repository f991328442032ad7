//! `spark-submit script.py`: the program is a child process.

use std::{env, error::Error, os::unix::process::ExitStatusExt, path::Path, process};

use firesteel::SparkConf;
use firesteel_conf::Artifact;

use crate::{child, gateway};

/// The program could not be run.
#[derive(Debug, thiserror::Error)]
enum RunnerError {
    #[error("there is no Python program to run")]
    NoProgram,
    #[error("could not start a process for the Python program")]
    Child(#[source] std::io::Error),
}

/// Runs the program that the first argument names, with the other arguments, and ends with its exit code.
pub(crate) fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let conf = SparkConf::from_launcher()?;
    let (program, arguments) = arguments.split_first().ok_or(RunnerError::NoProgram)?;
    let python = interpreter(&conf, |name| env::var(name).ok());
    let mut command = child::command(&python)?;
    command.arg(program).args(arguments);
    if let Some(worker_python) = conf.get_raw("spark.pyspark.python") {
        command.env("PYSPARK_PYTHON", worker_python);
    }
    if let Some(path) = python_path(conf.get_raw("spark.submit.pyFiles"), env::var("PYTHONPATH").ok().as_deref()) {
        command.env("PYTHONPATH", path);
    }
    let address = gateway::serve(conf)?;
    command
        .env("PYSPARK_GATEWAY_PORT", address.port.to_string())
        .env("PYSPARK_GATEWAY_SECRET", address.secret.as_str())
        .env("PYTHONUNBUFFERED", "YES");
    if env::var_os("PYTHONHASHSEED").is_none() {
        // Keys must have the same hash in the program and in all workers.
        command.env("PYTHONHASHSEED", "0");
    }
    // A terminal tells both processes, and it is for the program to say what becomes of it.
    firesteel::leave_interrupts();
    let status = command.status().map_err(RunnerError::Child)?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => process::exit(code),
        (None, signal) => process::exit(128 + signal.unwrap_or_default()),
    }
}

/// The interpreter of the program, by Spark's precedence.
fn interpreter(conf: &SparkConf, variable: impl Fn(&str) -> Option<String>) -> String {
    let of_conf = ["spark.pyspark.driver.python", "spark.pyspark.python"].into_iter().find_map(|key| conf.get_raw(key));
    let of_environment = || ["PYSPARK_DRIVER_PYTHON", "PYSPARK_PYTHON"].into_iter().find_map(variable);
    of_conf.map(str::to_owned).or_else(of_environment).unwrap_or_else(|| "python3".to_owned())
}

/// Where the program finds modules: in the files that were submitted with it, then where it would have looked anyway.
fn python_path(files: Option<&str>, inherited: Option<&str>) -> Option<String> {
    let files = files.unwrap_or_default().split(',').map(str::trim).filter(|file| !file.is_empty());
    let places = files.map(|file| {
        let artifact = file.parse::<Artifact>().ok();
        let path = artifact.as_ref().and_then(Artifact::path).unwrap_or_else(|| Path::new(file));
        // A module is found in its directory, an archive is itself one.
        let is_module = path.extension().is_some_and(|extension| extension == "py");
        path.parent().filter(|_| is_module).unwrap_or(path).to_string_lossy().into_owned()
    });
    let mut places: Vec<String> = places.collect();
    if places.is_empty() {
        return None;
    }
    places.extend(inherited.filter(|path| !path.is_empty()).map(str::to_owned));
    Some(places.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_is_chosen_as_spark_does() {
        let mut conf = SparkConf::new();
        let none = |_: &str| None;
        let both = |name: &str| Some(name.to_lowercase());
        let workers = |name: &str| (name == "PYSPARK_PYTHON").then(|| "worker".to_owned());
        assert_eq!(interpreter(&conf, none), "python3");
        assert_eq!(interpreter(&conf, workers), "worker");
        assert_eq!(interpreter(&conf, both), "pyspark_driver_python");
        conf.set("spark.pyspark.python", "a");
        assert_eq!(interpreter(&conf, both), "a");
        conf.set("spark.pyspark.driver.python", "b");
        assert_eq!(interpreter(&conf, both), "b");
    }

    #[test]
    fn submitted_modules_come_first() {
        assert_eq!(python_path(None, Some("/x")), None);
        assert_eq!(python_path(Some(" "), None), None);
        let files = "/a/m.py,file:///b/n.zip,file:/c%20d/o.egg";
        assert_eq!(python_path(Some(files), Some("/x")).unwrap(), "/a:/b/n.zip:/c d/o.egg:/x");
        assert_eq!(python_path(Some("/a/m.py"), None).unwrap(), "/a");
    }
}
