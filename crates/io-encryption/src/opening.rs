//! Opening streams.

use std::{
    fmt,
    io::{self, BufRead, Read},
};

use crate::{
    CHUNK, IoEncryption, OpenStreamError,
    cipher::{StreamCipher, TAG},
    error::ReadStreamError,
    key::SALT,
    sealing::{HEADER, LAST},
};

/// Reads what was sealed, holding one chunk at a time. No byte is given out before the chunk that it is in has proved to be what was
/// written. After an error every further read is the same error, as far as it can be.
///
/// Its errors wrap an [`OpenStreamError`] where the stream is wrong, and are the reader's own where that fails.
pub struct OpeningReader<R> {
    encryption: IoEncryption,
    reader: R,
    many: bool,
    state: State,
    /// The chunk at hand, decrypted, with its tag behind it.
    chunk: Vec<u8>,
    position: usize,
    /// Of the plain text of the chunk.
    end: usize,
}

enum State {
    /// Before the first stream.
    Start,
    InStream(StreamCipher),
    AfterStream,
    /// The end has been seen.
    End,
    Failed(OpenStreamError),
}

impl<R: Read> OpeningReader<R> {
    pub(crate) fn new(encryption: &IoEncryption, reader: R, many: bool) -> Self {
        let encryption = encryption.clone();
        Self { encryption, reader, many, state: State::Start, chunk: Vec::new(), position: 0, end: 0 }
    }

    /// Where it comes from.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Makes sure that there is plain text at hand, unless the end has come.
    fn fill(&mut self) -> Result<(), ReadStreamError> {
        while self.position == self.end {
            let filled = self.next_chunk();
            if let Err(ReadStreamError::Stream(error)) = filled {
                self.state = State::Failed(error);
            }
            if !filled? {
                break;
            }
        }
        Ok(())
    }

    /// Decrypts the next chunk, which may be empty. False at the end.
    fn next_chunk(&mut self) -> Result<bool, ReadStreamError> {
        match &mut self.state {
            State::End => return Ok(false),
            State::Failed(error) => return Err((*error).into()),
            State::Start | State::AfterStream => return self.next_stream(),
            State::InStream(_) => {}
        }
        let State::InStream(stream) = &mut self.state else { unreachable!("looked at above") };
        let number = stream.chunks();
        let truncated = OpenStreamError::Truncated { chunk: number };
        let mut header = [0; HEADER];
        read_exact(&mut self.reader, &mut header, truncated)?;
        let header = u32::from_le_bytes(header);
        let (length, is_last) = ((header & !LAST) as usize, header & LAST != 0);
        if length > CHUNK || !is_last && length < CHUNK {
            return Err(OpenStreamError::Length { chunk: number }.into());
        }
        (self.position, self.end) = (0, 0);
        self.chunk.resize(length + TAG, 0);
        read_exact(&mut self.reader, &mut self.chunk, truncated)?;
        let (text, tag) = self.chunk.split_last_chunk_mut::<TAG>().expect("it was made so long");
        stream.open(is_last, text, tag).map_err(|_| OpenStreamError::Changed { chunk: number })?;
        self.end = length;
        if is_last {
            self.state = State::AfterStream;
        }
        Ok(true)
    }

    /// Begins a stream, if there is one and there may be one. False at the end.
    fn next_stream(&mut self) -> Result<bool, ReadStreamError> {
        let mut salt = [0; SALT];
        let first = loop {
            match self.reader.read(&mut salt) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadStreamError::Io(error)),
                Ok(read) => break read,
            }
        };
        let may_end = self.many || matches!(self.state, State::AfterStream);
        let truncated = OpenStreamError::Truncated { chunk: 0 };
        if first == 0 {
            self.state = State::End;
            return if may_end { Ok(false) } else { Err(truncated.into()) };
        }
        if !self.many && matches!(self.state, State::AfterStream) {
            return Err(OpenStreamError::Trailing.into());
        }
        read_exact(&mut self.reader, &mut salt[first..], truncated)?;
        self.state = State::InStream(self.encryption.stream(&salt));
        Ok(true)
    }
}

impl OpeningReader<&[u8]> {
    /// The plain text at hand; none at the end.
    pub(crate) fn chunk(&mut self) -> Result<&[u8], OpenStreamError> {
        match self.fill() {
            Ok(()) => Ok(&self.chunk[self.position..self.end]),
            Err(ReadStreamError::Stream(error)) => Err(error),
            Err(ReadStreamError::Io(error)) => unreachable!("memory can be read: {error}"),
        }
    }

    pub(crate) fn take_chunk(&mut self) {
        self.position = self.end;
    }
}

fn read_exact(reader: &mut impl Read, buffer: &mut [u8], truncated: OpenStreamError) -> Result<(), ReadStreamError> {
    reader.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadStreamError::Stream(truncated),
        _ => ReadStreamError::Io(error),
    })
}

impl<R: Read> BufRead for OpeningReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.fill() {
            Ok(()) => Ok(&self.chunk[self.position..self.end]),
            Err(ReadStreamError::Stream(error)) => Err(error.into()),
            Err(ReadStreamError::Io(error)) => Err(error),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.position = (self.position + amount).min(self.end);
    }
}

impl<R: Read> Read for OpeningReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R> fmt::Debug for OpeningReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.end - self.position;
        f.debug_struct("OpeningReader").field("many", &self.many).field("left_in_chunk", &left).finish_non_exhaustive()
    }
}
