//! The binary `firesteel`, which the scripts in `bin/` run.
//!
//! ```text
//! firesteel spark-submit [options] APPLICATION [arguments]
//! firesteel run-example [options] EXAMPLE [arguments]
//! firesteel pyspark [options]
//! firesteel spark-class CLASS [arguments]
//! firesteel doctor [MASTER-URL]
//! firesteel internal docs [DIRECTORY]
//! ```
//!
//! It must start in a few milliseconds: no runtime, no threads, and nothing is compiled or read that the command at hand
//! does not need.

#![forbid(unsafe_code)]
#![deny(clippy::print_stderr, reason = "it panics where standard error cannot be written")]

mod documents;
mod download;
mod pyspark;
mod spark_class;
mod spark_home;
mod submit;

use std::{env, ffi::OsString, process::ExitCode};

use firesteel_console::say;
use firesteel_submit::Launcher;

const USAGE: &str = "Usage: firesteel spark-submit|run-example|pyspark|spark-class|doctor [arguments]";

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let command = words.next();
    let arguments: Vec<OsString> = words.collect();
    let code = match command.as_deref().and_then(|command| command.to_str()) {
        Some("spark-submit") => submit::run(Launcher::SparkSubmit, &arguments),
        Some("run-example") => submit::run(Launcher::RunExample, &arguments),
        Some("pyspark") => pyspark::run(&arguments),
        Some("spark-class") => spark_class::run(&arguments),
        Some("doctor") => spark_class::doctor(&arguments),
        Some("internal") => documents::run(&arguments),
        Some("--version") => submit::print_version(),
        Some("--help" | "-h") => {
            say(USAGE);
            0
        }
        _ => {
            say(USAGE);
            1
        }
    };
    ExitCode::from(code)
}
