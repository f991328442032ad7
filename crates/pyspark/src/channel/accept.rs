//! The one connection that a channel is for.

use std::{
    io::{self, ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use firesteel_py4j::same_secret;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::{
    TIME_TO_CONNECT_SECONDS,
    sockets::{Address, Socket, Sockets, Stream},
};

/// No secret is longer: whoever claims so is not the program.
const LONGEST_SECRET: usize = 256;

/// Waits for the program.
pub(super) struct Listener {
    socket: Socket,
    address: Address,
}

impl Listener {
    pub(super) fn bind(sockets: &Sockets) -> io::Result<Self> {
        let (socket, address) = sockets.bind()?;
        Ok(Self { socket, address })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The first connection that proves the secret, if it comes in time. Others are closed.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        let deadline = Instant::now() + Duration::from_secs(TIME_TO_CONNECT_SECONDS);
        loop {
            self.wait(deadline)?;
            let mut stream = self.socket.accept()?;
            let Address::Port(_, secret) = &self.address else { return Ok(stream) };
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            stream.set_read_timeout(Some(left))?;
            if authenticate(&mut stream, secret).is_ok() {
                stream.set_read_timeout(None)?;
                return Ok(stream);
            }
        }
    }

    fn wait(&self, deadline: Instant) -> io::Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(ErrorKind::TimedOut, "the Python program did not connect in time"));
            }
            let timeout = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn authenticate(stream: &mut Stream, secret: &str) -> io::Result<()> {
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
    use std::{
        net::{Ipv4Addr, TcpStream},
        thread,
    };

    use super::*;

    #[test]
    fn the_connection_with_the_secret_is_the_one() {
        let listener = Listener::bind(&Sockets::Loopback).unwrap();
        let Address::Port(port, secret) = listener.address().clone() else { panic!("no port") };
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
