//! `spark-submit`: from arguments, environment and defaults to what is to be run.
//!
//! Three steps, so that every rule can be tested without a process:
//!
//! 1. [`Arguments::parse`] reads the command line by one table of options, [`options`];
//! 2. [`resolve`] adds environment and properties files and decides: an [`Action`]. Pure: no files, no clock;
//! 3. [`Application::prepare`] looks at the disk (the executable, `--files` and their like) and refuses what cannot run
//!    here; [`Application::launch`] becomes the application. For a driver that a standalone cluster is to run it is
//!    [`ClusterApplication::prepare`], which says what has to be sent there.
//!
//! Everything that is refused is refused before anything is done, with one line that says why; see [`Refusal`].
//!
//! What does not belong here: printing (the program's part), and cluster managers. A [`Submission`] for a manager that is
//! not built in resolves completely; the third step refuses it.

#![forbid(unsafe_code)]

mod application;
mod arguments;
mod artifacts;
mod cluster;
mod elf;
mod launch;
mod manual;
pub mod options;
mod packages;
mod python;
mod refusal;
mod resolve;
mod resource;
mod submission;
mod usage;

pub use application::{Application, Download, Fetched};
pub use arguments::{Arguments, Launcher, Parsed};
pub use cluster::ClusterApplication;
pub use launch::LaunchError;
pub use manual::spark_submit_page;
pub use refusal::Refusal;
pub use resolve::{Action, Defaults, resolve};
pub use resource::PrimaryResource;
pub use submission::{Origin, Submission};
pub use usage::usage;
