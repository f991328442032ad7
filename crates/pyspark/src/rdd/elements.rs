//! Data sets as the program's handles hold them.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use firesteel::{Rdd, Records, SparkContext};
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
    /// Frames of a source that is looked at when it is needed, as Spark does it.
    Later(Arc<Later>),
}

/// A source that is looked at when it is needed, and not again if that went well.
pub(crate) struct Later {
    /// Has the number and the name, which are needed before.
    stand_in: Rdd<Bytes>,
    make: Box<dyn Fn() -> Result<Rdd<Bytes>, Throwable> + Send + Sync>,
    made: OnceLock<Rdd<Bytes>>,
}

impl Later {
    pub(crate) fn elements(
        context: &SparkContext,
        make: impl Fn() -> Result<Rdd<Bytes>, Throwable> + Send + Sync + 'static,
    ) -> Elements {
        let stand_in = context.empty_rdd();
        Elements::Later(Arc::new(Self { stand_in, make: Box::new(make), made: OnceLock::new() }))
    }

    fn get(&self) -> Result<&Rdd<Bytes>, Throwable> {
        match self.made.get() {
            Some(made) => Ok(made),
            None => {
                let made = (self.make)()?;
                if let Some(name) = self.stand_in.name() {
                    made.set_name(&name);
                }
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

    /// Names it.
    pub(crate) fn set_name(&self, name: &str) {
        match self {
            Self::Frames(rdd) | Self::Text(rdd) | Self::Several(rdd) => drop(rdd.set_name(name)),
            Self::Later(later) => {
                later.stand_in.set_name(name);
                if let Some(made) = later.made.get() {
                    made.set_name(name);
                }
            }
            Self::Keyed(rdd) => drop(rdd.set_name(name)),
        }
    }

    /// The same kind of elements in another data set.
    pub(crate) fn like(&self, rdd: Rdd<Bytes>) -> Self {
        match self {
            Self::Several(_) => Self::Several(rdd),
            Self::Text(_) => Self::Text(rdd),
            Self::Frames(_) | Self::Later(_) | Self::Keyed(_) => Self::Frames(rdd),
        }
    }

    /// Do elements consist of several frames?
    pub(crate) fn are_several(&self) -> bool {
        matches!(self, Self::Several(_))
    }
}

/// All elements of a partition in one piece, as the program reads them.
pub(crate) fn piece(are_several: &bool, records: Records<Bytes>) -> Bytes {
    let mut piece = Vec::new();
    for record in records {
        if *are_several {
            piece.extend_from_slice(&record);
        } else {
            encode_element(&record, &mut piece);
        }
    }
    piece.into()
}
