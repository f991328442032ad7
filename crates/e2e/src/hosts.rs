//! Executor processes that are started anew before they begin, with launch data that a test has use for.
//!
//! `local-cluster` has one host, as in Spark, so nothing there shows what the scheduler does with hosts: here executors
//! believe to be on several loopback addresses. And an executor keeps its launch data within reach of its tasks, which can
//! start a second process that claims to be the same executor.

use std::{
    env,
    fs::File,
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Command, Output, Stdio},
};

use firesteel_e2e::HOSTS_VARIABLE;
use firesteel_executor_backend::{is_executor, read_launch};
use rustix::fs::{MemfdFlags, memfd_create};

/// The number of the open file that holds the launch data of this executor.
const LAUNCH_FILE_VARIABLE: &str = "FIRESTEEL_E2E_LAUNCH_FILE";

/// In a process that is to be an executor on one of several hosts: starts it anew with the host in its launch data, and
/// returns only if that fails. Elsewhere does nothing.
pub(crate) fn move_executor() -> io::Result<()> {
    let Some(hosts) = env::var(HOSTS_VARIABLE).ok().filter(|_| is_executor()) else { return Ok(()) };
    let hosts: u32 = hosts.parse().map_err(io::Error::other)?;
    let mut launch = read_launch().map_err(io::Error::other)?;
    let number: u32 = launch.executor_id.as_str().parse().map_err(io::Error::other)?;
    // The driver is on the first address.
    launch.host = format!("127.0.0.{}", 2 + number % hosts);
    let launch = postcard::to_stdvec(&launch).map_err(io::Error::other)?;
    // Stays open in what is started.
    let kept = OwnedFd::from(launch_file(&launch, MemfdFlags::empty())?);
    Err(Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env_remove(HOSTS_VARIABLE)
        .env(LAUNCH_FILE_VARIABLE, kept.as_raw_fd().to_string())
        .stdin(launch_file(&launch, MemfdFlags::CLOEXEC)?)
        .exec())
}

/// In an executor that was started anew: runs another process with the same launch data to its end.
pub(crate) fn run_twin() -> io::Result<Output> {
    let number = env::var(LAUNCH_FILE_VARIABLE).map_err(io::Error::other)?;
    let mut launch = Vec::new();
    // Opened anew, and so read from its beginning.
    File::open(format!("/proc/self/fd/{number}"))?.read_to_end(&mut launch)?;
    Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .stdin(launch_file(&launch, MemfdFlags::CLOEXEC)?)
        .stdout(Stdio::null())
        .output()
}

fn launch_file(launch: &[u8], flags: MemfdFlags) -> io::Result<File> {
    let mut file = File::from(memfd_create("launch", flags)?);
    file.write_all(launch)?;
    file.rewind()?;
    Ok(file)
}
