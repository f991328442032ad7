//! What tasks have added to accumulators, to the program's own server.

use std::{
    io::{self, ErrorKind, Read, Write},
    path::PathBuf,
};

use bytes::Bytes;
use firesteel_python_worker::Channel;
use zeroize::Zeroizing;

/// Where the program's server is.
#[derive(Clone)]
pub(crate) enum AccumulatorServer {
    /// With what proves to it who connects.
    Loopback { host: String, port: u16, token: Zeroizing<String> },
    /// In the file system, which has let nobody else.
    FileSystem(PathBuf),
}

/// The way to the program's server, which is connected to when there is something to say.
pub(crate) struct AccumulatorClient {
    server: AccumulatorServer,
    stream: Option<Channel>,
}

impl AccumulatorClient {
    pub(crate) fn new(server: AccumulatorServer) -> Self {
        Self { server, stream: None }
    }

    /// Sends updates and waits until the program has taken them in, for as long as it lives: its other threads may keep it busy.
    /// What was half sent is not sent again, as it might count twice.
    fn send(&mut self, updates: &[Bytes]) -> io::Result<()> {
        let sent = self.try_send(updates);
        if sent.is_err() {
            self.stream = None;
        }
        sent
    }

    /// Sends the updates of each task by themselves, as Spark does, so that what cannot be sent is those of one. Gives how many could
    /// not, and why the first.
    pub(crate) fn send_each(&mut self, tasks: &[Vec<Bytes>]) -> Result<(), (usize, io::Error)> {
        let mut errors = tasks.iter().filter_map(|updates| self.send(updates).err());
        let Some(first) = errors.next() else { return Ok(()) };
        Err((1 + errors.count(), first))
    }

    fn try_send(&mut self, updates: &[Bytes]) -> io::Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(self.server.connect()?),
        };
        let mut batch = Vec::new();
        write_batch(updates, &mut batch)?;
        stream.write_all(&batch)?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        if answer == [1] { Ok(()) } else { Err(io::Error::new(ErrorKind::InvalidData, "it has another answer than 1")) }
    }
}

impl AccumulatorServer {
    fn connect(&self) -> io::Result<Channel> {
        match self {
            Self::Loopback { host, port, token } => {
                let mut stream = Channel::connect(host, *port)?;
                stream.write_all(token.as_bytes())?;
                Ok(stream)
            }
            Self::FileSystem(path) => Channel::connect_path(path),
        }
    }
}

fn write_batch(updates: &[Bytes], writer: &mut impl Write) -> io::Result<()> {
    let number = |length: usize| {
        let number = i32::try_from(length).map_err(|_| io::Error::new(ErrorKind::InvalidInput, "2 GiB or more"));
        number.map(i32::to_be_bytes)
    };
    writer.write_all(&number(updates.len())?)?;
    for update in updates {
        writer.write_all(&number(update.len())?)?;
        writer.write_all(update)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    #[test]
    fn a_batch_as_pyspark_reads_it() {
        let mut written = Vec::new();
        write_batch(&["ab".into(), Bytes::new()], &mut written).unwrap();
        assert_eq!(written, b"\0\0\0\x02\0\0\0\x02ab\0\0\0\0");
    }

    #[test]
    fn only_the_updates_that_failed_are_lost() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            // The first connection is closed instead of answered.
            let mut first = vec![0; 14];
            listener.accept().unwrap().0.read_exact(&mut first).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut second = vec![0; 15];
            stream.read_exact(&mut second).unwrap();
            stream.write_all(&[1]).unwrap();
            (first, second)
        });
        let token = Zeroizing::new("token".to_owned());
        let server_of_program = AccumulatorServer::Loopback { host: "127.0.0.1".to_owned(), port, token };
        let mut client = AccumulatorClient::new(server_of_program);
        let (lost, _) = client.send_each(&[vec!["a".into()], vec!["bc".into()]]).unwrap_err();
        assert_eq!(lost, 1);
        drop(client);
        let (first, second) = server.join().unwrap();
        assert_eq!(first, b"token\0\0\0\x01\0\0\0\x01a");
        assert_eq!(second, b"token\0\0\0\x01\0\0\0\x02bc");
    }
}
