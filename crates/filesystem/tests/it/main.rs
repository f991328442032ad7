//! The crate as its callers use it, on real file systems.

mod bzip2;
mod codecs;
mod files;
#[cfg(feature = "hdfs")]
mod hdfs;
mod lines;
mod local;
mod object_files;
#[cfg(feature = "s3")]
mod s3;
mod splits;
mod suite;
