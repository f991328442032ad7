//! Files of Hadoop's formats, whose contents Rust understands: what Python's elements become in them, and what becomes of them.

mod byte_arrays;
mod elements;
mod formats;
mod object_file;
mod path;

pub(crate) use elements::{BatchSize, pickled, unpickled};
pub(crate) use formats::{Api, Job, JobError, output};
pub(crate) use object_file::{frames, records};
pub(crate) use path::{HadoopPath, Uri};
