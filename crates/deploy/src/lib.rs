//! The commands of a standalone cluster: what `spark-class` runs for the class names of Spark's `Master` and `Worker` (SA-01, SA-02),
//! and what submits drivers to them, asks for them, ends them, and becomes them (SA-71, SA-72).
//!
//! A setting comes from an option, else from the environment (`spark-env.sh` has been read by then), else from the properties: the
//! defaults file, `--properties-file`, and `-Dkey=value` words in `SPARK_DAEMON_JAVA_OPTS` and `SPARK_MASTER_OPTS`. Daemons run in the
//! foreground until they get SIGTERM or SIGINT; the scripts in `sbin/` put them into the background.

#![forbid(unsafe_code)]

mod client;
mod daemon;
mod driver_wrapper;
mod master;
mod masters;
mod properties;
mod recovery;
mod refusal;
mod secret;
mod submissions;
mod web_ui;
mod words;
mod worker;

pub use client::{SubmitWords, run as client};
pub use driver_wrapper::run as driver_wrapper;
pub use master::run as master;
pub use submissions::{kill, status, submit};
pub use worker::run as worker;

use firesteel_conf::spark_env::Environment;
