//! `pyspark.daemon`: a process that forks workers.
//!
//! It ends, and all its workers with it, when its standard input is closed: with this process at the latest.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, ChildStdin, Stdio},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tracing::warn;
use zeroize::Zeroizing;

use crate::{
    Release, StartPythonError, WorkerKey,
    channel::Channel,
    secret,
    start::{Started, start},
};

/// A fork takes milliseconds, unless the machine swaps.
const TIME_TO_FORK: Duration = Duration::from_secs(60);
/// The system's error numbers end before this one.
const LARGEST_ERROR_NUMBER: i32 = 200;
/// It only has to send signals.
const TIME_TO_END: Duration = Duration::from_secs(5);

/// A running daemon. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Mutex<DaemonProcess>,
    stdin: Mutex<Option<ChildStdin>>,
    address: Address,
    secret: Zeroizing<String>,
    pub(crate) release: Release,
}

/// Where it listens.
#[derive(Debug)]
enum Address {
    Port(u16),
    Path(PathBuf),
}

impl Daemon {
    pub(crate) fn start(key: &WorkerKey, is_killed: &dyn Fn() -> bool) -> Result<Self, StartPythonError> {
        let secret = secret::new();
        let launch = &key.launch;
        let arguments = ["daemon", launch.daemon_module.as_str(), launch.worker_module.as_str()];
        let mut variables = vec![("PYTHON_WORKER_FACTORY_SECRET", secret.as_str())];
        if let Some(directory) = &launch.socket_directory {
            variables = vec![("PYTHON_UNIX_DOMAIN_ENABLED", "True"), ("PYTHON_WORKER_FACTORY_SOCK_DIR", directory)];
        }
        let mut started = start(key, &arguments, &variables, Stdio::piped(), is_killed)?;
        let release = started.release;
        let address = Self::read_address(key, &mut started, is_killed);
        let (mut child, stdin) = started.forward()?;
        match address {
            Ok(address) => Ok(Self {
                process: Mutex::new(DaemonProcess { child, ended: false }),
                stdin: Mutex::new(stdin),
                address,
                secret,
                release,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn read_address(
        key: &WorkerKey,
        started: &mut Started,
        is_killed: &dyn Fn() -> bool,
    ) -> Result<Address, StartPythonError> {
        if key.launch.socket_directory.is_some() {
            return Ok(Address::Path(started.text(is_killed)?.into()));
        }
        let port = u16::try_from(started.number(is_killed)?);
        port.map(Address::Port).map_err(|_| StartPythonError::Printed { python: key.python.clone() })
    }

    /// Has a worker forked, and proves to it who this is. Gives the connection and the worker's process id.
    pub(crate) fn fork_worker(&self) -> Result<(Channel, i32), ForkError> {
        let (mut channel, pid) = self.ask_for_worker().map_err(ForkError::of_asking)?;
        if matches!(channel, Channel::Loopback(_)) {
            self.prove(&mut channel, pid)?;
        }
        channel.set_read_timeout(None)?;
        channel.set_nonblocking()?;
        Ok((channel, pid))
    }

    /// Gives the connection, which the worker has then, and the process id that the daemon tells.
    fn ask_for_worker(&self) -> io::Result<(Channel, i32)> {
        let mut channel = match &self.address {
            Address::Port(port) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
                let stream = TcpStream::connect_timeout(&address, TIME_TO_FORK)?;
                stream.set_nodelay(true)?;
                Channel::Loopback(stream)
            }
            Address::Path(path) => Channel::connect_path(path)?,
        };
        channel.set_read_timeout(Some(TIME_TO_FORK))?;
        let mut number = [0; 4];
        channel.read_exact(&mut number)?;
        Ok((channel, i32::from_be_bytes(number)))
    }

    /// Whoever may use a socket of the file system has proved that to the system; one of the network takes everybody's
    /// connection.
    fn prove(&self, channel: &mut Channel, pid: i32) -> io::Result<()> {
        let mut message = (self.secret.len() as u32).to_be_bytes().to_vec();
        message.extend(self.secret.as_bytes());
        let mut answer = [0; 6];
        match channel.write_all(&message).and_then(|()| channel.read_exact(&mut answer)) {
            Ok(()) if answer == *b"\0\0\0\x02ok" => Ok(()),
            Ok(()) => Err(io::Error::other("the worker refused the secret")),
            // If the fork failed, the number is the reason and nothing follows. A worker's number is mostly larger.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && pid <= LARGEST_ERROR_NUMBER => {
                let reason = io::Error::from_raw_os_error(pid);
                Err(io::Error::other(format!("the daemon could not fork: {reason}")))
            }
            Err(error) => Err(io::Error::new(error.kind(), format!("the worker {pid} did not answer: {error}"))),
        }
    }

    /// Kills a worker. It must not have been waited for: its number may be another process's.
    pub(crate) fn kill(&self, pid: i32) {
        if let Some(stdin) = &mut *self.stdin.lock() {
            // If the daemon is gone, its group is killed when that is noticed.
            let _ = stdin.write_all(&pid.to_be_bytes()).and_then(|()| stdin.flush());
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.process.lock().has_ended()
    }

    /// Waits for the end of a daemon that takes no connections any more: it closes its socket before it ends. One that does not end
    /// in time is killed.
    pub(crate) fn end_deaf(&self) {
        self.process.lock().end_within(TIME_TO_END);
    }
}

/// Why a daemon gave no worker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForkError {
    /// Nobody listens any more: the daemon has ended, or is about to.
    #[error(transparent)]
    Deaf(io::Error),
    /// The daemon may be well.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl ForkError {
    /// Of the time before the daemon has said anything.
    fn of_asking(error: io::Error) -> Self {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
        match error.kind() {
            ConnectionAborted | ConnectionRefused | ConnectionReset | NotFound | UnexpectedEof => Self::Deaf(error),
            _ => Self::Failed(error),
        }
    }

    pub(crate) fn into_io(self) -> io::Error {
        match self {
            Self::Deaf(error) | Self::Failed(error) => error,
        }
    }
}

/// The process, leader of the group that its workers are in.
#[derive(Debug)]
struct DaemonProcess {
    child: Child,
    /// It was waited for: its number may be another's.
    ended: bool,
}

impl DaemonProcess {
    /// If it has ended, its workers end too: it may have been killed, by the kernel for instance, before it could end them.
    fn has_ended(&mut self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if !self.ended && !matches!(waitid(WaitId::Pid(Pid::from_child(&self.child)), options), Ok(None)) {
            self.end();
        }
        self.ended
    }

    /// Waits for the end, and brings it about if it does not come in time.
    fn end_within(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while !self.has_ended() {
            if Instant::now() >= deadline {
                self.end();
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the group, before the leader is waited for.
    fn end(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
        if let Err(error) = self.child.wait() {
            warn!(%error, "could not wait for the end of a Python daemon");
        }
        self.ended = true;
    }
}

impl Drop for Daemon {
    /// At the end of its input a daemon ends, and its workers with it.
    fn drop(&mut self) {
        drop(self.stdin.get_mut().take());
        self.process.get_mut().end_within(TIME_TO_END);
        if let Address::Path(path) = &self.address {
            // It has done so itself, unless it was killed.
            let _ = fs::remove_file(path);
        }
    }
}
