//! `spark-class`: the class names that users and scripts type, as commands of ours (SA-03).

use std::ffi::OsString;

use firesteel_conf::{nearest, spark_env::Environment};
use firesteel_console::say;
use firesteel_submit::Launcher;

use crate::{download::download, submit};

const SUBMIT: &str = "org.apache.spark.deploy.SparkSubmit";
const MASTER: &str = "org.apache.spark.deploy.master.Master";
const WORKER: &str = "org.apache.spark.deploy.worker.Worker";
const CLIENT: &str = "org.apache.spark.deploy.Client";
const DRIVER_WRAPPER: &str = "org.apache.spark.deploy.worker.DriverWrapper";

/// The driver of Python programs. It needs what `spark-submit` resolves.
const PYTHON_GATEWAY_SERVER: &str = "org.apache.spark.api.python.PythonGatewayServer";

/// The beginning of the names of the bundled examples' classes, and of all of Spark's.
const EXAMPLES: &str = "org.apache.spark.examples.";
const SPARKS: &str = "org.apache.spark.";

/// Spark's daemons and tools that are not built in yet, and what they are called.
const NOT_BUILT_IN: [(&str, &str); 10] = [
    ("org.apache.spark.deploy.history.HistoryServer", "the history server"),
    ("org.apache.spark.deploy.ExternalShuffleService", "the external shuffle service"),
    ("org.apache.spark.deploy.mesos.MesosClusterDispatcher", "the Mesos dispatcher"),
    ("org.apache.spark.deploy.mesos.MesosExternalShuffleService", "the Mesos shuffle service"),
    ("org.apache.spark.executor.CoarseGrainedExecutorBackend", "the executor"),
    ("org.apache.spark.executor.MesosExecutorBackend", "the Mesos executor"),
    ("org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "the Thrift server"),
    ("org.apache.spark.sql.connect.service.SparkConnectServer", "the Connect server"),
    ("org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver", "the SQL shell"),
    ("org.apache.spark.repl.Main", "the Spark shell"),
];

/// No class of Spark's, but a name that is easy to remember.
const DOCTOR: &str = "doctor";

/// Looks for what would keep a cluster from working (AS-38); the result is the exit code.
pub fn doctor(words: &[OsString]) -> u8 {
    match submit::load_spark_env() {
        Ok(environment) => firesteel_doctor::run(words, &environment),
        Err(error) => submit::refuse_any(&error),
    }
}

/// Runs what the class name stands for; the result is the exit code.
pub fn run(words: &[OsString]) -> u8 {
    let Some((class, arguments)) = words.split_first() else {
        say(format_args!("Usage: spark-class CLASS [arguments], such as spark-class {SUBMIT} --help"));
        return 1;
    };
    let class = class.to_string_lossy();
    if class == SUBMIT {
        return submit::run(Launcher::SparkSubmit, arguments);
    }
    if class == DOCTOR {
        return doctor(arguments);
    }
    let daemon = match &*class {
        MASTER => Some(firesteel_deploy::master as fn(&[OsString], &Environment) -> u8),
        WORKER => Some(firesteel_deploy::worker as _),
        CLIENT => Some(client as _),
        DRIVER_WRAPPER => Some(driver_wrapper as _),
        _ => None,
    };
    if let Some(daemon) = daemon {
        return match submit::load_spark_env() {
            Ok(environment) => daemon(arguments, &environment),
            Err(error) => submit::refuse_any(&error),
        };
    }
    if class.starts_with(EXAMPLES) {
        return submit::run(Launcher::RunExample, words);
    }
    if class == PYTHON_GATEWAY_SERVER {
        say(format_args!(
            "Error: {class} is not started by its name: spark-submit starts it, for a Python program and for pyspark-shell"
        ));
        return 1;
    }
    if let Some((_, what)) = NOT_BUILT_IN.iter().find(|(name, _)| *name == class) {
        say(format_args!("Error: {what} ({class}) is not built in yet"));
        return 1;
    }
    let known =
        NOT_BUILT_IN.iter().map(|(name, _)| *name).chain([SUBMIT, MASTER, WORKER, CLIENT, PYTHON_GATEWAY_SERVER]);
    let hint = nearest(&class, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    if class.starts_with(SPARKS) && hint.is_empty() {
        say(format_args!(
            "Error: {class} is not built in yet; applications are started by spark-submit, examples by run-example"
        ));
        return 1;
    }
    say(format_args!("Error: {class} is not a class that spark-class knows, and JVM classes cannot run here{hint}"));
    1
}

fn client(words: &[OsString], environment: &Environment) -> u8 {
    firesteel_deploy::client(words, environment, &|words| submit::run(Launcher::SparkSubmit, words))
}

fn driver_wrapper(words: &[OsString], environment: &Environment) -> u8 {
    firesteel_deploy::driver_wrapper(words, environment, &download)
}
