//! `pyspark.daemon`: a process that forks workers.
//!
//! It is started through a few lines that say first which Python and which PySpark it is, so that nothing of a protocol is
//! spoken with one that has another. It ends, and all its workers with it, when its standard input is closed: with this
//! process at the latest.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rustix::{
    event::PollFlags,
    process::{Pid, Signal, kill_process_group},
};
use tracing::{debug, warn};
use zeroize::Zeroizing;

use crate::{
    UnsupportedVersion, check_version,
    wait::{Waited, wait_for},
};

/// Importing PySpark takes a second; from a network file system that everybody reads at once, much more.
const TIME_TO_START: Duration = Duration::from_secs(120);
/// A fork takes milliseconds, unless the machine swaps.
const TIME_TO_FORK: Duration = Duration::from_secs(60);
/// It only has to send signals.
const TIME_TO_END: Duration = Duration::from_secs(5);
/// No version is longer; what is, is not from our own lines.
const LONGEST_VERSION: usize = 64;

/// The lines. They are what `-m pyspark.daemon` does, after the two versions.
const BOOTSTRAP: &str = "\
import runpy, struct, sys
import pyspark
for text in ('%d.%d' % sys.version_info[:2], pyspark.__version__):
    data = text.encode()
    sys.stdout.buffer.write(struct.pack('!i', len(data)) + data)
sys.stdout.buffer.flush()
runpy.run_module('pyspark.daemon', run_name='__main__', alter_sys=True)
";

