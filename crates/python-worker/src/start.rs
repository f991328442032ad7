//! A Python process that says first which Python and which PySpark it is, so that nothing of a protocol is spoken with one that has
//! another.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::event::PollFlags;
use tracing::debug;

use crate::{
    Release, UnsupportedVersion, WorkerKey, functions, huge_pages,
    shown::show,
    wait::{Waited, wait_for},
};

/// Importing PySpark takes a second; from a network file system that everybody reads at once, much more.
pub(crate) const TIME_TO_START: Duration = Duration::from_secs(120);
/// No version, and no path of a socket, is longer; what is, is not from our own lines.
const LONGEST_TEXT: usize = 256;

/// The program, which becomes what its arguments say after the two versions. It is handed over where it does not fill lists of
/// processes.
const BOOTSTRAP: &str = include_str!("bootstrap.py");
const BOOTSTRAP_VARIABLE: &str = "FIRESTEEL_PYTHON_BOOTSTRAP";
const RUN_BOOTSTRAP: &str = "import os; exec(os.environ.pop('FIRESTEEL_PYTHON_BOOTSTRAP'))";

/// What the driver's Python program needs and its workers must not know.
const NOT_FOR_WORKERS: [&str; 5] = [
    "FIRESTEEL_EXECUTOR",
    "FIRESTEEL_MAIN_CLASS",
    "PYSPARK_GATEWAY_PORT",
    "PYSPARK_GATEWAY_SECRET",
    "_PYSPARK_DRIVER_CONN_INFO_PATH",
];

/// There is no such process.
#[derive(Debug, thiserror::Error)]
pub enum StartPythonError {
    /// The interpreter.
    #[error(
        "could not start {python}; every executor's host needs that interpreter, which PYSPARK_PYTHON or spark.pyspark.python names"
    )]
    Interpreter {
        /// Its name.
        python: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended at once.
    #[error(
        "{python} ended before it could start workers; it must have PySpark (pip install pyspark), and its own words are in the executor's standard error"
    )]
    Ended {
        /// The interpreter.
        python: String,
    },
    /// It wrote what it should not.
    #[error(
        "{python} printed something when it was started; see to it that sitecustomize and .pth files print nothing"
    )]
    Printed {
        /// The interpreter.
        python: String,
    },
    /// Another PySpark.
    #[error(transparent)]
    Version(#[from] UnsupportedVersion),
    /// Another Python.
    #[error(
        "{python} is Python {found}, and the program's own is {driver}; functions are pickled with their bytecode, so both must be the same: name another interpreter by PYSPARK_PYTHON or spark.pyspark.python"
    )]
    PythonVersion {
        /// The interpreter.
        python: String,
        /// Its version.
        found: String,
        /// The program's.
        driver: String,
    },
    /// It did not start in time.
    #[error("{python} did not start its workers within {} s", TIME_TO_START.as_secs())]
    TimedOut {
        /// The interpreter.
        python: String,
    },
    /// The task was killed meanwhile.
    #[error("the task was killed")]
    Killed,
    /// The system.
    #[error("could not talk to the process of {python} that starts workers")]
    Io {
        /// The interpreter.
        python: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A process that has said its versions.
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) release: Release,
    stdout: StartReader,
}

