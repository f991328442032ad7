//! The gateway on a socket of loopback.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    mem,
    net::{Ipv4Addr, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use crate::{Command, CommandError, Gateway, abandoned::Connection};

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

    /// Serves from now on until the process ends. The threads need no end of their own: the program is gone by then. `watch` is told how
    /// many connections there are whenever one has come or is about to go, by its thread.
    pub fn serve<S: Send + Sync + 'static>(
        self,
        gateway: Arc<Gateway<S>>,
        watch: impl Fn(usize) + Send + Sync + 'static,
    ) -> io::Result<()> {
        let connections = Arc::new(Connections { live: Mutex::new(0), watch: Box::new(watch) });
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
                let counted = Counted::one_more(&connections);
                let connection = thread::Builder::new().name("py4j".to_owned()).spawn(move || {
                    let _counted = counted;
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

/// How many connections there are, and who is told.
struct Connections {
    /// Locked while that is told, so that the last that is told is true.
    live: Mutex<usize>,
    watch: Box<dyn Fn(usize) + Send + Sync>,
}

/// Counts as a connection until it is dropped.
struct Counted(Arc<Connections>);

impl Counted {
    fn one_more(connections: &Arc<Connections>) -> Self {
        connections.change(|live| live + 1);
        Self(Arc::clone(connections))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.change(|live| live - 1);
    }
}

impl Connections {
    fn change(&self, change: impl FnOnce(usize) -> usize) {
        let mut live = self.live.lock();
        *live = change(*live);
        (self.watch)(*live);
    }
}

fn serve_connection<S>(stream: &TcpStream, gateway: &Gateway<S>, secret: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    authenticate(stream, secret, Instant::now() + TIME_TO_AUTHENTICATE)?;
    stream.set_read_timeout(None)?;
    let mut reader = BufReader::new(stream);
    send(stream, "!yv".to_owned())?;
    let connection = Connection::of_this_thread(stream)?;
    loop {
        // What is too long is read to the end of its command and refused: the connection, and with it the properties that the
        // program's thread has set, stay.
        let mut too_long = false;
        let read = Command::read(|| {
            let line = read_line(&mut reader, LONGEST_LINE)?;
            too_long |= matches!(line, Line::TooLong);
            Ok(line.into_text())
        });
        if too_long && !matches!(read, Err(CommandError::Line(_)) | Ok(None)) {
            let limit = LONGEST_LINE >> 20;
            send(
                stream,
                gateway.error_reply(&format!(
                    "an argument is longer than {limit} MiB, the most that a call may carry; use a broadcast value or a file"
                )),
            )?;
            continue;
        }
        let command = match read {
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
        // A bug of ours must not cost the connection: the client would call again on another one, where the properties that the
        // program's thread has set are missing.
        let reply = catch_unwind(AssertUnwindSafe(|| gateway.reply(command))).unwrap_or_else(|panic| {
            // It may panic again when it is dropped.
            mem::forget(panic);
            Some(gateway.error_reply(
                "Firesteel's driver panicked in this call; the lines before this on standard error say where",
            ))
        });
        if connection.is_abandoned() {
            return Ok(());
        }
        if let Some(reply) = reply {
            send(stream, reply)?;
        }
    }
}

/// Two lines, and not one byte more: nothing else of a stranger's is looked at. Who sends byte by byte has no more time than others.
fn authenticate(mut stream: &TcpStream, secret: &str, deadline: Instant) -> io::Result<()> {
    let refused = || io::Error::new(ErrorKind::PermissionDenied, "it did not prove that it knows the secret");
    let expected = Zeroizing::new(format!("A\n{secret}\n").into_bytes());
    let mut offered = Zeroizing::new(Vec::with_capacity(expected.len()));
    while offered.len() < expected.len() && offered.iter().filter(|byte| **byte == b'\n').count() < 2 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(refused());
        }
        stream.set_read_timeout(Some(left))?;
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) => return Err(refused()),
            Ok(_) => offered.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(refused()),
        }
    }
    // Both are as long, unless it is a wrong secret's end that was found.
    offered.resize(expected.len(), 0);
    if expected.as_slice().ct_eq(&offered).into() { Ok(()) } else { Err(refused()) }
}

/// One system call for each reply.
fn send(mut stream: &TcpStream, mut reply: String) -> io::Result<()> {
    reply.push('\n');
    stream.write_all(reply.as_bytes())
}

