//! Connections to Python processes.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    path::Path,
    time::Duration,
};

use rustix::net::{RecvFlags, recv};

/// A connection on loopback or in the file system.
#[derive(Debug)]
pub enum Channel {
    /// Of loopback.
    Loopback(TcpStream),
    /// Of the file system.
    FileSystem(UnixStream),
}

impl Channel {
    /// Connects to a server on loopback.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub fn connect(host: &str, port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port))?;
        stream.set_nodelay(true)?;
        Ok(Self::Loopback(stream))
    }

    /// Connects to a server in the file system.
    ///
    /// # Errors
    ///
    /// Nobody listens there, or the file system lets this process not.
    pub fn connect_path(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).map(Self::FileSystem)
    }

    /// How long a read waits; for ever if there is none.
    ///
    /// # Errors
    ///
    /// The time is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Loopback(stream) => stream.set_read_timeout(timeout),
            Self::FileSystem(stream) => stream.set_read_timeout(timeout),
        }
    }

    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Loopback(stream) => stream.set_nonblocking(true),
            Self::FileSystem(stream) => stream.set_nonblocking(true),
        }
    }

    /// Is there nothing to read, and is the other side still there?
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(recv(self, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT), Err(rustix::io::Errno::AGAIN))
    }
}

impl Read for Channel {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Loopback(stream) => stream.read(bytes),
            Self::FileSystem(stream) => stream.read(bytes),
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Loopback(stream) => stream.write(bytes),
            Self::FileSystem(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Loopback(stream) => stream.as_fd(),
            Self::FileSystem(stream) => stream.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_quiet_until_something_comes_or_the_other_side_goes() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let channel = Channel::FileSystem(ours);
        assert!(channel.is_quiet());
        theirs.write_all(b"a").unwrap();
        assert!(!channel.is_quiet());
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert!(!Channel::FileSystem(ours).is_quiet());
    }
}
