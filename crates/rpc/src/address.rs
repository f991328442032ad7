//! Where a listener is reached, and the byte streams to it.

use std::{
    fmt, io,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::mpsc,
};

/// Where a listener is reached.
#[derive(Clone, Debug)]
pub enum Address {
    /// A host name or IP address, and a port; port 0 lets the system choose.
    Tcp {
        /// The host, without brackets if it is an IPv6 address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket file, made with mode 0600 (SE-42).
    Unix(PathBuf),
    /// Inside this process.
    Memory(MemoryAddress),
}

/// The text is no `host:port`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not an address; expected host:port")]
pub struct ParseAddressError(String);

impl Address {
    /// A host and a port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp { host: host.into(), port }
    }

    /// The port, where there is one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp { port, .. } => Some(*port),
            Self::Unix(_) | Self::Memory(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Memory(address) => write!(f, "memory:{}", address.0.name),
        }
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    /// Reads `host:port` and `[v6]:port`.
    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let error = || ParseAddressError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if host.is_empty() || (bracketed.is_none() && host.contains(':')) {
            return Err(error());
        }
        Ok(Self::tcp(bracketed.unwrap_or(host), port.parse().map_err(|_| error())?))
    }
}

/// A meeting point inside this process, for tests and simulations: the same handshake, frames and errors, without sockets.
#[derive(Clone)]
pub struct MemoryAddress(Arc<MemoryPoint>);

struct MemoryPoint {
    name: String,
    arrivals: mpsc::Sender<DuplexStream>,
    listening: Mutex<Option<mpsc::Receiver<DuplexStream>>>,
}

impl MemoryAddress {
    /// How many bytes a direction holds; small, so that tests meet back-pressure.
    const PIPE_SIZE: usize = 64 << 10;
    /// How many connections wait to be accepted; a connecting side waits beyond that, as with a socket's backlog.
    const BACKLOG: usize = 128;

    /// A new meeting point, known to those who are given it or a clone. The name appears in messages only.
    pub fn new(name: impl Into<String>) -> Self {
        let (arrivals, listening) = mpsc::channel(Self::BACKLOG);
        Self(Arc::new(MemoryPoint { name: name.into(), arrivals, listening: Mutex::new(Some(listening)) }))
    }
}

impl fmt::Debug for MemoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryAddress({:?})", self.0.name)
    }
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) type BoxStream = Box<dyn Stream>;

pub(crate) async fn open(address: &Address) -> io::Result<BoxStream> {
    Ok(match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Address::Memory(MemoryAddress(point)) => {
            let (near, far) = tokio::io::duplex(MemoryAddress::PIPE_SIZE);
            let refused = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens there");
            point.arrivals.send(far).await.map_err(refused)?;
            Box::new(near)
        }
    })
}

pub(crate) enum Incoming {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
    Memory(mpsc::Receiver<DuplexStream>, String),
}

impl Incoming {
    /// Listens, and says where: the port is the real one.
    pub(crate) async fn bind(address: &Address) -> io::Result<(Self, Address)> {
        match address {
            Address::Tcp { host, port } => {
                let listener = TcpListener::bind((host.as_str(), *port)).await?;
                let port = listener.local_addr()?.port();
                Ok((Self::Tcp(listener), Address::tcp(host.clone(), port)))
            }
            Address::Unix(path) => {
                use std::os::unix::fs::PermissionsExt;
                let listener = UnixListener::bind(path)?;
                // Between the two calls a stranger may connect, and then fails in the handshake.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
                Ok((Self::Unix(listener, path.clone()), address.clone()))
            }
            Address::Memory(MemoryAddress(point)) => {
                let listening = point.listening.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
                let listening = listening.ok_or(io::ErrorKind::AddrInUse)?;
                Ok((Self::Memory(listening, point.name.clone()), address.clone()))
            }
        }
    }

    /// The next stream and who is at its other end.
    pub(crate) async fn next(&mut self) -> io::Result<(BoxStream, String)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), peer.to_string()))
            }
            Self::Unix(listener, path) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), format!("unix:{}", path.display())))
            }
            Self::Memory(listening, name) => match listening.recv().await {
                Some(stream) => Ok((Box::new(stream), format!("memory:{name}"))),
                // Every address is gone, so nobody can connect any more; a listener without callers just waits.
                None => std::future::pending().await,
            },
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_and_parse() {
        for text in ["localhost:7077", "10.0.0.1:0", "[::1]:7077"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["", "localhost", ":1", "::1:7077", "host:port", "host:65536"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
