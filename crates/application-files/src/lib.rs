//! The application's files: what `--files`, `--archives`, `--jars` and `SparkContext::add_file` bring (SS-14, SS-15, SS-17,
//! SS-80…88).
//!
//! ```text
//!  driver: AddedFiles ── add ──► places it here, learns its digest ──► announced to executors (ExecutorMessage::AddFiles)
//!              │
//!          ServedFiles ◄── FileRange ── DriverFiles::There ◄── ApplicationFiles of an executor ──► root directory
//!                                        RemoteFiles       ◄──────────┘         ▲
//!                                        (hdfs, s3a, http)                  FetchCache, shared on a machine
//! ```
//!
//! - Every process has a root directory. Something appears there under its name, complete, or not at all: it is made under
//!   another name and then renamed.
//! - A file is what it was when the driver added it: executors compare length and BLAKE3 digest, wherever they had it from.
//! - Contents are streamed; memory holds a few buffers, however large files are.
//! - Names, and paths inside archives and directories, come from outside: what would lead out of the root is refused.
//!
//! When files are placed, and for whom they are announced, is not decided here.

#![forbid(unsafe_code)]

mod added;
mod archive;
mod cache;
mod error;
mod fetch;
mod names;
mod placement;
mod served;
mod store;

pub use added::{AddFileError, Added, AddedFiles, Wanted};
pub use archive::UnpackError;
pub use cache::FetchCache;
pub use error::PlaceFileError;
pub use fetch::{BoxedError, DriverFiles, RemoteEntry, RemoteFiles};
pub use served::ServedFiles;
pub use store::{ApplicationFiles, ApplicationFilesOptions};
