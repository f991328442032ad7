//! Records out of a stream of bytes.

use std::{
    cell::Cell,
    io::{self, BufRead},
    marker::PhantomData,
    sync::Arc,
};

use firesteel_executor::{RoomForRecord, TaskContext};
use postcard::de_flavors::Flavor;
use serde::de::DeserializeOwned;

/// So much is added to the start of a record at least, to find its end.
const LEAST_STEP: usize = 256;
/// A buffer that is larger is not kept for the next record.
const KEPT_CAPACITY: usize = 1 << 20;

/// Decodes records that were written one after another, behind their number: where the input has them, except those that
/// are in more than one of its pieces.
pub(crate) struct RecordReader<R, T> {
    input: R,
    /// So many records are still to come; none before their number is read.
    remaining: Option<u64>,
    /// A record whose end is in another piece of the input than its start, and what was added behind it to find its end.
    /// Empty otherwise.
    split: Vec<u8>,
    /// What of `split` is decoded already ends here.
    start: usize,
    /// So many bytes at the end of `split` are still in the input, too.
    pending: usize,
    /// Whose record it is, if that has to ask for room for large ones.
    context: Option<Arc<TaskContext>>,
    /// For a large record, until the next one is asked for.
    room: Option<Box<RoomForRecord>>,
    records: PhantomData<fn() -> T>,
}

/// The bytes ended early, or are no record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadRecordError {
    #[error("could not read records")]
    Io(#[from] io::Error),
    #[error("a record of type {type_name} cannot be decoded: {message}")]
    Decode { type_name: &'static str, message: String },
    #[error(
        "records of type {type_name} did not come back as they were written ({what}): their Serialize and Deserialize must \
         fit each other, without skipped or flattened fields"
    )]
    Misread { type_name: &'static str, what: String },
}

impl<R: BufRead, T: DeserializeOwned> RecordReader<R, T> {
    /// Of a task, which asks for room for large records before they are read.
    pub(crate) fn new(input: R, context: &Arc<TaskContext>) -> Self {
        Self { context: Some(Arc::clone(context)), ..Self::without_task(input) }
    }

    fn without_task(input: R) -> Self {
        let (split, records) = (Vec::new(), PhantomData);
        Self { input, remaining: None, split, start: 0, pending: 0, context: None, room: None, records }
    }

    /// The next record; `None` at the end.
    #[inline]
    pub(crate) fn next_record(&mut self) -> Result<Option<T>, ReadRecordError> {
        let Some(left) = self.remaining.unwrap_or_default().checked_sub(1) else { return self.begin_or_end() };
        self.remaining = Some(left);
        if self.room.is_some() {
            self.room = None;
        }
        if !self.split.is_empty() {
            return self.split_record().map(Some);
        }
        let piece = piece(&mut self.input)?;
        if piece.is_empty() {
            return Err(Self::misread(format!("{} are missing", left + 1)));
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

    /// Reads the number of records, if it has not been read; at the end, sees to it that nothing is left.
    #[cold]
    fn begin_or_end(&mut self) -> Result<Option<T>, ReadRecordError> {
        if self.remaining.is_none() && !piece(&mut self.input)?.is_empty() {
            let mut number = [0; size_of::<u64>()];
            self.input.read_exact(&mut number)?;
            self.remaining = Some(u64::from_le_bytes(number));
            return self.next_record();
        }
        if self.split.is_empty() && piece(&mut self.input)?.is_empty() {
            Ok(None)
        } else {
            Err(Self::misread("there are more bytes than records".to_owned()))
        }
    }

    /// Decodes a record out of `split`, which grows until the record's end is there.
    #[cold]
    fn split_record(&mut self) -> Result<T, ReadRecordError> {
        loop {
            let missing = Cell::new(0);
            match take_from_bytes::<T>(&self.split[self.start..], &missing) {
                Ok((record, left)) => {
                    let left = left.min(self.split.len() - self.start - 1);
                    if left <= self.pending {
                        // From here on, records are in the input itself.
                        self.input.consume(self.pending - left);
                        self.split.clear();
                        self.split.shrink_to(KEPT_CAPACITY);
                        (self.start, self.pending) = (0, 0);
                    } else {
                        self.start = self.split.len() - left;
                    }
                    return Ok(record);
                }
                Err(postcard::Error::DeserializeUnexpectedEnd) => self.grow(missing.get())?,
                Err(error) => return Err(Self::undecodable(&error)),
            }
        }
    }

    /// Adds what is missing at least, and as much as is there already, so that a long record is decoded few times over.
    fn grow(&mut self, missing: usize) -> Result<(), ReadRecordError> {
        if let Some(context) = self.context.as_ref().filter(|_| self.room.is_none()) {
            self.room = context.room_for_record(missing).map(Box::new);
        }
        self.input.consume(self.pending);
        self.pending = 0;
        self.split.drain(..self.start);
        self.start = 0;
        let before = self.split.len();
        let step = missing.max(before).max(LEAST_STEP);
        let wanted = before.saturating_add(step);
        // Room for twice a large record would be room for nothing. A length that cannot be true finds its end below.
        let _ = self.split.try_reserve_exact(step);
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
    fn misread(what: String) -> ReadRecordError {
        ReadRecordError::Misread { type_name: std::any::type_name::<T>(), what }
    }

    #[cold]
    fn undecodable(error: &postcard::Error) -> ReadRecordError {
        ReadRecordError::Decode { type_name: std::any::type_name::<T>(), message: error.to_string() }
    }
}

/// Takes a record off the front and gives the number of bytes behind it. If it is cut off, `missing` is set to how many bytes more the
/// first thing needs that is not whole: nearly all of it where a record is one large piece of bytes.
fn take_from_bytes<T: DeserializeOwned>(bytes: &[u8], missing: &Cell<usize>) -> postcard::Result<(T, usize)> {
    let mut deserializer = postcard::Deserializer::from_flavor(Measured { bytes, missing });
    let record = T::deserialize(&mut deserializer)?;
    Ok((record, deserializer.finalize()?))
}

/// Postcard's input, which tells what it lacks.
struct Measured<'de> {
    bytes: &'de [u8],
    missing: &'de Cell<usize>,
}

impl<'de> Flavor<'de> for Measured<'de> {
    /// How many bytes are left.
    type Remainder = usize;
    type Source = &'de [u8];

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        Ok(self.try_take_n(1)?[0])
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }

