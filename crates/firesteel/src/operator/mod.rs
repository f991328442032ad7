//! What RDDs compute. One file a family; each operator is constructed on every executor from its environment and its
//! parents, and gives the records of a partition as an iterator.

mod cogroup;
mod combine;
mod files;
mod hadoop_files;
mod join;
mod narrow;
mod partitions;
mod pipe;
pub(crate) mod side;
mod sort;
pub(crate) mod source;

pub(crate) use cogroup::{CoGroup2, CoGroup3, CoGroup4};
pub(crate) use combine::{Combine, GroupByKey};
pub(crate) use files::{BinaryRecords, ObjectFile, ReadEnv, TextFile, WholeFiles, object_type};
pub(crate) use hadoop_files::{LinesWithPositions, SequenceFile};
pub(crate) use join::{FullOuter, Inner, Join, JoinKind, LeftOuter, RightOuter, Subtract};
pub(crate) use narrow::{Filter, FlatMap, Map, MapPartitions, MapValues};
pub(crate) use partitions::{AlignedUnion, Cartesian, Coalesce, Union, ZipPartitions, Zipped};
pub(crate) use pipe::{Pipe, PipeSpec};
pub(crate) use sort::SortByKey;
pub(crate) use source::{ParallelCollection, Pieces, RangeSource};
