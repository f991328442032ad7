//! The commands that start the daemons of a standalone cluster (SA-01, SA-02): what `spark-class` runs for the class names of
//! Spark's `Master` and `Worker`.
//!
//! A setting comes from an option, else from the environment (`spark-env.sh` has been read by then), else from the properties: the
//! defaults file, `--properties-file`, and `-Dkey=value` words in `SPARK_DAEMON_JAVA_OPTS` and `SPARK_MASTER_OPTS`. Daemons run in the
//! foreground until they get SIGTERM or SIGINT; the scripts in `sbin/` put them into the background.

#![forbid(unsafe_code)]

mod daemon;
mod master;
mod properties;
mod recovery;
mod refusal;
mod words;
mod worker;

pub use master::run as master;
pub use worker::run as worker;

use firesteel_conf::spark_env::Environment;
