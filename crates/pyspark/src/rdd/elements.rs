//! Data sets as the program's handles hold them.

use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use firesteel::{Data, Rdd, Records, SparkContext, StorageLevel, WeakRdd};
use firesteel_executor::{LARGE_RECORD, TaskContext};
use firesteel_py4j::Throwable;
use firesteel_python_worker::encode_element;

/// A data set, by what its elements are.
#[derive(Clone)]
pub(crate) enum Elements {
    /// Frames.
    Frames(Rdd<Bytes>),
    /// Frames that hold text, made so for a file.
    Text(Rdd<Bytes>),
    /// Elements of several frames, each with its length.
    Several(Rdd<Bytes>),
    /// Frames on their way through a shuffle, with their partition's number.
    Keyed(Rdd<(i64, Bytes)>),
    /// Frames, or elements of several, of a source that is looked at when it is needed, as Spark does it.
    Later(Arc<Later>),
}

/// As [`Elements`], of a data set that may be gone.
pub(crate) enum WeakElements {
    Frames(WeakRdd<Bytes>),
    Text(WeakRdd<Bytes>),
    Several(WeakRdd<Bytes>),
    Keyed(WeakRdd<(i64, Bytes)>),
    Later(Weak<Later>),
}

/// A source that is looked at when it is needed, and not again if that went well.
pub(crate) struct Later {
    /// Has the number and the name, which are needed before.
    stand_in: Rdd<Bytes>,
    are_several: bool,
    make: Box<dyn Fn() -> Result<Rdd<Bytes>, Throwable> + Send + Sync>,
    made: OnceLock<Rdd<Bytes>>,
}

impl Later {
    /// A source of frames, or of elements of several.
    pub(crate) fn elements(
        context: &SparkContext,
        are_several: bool,
        make: impl Fn() -> Result<Rdd<Bytes>, Throwable> + Send + Sync + 'static,
    ) -> Elements {
        // Shown as what it becomes.
        let stand_in = context.empty_rdd().map(|frame| frame);
        Elements::Later(Arc::new(Self { stand_in, are_several, make: Box::new(make), made: OnceLock::new() }))
    }

    fn get(&self) -> Result<&Rdd<Bytes>, Throwable> {
        match self.made.get() {
            Some(made) => Ok(made),
            None => {
                let made = (self.make)()?;
                name(&made, self.stand_in.name().as_deref());
                Ok(self.made.get_or_init(|| made))
            }
        }
    }
}

impl Elements {
    /// The frames or elements of several frames. None if there are keys beside.
    pub(crate) fn rdd(&self) -> Result<Option<&Rdd<Bytes>>, Throwable> {
        match self {
            Self::Frames(rdd) | Self::Text(rdd) | Self::Several(rdd) => Ok(Some(rdd)),
            Self::Later(later) => later.get().map(Some),
            Self::Keyed(_) => Ok(None),
        }
    }

    /// The data set's number.
    pub(crate) fn id(&self) -> u32 {
        match self {
            Self::Frames(rdd) | Self::Text(rdd) | Self::Several(rdd) => rdd.id().0,
            Self::Later(later) => later.stand_in.id().0,
            Self::Keyed(rdd) => rdd.id().0,
        }
    }

    /// How many partitions it has.
    pub(crate) fn num_partitions(&self) -> Result<u32, Throwable> {
        Ok(match self {
            Self::Frames(rdd) | Self::Text(rdd) | Self::Several(rdd) => rdd.num_partitions(),
            Self::Later(later) => later.get()?.num_partitions(),
            Self::Keyed(rdd) => rdd.num_partitions(),
        })
    }

