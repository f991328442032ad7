//! What can be a record.

use firesteel_block_store::{CodecError, PostcardCodec, RecordCodec};
use firesteel_closure::{ConstructError, Parts};
use firesteel_external_collections::EncodeError;
use serde::{Serialize, de::DeserializeOwned};

/// A record: anything that serde can write and read back, that can be copied, and that holds no borrow.
///
/// Implemented for every such type. Records are encoded when they cross a shuffle, are cached serialized, spill or are
/// collected; `Clone` is needed because a record cached as a value is handed out to many readers.
pub trait Data: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Data for T {}

/// A key of a pair: what can be hashed and compared. The hash of equal keys must be equal in every process, which is so for
/// every derived `Hash`.
pub trait Key: Data + std::hash::Hash + Eq {}

impl<K: Data + std::hash::Hash + Eq> Key for K {}

/// The records of one partition, as they are computed.
pub type Records<T> = Box<dyn Iterator<Item = T>>;

/// Encodes one value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    postcard::to_stdvec(value).map_err(|error| EncodeError::of(value, error))
}

/// Decodes one value that takes up all the bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(postcard::Error::DeserializeBadEncoding) }
}

/// Decodes what a constructor was given beside its parents.
pub(crate) fn decode_environment<T: DeserializeOwned>(
    constructor: &'static str,
    parts: Parts<'_>,
) -> Result<T, ConstructError> {
    decode(parts.environment).map_err(|error| ConstructError::Environment { constructor, message: error.to_string() })
}

/// The encoding of cached blocks and broadcast values, which says why a value has none.
pub(crate) struct DataCodec<T>(PostcardCodec<T>);

impl<T> DataCodec<T> {
    pub(crate) fn new() -> Self {
        Self(PostcardCodec::new())
    }
}

impl<T: Serialize + DeserializeOwned + 'static> RecordCodec<T> for DataCodec<T> {
    fn memory_size(&self, records: &[T]) -> u64 {
        self.0.memory_size(records)
    }

    fn encode(&self, record: &T, output: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.encode(record, output).map_err(|error| match error.downcast::<postcard::Error>() {
            Ok(error) => EncodeError::of(record, *error).into(),
            Err(other) => other,
        })
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError> {
        self.0.decode(bytes)
    }
}
