//! How records become bytes and back: supplied by whoever knows their type.

use std::{error::Error, marker::PhantomData, mem};

use firesteel_model::heap_size;
use serde::{Serialize, de::DeserializeOwned};

/// What a codec of the caller's says when it fails.
pub type CodecError = Box<dyn Error + Send + Sync>;

/// How records of one type become bytes, and how much memory they take. The store knows neither: the API is generic over
/// the user's types and supplies this with each block.
pub trait RecordCodec<T>: Send + Sync + 'static {
    /// How many bytes of memory these records take, what they point to included. An estimate; it is asked for every few
    /// records while a block is unrolled, so it must be cheap.
    fn memory_size(&self, records: &[T]) -> u64;

    /// Appends the encoding of one record. After an error the output is given up.
    fn encode(&self, record: &T, output: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Reads a record back from exactly what [`Self::encode`] appended.
    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError>;
}

/// The codec for every type that serde knows, in postcard's encoding.
pub struct PostcardCodec<T>(PhantomData<fn() -> T>);

impl<T> PostcardCodec<T> {
    /// The codec.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for PostcardCodec<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// So few records are all measured.
const MEASURED_RECORDS: usize = 32;
/// Of more, one of so many is measured, and stands for the others.
const SAMPLE_EVERY: usize = 16;

impl<T: Serialize + DeserializeOwned + 'static> RecordCodec<T> for PostcardCodec<T> {
    /// Exact for types that point to nothing; see [`heap_size`] for the others.
    fn memory_size(&self, records: &[T]) -> u64 {
        let inline = mem::size_of_val(records) as u64;
        if !mem::needs_drop::<T>() || records.is_empty() {
            return inline;
        }
        let step = if records.len() <= MEASURED_RECORDS { 1 } else { SAMPLE_EVERY };
        let (mut sampled, mut heap) = (0, 0);
        for record in records.iter().step_by(step) {
            heap += heap_size(record);
            sampled += 1;
        }
        inline + heap * records.len() as u64 / sampled
    }

    fn encode(&self, record: &T, output: &mut Vec<u8>) -> Result<(), CodecError> {
        let taken = mem::take(output);
        *output = postcard::to_extend(record, taken)?;
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError> {
        Ok(postcard::from_bytes(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_measured_exactly_where_nothing_is_pointed_to() {
        assert_eq!(PostcardCodec::<(u64, u32)>::new().memory_size(&[(0, 0); 10]), 160);
        assert_eq!(PostcardCodec::<String>::new().memory_size(&[]), 0);
    }

    #[test]
    fn what_strings_point_to_is_estimated() {
        let strings: Vec<String> = (0..1000).map(|number| "x".repeat(50 + number % 3)).collect();
        let size = PostcardCodec::new().memory_size(&strings);
        // With what the allocator adds to each.
        let exact = strings.iter().map(|string| (mem::size_of::<String>() + string.len() + 16) as u64).sum::<u64>();
        assert!(size.abs_diff(exact) * 20 < exact, "{size} for {exact}");
    }

    #[test]
    fn numbers_count_by_what_they_take_in_memory_and_not_by_their_encoding() {
        let records: Vec<(i64, Vec<u64>)> = (0..10).map(|key| (key, vec![7; 30_000])).collect();
        let size = PostcardCodec::new().memory_size(&records);
        let exact = 10 * (32 + 30_000 * 8);
        assert!(size.abs_diff(exact) * 20 < exact, "{size} for {exact}");
    }

    #[test]
    fn records_come_back_and_others_are_refused() {
        let codec = PostcardCodec::<(u32, String)>::new();
        let mut bytes = b"before".to_vec();
        codec.encode(&(7, "seven".to_owned()), &mut bytes).unwrap();
        assert_eq!(codec.decode(&bytes[6..]).unwrap(), (7, "seven".to_owned()));
        assert!(codec.decode(&bytes[6..bytes.len() - 1]).is_err());
    }
}
