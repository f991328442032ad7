//! The barrier of a task: where its Python code waits for the other tasks of the stage.

use std::{
    io::{self, BufReader, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use firesteel_python_worker::Channel;
use tracing::debug;
use zeroize::Zeroizing;

use super::{
    accept::Listener,
    sockets::{Address, Sockets},
};

const BARRIER: i32 = 1;
const ALL_GATHER: i32 = 2;

/// Serves one task, as long as this lives. The worker connects for each wait, says whether it brings a text, and gets what all tasks
/// have brought when the last one has come.
pub(crate) struct BarrierServer {
    port: u16,
    secret: Zeroizing<String>,
    /// When this is closed, the thread ends.
    _open: UnixStream,
}

impl BarrierServer {
    /// `sync` waits for the other tasks. If it gives nothing, the task has failed or will: the worker's connection is closed.
    pub(crate) fn start(
        mut sync: impl FnMut(Option<String>) -> Option<Vec<String>> + Send + 'static,
    ) -> io::Result<Self> {
        // Workers take a port whatever the program's sockets are. How long they have is the task's time, and no other.
        let listener = Listener::bind(&Sockets::new(None, Duration::ZERO))?;
        let Address::Port(port, secret) = listener.address().clone() else {
            return Err(io::Error::other("a socket of loopback has a port"));
        };
        let (open, closed) = UnixStream::pair()?;
        let serve = move || {
            loop {
                match listener.accept_until(&closed) {
                    Ok(Some(mut stream)) => {
                        if let Err(error) = serve_one(&mut stream, &mut sync) {
                            debug!(%error, "a connection of a worker to its barrier has ended");
                        }
                    }
                    Ok(None) => return,
                    Err(error) => return debug!(%error, "a task's barrier cannot be waited for"),
                }
            }
        };
        thread::Builder::new().name("python-barrier".to_owned()).spawn(serve)?;
        Ok(Self { port, secret, _open: open })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

fn serve_one(stream: &mut Channel, sync: &mut impl FnMut(Option<String>) -> Option<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(&mut *stream);
    let message = match number(&mut reader)? {
        BARRIER => None,
        ALL_GATHER => Some(text(&mut reader)?),
        other => return Err(io::Error::new(ErrorKind::InvalidData, format!("{other} is no function of a barrier"))),
    };
    let Some(messages) = sync(message) else { return Ok(()) };
    let mut reply = Vec::new();
    let put = |length: usize, reply: &mut Vec<u8>| {
        let length = i32::try_from(length).map_err(|_| io::Error::new(ErrorKind::InvalidInput, "2 GiB or more"))?;
        reply.extend(length.to_be_bytes());
        io::Result::Ok(())
    };
    put(messages.len(), &mut reply)?;
    for message in &messages {
        put(message.len(), &mut reply)?;
        reply.extend(message.as_bytes());
    }
    stream.write_all(&reply)
}

fn number(reader: &mut impl Read) -> io::Result<i32> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(i32::from_be_bytes(bytes))
}

fn text(reader: &mut impl Read) -> io::Result<String> {
    let length = u64::try_from(number(reader)?).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
    let mut bytes = Vec::new();
    reader.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    fn ask(server: &BarrierServer, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
        stream.write_all(&(server.secret().len() as u32).to_be_bytes()).unwrap();
        stream.write_all(server.secret().as_bytes()).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_worker_gets_what_all_have_brought() {
        let server = BarrierServer::start(|message| match message.as_deref() {
            None => Some(vec![String::new()]),
            Some("fail") => None,
            Some(message) => Some(vec!["é".to_owned(), message.to_owned()]),
        })
        .unwrap();
        let ok = b"\0\0\0\x02ok";
        assert_eq!(ask(&server, b"\0\0\0\x01"), [&ok[..], b"\0\0\0\x01\0\0\0\0"].concat());
        let gathered = "\0\0\0\x02\0\0\0\x02é\0\0\0\x01b";
        assert_eq!(ask(&server, b"\0\0\0\x02\0\0\0\x01b"), [&ok[..], gathered.as_bytes()].concat());
        assert_eq!(ask(&server, b"\0\0\0\x02\0\0\0\x04fail"), ok);
        assert_eq!(ask(&server, b"\0\0\0\x07"), ok);
    }

    #[test]
    fn nobody_listens_when_the_task_has_ended() {
        let server = BarrierServer::start(|_| None).unwrap();
        let address = (Ipv4Addr::LOCALHOST, server.port());
        drop(server);
        // The thread closes the port when it has seen that.
        while TcpStream::connect(address).is_ok() {
            thread::yield_now();
        }
    }
}
