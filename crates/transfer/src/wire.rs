//! The bytes of one connection, in clear or under the AEAD.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc, time::Duration};

use bytes::{Buf, BufMut, BytesMut};
use firesteel_rpc::handshake::{MAX_RECORD, Opener, Sealer, Session};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use crate::{
    frame::{HEADER, Header},
    patience::Patience,
};

/// Read ahead of what is asked for, so that many small frames come with one system call. Small, because long bodies are read
/// past it, straight to where they belong.
const READ_AHEAD: usize = 16 << 10;

/// How much of a sealed stream is read at once.
const SEALED_READ: usize = 256 << 10;

/// How much is sealed and given to the system at once.
const SEALED_WRITE: usize = 4 * MAX_RECORD;

/// A connection keeps no more than this of a buffer while it is idle.
const IDLE_CAPACITY: usize = READ_AHEAD;

/// One `sendfile` call sends at most this, so that the other connections of the thread get their turn.
const SEND_FILE: usize = 1 << 20;

/// Divides an authenticated stream. `sealed`: every byte from here on is under the AEAD.
pub(crate) fn split(
    stream: TcpStream,
    session: Session,
    sealed: bool,
    patience: Arc<Patience>,
) -> (WireReader, WireWriter) {
    let (read, write) = stream.into_split();
    let (sealer, opener) = session.split();
    let (sealer, opener) = if sealed { (Some(sealer), Some(opener)) } else { (None, None) };
    let time_out = patience.time_out();
    (
        WireReader { stream: read, opener, sealed: BytesMut::new(), plain: Vec::new(), plain_used: 0, patience },
        WireWriter { stream: write, sealer, wire: Vec::new(), time_out },
    )
}

pub(crate) struct WireReader {
    stream: OwnedReadHalf,
    opener: Option<Opener>,
    /// Sealed records that have not been opened.
    sealed: BytesMut,
    /// Read ahead, in clear; the first `plain_used` bytes are done with.
    plain: Vec<u8>,
    plain_used: usize,
    patience: Arc<Patience>,
}

impl WireReader {
    /// The next header, or nothing if the other side closed the connection between two frames.
    pub(crate) async fn header(&mut self) -> io::Result<Option<Header>> {
        self.shrink_if_idle();
        let mut bytes = [0; HEADER];
        let mut have = 0;
        while have < HEADER {
            if self.plain_used == self.plain.len() && !self.fill().await? {
                return if have == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            have += self.take_plain(&mut &mut bytes[have..]);
        }
        Header::decode(&bytes).map(Some)
    }

    /// Exactly `length` bytes.
    pub(crate) async fn bytes(&mut self, length: usize) -> io::Result<BytesMut> {
        // What is claimed is believed a few megabytes at a time.
        let mut body = BytesMut::with_capacity(length.min(4 << 20));
        while body.len() < length {
            let left = length - body.len();
            body.reserve(left.min(4 << 20));
            self.some(&mut body, left).await?;
        }
        Ok(body)
    }

    /// Between 1 and `most` bytes, appended to `buffer`, not beyond its capacity.
    pub(crate) async fn some(&mut self, buffer: &mut BytesMut, most: usize) -> io::Result<usize> {
        let room = most.min(buffer.capacity() - buffer.len());
        let mut target = buffer.limit(room);
        if self.plain_used == self.plain.len() {
            if self.opener.is_none() && room >= READ_AHEAD {
                let read = with_patience(&self.patience, self.stream.read_buf(&mut target)).await?;
                return if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) };
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.take_plain(&mut target))
    }