/// What the driver's Python program needs and its workers must not know.
const NOT_FOR_WORKERS: [&str; 3] = ["PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "_PYSPARK_DRIVER_CONN_INFO_PATH"];

/// There is no daemon.
#[derive(Debug, thiserror::Error)]
pub enum StartDaemonError {
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
    /// It did not start in time.
    #[error("{python} did not start its daemon within {} s", TIME_TO_START.as_secs())]
    TimedOut {
        /// The interpreter.
        python: String,
    },
    /// The task was killed meanwhile.
    #[error("the task was killed")]
    Killed,
    /// The system.
    #[error("could not talk to the daemon of {python}")]
    Io {
        /// The interpreter.
        python: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A running daemon. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Mutex<Child>,
    stdin: Mutex<Option<ChildStdin>>,
    port: u16,
    secret: Zeroizing<String>,
}

impl Daemon {
    pub(crate) fn start(
        python: &str,
        environment: &BTreeMap<String, String>,
        is_killed: &dyn Fn() -> bool,
    ) -> Result<Self, StartDaemonError> {
        let secret = new_secret();
        let mut command = Command::new(python);
        command.args(["-c", BOOTSTRAP, "pyspark.worker"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        // It makes itself the leader of its group, but only when PySpark is imported; a Ctrl-C before that is not for it.
        command.process_group(0);
        NOT_FOR_WORKERS.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.envs(environment).env("PYTHON_WORKER_FACTORY_SECRET", secret.as_str());
        let spawned = command.spawn();
        let mut child =
            spawned.map_err(|source| StartDaemonError::Interpreter { python: python.to_owned(), source })?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut daemon = Self { child: Mutex::new(child), stdin: Mutex::new(stdin), port: 0, secret };
        let Some(mut stdout) = stdout else { return Err(StartDaemonError::Ended { python: python.to_owned() }) };
        let mut reader =
            StartReader { python, stdout: &mut stdout, deadline: Instant::now() + TIME_TO_START, is_killed };
        let (python_version, pyspark_version) = (reader.text()?, reader.text()?);
        check_version(python, &pyspark_version)?;
        let Ok(port) = u16::try_from(reader.number()?) else {
            return Err(StartDaemonError::Printed { python: python.to_owned() });
        };
        debug!(python, python_version, pyspark_version, port, "a Python daemon has started");
        // What workers print is shown where the executor's own words are.
        let forward = move || io::copy(&mut stdout, &mut io::stderr());
        thread::Builder::new()
            .name("python-stdout".to_owned())
            .spawn(forward)
            .map_err(|source| StartDaemonError::Io { python: python.to_owned(), source })?;
        daemon.port = port;
        Ok(daemon)
    }

    /// Has a worker forked, and proves to it who this is. Gives the connection and the worker's process id.
    pub(crate) fn fork_worker(&self) -> io::Result<(TcpStream, i32)> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, TIME_TO_FORK)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIME_TO_FORK))?;
        let mut number = [0; 4];
        stream.read_exact(&mut number)?;
        let pid = i32::from_be_bytes(number);
        let mut message = (self.secret.len() as u32).to_be_bytes().to_vec();
        message.extend(self.secret.as_bytes());
        let mut answer = [0; 6];
        let authenticated = stream.write_all(&message).and_then(|()| stream.read_exact(&mut answer));
        match authenticated {
            Ok(()) if answer == *b"\0\0\0\x02ok" => {}
            // If the fork failed, the number is the reason and nothing follows.
            Err(_) => {
                return Err(io::Error::other(format!(
                    "the daemon could not fork: {}",
                    io::Error::from_raw_os_error(pid)
                )));
            }
            Ok(()) => return Err(io::Error::other("the worker refused the secret")),
        }
        stream.set_read_timeout(None)?;
        stream.set_nonblocking(true)?;
        Ok((stream, pid))
    }

    /// Kills a worker. It must not have been waited for: its number may be another process's.
    pub(crate) fn kill(&self, pid: i32) {
        if let Some(stdin) = &mut *self.stdin.lock() {
            // If the daemon is gone, so is the worker.
            let _ = stdin.write_all(&pid.to_be_bytes()).and_then(|()| stdin.flush());
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        !matches!(self.child.lock().try_wait(), Ok(None))
    }
}

impl Drop for Daemon {
    /// At the end of its input a daemon ends, and its workers with it.
    fn drop(&mut self) {
        drop(self.stdin.get_mut().take());
        let child = self.child.get_mut();
        let deadline = Instant::now() + if self.port == 0 { Duration::ZERO } else { TIME_TO_END };
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                // With its workers, of whose group it is the leader. Before it has made that group there are none.
                let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
                let _ = child.kill();
                if let Err(error) = child.wait() {
                    warn!(%error, "could not wait for the end of a Python daemon");
                }
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Reads what the daemon says first.
struct StartReader<'a> {
    python: &'a str,
    stdout: &'a mut ChildStdout,
    deadline: Instant,
    is_killed: &'a dyn Fn() -> bool,
}

impl StartReader<'_> {
    fn bytes(&mut self, bytes: &mut [u8]) -> Result<(), StartDaemonError> {
        let python = || self.python.to_owned();
        let io_error = |source| StartDaemonError::Io { python: python(), source };
        let mut read = 0;
        while read < bytes.len() {
            match wait_for(&*self.stdout, PollFlags::IN, Some(self.deadline), self.is_killed).map_err(io_error)? {
                Waited::Ready => {}
                Waited::Killed => return Err(StartDaemonError::Killed),
                Waited::TimedOut => return Err(StartDaemonError::TimedOut { python: python() }),
            }
            match self.stdout.read(&mut bytes[read..]).map_err(io_error)? {
                0 => return Err(StartDaemonError::Ended { python: python() }),
                more => read += more,
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<i32, StartDaemonError> {
        let mut bytes = [0; 4];
        self.bytes(&mut bytes)?;
        Ok(i32::from_be_bytes(bytes))
    }

    fn text(&mut self) -> Result<String, StartDaemonError> {
        let printed = || StartDaemonError::Printed { python: self.python.to_owned() };
        let length = usize::try_from(self.number()?).ok().filter(|length| *length <= LONGEST_VERSION);
        let mut bytes = vec![0; length.ok_or_else(printed)?];
        self.bytes(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| StartDaemonError::Printed { python: self.python.to_owned() })
    }
}

fn new_secret() -> Zeroizing<String> {
    let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
