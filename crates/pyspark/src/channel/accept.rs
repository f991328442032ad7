//! The one connection that a channel is for.

use std::{
    io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write},
    os::unix::net::UnixStream,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use firesteel_py4j::same_secret;
use firesteel_python_worker::Channel;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::sockets::{Address, Socket, Sockets};

/// No secret is longer: whoever claims so is not the program.
const LONGEST_SECRET: usize = 256;
/// The program needs one; the others are strangers' or those of a port scanner.
const MOST_AT_ONCE: usize = 16;
/// The program says its secret as soon as it has connected. Whoever says nothing makes room for others.
const TIME_TO_PROVE: Duration = Duration::from_secs(5);

/// Waits for the program.
pub(super) struct Listener {
    socket: Socket,
    address: Address,
    time_to_connect: Duration,
}

impl Listener {
    pub(super) fn bind(sockets: &Sockets) -> io::Result<Self> {
        let (socket, address) = sockets.bind()?;
        Ok(Self { socket, address, time_to_connect: sockets.time_to_connect })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The first connection that proves the secret, if it comes in time. Others are closed. Each has a thread of its own to prove it
    /// in, so that one that is silent keeps nobody waiting.
    pub(super) fn accept(&self) -> io::Result<Channel> {
        let deadline = Instant::now() + self.time_to_connect;
        // As many as there are threads at most, and none of them is kept for longer than the time to connect.
        let (proved, winner) = mpsc::sync_channel(MOST_AT_ONCE);
        let (mut woken, wake) = io::pipe()?;
        let wake = Arc::new(wake);
        let at_work = Arc::new(());
        loop {
            if let Ok(stream) = winner.try_recv() {
                return Ok(stream);
            }
            // Beyond that many, they wait to be accepted.
            let has_room = Arc::strong_count(&at_work) <= MOST_AT_ONCE;
            if !self.wait(deadline, has_room, &mut woken)? {
                continue;
            }
            let mut stream = self.socket.accept()?;
            // The file system has let nobody else come here.
            let Address::Port(_, secret) = &self.address else { return Ok(stream) };
            let (secret, proved) = (secret.clone(), proved.clone());
            let ends = Ends { at_work: Some(Arc::clone(&at_work)), wake: Arc::clone(&wake) };
            let own_deadline = deadline.min(Instant::now() + TIME_TO_PROVE);
            let prove = move || {
                if authenticate(&mut stream, &secret, own_deadline).is_ok() {
                    // If another was first, or nobody waits any more, it is closed.
                    let _ = proved.try_send(stream);
                }
                drop(ends);
            };
            thread::Builder::new().name("python-authentication".to_owned()).spawn(prove)?;
        }
    }

    /// The next connection that proves the secret, whenever it comes; none when the other end of `open` is closed. For workers, of
    /// which the one that is meant comes first as a rule: they are let prove it one after the other.
    pub(super) fn accept_until(&self, open: &UnixStream) -> io::Result<Option<Channel>> {
        loop {
            let mut descriptors = [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(open, PollFlags::IN)];
            match poll(&mut descriptors, None) {
                Ok(_) if !descriptors[1].revents().is_empty() => return Ok(None),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut stream = self.socket.accept()?;
            let Address::Port(_, secret) = &self.address else { return Ok(Some(stream)) };
            if authenticate(&mut stream, secret, Instant::now() + TIME_TO_PROVE).is_ok() {
                return Ok(Some(stream));
            }
        }
    }

    /// Waits for a connection if there is room for one, or for the end of a thread. Is there a connection?
    fn wait(&self, deadline: Instant, has_room: bool, woken: &mut PipeReader) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!(
                    "the Python program did not connect in {} s (spark.python.authenticate.socketTimeout)",
                    self.time_to_connect.as_secs()
                ),
            ));
        }
        let timeout = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
        let mut sources = [PollFd::new(&*woken, PollFlags::IN), PollFd::new(&self.socket, PollFlags::IN)];
        let watched = if has_room { 2 } else { 1 };
        match poll(&mut sources[..watched], Some(&timeout)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let is_ready = |source: &PollFd<'_>| !source.revents().is_empty();
        let [ended, connection] = sources.each_ref().map(is_ready);
        if ended {
            woken.read_exact(&mut [0])?;
        }
        Ok(!ended && connection)
    }
}

