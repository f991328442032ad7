//! The one connection that a channel is for.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use firesteel_py4j::same_secret;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use zeroize::Zeroizing;

use super::TIME_TO_CONNECT_SECONDS;
use crate::secret;

/// No secret is longer: whoever claims so is not the program.
const LONGEST_SECRET: usize = 256;

/// Waits on loopback for the program.
pub(super) struct Listener {
    listener: TcpListener,
    secret: Zeroizing<String>,
}

impl Listener {
    pub(super) fn bind() -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, secret: secret::new() })
    }

    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    pub(super) fn secret(&self) -> &Zeroizing<String> {
        &self.secret
    }

    /// The first connection that proves the secret, if it comes in time. Others are closed.
    pub(super) fn accept(&self) -> io::Result<TcpStream> {
        let deadline = Instant::now() + Duration::from_secs(TIME_TO_CONNECT_SECONDS);
        loop {
            self.wait(deadline)?;
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            if let Some(stream) = self.accept_one(left)? {
                return Ok(stream);
            }
        }
    }

    /// The next connection that proves the secret, whenever it comes; none when the other end of `open` is closed.
    pub(super) fn accept_until(&self, open: &UnixStream) -> io::Result<Option<TcpStream>> {
        loop {
            let mut descriptors = [PollFd::new(&self.listener, PollFlags::IN), PollFd::new(open, PollFlags::IN)];
            match poll(&mut descriptors, None) {
                Ok(_) if !descriptors[1].revents().is_empty() => return Ok(None),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if let Some(stream) = self.accept_one(Duration::from_secs(TIME_TO_CONNECT_SECONDS))? {
                return Ok(Some(stream));
            }
        }
    }

    /// The connection that waits, if it proves the secret in this time.
    fn accept_one(&self, time: Duration) -> io::Result<Option<TcpStream>> {
        let (stream, _) = self.listener.accept()?;
        stream.set_read_timeout(Some(time))?;
        if authenticate(&stream, &self.secret).is_err() {
            return Ok(None);
        }
        stream.set_read_timeout(None)?;
        Ok(Some(stream))
    }

    fn wait(&self, deadline: Instant) -> io::Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(ErrorKind::TimedOut, "the Python program did not connect in time"));
            }
            let timeout = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
            match poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&timeout)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn authenticate(mut stream: &TcpStream, secret: &str) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    let refused = || io::Error::new(ErrorKind::PermissionDenied, "it did not prove that it knows the secret");
    if length > LONGEST_SECRET {
        return Err(refused());
    }
    let mut offered = vec![0; length];
    stream.read_exact(&mut offered)?;
    if std::str::from_utf8(&offered).is_ok_and(|offered| same_secret(offered, secret)) {
        stream.write_all(b"\0\0\0\x02ok")
    } else {
        stream.write_all(b"\0\0\0\x03err")?;
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_connection_with_the_secret_is_the_one() {
        let listener = Listener::bind().unwrap();
        let (port, secret) = (listener.port().unwrap(), listener.secret().clone());
        let client = thread::spawn(move || {
            let offer = |secret: &str| {
                let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
                stream.write_all(&(secret.len() as u32).to_be_bytes()).unwrap();
                stream.write_all(secret.as_bytes()).unwrap();
                let mut length = [0; 4];
                let read = stream.read_exact(&mut length);
                let mut answer = vec![0; u32::from_be_bytes(length) as usize];
                read.and_then(|()| stream.read_exact(&mut answer)).map(|()| answer)
            };
            let refused = offer("wrong").ok();
            let too_long = offer(&"x".repeat(1000)).ok();
            (refused, too_long, offer(&secret).ok())
        });
        listener.accept().unwrap();
        let answers = client.join().unwrap();
        assert_eq!(answers, (Some(b"err".to_vec()), None, Some(b"ok".to_vec())));
    }
}
