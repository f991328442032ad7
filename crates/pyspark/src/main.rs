//! The driver of PySpark programs, and their executors.
//!
//! Unmodified PySpark believes to talk to a Java machine: it holds ids of Java objects and calls their methods through the
//! gateway (`firesteel-py4j`). This program is at the other end.
//!
//! - [`surface`]: the Java classes and their members, one table for each part of Spark; a member is one entry and a function.
//! - [`rdd`]: what stands behind them. To Rust all data sets of Python are one type: frames of bytes, whose contents only Python
//!   knows. A function of Python is a [`PythonFunction`](rdd::PythonFunction), which a task runs in a worker process.
//! - [`hadoop`], [`pickle`]: files of formats that must be looked into, and so Python's elements too.
//! - [`channel`]: the sockets beside the gateway, on which data goes to the program and comes from it.
//!
//! It is an application like any other, built on the crate `firesteel`, so that it runs on whatever cluster manager that has, and
//! executors are processes of this same binary. `spark-submit` becomes it for a `.py` file ([`runner`]: the program is a child
//! process, whose exit code is this one's) and for `pyspark-shell` ([`shell`]: the program is the parent, and has started
//! `spark-submit` itself).

#![deny(unsafe_code)]

mod allocator;
mod application;
mod call_site;
mod channel;
mod child;
mod crowd;
mod driver;
mod error;
mod error_text;
mod gateway;
mod hadoop;
mod modules;
mod pickle;
mod program;
mod rdd;
mod runner;
mod shell;
mod surface;

use std::{env, process::ExitCode};

use firesteel_executor_backend::LAUNCH_VARIABLE;
use firesteel_python_worker::huge_pages;

fn main() -> ExitCode {
    if let Some(code) = child::become_interpreter() {
        return code;
    }
    if env::var_os(LAUNCH_VARIABLE).is_some() {
        // An executor, whose driver may have refused them for its own sake.
        huge_pages::accept();
    }
    firesteel::main(&[
        ("org.apache.spark.deploy.PythonRunner", runner::run),
        ("org.apache.spark.api.python.PythonGatewayServer", shell::run),
    ])
}