    /// Its name, if it has one.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Frames(rdd) | Self::Text(rdd) | Self::Several(rdd) => rdd.name(),
            Self::Later(later) => later.stand_in.name(),
            Self::Keyed(rdd) => rdd.name(),
        }
    }

    /// Names it, or takes its name away.
    pub(crate) fn set_name(&self, new: Option<&str>) {
        match self {
            Self::Frames(rdd) | Self::Text(rdd) | Self::Several(rdd) => name(rdd, new),
            Self::Later(later) => {
                name(&later.stand_in, new);
                if let Some(made) = later.made.get() {
                    name(made, new);
                }
            }
            Self::Keyed(rdd) => name(rdd, new),
        }
    }

    /// As Spark shows it.
    pub(crate) fn show(&self) -> String {
        match self {
            Self::Frames(rdd) | Self::Text(rdd) | Self::Several(rdd) => rdd.to_string(),
            Self::Later(later) => later.stand_in.to_string(),
            Self::Keyed(rdd) => rdd.to_string(),
        }
    }

    /// The same kind of elements in another data set.
    pub(crate) fn like(&self, rdd: Rdd<Bytes>) -> Self {
        match self {
            Self::Text(_) => Self::Text(rdd),
            _ if self.are_several() => Self::Several(rdd),
            _ => Self::Frames(rdd),
        }
    }

    /// A handle that does not keep the data set.
    pub(crate) fn downgrade(&self) -> WeakElements {
        match self {
            Self::Frames(rdd) => WeakElements::Frames(rdd.downgrade()),
            Self::Text(rdd) => WeakElements::Text(rdd.downgrade()),
            Self::Several(rdd) => WeakElements::Several(rdd.downgrade()),
            Self::Keyed(rdd) => WeakElements::Keyed(rdd.downgrade()),
            Self::Later(later) => WeakElements::Later(Arc::downgrade(later)),
        }
    }

    /// How it is kept.
    pub(crate) fn storage_level(&self) -> StorageLevel {
        match self {
            Self::Frames(rdd) | Self::Text(rdd) | Self::Several(rdd) => rdd.storage_level(),
            Self::Later(later) => later.made.get().map_or(StorageLevel::NONE, Rdd::storage_level),
            Self::Keyed(rdd) => rdd.storage_level(),
        }
    }

    /// Do elements consist of several frames?
    pub(crate) fn are_several(&self) -> bool {
        match self {
            Self::Several(_) => true,
            Self::Later(later) => later.are_several,
            Self::Frames(_) | Self::Text(_) | Self::Keyed(_) => false,
        }
    }
}

impl WeakElements {
    /// The data set, if anything keeps it.
    pub(crate) fn upgrade(&self) -> Option<Elements> {
        Some(match self {
            Self::Frames(rdd) => Elements::Frames(rdd.upgrade()?),
            Self::Text(rdd) => Elements::Text(rdd.upgrade()?),
            Self::Several(rdd) => Elements::Several(rdd.upgrade()?),
            Self::Keyed(rdd) => Elements::Keyed(rdd.upgrade()?),
            Self::Later(later) => Elements::Later(later.upgrade()?),
        })
    }
}

fn name<T: Data>(rdd: &Rdd<T>, name: Option<&str>) {
    match name {
        Some(name) => rdd.set_name(name),
        None => rdd.clear_name(),
    };
}

/// An element out of two, each of which may be of several frames already.
pub(crate) fn join_elements(are_several: &(bool, bool), (left, right): (Bytes, Bytes)) -> Bytes {
    let mut joined = Vec::with_capacity(left.len() + right.len() + 8);
    append(are_several.0, &left, &mut joined);
    append(are_several.1, &right, &mut joined);
    joined.into()
}

/// Appends an element, as the program and workers read it.
pub(crate) fn append(are_several: bool, element: &[u8], output: &mut Vec<u8>) {
    if are_several {
        output.extend_from_slice(element);
    } else {
        encode_element(element, output);
    }
}

/// All elements of a partition in one piece, as the program reads them.
pub(crate) fn piece(are_several: &bool, records: Records<Bytes>) -> Bytes {
    let (context, mut capacity) = (TaskContext::get(), 0);
    let mut piece = Vec::new();
    for record in records {
        append(*are_several, &record, &mut piece);
        let grown = piece.capacity() - capacity;
        if grown >= LARGE_RECORD
            && let Some(context) = &context
        {
            capacity = piece.capacity();
            let room = context.room_for_record(grown);
            // From then on it is a result, which the memory manager knows of.
            context.on_completion(|_| drop(room));
        }
    }
    piece.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_joined_frame_by_frame() {
        let [a, b, c] = ["a", "bc", ""].map(Bytes::from);
        let pair = join_elements(&(false, false), (a, b));
        assert_eq!(pair, &b"\0\0\0\x01a\0\0\0\x02bc"[..]);
        assert_eq!(join_elements(&(true, false), (pair, c)), &b"\0\0\0\x01a\0\0\0\x02bc\0\0\0\0"[..]);
    }

    #[test]
    fn a_piece_is_what_the_program_reads() {
        let frames = || Box::new(["a", ""].map(Bytes::from).into_iter());
        assert_eq!(piece(&false, frames()), &b"\0\0\0\x01a\0\0\0\0"[..]);
        assert_eq!(piece(&true, frames()), &b"a"[..]);
    }
}
