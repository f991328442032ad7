//! How records become bytes and back: supplied by whoever knows their type.

use std::{error::Error, marker::PhantomData, mem};

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

/// Of so many records one is encoded to estimate what all of them point to.
const SAMPLE_EVERY: usize = 16;

impl<T: Serialize + DeserializeOwned + 'static> RecordCodec<T> for PostcardCodec<T> {
    /// Exact for types that point to nothing. For others the encoding of every sixteenth record stands for what it points
    /// to: about right for strings and byte strings, which are most of what is cached.
    fn memory_size(&self, records: &[T]) -> u64 {
        let inline = mem::size_of_val(records) as u64;
        if !mem::needs_drop::<T>() || records.is_empty() {
            return inline;
        }
        let mut sampled = 0;
        let mut encoded = 0;
        for record in records.iter().step_by(SAMPLE_EVERY) {
            let size = postcard::serialize_with_flavor(record, postcard::ser_flavors::Size::default());
            encoded += size.unwrap_or(0) as u64;
            sampled += 1;
        }
        inline + encoded * records.len() as u64 / sampled
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
        let exact = strings.iter().map(|string| (mem::size_of::<String>() + string.len()) as u64).sum::<u64>();
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
