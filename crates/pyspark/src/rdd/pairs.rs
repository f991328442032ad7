//! Shuffles of Python's pairs. Which partition a key belongs to was computed in Python: it is the key here.

use bytes::Bytes;
use firesteel::{Data, Partitioner, Records};
use firesteel_executor::TaskFailure;
use firesteel_py4j::Object;
use serde::{Deserialize, Serialize};

/// Where keys go that are partitions' numbers. Two are the same if Python's function is the same object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PythonPartitioner {
    pub(crate) partitions: u32,
    /// `id()` of Python's function.
    pub(crate) function: i64,
}

impl Partitioner<i64> for PythonPartitioner {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn partition(&self, key: &i64) -> u32 {
        key.rem_euclid(i64::from(self.partitions)) as u32
    }
}

impl Object for PythonPartitioner {
    fn class(&self) -> &'static str {
        "org.apache.spark.api.python.PythonPartitioner"
    }
}

/// The worker did not write pairs.
#[derive(Debug, thiserror::Error)]
#[error("a Python function that partitions has written something else than keys of 8 bytes and values, in turn")]
struct NoPairs;

/// Pairs out of frames that are, in turn, keys and values.
pub(crate) fn pair_up(_: &(), _partition: u32, mut frames: Records<Bytes>) -> Records<(i64, Bytes)> {
    Box::new(std::iter::from_fn(move || {
        let key = frames.next()?;
        match (<[u8; 8]>::try_from(&*key), frames.next()) {
            (Ok(key), Some(value)) => Some((i64::from_be_bytes(key), value)),
            _ => TaskFailure::from_final_error(&NoPairs).throw(),
        }
    }))
}

/// The values alone.
pub(crate) fn values<V: Data>(_: &(), _partition: u32, pairs: Records<(i64, V)>) -> Records<V> {
    Box::new(pairs.map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_partitions() {
        let partitioner = PythonPartitioner { partitions: 3, function: 7 };
        assert_eq!([0, 2, 4, -1].map(|key| partitioner.partition(&key)), [0, 2, 1, 2]);
    }

    #[test]
    fn frames_are_paired_up() {
        let frames = [&b"\0\0\0\0\0\0\0\x05"[..], b"five", b"\xff\xff\xff\xff\xff\xff\xff\xff", b""];
        let frames = frames.map(Bytes::from_static).into_iter();
        let pairs: Vec<_> = pair_up(&(), 0, Box::new(frames)).collect();
        assert_eq!(pairs, [(5, Bytes::from_static(b"five")), (-1, Bytes::new())]);
    }
}
