//! What can be a record.

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
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_stdvec(value)
}

/// Decodes one value that takes up all the bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(postcard::Error::DeserializeBadEncoding) }
}