/// Says when a thread has ended.
struct Ends {
    at_work: Option<Arc<()>>,
    wake: Arc<PipeWriter>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.at_work.take());
        // The pipe has room for a byte of each thread, and without a reader nobody waits.
        let _ = (&*self.wake).write_all(&[0]);
    }
}

fn authenticate(stream: &mut Channel, secret: &str, deadline: Instant) -> io::Result<()> {
    let mut length = [0; 4];
    read_exact_until(stream, &mut length, deadline)?;
    let length = u32::from_be_bytes(length) as usize;
    let refused = || io::Error::new(ErrorKind::PermissionDenied, "it did not prove that it knows the secret");
    if length > LONGEST_SECRET {
        return Err(refused());
    }
    let mut offered = vec![0; length];
    read_exact_until(stream, &mut offered, deadline)?;
    stream.set_read_timeout(None)?;
    if std::str::from_utf8(&offered).is_ok_and(|offered| same_secret(offered, secret)) {
        stream.write_all(b"\0\0\0\x02ok")
    } else {
        stream.write_all(b"\0\0\0\x03err")?;
        Err(refused())
    }
}

/// Whoever sends byte by byte has no more time than others.
fn read_exact_until(stream: &mut Channel, bytes: &mut [u8], deadline: Instant) -> io::Result<()> {
    let mut read = 0;
    while read < bytes.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes[read..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use zeroize::Zeroizing;

    use super::*;

    fn bound() -> (Listener, u16, Zeroizing<String>) {
        let listener = Listener::bind(&Sockets::new(None, Duration::from_secs(15))).unwrap();
        let Address::Port(port, secret) = listener.address().clone() else { panic!("no port") };
        (listener, port, secret)
    }

    fn connect(port: u16) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()
    }

    fn offer(port: u16, secret: &str) -> io::Result<Vec<u8>> {
        let mut stream = connect(port);
        stream.write_all(&(secret.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(secret.as_bytes()).unwrap();
        let mut length = [0; 4];
        let read = stream.read_exact(&mut length);
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        read.and_then(|()| stream.read_exact(&mut answer)).map(|()| answer)
    }

    #[test]
    fn the_connection_with_the_secret_is_the_one() {
        let (listener, port, secret) = bound();
        let client = thread::spawn(move || {
            let refused = offer(port, "wrong").ok();
            let too_long = offer(port, &"x".repeat(1000)).ok();
            (refused, too_long, offer(port, &secret).ok())
        });
        listener.accept().unwrap();
        let answers = client.join().unwrap();
        assert_eq!(answers, (Some(b"err".to_vec()), None, Some(b"ok".to_vec())));
    }

    #[test]
    fn silent_connections_keep_nobody_waiting() {
        let (listener, port, secret) = bound();
        // They come first, say nothing, and stay.
        let silent: Vec<_> = (1..MOST_AT_ONCE).map(|_| connect(port)).collect();
        let client = thread::spawn(move || offer(port, &secret).ok());
        listener.accept().unwrap();
        assert_eq!(client.join().unwrap(), Some(b"ok".to_vec()));
        drop(silent);
    }

    #[test]
    fn those_who_cannot_be_heard_at_once_are_heard_later() {
        let (listener, port, secret) = bound();
        let client = thread::spawn(move || {
            let silent: Vec<_> = (0..2 * MOST_AT_ONCE).map(|_| connect(port)).collect();
            drop(silent);
            offer(port, &secret).ok()
        });
        listener.accept().unwrap();
        assert_eq!(client.join().unwrap(), Some(b"ok".to_vec()));
    }
}
