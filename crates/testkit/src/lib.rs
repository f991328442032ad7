//! Real servers for tests, and the project's own programs.
//!
//! Tests of what talks to S3 or HDFS talk to a real server. This crate installs it into a cache outside of the repository
//! (`$XDG_CACHE_HOME/firesteel-tests` or `~/.cache/firesteel-tests`), starts it on free loopback ports and ends it with the test.
//! What cannot be installed or started is an error that says why, never a skipped test.
//!
//! ```no_run
//! let moto = firesteel_testkit::Moto::start().unwrap();
//! println!("S3 is at {}", moto.endpoint());
//! ```

#![forbid(unsafe_code)]

mod hdfs;
mod http;
mod install;
mod moto;
mod port;
mod program;
mod pyspark;
mod server_process;
mod zookeeper;

pub use hdfs::Hdfs;
pub use http::{HttpReply, http_request};
pub use install::{InstallError, cache_directory, maven_jars, python_environment};
pub use moto::Moto;
pub use port::free_port;
pub use program::{BuildError, built_binary, clean, link_or_copy};
pub use pyspark::{ipython, pyspark_with_jars, pyspark_without_jars};
pub use server_process::{ServerProcess, StartError};
pub use zookeeper::ZooKeeper;
