//! The port that tells a worker from others of its host.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
};

use firesteel_rpc::Ports;
use socket2::{Domain, Socket, Type};

/// A port that nobody else has while this value is there. Nobody listens on it: a worker connects to its masters, and nobody to a
/// worker, but it is known by its address.
#[derive(Debug)]
pub(crate) struct ClaimedPort {
    port: u16,
    _socket: Socket,
}

impl ClaimedPort {
    pub(crate) fn claim(host: &str, ports: Ports) -> io::Result<Self> {
        ports.listen(|port| {
            let addresses = (host, port).to_socket_addrs()?;
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in addresses {
                match claim(address) {
                    Ok(claimed) => return Ok(claimed),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

fn claim(address: SocketAddr) -> io::Result<ClaimedPort> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.bind(&address.into())?;
    let port = socket.local_addr()?.as_socket().map_or(address.port(), |bound| bound.port());
    Ok(ClaimedPort { port, _socket: socket })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_one_owner_and_the_next_one_takes_the_next_port() {
        let first = ClaimedPort::claim("127.0.0.1", 0.into()).unwrap();
        let taken = ClaimedPort::claim("127.0.0.1", first.port().into()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let ports = Ports { port: first.port(), max_retries: 16 };
        assert_ne!(ClaimedPort::claim("127.0.0.1", ports).unwrap().port(), first.port());
        let port = first.port();
        drop(first);
        assert_eq!(ClaimedPort::claim("127.0.0.1", port.into()).unwrap().port(), port);
    }
}
