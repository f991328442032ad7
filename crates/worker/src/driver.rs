//! The life of a driver in cluster deploy mode, on a thread of its own (SA-33, SA-71): Spark's `DriverRunner`.
//!
//! What is started is a program of this installation. It is told on its standard input what the driver is, fetches what belongs to it
//! into the driver's directory, and becomes it; so neither a file nor a byte of what users have submitted passes through the worker.

use std::{
    ffi::OsString,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use firesteel_conf::{Redactor, SparkConf};
use firesteel_executor_process::{DriverInput, DriverStart, ExecutorProcess, exit_reason, last_lines, oom_kills};
use firesteel_messages::{DriverCommand, DriverLaunch, DriverResource, OpenDriverCommandError};
use firesteel_model::{ExecutorLossReason, error_chain, hide_secrets_of_urls};
use firesteel_standalone::{
    protocol::LaunchDriver,
    worker::{ProcessEnd, ProcessId, WorkerEvent},
};

use crate::{
    directories::DirectoryError,
    executor::{Machine, RULE, own_words},
    log_files::LogFile,
    processes::NotStarted,
};

/// What becomes a driver.
#[derive(Clone, Debug)]
pub struct DriverProgram {
    /// The program.
    pub path: PathBuf,
    /// What it is started with; the driver's id follows, for those who look at lists of processes.
    pub arguments: Vec<OsString>,
}

/// The driver was not started.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("it is not wanted any more")]
    Cancelled,
    #[error(transparent)]
    Command(#[from] OpenDriverCommandError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
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

/// A driver's process that was told nothing yet.
struct Started {
    running: ExecutorProcess,
    input: DriverInput,
    launch: DriverLaunch,
    directory: PathBuf,
    logs: [LogFile; 2],
}

impl Machine {
    /// Sees a driver through. Tells when it runs, and how it has ended.
    pub(crate) fn run_driver(&self, process: ProcessId, launch: &LaunchDriver) {
        let oom_kills = oom_kills::count();
        let event = match self.start_driver(process, launch) {
            Ok(started) => self.see_driver_through(process, started, oom_kills),
            Err(error) => {
                self.processes.end(process);
                WorkerEvent::ProcessNotStarted { process, message: error_chain(&error) }
            }
        };
        self.tell(event);
    }

    fn start_driver(&self, process: ProcessId, launch: &LaunchDriver) -> Result<Started, StartError> {
        let id = &launch.submission_id;
        let command = DriverCommand::open(&launch.description.launch.0)?;
        let directory = self.directories.make_driver(id)?;
        let (stdout_log, stdout) = self.begin_driver_log(&directory, "stdout", "")?;
        let (stderr_log, stderr) = self.begin_driver_log(&directory, "stderr", &heading(&command))?;
        let program = &self.driver_program;
        let arguments: Vec<OsString> = program.arguments.iter().cloned().chain([id.as_str().into()]).collect();
        let private: Vec<&str> = self.private_variables.iter().map(String::as_str).collect();
        let start = DriverStart {
            program: &program.path,
            arguments: &arguments,
            directory: &directory,
            removed: &private,
            stdout,
            stderr,
        };
        let mut input = None;
        let running = self.processes.start(process, || {
            let (running, its_input) = start.start()?;
            input = Some(its_input);
            Ok(running)
        });
        let running = running.map_err(|error| match error {
            NotStarted::Cancelled => StartError::Cancelled,
            NotStarted::Failed(source) => StartError::Run { path: program.path.clone(), source },
        })?;
        let launch = DriverLaunch {
            command,
            artifacts: launch.description.artifacts.as_ref().map(ToString::to_string),
            masters: self.masters.iter().map(ToString::to_string).collect(),
            cluster_secret: self.cluster_secret.expose().to_owned(),
            host: self.host.clone(),
        };
        let input = input.expect("what was started has an input");
        Ok(Started { running, input, launch, directory, logs: [stdout_log, stderr_log] })
    }

    fn begin_driver_log(&self, directory: &Path, name: &str, heading: &str) -> Result<(LogFile, Stdio), StartError> {
        let path = directory.join(name);
        LogFile::begin(&path, heading, self.log_rolling.as_ref()).map_err(|source| StartError::Log { path, source })
    }

    fn see_driver_through(&self, process: ProcessId, started: Started, oom_kills: Option<u64>) -> WorkerEvent {
        let Started { running, input, launch, directory, logs } = started;
        self.tell(WorkerEvent::ProcessStarted { process, pid: running.pid().as_raw_pid().cast_unsigned() });
        let told = input.tell(&launch.seal());
        running.wait();
        self.processes.end(process);
        let reaped = running.reap();
        logs.into_iter().for_each(LogFile::end);
        if let Err(message) = told {
            return WorkerEvent::ProcessNotStarted { process, message };
        }
        let oom_killed = oom_kills.is_some() && oom_kills::count() > oom_kills;
        let last = own_words(last_lines(&directory.join("stderr")).unwrap_or_default());
        let reason = exit_reason(reaped.map(|reaped| reaped.status), &last, oom_killed);
        let end = match reason {
            ExecutorLossReason::Exited { exit_code, signal, detail, .. } => {
                ProcessEnd { exit_code, signal, caused_by_app: true, detail }
            }
            other => ProcessEnd { detail: other.to_string(), ..ProcessEnd::default() },
        };
        WorkerEvent::ProcessEnded { process, end }
    }
}

/// The first lines of a driver's standard error: what was submitted, without what looks like a secret (SA-44).
fn heading(command: &DriverCommand) -> String {
    let conf: SparkConf = command.conf.iter().cloned().collect();
    let redactor = conf.redactor().unwrap_or_else(|_| Redactor::standard());
    let mut text = "Launch Command: \"spark-submit\"".to_owned();
    // Writing to a String cannot fail.
    if let Some(class) = &command.main_class {
        let _ = write!(text, " \"--class\" \"{class}\"");
    }
    for (key, value) in &command.conf {
        let _ = write!(text, " \"--conf\" \"{key}={}\"", redactor.redact(key, &hide_secrets_of_urls(value)));
    }
    let resource = match &command.resource {
        DriverResource::Native(uri) | DriverResource::Python(uri) => {
            command.file_of(uri).map_or(uri.as_str(), |file| file.path.as_str())
        }
        DriverResource::Examples => "run-example",
    };
    let _ = write!(text, " \"{}\"", hide_secrets_of_urls(resource));
    for argument in &command.arguments {
        let _ = write!(text, " \"{}\"", redactor.redact("", &String::from_utf8_lossy(argument)));
    }
    text.push('\n');
    for (name, value) in &command.environment {
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
    fn the_heading_says_what_was_submitted_and_hides_secrets() {
        let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let command = DriverCommand {
            resource: DriverResource::Native("https://me:hush@host/app".to_owned()),
            main_class: Some("Main".to_owned()),
            arguments: vec![b"one word".to_vec()],
            conf: vec![setting("spark.x.password", "hush"), setting("spark.app.name", "a")],
            environment: vec![setting("SPARK_TOKEN", "hush")],
            files: Vec::new(),
        };
        let heading = heading(&command);
        assert!(heading.starts_with("Launch Command: \"spark-submit\" \"--class\" \"Main\" \"--conf\""), "{heading}");
        assert!(heading.contains("\"spark.app.name=a\"") && heading.contains("host/app\" \"one word\"\n"), "{heading}");
        assert!(!heading.contains("hush"), "{heading}");
        assert_eq!(own_words(format!("{heading}last").lines().map(str::to_owned).collect()), ["", "last"]);
    }
}
