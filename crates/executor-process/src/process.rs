//! Starting, telling, signalling, waiting.

use std::{
    ffi::OsStr,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use firesteel_messages::ExecutorLaunch;
use firesteel_model::{ApplicationId, ExecutorId};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use crate::reap::{self, Reaped};

/// Set in the environment of a process that is to be an executor, whose first argument is [`LAUNCH_ARGUMENT`].
pub const LAUNCH_VARIABLE: &str = "FIRESTEEL_EXECUTOR";

/// The first argument of a process that is to be an executor. What an executor starts inherits its environment, and may be an
/// application too.
pub const LAUNCH_ARGUMENT: &str = "executor";

/// What an executor's process is started with. All else of its environment is that of whoever starts it, save `removed`.
#[derive(Debug)]
pub struct ExecutorStart<'a> {
    /// What is run. It may be a link whose name says nothing.
    pub program: &'a Path,
    /// What it is called in lists of processes.
    pub name: &'a OsStr,
    /// Whose it is.
    pub application_id: &'a ApplicationId,
    /// Which.
    pub executor_id: &'a ExecutorId,
    /// `spark.executorEnv.*`
    pub environment: &'a [(String, String)],
    /// Variables that it does not get.
    pub removed: &'a [&'a str],
    /// Directories of its own, in which it makes its scratch directories.
    pub scratch: &'a [PathBuf],
    /// Where its standard output goes.
    pub stdout: Stdio,
    /// Where its standard error goes.
    pub stderr: Stdio,
}

impl ExecutorStart<'_> {
    /// Starts it, as the first of a process group.
    ///
    /// # Errors
    ///
    /// The program cannot be run, or the directories have names that no list of paths can have.
    pub fn start(self) -> io::Result<ExecutorProcess> {
        let scratch = std::env::join_paths(self.scratch).map_err(io::Error::other)?;
        let mut command = Command::new(self.program);
        self.removed.iter().for_each(|name| {
            command.env_remove(name);
        });
        let arguments = arguments(self.application_id, self.executor_id);
        let child = command
            .arg0(self.name)
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(LAUNCH_VARIABLE, "1")
            .env("SPARK_EXECUTOR_DIRS", scratch)
            .stdin(Stdio::piped())
            .stdout(self.stdout)
            .stderr(self.stderr)
            .process_group(0)
            .spawn()?;
        Ok(ExecutorProcess::of(child))
    }
}

/// An executor's arguments. They are for people who look at the process list; the process reads its standard input, not these.
pub fn arguments<'a>(application_id: &'a ApplicationId, executor_id: &'a ExecutorId) -> [&'a str; 5] {
    [LAUNCH_ARGUMENT, "--app-id", application_id.as_str(), "--executor-id", executor_id.as_str()]
}

/// A running executor, or driver. Dropping it leaves it alone.
#[derive(Debug)]
pub struct ExecutorProcess {
    pid: Pid,
    child: Child,
}

impl ExecutorProcess {
    /// One that was started as the first of a process group.
    pub(crate) fn of(child: Child) -> Self {
        Self { pid: Pid::from_child(&child), child }
    }

    /// Its number, which is its own until [`Self::reap`].
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Tells it what it is. Waits until it has read that, or has ended.
    ///
    /// # Errors
    ///
    /// It has ended before; why is told by how it has.
    pub fn tell(&mut self, launch: &ExecutorLaunch) -> io::Result<()> {
        let Some(mut stdin) = self.child.stdin.take() else { return Ok(()) };
        let launch = postcard::to_stdvec(launch).map_err(io::Error::other)?;
        stdin.write_all(&launch)
    }

    /// Waits for its end.
    pub fn wait(&self) {
        while let Err(error) = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            if error != rustix::io::Errno::INTR {
                break;
            }
        }
    }

    /// Takes note of its end.
    ///
    /// # Errors
    ///
    /// It is no child of this process, or somebody has reaped it.
    pub fn reap(self) -> io::Result<Reaped> {
        reap::reap(self.pid)
    }

    /// Ends a process that has not been reaped. It may have ended already.
    pub fn kill(pid: Pid) {
        let _ = kill_process(pid, Signal::KILL);
    }

    /// Asks a process that has not been reaped to end. It may have ended already.
    pub fn terminate(pid: Pid) {
        let _ = kill_process(pid, Signal::TERM);
    }

    /// Ends all that is left of the group of a process that has not been reaped.
    pub fn kill_group(pid: Pid) {
        // There may be nobody left.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}
