//! Records out of a stream of bytes.

use std::{
    io::{self, Read},
    marker::PhantomData,
};

use serde::de::DeserializeOwned;

/// How much is read at once, and at least kept free in the buffer.
const READ_SIZE: usize = 64 << 10;

/// Decodes records that were written one after another. A record may be longer than the buffer, which then grows.
pub(crate) struct RecordReader<R, T> {
    input: R,
    buffer: Vec<u8>,
    /// What is decoded already ends here.
    start: usize,
    ended: bool,
    records: PhantomData<fn() -> T>,
}

/// The bytes ended early, or are no record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadRecordError {
    #[error("could not read records")]
    Io(#[from] io::Error),
    #[error("a record of type {type_name} cannot be decoded: {message}")]
    Decode { type_name: &'static str, message: String },
}

impl<R: Read, T: DeserializeOwned> RecordReader<R, T> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), start: 0, ended: false, records: PhantomData }
    }

    /// The next record; `None` at the end.
    #[inline]
    pub(crate) fn next_record(&mut self) -> Result<Option<T>, ReadRecordError> {
        loop {
            let rest = &self.buffer[self.start..];
            if !rest.is_empty() {
                match postcard::take_from_bytes::<T>(rest) {
                    Ok((record, after)) => {
                        self.start = self.buffer.len() - after.len();
                        return Ok(Some(record));
                    }
                    // More of it may come.
                    Err(postcard::Error::DeserializeUnexpectedEnd) if !self.ended => {}
                    Err(error) => return Err(Self::undecodable(&error)),
                }
            } else if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    #[cold]
    fn undecodable(error: &postcard::Error) -> ReadRecordError {
        ReadRecordError::Decode { type_name: std::any::type_name::<T>(), message: error.to_string() }
    }

    /// Reads on. Grows by what it holds when a record does not fit, so that a long record is decoded few times over.
    fn fill(&mut self) -> Result<(), ReadRecordError> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let before = self.buffer.len();
        let wanted = READ_SIZE.max(before);
        self.buffer.resize(before + wanted, 0);
        let mut filled = before;
        while filled < before + wanted {
            match self.input.read(&mut self.buffer[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = 1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<(u32, String)>, ReadRecordError> {
        let mut reader = RecordReader::new(Trickle(bytes));
        std::iter::from_fn(|| reader.next_record().transpose()).collect()
    }

    #[test]
    fn records_come_back_whatever_their_length() {
        let records: Vec<(u32, String)> = (0..50).map(|n| (n, "x".repeat(n as usize * 4001))).collect();
        let bytes: Vec<u8> = records.iter().flat_map(|record| postcard::to_stdvec(record).unwrap()).collect();
        assert_eq!(read_all(&bytes).unwrap(), records);
    }

    #[test]
    fn a_cut_record_is_an_error() {
        let bytes = postcard::to_stdvec(&(7u32, "seven".to_owned())).unwrap();
        assert!(matches!(read_all(&bytes[..bytes.len() - 1]), Err(ReadRecordError::Decode { .. })));
        assert!(read_all(&[]).unwrap().is_empty());
    }
}
