//! The gateway on a socket of loopback.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use subtle::ConstantTimeEq;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use crate::{Command, CommandError, Gateway, abandoned::Connection};

/// Enough for the secret; whoever has not proved it may not make this process hold more.
const LONGEST_LINE_BEFORE_AUTHENTICATION: u64 = 1024;
/// PySpark sends functions up to 1 MiB in commands, and broadcasts larger ones; base64 adds a third. A user may call with more,
/// but not with so much that the driver suffers.
const LONGEST_LINE: u64 = 256 << 20;
/// The client authenticates at once; whoever does not is none.
const TIME_TO_AUTHENTICATE: Duration = Duration::from_secs(30);

/// Listens for the program's connections.
pub struct GatewayServer {
    listener: TcpListener,
    secret: Arc<Zeroizing<String>>,
}

impl GatewayServer {
    /// Takes a free port of loopback. Whoever connects must know the secret.
    pub fn bind(secret: Zeroizing<String>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, secret: Arc::new(secret) })
    }

    /// Its port.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Serves from now on until the process ends. The threads need no end of their own: the program is gone by then.
    pub fn serve<S: Send + Sync + 'static>(self, gateway: Arc<Gateway<S>>) -> io::Result<()> {
        let accept = move || {
            for stream in self.listener.incoming() {
                let stream = match stream {
                    Ok(stream) => stream,
                    Err(error) => {
                        warn!(%error, "could not accept a connection of the Python program");
                        // Most often there are too many open files: others must end before it helps to go on.
                        thread::sleep(Duration::from_millis(100));
                        continue;
                    }
                };
                let (gateway, secret) = (Arc::clone(&gateway), Arc::clone(&self.secret));
                let connection = thread::Builder::new().name("py4j".to_owned()).spawn(move || {
                    if let Err(error) = serve_connection(&stream, &gateway, &secret) {
                        debug!(%error, "a connection of the Python program has ended");
                    }
                });
                if let Err(error) = connection {
                    warn!(%error, "could not start a thread for a connection of the Python program");
                }
            }
        };
        thread::Builder::new().name("py4j-accept".to_owned()).spawn(accept).map(drop)
    }
}

fn serve_connection<S>(stream: &TcpStream, gateway: &Gateway<S>, secret: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIME_TO_AUTHENTICATE))?;
    let mut reader = BufReader::new(stream);
    let first = Command::read(|| read_line(&mut reader, LONGEST_LINE_BEFORE_AUTHENTICATION));
    match first {
        Ok(Some(Command::Authenticate(offered))) if same_secret(&offered, secret) => {}
        _ => return Err(io::Error::new(ErrorKind::PermissionDenied, "it did not prove that it knows the secret")),
    }
    stream.set_read_timeout(None)?;
    send(stream, "!yv".to_owned())?;
    let connection = Connection::of_this_thread(stream)?;
    loop {
        let command = match Command::read(|| read_line(&mut reader, LONGEST_LINE)) {
            Ok(Some(Command::Shutdown) | None) => return Ok(()),
            Ok(Some(command)) => command,
            Err(error @ CommandError::Argument(_)) => {
                send(stream, gateway.error_reply(&error.to_string()))?;
                continue;
            }
            Err(CommandError::Line(error)) => return Err(error),
            Err(error @ CommandError::Malformed { .. }) => {
                // Where the next command begins is not known.
                send(stream, gateway.error_reply(&error.to_string()))?;
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        };
        let reply = gateway.reply(command);
        if connection.is_abandoned() {
            return Ok(());
        }
        if let Some(reply) = reply {
            send(stream, reply)?;
        }
    }
}

/// One system call for each reply.
fn send(mut stream: &TcpStream, mut reply: String) -> io::Result<()> {
    reply.push('\n');
    stream.write_all(reply.as_bytes())
}

/// A line without its line feed; `None` at the end.
fn read_line(reader: &mut BufReader<&TcpStream>, longest: u64) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    reader.by_ref().take(longest).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("a line is cut off or longer than {longest} bytes"),
        ));
    }
    let line = String::from_utf8(line);
    line.map(Some).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// Compares in a time that does not depend on where the two differ.
pub fn same_secret(offered: &str, secret: &str) -> bool {
    offered.as_bytes().ct_eq(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect() -> TcpStream {
        let server = GatewayServer::bind(Zeroizing::new("s3cret".to_owned())).unwrap();
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port().unwrap())).unwrap();
        server.serve(Arc::new(Gateway::new((), []))).unwrap();
        stream
    }

    fn ask(stream: &mut TcpStream, command: &str) -> String {
        stream.write_all(command.as_bytes()).unwrap();
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply).unwrap();
        reply
    }

    #[test]
    fn whoever_knows_the_secret_is_served() {
        let mut stream = connect();
        assert_eq!(ask(&mut stream, "A\ns3cret\n"), "!yv\n");
        assert_eq!(ask(&mut stream, "r\nu\njava.util\nrj\ne\n"), "!yp\n");
        assert_eq!(ask(&mut stream, "i\nA\nfp0;B\ne\n"), "!xscallbacks into Python are not built in yet\n");
        assert_eq!(ask(&mut stream, "i\njava.util.ArrayList\ne\n"), "!ylo0\n");
    }

    #[test]
    fn nobody_else_is() {
        for first in ["A\ns3cre\n", "A\ns3cret2\n", "r\nu\njava\nrj\ne\n", "A\n\n", &"x".repeat(5000)] {
            assert_eq!(ask(&mut connect(), first), "", "{first}");
        }
    }
}
