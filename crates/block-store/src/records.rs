//! A block's records, as a reader gets them.

use std::sync::Arc;

use firesteel_model::BlockManagerId;

/// The records of a block: shared values, or a stream that is decoded or computed as it is read.
pub enum Records<'a, T, E> {
    /// Values in memory, shared with every other reader.
    Cached(Arc<Vec<T>>),
    /// One record after the other; ends after the first error.
    Streamed(Box<dyn Iterator<Item = Result<T, E>> + 'a>),
}

/// Where a block was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlockSource {
    /// In this process's memory.
    LocalMemory,
    /// On this process's disk.
    LocalDisk,
    /// It was fetched.
    Remote(BlockManagerId),
    /// Nowhere: it was computed, and stored if there was room.
    Computed,
}

/// A block that was found or computed.
pub struct FoundBlock<'a, T, E> {
    /// What is in it.
    pub records: Records<'a, T, E>,
    /// Where it comes from.
    pub source: BlockSource,
    /// How many bytes it takes there: `Bytes Read` of the task's input metrics. Zero if it was computed.
    pub bytes: u64,
}

impl<T, E> Records<'_, T, E> {
    /// All records at once. Streams are collected, without a word to the memory manager.
    pub fn into_values(self) -> Result<Arc<Vec<T>>, E> {
        match self {
            Self::Cached(values) => Ok(values),
            Self::Streamed(records) => records.collect::<Result<_, E>>().map(Arc::new),
        }
    }
}

impl<'a, T: Clone, E> IntoIterator for Records<'a, T, E> {
    type Item = Result<T, E>;
    type IntoIter = RecordsIter<'a, T, E>;

    fn into_iter(self) -> RecordsIter<'a, T, E> {
        match self {
            Self::Cached(values) => RecordsIter::Cached { values, next: 0 },
            Self::Streamed(records) => RecordsIter::Streamed(records),
        }
    }
}

/// One record after the other; those that are shared are cloned.
pub enum RecordsIter<'a, T, E> {
    /// Values in memory.
    Cached {
        /// All of them.
        values: Arc<Vec<T>>,
        /// Which comes next.
        next: usize,
    },
    /// A stream.
    Streamed(Box<dyn Iterator<Item = Result<T, E>> + 'a>),
}

impl<T: Clone, E> Iterator for RecordsIter<'_, T, E> {
    type Item = Result<T, E>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Cached { values, next } => {
                let value = values.get(*next)?.clone();
                *next += 1;
                Some(Ok(value))
            }
            Self::Streamed(records) => records.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Cached { values, next } => (values.len() - next, Some(values.len() - next)),
            Self::Streamed(records) => records.size_hint(),
        }
    }
}
