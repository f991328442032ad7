//! What tasks have added to accumulators, to the program's own server.

use std::{
    io::{self, ErrorKind, Read, Write},
    path::PathBuf,
};

use bytes::Bytes;
use zeroize::Zeroizing;

use super::sockets::Stream;

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
    stream: Option<Stream>,
}

impl AccumulatorClient {
    pub(crate) fn new(server: AccumulatorServer) -> Self {
        Self { server, stream: None }
    }

    /// Sends updates and waits until the program has taken them in, for as long as it lives: its other threads may keep it busy.
    /// What was half sent is not sent again, as it might count twice.
    pub(crate) fn send(&mut self, updates: &[Bytes]) -> io::Result<()> {
        let sent = self.try_send(updates);
        if sent.is_err() {
            self.stream = None;
        }
        sent
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
    fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Loopback { host, port, token } => {
                let mut stream = Stream::connect(host, *port)?;
                stream.write_all(token.as_bytes())?;
                Ok(stream)
            }
            Self::FileSystem(path) => Stream::connect_path(path),
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
    use super::*;

    #[test]
    fn a_batch_as_pyspark_reads_it() {
        let mut written = Vec::new();
        write_batch(&["ab".into(), Bytes::new()], &mut written).unwrap();
        assert_eq!(written, b"\0\0\0\x02\0\0\0\x02ab\0\0\0\0");
    }
}