    #[inline]
    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            self.missing.set(count - self.bytes.len());
            return Err(postcard::Error::DeserializeUnexpectedEnd);
        };
        self.bytes = rest;
        Ok(taken)
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.bytes.len())
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
        let mut reader = RecordReader::without_task(io::BufReader::with_capacity(piece, bytes));
        std::iter::from_fn(|| reader.next_record().transpose()).collect()
    }

    fn written<T: serde::Serialize>(records: &[T]) -> Vec<u8> {
        let mut bytes = (records.len() as u64).to_le_bytes().to_vec();
        for record in records {
            firesteel_external_collections::encode(record, &mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn records_come_back_whatever_their_length() {
        let records: Vec<(u32, String)> = (0..50).map(|n| (n, "x".repeat(n as usize * 4001))).collect();
        let bytes = written(&records);
        for piece in [1, 7, 1000, 65_536, bytes.len()] {
            assert_eq!(read_all(&bytes, piece).unwrap(), records);
        }
    }

    #[test]
    fn a_large_record_takes_little_more_room_than_its_bytes() {
        let bytes = written(&[(1u32, "x".repeat(5_000_000))]);
        let record = &bytes[size_of::<u64>()..];
        let mut reader =
            RecordReader::<_, (u32, String)>::without_task(io::BufReader::with_capacity(10_000, &record[12..]));
        reader.split.extend_from_slice(&record[..12]);
        let missing = Cell::new(0);
        assert!(take_from_bytes::<(u32, String)>(&reader.split, &missing).is_err());
        assert_eq!(missing.get(), record.len() - 12);
        reader.grow(missing.get()).unwrap();
        assert_eq!(reader.split, record);
        assert!(reader.split.capacity() < record.len() + 1000, "{}", reader.split.capacity());
    }

    #[test]
    fn records_without_bytes_are_as_many_as_were_written() {
        let bytes = written(&[((), ()); 1000]);
        for piece in [1, 7, 2000] {
            let mut reader = RecordReader::<_, ((), ())>::without_task(io::BufReader::with_capacity(piece, &bytes[..]));
            assert_eq!(std::iter::from_fn(|| reader.next_record().transpose()).filter_map(Result::ok).count(), 1000);
        }
    }

    #[test]
    fn a_cut_record_is_an_error() {
        let bytes = written(&[(7u32, "seven".to_owned())]);
        for piece in [1, 100] {
            assert!(matches!(read_all(&bytes[..bytes.len() - 1], piece), Err(ReadRecordError::Decode { .. })));
            assert!(read_all(&[], piece).unwrap().is_empty());
            assert!(matches!(read_all(&bytes[..5], piece), Err(ReadRecordError::Io(_))));
        }
    }

    #[test]
    fn fewer_or_more_records_than_were_written_are_an_error() {
        // Two numbers each were written, as many bytes as half, or twice, as many records of another type.
        let bytes = written(&[(1u8, 2u8), (3, 4), (5, 6), (7, 8)]);
        for piece in [1, 3, 100] {
            let mut twice =
                RecordReader::<_, (u8, u8, u8, u8)>::without_task(io::BufReader::with_capacity(piece, &bytes[..]));
            let error = std::iter::from_fn(|| twice.next_record().transpose()).find_map(Result::err).unwrap();
            assert!(error.to_string().contains("2 are missing"), "{error}");
            let mut half = RecordReader::<_, u8>::without_task(io::BufReader::with_capacity(piece, &bytes[..]));
            let error = std::iter::from_fn(|| half.next_record().transpose()).find_map(Result::err).unwrap();
            assert!(error.to_string().contains("more bytes than records"), "{error}");
        }
    }
}