    /// Reads past `length` bytes that nobody wants.
    pub(crate) async fn skip(&mut self, mut length: u64) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(READ_AHEAD);
        while length > 0 {
            buffer.clear();
            length -= self.some(&mut buffer, length.min(READ_AHEAD as u64) as usize).await? as u64;
        }
        Ok(())
    }

    fn take_plain(&mut self, target: &mut impl BufMut) -> usize {
        let available = &self.plain[self.plain_used..];
        let taken = available.len().min(target.remaining_mut());
        target.put_slice(&available[..taken]);
        self.plain_used += taken;
        taken
    }

    /// Reads ahead, when all is used; says whether something came.
    async fn fill(&mut self) -> io::Result<bool> {
        self.plain.clear();
        self.plain_used = 0;
        let Some(opener) = &mut self.opener else {
            self.plain.reserve(READ_AHEAD);
            let mut target = (&mut self.plain).limit(READ_AHEAD);
            return Ok(with_patience(&self.patience, self.stream.read_buf(&mut target)).await? > 0);
        };
        loop {
            while let Some(length) = self.sealed.first_chunk::<2>() {
                let end = 2 + usize::from(u16::from_le_bytes(*length));
                let Some(record) = self.sealed.get(2..end) else { break };
                opener
                    .open(record, &mut self.plain)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                self.sealed.advance(end);
            }
            if !self.plain.is_empty() {
                return Ok(true);
            }
            self.sealed.reserve(SEALED_READ);
            if with_patience(&self.patience, self.stream.read_buf(&mut self.sealed)).await? == 0 {
                // The AEAD has no last record, so an end is only believed between two of them; the frames say the rest.
                return if self.sealed.is_empty() { Ok(false) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    fn shrink_if_idle(&mut self) {
        if self.plain_used == self.plain.len() && self.plain.capacity() > IDLE_CAPACITY {
            self.plain = Vec::new();
            self.plain_used = 0;
        }
        if self.sealed.is_empty() {
            self.sealed = BytesMut::new();
        }
    }
}

/// Waits for a read as long as the other side owes nothing, or has not owed it for too long.
async fn with_patience(patience: &Patience, read: impl Future<Output = io::Result<usize>>) -> io::Result<usize> {
    let mut read = std::pin::pin!(read);
    while let Some(wait) = patience.remaining() {
        if let Ok(result) = timeout(wait, &mut read).await {
            patience.heard();
            return result;
        }
    }
    Err(silent(patience.time_out()))
}

fn silent(time_out: Duration) -> io::Error {
    let message = format!("nothing moved for {} s (spark.shuffle.io.connectionTimeout)", time_out.as_secs_f64());
    io::Error::new(io::ErrorKind::TimedOut, message)
}

pub(crate) struct WireWriter {
    stream: OwnedWriteHalf,
    sealer: Option<Sealer>,
    wire: Vec<u8>,
    time_out: Duration,
}

impl WireWriter {
    /// Writes bytes.
    pub(crate) async fn bytes(&mut self, mut bytes: impl Buf) -> io::Result<()> {
        if self.sealer.is_some() {
            let mut piece = Vec::new();
            while bytes.has_remaining() {
                piece.clear();
                let length = bytes.remaining().min(SEALED_WRITE);
                piece.put(bytes.copy_to_bytes(length));
                self.seal_and_write(&piece).await?;
            }
            return Ok(());
        }
        while bytes.has_remaining() {
            let wrote = timeout(self.time_out, self.stream.write_buf(&mut bytes)).await;
            if wrote.map_err(|_| silent(self.time_out))?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Writes `before`, and then a part of a file, which does not enter this process unless it must be sealed.
    pub(crate) async fn file(&mut self, before: &[u8], file: &File, offset: u64, length: u64) -> io::Result<()> {
        if self.sealer.is_some() {
            return self.file_by_copy(before, file, offset, length).await;
        }
        self.send_more(before).await?;
        self.send_file(file, offset, length).await
    }

    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        timeout(self.time_out, self.stream.shutdown()).await.map_err(|_| silent(self.time_out))?
    }

    async fn seal_and_write(&mut self, plain: &[u8]) -> io::Result<()> {
        let sealer = self.sealer.as_mut().expect("called on sealed connections only");
        self.wire.clear();
        sealer.seal(plain, &mut self.wire);
        let mut wire = &self.wire[..];
        while !wire.is_empty() {
            let wrote = timeout(self.time_out, self.stream.write_buf(&mut wire)).await;
            if wrote.map_err(|_| silent(self.time_out))?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.wire.clear();
        self.wire.shrink_to(IDLE_CAPACITY);
        Ok(())
    }

    async fn file_by_copy(&mut self, before: &[u8], file: &File, mut offset: u64, length: u64) -> io::Result<()> {
        let end = offset + length;
        let mut piece = before.to_vec();
        while offset < end || !piece.is_empty() {
            let start = piece.len();
            let read = (end - offset).min((SEALED_WRITE - start) as u64) as usize;
            piece.resize(start + read, 0);
            file.read_exact_at(&mut piece[start..], offset)?;
            self.seal_and_write(&piece).await?;
            offset += read as u64;
            piece.clear();
        }
        Ok(())
    }

    /// Waits until the socket takes something, and lets `send` give it.
    async fn when_writable(&self, mut send: impl FnMut(&TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        let stream: &TcpStream = self.stream.as_ref();
        loop {
            timeout(self.time_out, stream.writable()).await.map_err(|_| silent(self.time_out))??;
            match stream.try_io(Interest::WRITABLE, || send(stream)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    #[cfg(target_os = "linux")]
    async fn send_more(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        use rustix::net::{SendFlags, send};
        while !bytes.is_empty() {
            // Held back until the file's bytes are there, so that a header does not travel alone.
            let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
            let sent = self.when_writable(|stream| send(stream, bytes, flags).map_err(io::Error::from)).await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    async fn send_file(&mut self, file: &File, mut offset: u64, length: u64) -> io::Result<()> {
        let end = offset + length;
        while offset < end {
            let most = (end - offset).min(SEND_FILE as u64) as usize;
            let send = |stream: &TcpStream| {
                rustix::fs::sendfile(stream, file, Some(&mut offset), most).map_err(io::Error::from)
            };
            if self.when_writable(send).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file is shorter than it was"));
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    async fn send_more(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes(bytes).await
    }

    #[cfg(not(target_os = "linux"))]
    async fn send_file(&mut self, file: &File, mut offset: u64, length: u64) -> io::Result<()> {
        let end = offset + length;
        let mut piece = Vec::new();
        while offset < end {
            piece.resize((end - offset).min(SEND_FILE as u64) as usize, 0);
            file.read_exact_at(&mut piece, offset)?;
            self.bytes(&piece[..]).await?;
            offset += piece.len() as u64;
        }
        Ok(())
    }
}
