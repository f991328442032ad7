//! What can go wrong with one file, whichever system holds it.

use std::{io, path::PathBuf};

use crate::{FilePath, ParsePathError};

/// One operation on one file failed. Every message names the path; the source says what the system answered.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file or directory.
    #[error("{path} does not exist")]
    NotFound {
        /// What was asked for.
        path: FilePath,
    },
    /// The name is taken, and the caller did not ask to replace it.
    #[error("{path} already exists")]
    AlreadyExists {
        /// The name that is taken.
        path: FilePath,
    },
    /// A file was wanted.
    #[error("{path} is a directory, not a file")]
    IsADirectory {
        /// The directory.
        path: FilePath,
    },
    /// A directory was wanted.
    #[error("{path} is a file, not a directory")]
    NotADirectory {
        /// The file.
        path: FilePath,
    },
    /// A directory was wanted, and there is a symbolic link that leads to nothing, or to itself.
    #[error("{path} is a symbolic link that leads nowhere (to {}); remove it, or make what it leads to", target.display())]
    LinkToNowhere {
        /// The link.
        path: FilePath,
        /// What the link says.
        target: PathBuf,
    },
    /// A directory with something in it cannot be deleted without `recursive`.
    #[error("directory {path} is not empty")]
    NotEmpty {
        /// The directory.
        path: FilePath,
    },
    /// The user may not do it.
    #[error("permission denied: could not {operation} {path}; check its owner and permissions, or the credentials")]
    PermissionDenied {
        /// The operation as a verb: `read`, `list`.
        operation: &'static str,
        /// The file or directory.
        path: FilePath,
        /// What the system answered.
        #[source]
        source: BoxedError,
    },
    /// The bucket is not there.
    #[error("no such bucket: {} (of {path}); check its name, and the endpoint and region", path.authority())]
    NoSuchBucket {
        /// The file or directory in it.
        path: FilePath,
    },
    /// Neither the configuration nor the machine has credentials of the store.
    #[error(
        "no credentials to {operation} {path}; set spark.hadoop.fs.s3a.access.key and spark.hadoop.fs.s3a.secret.key, or \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment (without either, the machine was asked for some)"
    )]
    NoCredentials {
        /// The operation as a verb: `read`, `list`.
        operation: &'static str,
        /// The file or directory.
        path: FilePath,
        /// What the machine answered.
        #[source]
        source: BoxedError,
    },
    /// The file system could not be reached or configured at all.
    #[error("could not set up the file system of {path}")]
    SetUp {
        /// The path that led to it.
        path: FilePath,
        /// What is wrong.
        #[source]
        source: BoxedError,
    },
    /// The file system was left out of this build.
    #[error("{path} cannot be used: this build was made without the feature {feature:?} of firesteel-filesystem")]
    LeftOut {
        /// The path that led to it.
        path: FilePath,
        /// The Cargo feature.
        feature: &'static str,
    },
    /// The text does not name a file.
    #[error(transparent)]
    Path(#[from] ParsePathError),
    /// Anything else that the system answered.
    #[error("could not {operation} {path}")]
    Failed {
        /// The operation as a verb: `read`, `list`.
        operation: &'static str,
        /// The file or directory.
        path: FilePath,
        /// What the system answered.
        #[source]
        source: BoxedError,
    },
}

/// An error of a library underneath.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl FileError {
    /// Whether it says that the file is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Sorts what the operating system answered.
    pub(crate) fn from_io(operation: &'static str, path: &FilePath, error: io::Error) -> Self {
        let path = path.clone();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::AlreadyExists => Self::AlreadyExists { path },
            io::ErrorKind::IsADirectory => Self::IsADirectory { path },
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            io::ErrorKind::DirectoryNotEmpty => Self::NotEmpty { path },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { operation, path, source: error.into() },
            _ => Self::Failed { operation, path, source: error.into() },
        }
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        let kind = match &error {
            FileError::NotFound { .. } => io::ErrorKind::NotFound,
            FileError::AlreadyExists { .. } => io::ErrorKind::AlreadyExists,
            FileError::PermissionDenied { .. } | FileError::NoCredentials { .. } => io::ErrorKind::PermissionDenied,
            FileError::IsADirectory { .. } => io::ErrorKind::IsADirectory,
            FileError::NotADirectory { .. } | FileError::LinkToNowhere { .. } => io::ErrorKind::NotADirectory,
            FileError::NotEmpty { .. } => io::ErrorKind::DirectoryNotEmpty,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// An error during reading or writing, told with the path: what [`Read`](io::Read) and [`Write`](io::Write) of this crate return.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {path} at byte {offset}")]
pub struct FileIoError {
    /// The operation as a verb: `read`, `decompress`.
    pub operation: &'static str,
    /// The file.
    pub path: FilePath,
    /// Where, in bytes of the file as it is stored.
    pub offset: u64,
    /// What happened.
    #[source]
    pub source: BoxedError,
}

impl FileIoError {
    /// As an [`io::Error`] of the given kind.
    pub(crate) fn into_io(self, kind: io::ErrorKind) -> io::Error {
        io::Error::new(kind, self)
    }
}
