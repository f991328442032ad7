//! `spark-submit script.py`: the program is a child process.

use std::{env, error::Error, os::unix::process::ExitStatusExt, process};

use firesteel::SparkConf;
use firesteel_conf::{ConfError, MAIN_CLASS_VARIABLE, keys};
use firesteel_executor_backend::LAUNCH_VARIABLE;

use crate::{child, gateway, modules::SubmittedModules, program::ProgramRelease};

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
    let python = interpreter(&conf, |name| env::var(name).ok())?;
    let mut command = child::command(&python)?;
    command.arg(program).args(arguments);
    // A program that starts another application is not this one.
    command.env_remove(MAIN_CLASS_VARIABLE).env_remove(LAUNCH_VARIABLE);
    if let Some(worker_python) = conf.get(&keys::PYSPARK_PYTHON)? {
        command.env("PYSPARK_PYTHON", worker_python);
    }
    let modules = SubmittedModules::place(&conf)?;
    if let Some(path) = modules.python_path(env::var("PYTHONPATH").ok().as_deref()) {
        command.env("PYTHONPATH", path);
    }
    let address = gateway::serve(conf, ProgramRelease::of_child(&python, &command))?;
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
    // Before this process exits, which drops nothing.
    drop(modules);
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => process::exit(code),
        (None, signal) => process::exit(128 + signal.unwrap_or_default()),
    }
}

/// The interpreter of the program, by Spark's precedence.
fn interpreter(conf: &SparkConf, variable: impl Fn(&str) -> Option<String>) -> Result<String, ConfError> {
    let of_conf = conf.get(&keys::PYSPARK_DRIVER_PYTHON)?.or(conf.get(&keys::PYSPARK_PYTHON)?);
    let of_environment = || ["PYSPARK_DRIVER_PYTHON", "PYSPARK_PYTHON"].into_iter().find_map(variable);
    Ok(of_conf.or_else(of_environment).unwrap_or_else(|| "python3".to_owned()))
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
        assert_eq!(interpreter(&conf, none).unwrap(), "python3");
        assert_eq!(interpreter(&conf, workers).unwrap(), "worker");
        assert_eq!(interpreter(&conf, both).unwrap(), "pyspark_driver_python");
        conf.set("spark.pyspark.python", "a");
        assert_eq!(interpreter(&conf, both).unwrap(), "a");
        conf.set("spark.pyspark.driver.python", "b");
        assert_eq!(interpreter(&conf, both).unwrap(), "b");
    }
}
