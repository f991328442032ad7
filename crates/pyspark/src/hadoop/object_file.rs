//! Spark's object files of Python's elements: sequence files whose values are serialized arrays of frames.

use bytes::Bytes;
use firesteel::{Records, Writable};
use firesteel_executor::TaskFailure;

use super::byte_arrays::{ByteArraysError, deserialize, serialize};

/// So many frames are in one record, as in Spark.
const FRAMES_IN_RECORD: usize = 10;

/// A record is not one of an object file.
#[derive(Debug, thiserror::Error)]
enum ObjectFileError {
    #[error("a record of an object file cannot be read")]
    Damaged(#[source] ByteArraysError),
    #[error("a sequence file holds values of {0}, but object files hold those of org.apache.hadoop.io.BytesWritable")]
    Class(&'static str),
}

/// Frames as records of an object file.
pub(crate) fn records(_: &(), mut frames: Records<Bytes>) -> Records<(Writable, Writable)> {
    Box::new(std::iter::from_fn(move || {
        let group: Vec<_> = frames.by_ref().take(FRAMES_IN_RECORD).collect();
        (!group.is_empty()).then(|| (Writable::Null, Writable::Bytes(serialize(&group).into())))
    }))
}

/// The frames of a record.
pub(crate) fn frames((_, value): (Writable, Writable)) -> Vec<Bytes> {
    let Writable::Bytes(bytes) = value else {
        TaskFailure::from_final_error(&ObjectFileError::Class(value.class().name())).throw()
    };
    let frames = deserialize(bytes);
    frames.unwrap_or_else(|error| TaskFailure::from_final_error(&ObjectFileError::Damaged(error)).throw())
}
