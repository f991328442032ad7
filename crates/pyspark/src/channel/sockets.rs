//! Where the program and this process meet: on loopback, or in the file system (`spark.python.unix.domain.socket.enabled`).

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{fs::PermissionsExt, net::UnixListener},
    },
    path::PathBuf,
    time::Duration,
};

use firesteel_py4j::Value;
use firesteel_python_worker::{Channel, secret};
use zeroize::Zeroizing;

/// Which sockets an application has.
#[derive(Clone, Debug)]
pub(crate) struct Sockets {
    /// In which directory, if not on loopback.
    directory: Option<PathBuf>,
    /// How long whoever is meant has to connect.
    pub(super) time_to_connect: Duration,
}

/// Where to connect to, as the program is told. What proves who connects is in no log.
#[derive(Clone)]
pub(crate) enum Address {
    /// With what proves that it is the program who connects.
    Port(u16, Zeroizing<String>),
    /// The file system has let nobody else.
    Path(PathBuf),
}

/// A socket that waits.
#[derive(Debug)]
pub(super) enum Socket {
    Loopback(TcpListener),
    FileSystem(UnixListener, PathBuf),
}

impl Sockets {
    pub(crate) fn new(directory: Option<&str>, time_to_connect: Duration) -> Self {
        Self { directory: directory.map(PathBuf::from), time_to_connect }
    }

    pub(super) fn bind(&self) -> io::Result<(Socket, Address)> {
        match &self.directory {
            None => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                let port = listener.local_addr()?.port();
                Ok((Socket::Loopback(listener), Address::Port(port, secret::new())))
            }
            Some(directory) => {
                let path = directory.join(format!(".{:032x}.sock", rand::random::<u128>()));
                let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
                let listener = UnixListener::bind(&path).map_err(named)?;
                let socket = Socket::FileSystem(listener, path.clone());
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(named)?;
                Ok((socket, Address::Path(path)))
            }
        }
    }
}

impl Address {
    /// The port or the path.
    pub(crate) fn place(&self) -> Value {
        match self {
            Self::Port(port, _) => Value::Int(i32::from(*port)),
            Self::Path(path) => Value::text(path.to_string_lossy()),
        }
    }

    /// The secret, if there has to be one.
    pub(crate) fn secret(&self) -> Value {
        match self {
            Self::Port(_, secret) => Value::text(secret.as_str()),
            Self::Path(_) => Value::Null,
        }
    }
}

impl Socket {
    pub(super) fn accept(&self) -> io::Result<Channel> {
        Ok(match self {
            Self::Loopback(listener) => Channel::Loopback(listener.accept()?.0),
            Self::FileSystem(listener, _) => Channel::FileSystem(listener.accept()?.0),
        })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Loopback(listener) => listener.as_fd(),
            Self::FileSystem(listener, _) => listener.as_fd(),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Self::FileSystem(_, path) = self {
            // Somebody may have cleaned up.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_socket_of_the_file_system_is_its_owner_s_and_goes_with_its_listener() {
        let directory = std::env::temp_dir();
        let (socket, address) = Sockets::new(directory.to_str(), Duration::MAX).bind().unwrap();
        let Address::Path(path) = address else { panic!("no path") };
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        Channel::connect_path(&path).unwrap().write_all(b"a").unwrap();
        let mut byte = [0];
        socket.accept().unwrap().read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"a");
        drop(socket);
        assert!(!path.exists());
    }
}
