//! Sealing streams.

use std::{
    fmt,
    io::{self, Write},
};

use crate::{CHUNK, IoEncryption, cipher::StreamCipher, key::SALT};

/// In front of each chunk.
pub(crate) const HEADER: usize = 4;
/// In the header, beside the length.
pub(crate) const LAST: u32 = 1 << 31;

/// Seals streams, one after the other, into writers that it is given with each call. One serves any number of streams; its buffer
/// stays. The writers need not be buffered: they are given whole chunks.
pub struct StreamSealer {
    encryption: IoEncryption,
    stream: Option<StreamCipher>,
    /// Room for a header, then plain text, at most a chunk of it. Empty before a stream begins.
    pending: Vec<u8>,
}

impl StreamSealer {
    /// No stream has begun.
    pub fn new(encryption: &IoEncryption) -> Self {
        Self { encryption: encryption.clone(), stream: None, pending: Vec::new() }
    }

    /// Has a stream begun, and not ended?
    pub fn has_begun(&self) -> bool {
        self.stream.is_some()
    }

    /// Takes bytes, begins a stream if there is none, and writes the chunks that are full. After an error the sealer must not be used
    /// any more.
    pub fn write(&mut self, mut bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        self.begin(out)?;
        while !bytes.is_empty() {
            // A full chunk waits for what follows, as it may be the last.
            if self.pending.len() == HEADER + CHUNK {
                self.write_chunk(false, out)?;
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(HEADER + CHUNK - self.pending.len()));
            self.pending.extend_from_slice(taken);
            bytes = rest;
        }
        Ok(())
    }

    /// Ends the stream, which is an empty one if nothing was written. The sealer may then be used for the next one.
    pub fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.begin(out)?;
        self.write_chunk(true, out)?;
        self.stream = None;
        self.pending.clear();
        Ok(())
    }

    /// A writer whose bytes this seals on their way to another. It does not end the stream.
    pub fn onto<'a, W: Write>(&'a mut self, writer: &'a mut W) -> Onto<'a, W> {
        Onto { sealer: self, writer }
    }

    fn begin(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.stream.is_none() {
            let salt = rand::random::<[u8; SALT]>();
            out.write_all(&salt)?;
            self.stream = Some(self.encryption.stream(&salt));
            self.pending.clear();
            self.pending.extend_from_slice(&[0; HEADER]);
        }
        Ok(())
    }

    fn write_chunk(&mut self, is_last: bool, out: &mut impl Write) -> io::Result<()> {
        let stream = self.stream.as_mut().expect("it has begun");
        let (header, plain) = self.pending.split_at_mut(HEADER);
        let length = plain.len() as u32 | if is_last { LAST } else { 0 };
        header.copy_from_slice(&length.to_le_bytes());
        let tag = stream.seal(is_last, plain).map_err(|_| {
            io::Error::new(io::ErrorKind::FileTooLarge, "an encrypted stream cannot be longer than 256 TiB")
        })?;
        self.pending.extend_from_slice(&tag);
        out.write_all(&self.pending)?;
        self.pending.truncate(HEADER);
        Ok(())
    }
}

/// Seals what is written to it on the way to a writer: see [`StreamSealer::onto`].
pub struct Onto<'a, W> {
    sealer: &'a mut StreamSealer,
    writer: &'a mut W,
}

impl<W: Write> Write for Onto<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sealer.write(bytes, self.writer)?;
        Ok(bytes.len())
    }

    /// What is less than a chunk stays.
    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Seals one stream on its way to a writer. Dropped without [`Self::finish`], it leaves a stream that nobody can open.
pub struct SealingWriter<W> {
    sealer: StreamSealer,
    writer: W,
    plain_length: u64,
}

impl<W: Write> SealingWriter<W> {
    pub(crate) fn new(encryption: &IoEncryption, writer: W) -> Self {
        Self { sealer: StreamSealer::new(encryption), writer, plain_length: 0 }
    }

    /// Ends the stream, and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.sealer.finish(&mut self.writer)?;
        Ok(self.writer)
    }

    /// How much was written, before it was sealed.
    pub fn plain_length(&self) -> u64 {
        self.plain_length
    }

    /// Where it goes.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.writer
    }
}

impl<W: Write> Write for SealingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sealer.write(bytes, &mut self.writer)?;
        self.plain_length += bytes.len() as u64;
        Ok(bytes.len())
    }

    /// What is less than a chunk stays: only the end of the stream may be shorter.
    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl fmt::Debug for StreamSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSealer").field("has_begun", &self.has_begun()).finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for Onto<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Onto").field("sealer", &self.sealer).finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for SealingWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingWriter").field("plain_length", &self.plain_length).finish_non_exhaustive()
    }
}
