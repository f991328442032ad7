//! Workers without a daemon: each is a process that was started for one task, and connects to this one.

use std::{
    cell::RefCell,
    fs,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener},
    os::{
        fd::AsFd,
        unix::{fs::PermissionsExt, net::UnixListener},
    },
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rustix::event::PollFlags;

use crate::{
    Release, StartPythonError, WorkerKey,
    channel::Channel,
    secret,
    start::{TIME_TO_START, start},
    wait::{Waited, wait_for},
};

/// Whoever has connected has its secret at hand.
const TIME_TO_PROVE: Duration = Duration::from_secs(10);

/// A worker that nobody else has started. It is killed and waited for when this is dropped.
#[derive(Debug)]
pub(crate) struct SingleWorker {
    child: Child,
}

impl Drop for SingleWorker {
    fn drop(&mut self) {
        // It may have ended already, and then only needs to be waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it connects to.
enum Listener {
    Loopback(TcpListener),
    FileSystem(UnixListener, PathBuf),
}

impl Listener {
    fn bind(directory: Option<&str>) -> io::Result<Self> {
        let Some(directory) = directory else {
            return Ok(Self::Loopback(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?));
        };
        let path = PathBuf::from(directory).join(format!(".{:032x}.sock", rand::random::<u128>()));
        let listener = UnixListener::bind(&path)?;
        let listener = Self::FileSystem(listener, path.clone());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// The variables that say where it is.
    fn variable(&self) -> io::Result<(&'static str, String)> {
        Ok(match self {
            Self::Loopback(listener) => ("PYTHON_WORKER_FACTORY_PORT", listener.local_addr()?.port().to_string()),
            Self::FileSystem(_, path) => ("PYTHON_WORKER_FACTORY_SOCK_PATH", path.to_string_lossy().into_owned()),
        })
    }

    fn wait(&self, deadline: Instant, is_killed: &dyn Fn() -> bool) -> io::Result<Waited> {
        let descriptor = match self {
            Self::Loopback(listener) => listener.as_fd(),
            Self::FileSystem(listener, _) => listener.as_fd(),
        };
        wait_for(descriptor, PollFlags::IN, Some(deadline), is_killed)
    }

    fn accept(&self) -> io::Result<Channel> {
        Ok(match self {
            Self::Loopback(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Channel::Loopback(stream)
            }
            Self::FileSystem(listener, _) => Channel::FileSystem(listener.accept()?.0),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::FileSystem(_, path) = self {
            let _ = fs::remove_file(path);
        }
    }
}

impl SingleWorker {
    /// Starts one. Gives its connection and process id too.
    pub(crate) fn start(
        key: &WorkerKey,
        is_killed: &dyn Fn() -> bool,
    ) -> Result<(Channel, i32, Release, Self), StartPythonError> {
        let io_error = |source| StartPythonError::Io { python: key.python.clone(), source };
        let secret = secret::new();
        let listener = Listener::bind(key.launch.socket_directory.as_deref()).map_err(io_error)?;
        let (name, place) = listener.variable().map_err(io_error)?;
        let mut variables = vec![(name, place.as_str())];
        match &listener {
            Listener::Loopback(_) => variables.push(("PYTHON_WORKER_FACTORY_SECRET", secret.as_str())),
            Listener::FileSystem(..) => variables.push(("PYTHON_UNIX_DOMAIN_ENABLED", "True")),
        }
        let arguments = ["worker", key.launch.worker_module.as_str()];
        let started = start(key, &arguments, &variables, Stdio::null(), is_killed)?;
        let release = started.release;
        let (child, _) = started.forward()?;
        let worker = RefCell::new(Self { child });
        let (channel, pid) = accept(key, &listener, &worker, &secret, is_killed)?;
        Ok((channel, pid, release, worker.into_inner()))
    }
}

/// The first connection that proves the secret. Others are closed.
fn accept(
    key: &WorkerKey,
    listener: &Listener,
    worker: &RefCell<SingleWorker>,
    secret: &str,
    is_killed: &dyn Fn() -> bool,
) -> Result<(Channel, i32), StartPythonError> {
    let python = || key.python.clone();
    let has_ended = || !matches!(worker.borrow_mut().child.try_wait(), Ok(None));
    let deadline = Instant::now() + TIME_TO_START;
    loop {
        let waited = listener.wait(deadline, &|| is_killed() || has_ended());
        match waited.map_err(|source| StartPythonError::Io { python: python(), source })? {
            Waited::Ready | Waited::Ended => {}
            Waited::Killed if is_killed() => return Err(StartPythonError::Killed),
            Waited::Killed => return Err(StartPythonError::Ended { python: python() }),
            Waited::TimedOut => return Err(StartPythonError::TimedOut { python: python() }),
        }
        let proved = listener.accept().and_then(|channel| greet(channel, secret));
        match proved {
            Ok(connected) => return Ok(connected),
            Err(error) => tracing::debug!(%error, "a connection that is no Python worker's was closed"),
        }
    }
}

/// Takes the secret of a worker, and its process id.
fn greet(mut channel: Channel, secret: &str) -> io::Result<(Channel, i32)> {
    channel.set_read_timeout(Some(TIME_TO_PROVE))?;
    if matches!(channel, Channel::Loopback(_)) {
        let mut length = [0; 4];
        channel.read_exact(&mut length)?;
        let mut offered = vec![0; (u32::from_be_bytes(length) as usize).min(secret.len() + 1)];
        channel.read_exact(&mut offered)?;
        if !secret::is(&offered, secret) {
            channel.write_all(b"\0\0\0\x03err")?;
            return Err(ErrorKind::PermissionDenied.into());
        }
        channel.write_all(b"\0\0\0\x02ok")?;
    }
    let mut number = [0; 4];
    channel.read_exact(&mut number)?;
    channel.set_read_timeout(None)?;
    channel.set_nonblocking()?;
    Ok((channel, i32::from_be_bytes(number)))
}
