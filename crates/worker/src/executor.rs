//! The life of an executor, on a thread of its own: Spark's `ExecutorRunner`.

use std::{
    fmt::Write as _,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use firesteel_conf::Redactor;
use firesteel_executor_process::{ExecutorProcess, ExecutorStart, arguments, exit_reason, last_lines, oom_kills};
use firesteel_messages::{ExecutorCommand, ExecutorLaunch, OpenCommandError};
use firesteel_model::{ApplicationId, ExecutorId, ExecutorLossReason, error_chain};
use firesteel_rpc::{Address, ParseSecretError, Secret};
use firesteel_standalone::{
    protocol::LaunchExecutor,
    worker::{ProcessEnd, ProcessId, WorkerEvent},
};
use firesteel_transfer::{ClientOptions, LocalDirsSpool, TransferClient, TransferRuntime};
use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

use crate::{
    directories::{Directories, DirectoryError, ExecutorDirectories},
    driver::DriverProgram,
    event_loop::Input,
    executables::{ExecutableError, Executables, OpenExecutable},
    log_files::{LogFile, LogRolling},
    processes::{NotStarted, Processes},
};

/// What all executors and drivers of a worker need.
pub(crate) struct Machine {
    pub(crate) host: String,
    pub(crate) processes: Processes,
    pub(crate) directories: Directories,
    pub(crate) executables: Executables,
    /// Fetches programs.
    pub(crate) transfer: TransferRuntime,
    /// What comes from drivers and is too large for memory; a piece of a program never is.
    pub(crate) spool: Arc<LocalDirsSpool>,
    pub(crate) private_variables: Vec<String>,
    pub(crate) log_rolling: Option<LogRolling>,
    /// What becomes a driver.
    pub(crate) driver_program: DriverProgram,
    /// For drivers, which are applications of these masters.
    pub(crate) masters: Vec<Address>,
    /// For them, too.
    pub(crate) cluster_secret: Secret,
    /// Unbounded, as whoever tells must not wait: each process tells twice.
    pub(crate) inputs: UnboundedSender<Input>,
}

/// The executor was not started.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("it is not wanted any more")]
    Cancelled,
    #[error(transparent)]
    Command(#[from] OpenCommandError),
    #[error("the application's secret cannot be used")]
    Secret(#[from] ParseSecretError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    #[error("could not write {}", path.display())]
    Log {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not run {}", path.display())]
    Run {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Machine {
    /// Sees an executor through. Tells when it runs, and how it has ended.
    pub(crate) fn run_executor(&self, process: ProcessId, launch: LaunchExecutor) {
        let oom_kills = oom_kills::count();
        let event = match self.start(process, &launch) {
            Ok(started) => self.see_through(process, started, oom_kills),
            Err((error, directories)) => {
                self.processes.end(process);
                if let Some(directories) = directories {
                    directories.remove_scratch();
                }
                WorkerEvent::ProcessNotStarted { process, message: error_chain(&error) }
            }
        };
        self.tell(event);
    }

    pub(crate) fn tell(&self, event: WorkerEvent) {
        // The worker has ended: nobody wants to know.
        let _ = self.inputs.send(Input::Event(event));
    }

    fn start(
        &self,
        process: ProcessId,
        launch: &LaunchExecutor,
    ) -> Result<Started, (StartError, Option<ExecutorDirectories>)> {
        let early = |error: StartError| (error, None);
        let command = ExecutorCommand::open(&launch.launch.0).map_err(|error| early(error.into()))?;
        let made = self.directories.make(&launch.application_id, launch.executor);
        let directories = made.map_err(|error| early(error.into()))?;
        match self.start_in(process, launch, command, &directories) {
            Ok((running, launch, logs)) => Ok(Started { running, launch, directories, logs }),
            Err(error) => Err((error, Some(directories))),
        }
    }

    fn start_in(
        &self,
        process: ProcessId,
        launch: &LaunchExecutor,
        command: ExecutorCommand,
        directories: &ExecutorDirectories,
    ) -> Result<(ExecutorProcess, ExecutorLaunch, [LogFile; 2]), StartError> {
        let secret = Secret::parse(&command.secret)?;
        let client = || TransferClient::new(&self.transfer, secret, self.spool.clone(), ClientOptions::default());
        let cancelled = || self.processes.is_cancelled(process);
        let OpenExecutable { file, path } = self.executables.get(&command.executable, client, &cancelled)?;
        let executor_id = ExecutorId::new(launch.executor.to_string());
        let (stdout_log, stdout) = self.begin_log(directories, "stdout", "")?;
        let heading = heading(&path, &launch.application_id, &executor_id, &command.environment);
        let (stderr_log, stderr) = self.begin_log(directories, "stderr", &heading)?;
        // The file that was looked at, whatever has its name by then. The child has it open until it runs it.
        let program = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let private: Vec<&str> = self.private_variables.iter().map(String::as_str).collect();
        let start = ExecutorStart {
            program: &program,
            name: Path::new(&command.executable.path).as_os_str(),
            application_id: &launch.application_id,
            executor_id: &executor_id,
            environment: &command.environment,
            removed: &private,
            scratch: &directories.scratch,
            stdout,
            stderr,
        };
        let running = self.processes.start(process, || start.start()).map_err(|error| match error {
            NotStarted::Cancelled => StartError::Cancelled,
            NotStarted::Failed(source) => StartError::Run { path, source },
        })?;
        let text = |path: &Path| path.to_str().map(str::to_owned);
        let mut told =
            command.launch(launch.application_id.clone(), executor_id.clone(), self.host.clone(), launch.cores);
        told.files_cache = text(&directories.fetch_cache);
        // Should this worker be killed, its executors are what is left of it.
        told.driver_directories = self.directories.local().iter().filter_map(|path| text(path)).collect();
        Ok((running, told, [stdout_log, stderr_log]))
    }

    fn begin_log(
        &self,
        directories: &ExecutorDirectories,
        name: &str,
        heading: &str,
    ) -> Result<(LogFile, Stdio), StartError> {
        let path = directories.work.join(name);
        let begun = LogFile::begin(&path, heading, self.log_rolling.as_ref());
        begun.map_err(|source| StartError::Log { path, source })
    }

    fn see_through(&self, process: ProcessId, started: Started, oom_kills: Option<u64>) -> WorkerEvent {
        let Started { mut running, launch, directories, logs } = started;
        self.tell(WorkerEvent::ProcessStarted { process, pid: running.pid().as_raw_pid().cast_unsigned() });
        if let Err(error) = running.tell(&launch) {
            // The process tells more by its exit status than this does.
            let (application_id, executor_id) = (&launch.application_id, &launch.executor_id);
            warn!(%application_id, %executor_id, %error, "executor did not take its launch data");
        }
        running.wait();
        self.processes.end(process);
        let reaped = running.reap();
        logs.into_iter().for_each(LogFile::end);
        let oom_killed = oom_kills.is_some() && oom_kills::count() > oom_kills;
        let peak = reaped.as_ref().ok().map(|reaped| reaped.peak_memory);
        let last = own_words(last_lines(&directories.work.join("stderr")).unwrap_or_default());
        let reason = exit_reason(reaped.map(|reaped| reaped.status), &last, oom_killed);
        directories.remove_scratch();
        let end = match reason {
            ExecutorLossReason::Exited { exit_code, signal, caused_by_app, detail } => {
                let peak = peak.map(|peak| format!("it held at most {peak}"));
                let known: Vec<String> = peak.into_iter().chain(Some(detail)).filter(|part| !part.is_empty()).collect();
                ProcessEnd { exit_code, signal, caused_by_app, detail: known.join("; ") }
            }
            other => ProcessEnd { detail: other.to_string(), ..ProcessEnd::default() },
        };
        WorkerEvent::ProcessEnded { process, end }
    }
}

/// An executor that runs and was not told anything.
struct Started {
    running: ExecutorProcess,
    launch: ExecutorLaunch,
    directories: ExecutorDirectories,
    logs: [LogFile; 2],
}

/// What ends the heading of a process's standard error.
pub(crate) const RULE: &str = "========================================";

/// Of the last lines of a process's standard error, those that are not of the heading.
pub(crate) fn own_words(mut lines: Vec<String>) -> Vec<String> {
    match lines.iter().position(|line| line == RULE) {
        Some(rule) => lines.split_off(rule + 1),
        None => lines,
    }
}

/// The first lines of an executor's standard error: what was run, without what looks like a secret (SA-44).
fn heading(
    path: &Path,
    application_id: &ApplicationId,
    executor_id: &ExecutorId,
    environment: &[(String, String)],
) -> String {
    let redactor = Redactor::standard();
    let mut text = format!("Firesteel Executor Command: \"{}\"", path.display());
    arguments(application_id, executor_id).iter().for_each(|argument| {
        // Writing to a String cannot fail.
        let _ = write!(text, " \"{argument}\"");
    });
    text.push('\n');
    for (name, value) in environment {
        let _ = writeln!(text, "{name}={}", redactor.redact(name, value));
    }
    text.push_str(RULE);
    text.push_str("\n\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heading_says_what_was_run_and_hides_secrets() {
        let environment = [("A".to_owned(), "b".to_owned()), ("MY_TOKEN".to_owned(), "hush".to_owned())];
        let heading = heading(Path::new("/opt/app"), &"app-1".into(), &"4".into(), &environment);
        let command =
            "Firesteel Executor Command: \"/opt/app\" \"executor\" \"--app-id\" \"app-1\" \"--executor-id\" \"4\"\n";
        assert!(heading.starts_with(command) && heading.contains("\nA=b\n"), "{heading}");
        assert!(!heading.contains("hush"), "{heading}");
        let lines = |text: String| own_words(text.lines().map(str::to_owned).collect());
        assert_eq!(lines(format!("{heading}a last word")), ["", "a last word"]);
        assert_eq!(lines("a\nb".to_owned()), ["a", "b"]);
    }
}
