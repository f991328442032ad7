//! What tasks have added to accumulators, to the program's own server.

use std::{
    io::{self, BufWriter, ErrorKind, Read, Write},
    net::TcpStream,
};

use bytes::Bytes;
use zeroize::Zeroizing;

/// The way to the program's server, which is connected to when there is something to say.
pub(crate) struct AccumulatorClient {
    host: String,
    port: u16,
    token: Zeroizing<String>,
    stream: Option<TcpStream>,
}

impl AccumulatorClient {
    pub(crate) fn new(host: &str, port: u16, token: &str) -> Self {
        Self { host: host.to_owned(), port, token: Zeroizing::new(token.to_owned()), stream: None }
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
        let is_new = self.stream.is_none();
        let mut stream: &TcpStream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect((self.host.as_str(), self.port))?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        let mut writer = BufWriter::new(stream);
        if is_new {
            writer.write_all(self.token.as_bytes())?;
        }
        write_batch(updates, &mut writer)?;
        writer.flush()?;
        drop(writer);
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        if answer == [1] { Ok(()) } else { Err(io::Error::new(ErrorKind::InvalidData, "it has another answer than 1")) }
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
