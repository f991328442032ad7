//! Records out of a stream of bytes.

use std::{
    io::{self, BufRead},
    marker::PhantomData,
};

use serde::de::DeserializeOwned;

/// So much is added to the start of a record at first, to find its end.
const FIRST_STEP: usize = 256;

/// Decodes records that were written one after another: where the input has them, except those that are in more than one
/// of its pieces.
pub(crate) struct RecordReader<R, T> {
    input: R,
    /// A record whose end is in another piece of the input than its start, and what was added behind it to find its end.
    /// Empty otherwise.
    split: Vec<u8>,
    /// What of `split` is decoded already ends here.
    start: usize,
    /// So many bytes at the end of `split` are still in the input, too.
    pending: usize,
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

impl<R: BufRead, T: DeserializeOwned> RecordReader<R, T> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, split: Vec::new(), start: 0, pending: 0, records: PhantomData }
    }

    /// The next record; `None` at the end.
    #[inline]
    pub(crate) fn next_record(&mut self) -> Result<Option<T>, ReadRecordError> {
        if !self.split.is_empty() {
            return self.split_record().map(Some);
        }
        let piece = piece(&mut self.input)?;
        if piece.is_empty() {
            return Ok(None);
        }
        match postcard::take_from_bytes::<T>(piece) {
            Ok((record, rest)) => {
                // A record without bytes of its own has one that stands for it.
                let used = (piece.len() - rest.len()).max(1);
                self.input.consume(used);
                Ok(Some(record))
            }
            Err(postcard::Error::DeserializeUnexpectedEnd) => {
                self.split.extend_from_slice(piece);
                self.pending = piece.len();
                self.split_record().map(Some)
            }
            Err(error) => Err(Self::undecodable(&error)),
        }
    }

    /// Decodes a record out of `split`, which grows until the record's end is there.
    #[cold]
    fn split_record(&mut self) -> Result<T, ReadRecordError> {
        loop {
            match postcard::take_from_bytes::<T>(&self.split[self.start..]) {
                Ok((record, rest)) => {
                    let left = rest.len().min(self.split.len() - self.start - 1);
                    if left <= self.pending {
                        // From here on, records are in the input itself.
                        self.input.consume(self.pending - left);
                        self.split.clear();
                        (self.start, self.pending) = (0, 0);
                    } else {
                        self.start = self.split.len() - left;
                    }
                    return Ok(record);
                }
                Err(postcard::Error::DeserializeUnexpectedEnd) => self.grow()?,
                Err(error) => return Err(Self::undecodable(&error)),
            }
        }
    }

    /// Adds as much as is there already, so that a long record is decoded few times over.
    fn grow(&mut self) -> Result<(), ReadRecordError> {
        self.input.consume(self.pending);
        self.pending = 0;
        self.split.drain(..self.start);
        self.start = 0;
        let before = self.split.len();
        let wanted = before + before.max(FIRST_STEP);
        while self.split.len() < wanted {
            let piece = piece(&mut self.input)?;
            if piece.is_empty() {
                let is_cut = self.split.len() == before;
                return if is_cut {
                    Err(Self::undecodable(&postcard::Error::DeserializeUnexpectedEnd))
                } else {
                    Ok(())
                };
            }
            let count = piece.len().min(wanted - self.split.len());
            self.split.extend_from_slice(&piece[..count]);
            if self.split.len() < wanted {
                self.input.consume(count);
            } else {
                self.pending = count;
            }
        }
        Ok(())
    }

    #[cold]
    fn undecodable(error: &postcard::Error) -> ReadRecordError {
        ReadRecordError::Decode { type_name: std::any::type_name::<T>(), message: error.to_string() }
    }
}

/// What the input has at hand; empty at its end.
#[inline]
fn piece(input: &mut impl BufRead) -> Result<&[u8], io::Error> {
    // Asked twice, since the first answer would be borrowed for the whole loop; the second one is there already.
    while let Err(error) = input.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    input.fill_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8], piece: usize) -> Result<Vec<(u32, String)>, ReadRecordError> {
        let mut reader = RecordReader::new(io::BufReader::with_capacity(piece, bytes));
        std::iter::from_fn(|| reader.next_record().transpose()).collect()
    }

    #[test]
    fn records_come_back_whatever_their_length() {
        let records: Vec<(u32, String)> = (0..50).map(|n| (n, "x".repeat(n as usize * 4001))).collect();
        let bytes: Vec<u8> = records.iter().flat_map(|record| postcard::to_stdvec(record).unwrap()).collect();
        for piece in [1, 7, 1000, 65_536, bytes.len()] {
            assert_eq!(read_all(&bytes, piece).unwrap(), records);
        }
    }

    #[test]
    fn records_without_bytes_are_as_many_as_were_written() {
        let mut bytes = Vec::new();
        for _ in 0..1000 {
            firesteel_external_collections::encode(&((), ()), &mut bytes).unwrap();
        }
        for piece in [1, 7, 2000] {
            let mut reader = RecordReader::<_, ((), ())>::new(io::BufReader::with_capacity(piece, &bytes[..]));
            assert_eq!(std::iter::from_fn(|| reader.next_record().transpose()).filter_map(Result::ok).count(), 1000);
        }
    }

    #[test]
    fn a_cut_record_is_an_error() {
        let bytes = postcard::to_stdvec(&(7u32, "seven".to_owned())).unwrap();
        for piece in [1, 100] {
            assert!(matches!(read_all(&bytes[..bytes.len() - 1], piece), Err(ReadRecordError::Decode { .. })));
            assert!(read_all(&[], piece).unwrap().is_empty());
        }
    }
}
