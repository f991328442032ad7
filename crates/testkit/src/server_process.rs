//! A server that lives as long as a value.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::InstallError;

/// How long a server may take to become ready on a loaded machine. A server that dies is noticed at once.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// How often it is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A test's server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It could not be installed.
    #[error("the server could not be installed")]
    Install(#[from] InstallError),
    /// A directory or file for it could not be made.
    #[error("could not prepare {what}")]
    Prepare {
        /// What was to be made.
        what: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("{name} ended with {status} before it was ready:\n{log}")]
    Ended {
        /// The server.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// What it had logged.
        log: String,
    },
    /// It took too long.
    #[error("{name} was not ready within {} s:\n{log}", READY_WITHIN.as_secs())]
    NotReady {
        /// The server.
        name: String,
        /// What it had logged.
        log: String,
    },
}

/// A process group that is killed when the value is dropped, and also when the test's process ends in any other way.
#[derive(Debug)]
pub struct ServerProcess {
    name: String,
    child: Child,
    log: PathBuf,
}

impl ServerProcess {
    /// Starts a command; what it prints goes to `NAME.log` in the directory.
    pub fn spawn(name: &str, command: &Command, directory: &Path) -> Result<Self, StartError> {
        use std::os::unix::process::CommandExt;

        let prepare = |source| StartError::Prepare { what: format!("{name} ({command:?})"), source };
        let log = directory.join(format!("{name}.log"));
        let output = fs::File::create(&log).map_err(prepare)?;
        // The second process of the group waits for the end of its standard input, which comes when we end, however we end.
        let mut guarded = Command::new("sh");
        guarded.args(["-c", r#"exec 3<&0; (read _ <&3; kill -KILL 0) & exec "$@" </dev/null 3<&-"#, name]);
        guarded.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(key, value),
                None => guarded.env_remove(key),
            };
        }
        guarded.current_dir(command.get_current_dir().unwrap_or(directory));
        guarded.stdin(Stdio::piped()).stdout(output.try_clone().map_err(prepare)?).stderr(output).process_group(0);
        let child = guarded.spawn().map_err(prepare)?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Waits until the condition holds.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Result<(), StartError> {
        let begin = Instant::now();
        while !ready() {
            self.check_running()?;
            if begin.elapsed() > READY_WITHIN {
                return Err(StartError::NotReady { name: self.name.clone(), log: self.log() });
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// An error with its log if it has ended.
    pub fn check_running(&mut self) -> Result<(), StartError> {
        match self.try_wait()? {
            Some(status) => Err(StartError::Ended { name: self.name.clone(), status, log: self.log() }),
            None => Ok(()),
        }
    }

    /// Waits until it ends by itself.
    pub fn wait_for_exit(&mut self) -> Result<ExitStatus, StartError> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if begin.elapsed() > READY_WITHIN {
                return Err(StartError::NotReady { name: self.name.clone(), log: self.log() });
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// The process id, which is also that of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed. Overlong lines, such as class paths, are cut.
    pub fn log(&self) -> String {
        const LINE_CHARACTERS: usize = 500;
        let log = fs::read(&self.log).unwrap_or_default();
        let lines = String::from_utf8_lossy(&log)
            .lines()
            .map(|line| line.chars().take(LINE_CHARACTERS).collect())
            .collect::<Vec<String>>();
        lines.join("\n")
    }

    /// Kills it with all processes of its group, as a crash of the machine would.
    pub fn kill(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself; then there is nobody to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>, StartError> {
        self.child.try_wait().map_err(|source| StartError::Prepare { what: self.name.clone(), source })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            const SHOWN_LINES: usize = 60;
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
            eprintln!("---- the end of {} ----\n{end}\n----", self.log.display());
        }
    }
}

/// Tries a start again on new ports if the server ended at once, as it does when a port has been taken.
pub(crate) fn with_free_ports<T>(start: impl Fn() -> Result<T, StartError>) -> Result<T, StartError> {
    const ATTEMPTS: usize = 3;
    for _ in 1..ATTEMPTS {
        match start() {
            Err(StartError::Ended { log, .. }) if log.contains("ddress already in use") => {}
            other => return other,
        }
    }
    start()
}

/// A server's directory, kept if the test fails.
#[derive(Debug)]
pub(crate) struct ServerDirectory {
    directory: Option<tempfile::TempDir>,
}

impl ServerDirectory {
    pub(crate) fn new(name: &str) -> Result<Self, StartError> {
        let directory = tempfile::Builder::new().prefix(&format!("firesteel-{name}-")).tempdir();
        let prepare = |source| StartError::Prepare { what: format!("a directory for {name}"), source };
        Ok(Self { directory: Some(directory.map_err(prepare)?) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.as_ref().map_or(Path::new(""), |directory| directory.path())
    }
}

impl Drop for ServerDirectory {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(directory) = self.directory.take()
        {
            eprintln!("logs are kept in {}", directory.keep().display());
        }
    }
}
