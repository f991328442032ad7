//! Broadcast values for a worker, where they are in no file in clear.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use bytes::Bytes;
use firesteel_python_worker::{BroadcastServerAddress, Channel};
use tracing::debug;
use zeroize::Zeroizing;

use super::{
    accept::Listener,
    sockets::{Address, Sockets},
};

/// Serves one task's worker, as long as this lives: it connects once, and is sent each value behind its id, until it says that it has
/// them. What goes wrong with it the worker says, as it cannot do without them.
pub(crate) struct BroadcastServer {
    port: u16,
    secret: Zeroizing<String>,
    /// When this is closed, the thread stops waiting.
    _open: UnixStream,
}

impl BroadcastServer {
    /// The values in the order in which the worker has been told their ids.
    pub(crate) fn start(values: Vec<(i64, Bytes)>) -> io::Result<Self> {
        // Workers take a port whatever the program's sockets are. How long they have is the task's time, and no other.
        let listener = Listener::bind(&Sockets::new(None, Duration::ZERO))?;
        let Address::Port(port, secret) = listener.address().clone() else {
            return Err(io::Error::other("a socket of loopback has a port"));
        };
        let (open, closed) = UnixStream::pair()?;
        let serve = move || {
            let served = match listener.accept_until(&closed) {
                Ok(Some(stream)) => send(stream, values),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                debug!(%error, "broadcast values could not be handed to a worker");
            }
        };
        thread::Builder::new().name("python-broadcast".to_owned()).spawn(serve)?;
        Ok(Self { port, secret, _open: open })
    }

    pub(crate) fn address(&self) -> BroadcastServerAddress {
        BroadcastServerAddress { port: self.port, secret: self.secret.clone() }
    }
}

fn send(mut stream: Channel, values: Vec<(i64, Bytes)>) -> io::Result<()> {
    for (id, value) in values {
        stream.write_all(&id.to_be_bytes())?;
        stream.write_all(&value)?;
    }
    // It has read them all then, and closes its side.
    stream.read_exact(&mut [0])
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    #[test]
    fn a_worker_is_sent_ids_and_values() {
        let large = Bytes::from(vec![7; 3_000_000]);
        let server = BroadcastServer::start(vec![(4, "ab".into()), (-5, large.clone())]).unwrap();
        let BroadcastServerAddress { port, secret } = server.address();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(&(secret.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(secret.as_bytes()).unwrap();
        let mut expected = b"\0\0\0\x02ok\0\0\0\0\0\0\0\x04ab\xff\xff\xff\xff\xff\xff\xff\xfb".to_vec();
        expected.extend_from_slice(&large);
        let mut sent = vec![0; expected.len()];
        stream.read_exact(&mut sent).unwrap();
        assert!(sent == expected);
        stream.write_all(b"1").unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_server_that_is_dropped_waits_for_nobody() {
        let server = BroadcastServer::start(vec![(4, "ab".into())]).unwrap();
        let port = server.address().port;
        let mut waiting = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        drop(server);
        // Its thread closes the socket, and what waits there with it.
        let ended = waiting.read(&mut [0]);
        assert!(!matches!(ended, Ok(1..)), "{ended:?}");
    }
}