/// Starts a process with these arguments and variables beside those that its kind of workers has.
pub(crate) fn start(
    key: &WorkerKey,
    arguments: &[&str],
    variables: &[(&str, &str)],
    stdin: Stdio,
    is_killed: &dyn Fn() -> bool,
) -> Result<Started, StartPythonError> {
    let python = || key.python.clone();
    let mut command = Command::new(&key.python);
    command.args(["-c", RUN_BOOTSTRAP]).args(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A Ctrl-C is not for it, and whatever it starts is in its group. A daemon makes itself the leader of one, but only when it has
    // imported PySpark.
    command.process_group(0);
    for name in NOT_FOR_WORKERS {
        command.env_remove(name);
    }
    command.envs(&key.environment).envs(variables.iter().copied()).env(BOOTSTRAP_VARIABLE, BOOTSTRAP);
    if key.launch.replace_functions {
        command.env(functions::VARIABLE, functions::modules());
    } else {
        command.env_remove(functions::VARIABLE);
    }
    let mut child =
        huge_pages::spawn(&mut command).map_err(|source| StartPythonError::Interpreter { python: python(), source })?;
    let stdin = child.stdin.take();
    if let Some(stderr) = child.stderr.take() {
        // Otherwise the pipe is closed, and whoever prints there fails: so the process is of no use.
        show("python-stderr", stderr).map_err(|source| {
            let _ = child.kill();
            let _ = child.wait();
            StartPythonError::Io { python: python(), source }
        })?;
    }
    let deadline = Instant::now() + TIME_TO_START;
    let Some(stdout) = child.stdout.take() else { return Err(StartPythonError::Ended { python: python() }) };
    let mut stdout = StartReader { python: python(), stdout, deadline };
    let versions = stdout.text(is_killed).and_then(|version| Ok((version, stdout.text(is_killed)?)));
    let release = versions.and_then(|(python_version, pyspark_version)| {
        debug!(python = key.python, python_version, pyspark_version, "a Python process for workers has started");
        if python_version != key.driver_python {
            let driver = key.driver_python.clone();
            return Err(StartPythonError::PythonVersion { python: python(), found: python_version, driver });
        }
        let driver = key.driver_release.as_deref();
        let release = Release::of_workers(&key.python, &pyspark_version, driver)?;
        if key.launch.socket_directory.is_some() && !release.has_unix_sockets() {
            return Err(UnsupportedVersion::NoUnixSockets { python: python(), found: pyspark_version }.into());
        }
        Ok(release)
    });
    match release {
        Ok(release) => Ok(Started { child, stdin, release, stdout }),
        Err(error) => {
            // It may go on otherwise. If it has ended already, it only needs to be waited for.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

impl Started {
    /// The next number that it says.
    pub(crate) fn number(&mut self, is_killed: &dyn Fn() -> bool) -> Result<i32, StartPythonError> {
        self.stdout.number(is_killed)
    }

    /// The next text that it says.
    pub(crate) fn text(&mut self, is_killed: &dyn Fn() -> bool) -> Result<String, StartPythonError> {
        self.stdout.text(is_killed)
    }

    /// What it says from now on is not for us: it is shown where the executor's own words are.
    pub(crate) fn forward(self) -> Result<(Child, Option<ChildStdin>), StartPythonError> {
        let StartReader { python, stdout, .. } = self.stdout;
        show("python-stdout", stdout).map_err(|source| StartPythonError::Io { python, source })?;
        Ok((self.child, self.stdin))
    }
}

/// Reads what the process says first.
struct StartReader {
    python: String,
    stdout: ChildStdout,
    deadline: Instant,
}

impl StartReader {
    fn bytes(&mut self, bytes: &mut [u8], is_killed: &dyn Fn() -> bool) -> Result<(), StartPythonError> {
        let python = || self.python.clone();
        let io_error = |source| StartPythonError::Io { python: python(), source };
        let mut read = 0;
        while read < bytes.len() {
            match wait_for(&self.stdout, PollFlags::IN, Some(self.deadline), is_killed).map_err(io_error)? {
                Waited::Ready | Waited::Ended => {}
                Waited::Killed => return Err(StartPythonError::Killed),
                Waited::TimedOut => return Err(StartPythonError::TimedOut { python: python() }),
            }
            match self.stdout.read(&mut bytes[read..]).map_err(io_error)? {
                0 => return Err(StartPythonError::Ended { python: python() }),
                more => read += more,
            }
        }
        Ok(())
    }

    fn number(&mut self, is_killed: &dyn Fn() -> bool) -> Result<i32, StartPythonError> {
        let mut bytes = [0; 4];
        self.bytes(&mut bytes, is_killed)?;
        Ok(i32::from_be_bytes(bytes))
    }

    fn text(&mut self, is_killed: &dyn Fn() -> bool) -> Result<String, StartPythonError> {
        let length = usize::try_from(self.number(is_killed)?).ok().filter(|length| *length <= LONGEST_TEXT);
        let mut bytes = vec![0; length.ok_or_else(|| StartPythonError::Printed { python: self.python.clone() })?];
        self.bytes(&mut bytes, is_killed)?;
        String::from_utf8(bytes).map_err(|_| StartPythonError::Printed { python: self.python.clone() })
    }
}