/// What is read of a command.
enum Line {
    /// Without its line feed.
    Text(String),
    /// It was read to its end and not kept.
    TooLong,
    /// The connection's.
    End,
}

impl Line {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::TooLong => Some(String::new()),
            Self::End => None,
        }
    }
}

fn read_line(reader: &mut BufReader<&TcpStream>, longest: u64) -> io::Result<Line> {
    let mut line = Vec::new();
    reader.by_ref().take(longest).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(Line::End);
    }
    if line.pop() == Some(b'\n') {
        let line = String::from_utf8(line);
        return line.map(Line::Text).map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
    }
    if (line.len() as u64) + 1 < longest {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection ends in the middle of a line"));
    }
    drop(line);
    loop {
        let piece = reader.fill_buf()?;
        let (length, ended) = match piece.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None if piece.is_empty() => return Ok(Line::End),
            None => (piece.len(), false),
        };
        reader.consume(length);
        if ended {
            return Ok(Line::TooLong);
        }
    }
}

/// Compares in a time that does not depend on where the two differ.
pub fn same_secret(offered: &str, secret: &str) -> bool {
    offered.as_bytes().ct_eq(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{Class, Value, static_method};

    fn connect() -> TcpStream {
        const PANICS: Class<()> = Class {
            name: "com.example.Panics",
            extends: &[],
            members: &[
                static_method("now", 0, |_| panic!("as planned")),
                static_method("not", 1, |_| Ok(Value::Int(1))),
            ],
        };
        let server = GatewayServer::bind(Zeroizing::new("s3cret".to_owned())).unwrap();
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port().unwrap())).unwrap();
        server.serve(Arc::new(Gateway::new((), [PANICS])), |_| {}).unwrap();
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
    fn connections_are_counted() {
        let (told, counts) = mpsc::channel();
        let server = GatewayServer::bind(Zeroizing::new("s3cret".to_owned())).unwrap();
        let port = server.port().unwrap();
        server.serve(Arc::new(Gateway::new((), [])), move |live| told.send(live).unwrap()).unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let first = connect();
        assert_eq!(counts.recv().unwrap(), 1);
        let second = connect();
        assert_eq!(counts.recv().unwrap(), 2);
        drop(first);
        assert_eq!(counts.recv().unwrap(), 1);
        drop(second);
        assert_eq!(counts.recv().unwrap(), 0);
    }

    #[test]
    fn nobody_else_is() {
        for first in ["A\ns3cre\n", "A\ns3cret2\n", "r\nu\njava\nrj\ne\n", "A\n\n", "\n\n", &"x".repeat(5000)] {
            let mut stream = connect();
            stream.write_all(first.as_bytes()).unwrap();
            // What was not read makes the end a reset.
            let mut reply = Vec::new();
            if let Err(error) = stream.read_to_end(&mut reply) {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{first}");
            }
            assert_eq!(reply, b"", "{first}");
        }
    }

    /// It would have been collected up to its end.
    #[test]
    fn a_strangers_command_is_not_read() {
        let mut stream = connect();
        stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        let lines = "\n".repeat(1 << 16);
        let mut sent = stream.write_all(b"c\n");
        // The system's buffers hold some MB of it; then whoever does not read has closed the connection.
        for _ in 0..1 << 12 {
            sent = sent.and_then(|()| stream.write_all(lines.as_bytes()));
        }
        assert!(matches!(sent.unwrap_err().kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
    }

    #[test]
    fn a_call_that_panics_or_is_too_long_leaves_the_connection() {
        let mut stream = connect();
        assert_eq!(ask(&mut stream, "A\ns3cret\n"), "!yv\n");
        let panicked = ask(&mut stream, "c\nz:com.example.Panics\nnow\ne\n");
        assert!(panicked.starts_with("!xsFiresteel's driver panicked"), "{panicked}");
        let mut writer = stream.try_clone().unwrap();
        let sending = thread::spawn(move || {
            writer.write_all(b"c\nz:com.example.Panics\nnot\ns").unwrap();
            let piece = vec![b'x'; 1 << 20];
            (0..=LONGEST_LINE >> 20).for_each(|_| writer.write_all(&piece).unwrap());
            writer.write_all(b"\ne\n").unwrap();
        });
        let refused = ask(&mut stream, "");
        sending.join().unwrap();
        assert!(refused.contains("longer than 256 MiB"), "{refused}");
        assert_eq!(ask(&mut stream, "c\nz:com.example.Panics\nnot\ni7\ne\n"), "!yi1\n");
    }
}
