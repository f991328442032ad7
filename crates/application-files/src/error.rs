//! Why a file is not in place.

use std::{
    cmp::Ordering,
    io,
    path::{Path, PathBuf},
};

use crate::{BoxedError, UnpackError};

/// Why a file of the application could not be placed in a process's root directory.
#[derive(Debug, thiserror::Error)]
pub enum PlaceFileError {
    /// Whoever waited for it does not want it any more.
    #[error("the task was killed while it waited for the application's files")]
    Killed,
    /// The name, or a path below it, would lead out of the root directory.
    #[error("{0:?} is not a name that a file of the application can have")]
    Name(String),
    /// It could not be opened or read where it comes from.
    #[error("could not fetch {file}")]
    Fetch {
        /// The file, as it is listed.
        file: String,
        /// Why.
        #[source]
        source: BoxedError,
    },
    /// Something else came than what the driver had when the file was added.
    #[error(
        "{file} has changed since it was added to the application: {}; add a changed file under a new name",
        difference(*expected, *found)
    )]
    Changed {
        /// The file, as it is listed, and the path in it if it is a directory.
        file: String,
        /// How many bytes the driver had.
        expected: u64,
        /// How many came; no more are read than one too many.
        found: u64,
    },
    /// A file behind `local:` is not there.
    #[error("{path} is not on this machine; a file behind local: must be on every machine")]
    NotHere {
        /// The path.
        path: String,
        /// Why it could not be looked at.
        #[source]
        source: io::Error,
    },
    /// The archive is damaged, or would write where it must not.
    #[error("could not unpack {file}")]
    Unpack {
        /// The archive, as it is listed.
        file: String,
        /// Why.
        #[source]
        source: UnpackError,
    },
    /// Something else has the name, and may not be replaced.
    #[error("{} exists and has other content; spark.files.overwrite=true would replace it", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// The local disk.
    #[error("could not write {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What came is not what the driver had of so many bytes.
fn difference(expected: u64, found: u64) -> String {
    match found.cmp(&expected) {
        Ordering::Less => format!("{found} bytes came instead of {expected}"),
        Ordering::Equal => format!("as many bytes came, {expected}, but their digest differs"),
        Ordering::Greater => format!("more than {expected} bytes came"),
    }
}

impl PlaceFileError {
    /// Why a file behind `local:` cannot be used. That this user may not look is not that it is not there.
    pub(crate) fn not_here(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().display().to_string();
        move |source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotHere { path, source },
            _ => Self::Fetch { file: format!("local:{path}"), source: source.into() },
        }
    }

    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }
}
