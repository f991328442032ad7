//! Chunks of any lengths, as PySpark sends what it does not know the length of: a number, so many bytes, and -1 at the end.

use std::io::{self, Read};

/// Reads what chunks hold together.
pub(super) struct Chunks<R> {
    source: R,
    left: usize,
    ended: bool,
}

impl<R: Read> Chunks<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, left: 0, ended: false }
    }
}

impl<R: Read> Read for Chunks<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 && !self.ended && !bytes.is_empty() {
            let mut length = [0; 4];
            self.source.read_exact(&mut length)?;
            match usize::try_from(i32::from_be_bytes(length)) {
                Ok(length) => self.left = length,
                Err(_) => self.ended = true,
            }
        }
        let most = bytes.len().min(self.left);
        if most == 0 {
            // Not even asked: a buffered source would wait for more, which never comes.
            return Ok(0);
        }
        let read = self.source.read(&mut bytes[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read;
        Ok(read)
    }
}
