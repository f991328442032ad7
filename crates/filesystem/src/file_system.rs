//! The seam: what every file system can do, in Hadoop's terms.
//!
//! The interface blocks, as task threads are ordinary threads. Systems whose libraries are asynchronous run them on one
//! small runtime of this crate; their methods must not be called from inside another asynchronous task.

use std::{
    fmt::Debug,
    io::{Read, Seek, SeekFrom, Write},
};

use serde::{Deserialize, Serialize};

use crate::{FileError, FilePath};

/// A file system: Hadoop's `FileSystem`, as far as the engine needs it.
pub trait FileSystem: Send + Sync + Debug {
    /// Opens a file for reading, positioned at its beginning.
    fn open(&self, path: &FilePath) -> Result<Box<dyn FileRead>, FileError>;

    /// Begins a file. Directories above it are made. It becomes visible under its name, whole, when
    /// [`FileWrite::finish`] returns; until then, and if the writer is dropped instead, there is no such file.
    fn create(&self, path: &FilePath, existing: Existing) -> Result<Box<dyn FileWrite>, FileError>;

    /// What is known about a file or directory.
    fn status(&self, path: &FilePath) -> Result<FileStatus, FileError>;

    /// What is directly in a directory, ordered by name, hidden files included. For a file: that file.
    fn list(&self, path: &FilePath) -> Result<Vec<FileStatus>, FileError>;

    /// Makes a directory and those above it; content if it is there already. A store without directories does nothing.
    fn mkdirs(&self, path: &FilePath) -> Result<(), FileError>;

    /// Moves a file or a directory with all in it. The new name must not be taken and its parent must exist. Atomic, except on an
    /// object store ([`Self::pending_uploads`]), which copies object by object.
    fn rename(&self, from: &FilePath, to: &FilePath) -> Result<(), FileError>;

    /// Deletes a file, or a directory if it is empty or `recursive` is set. Returns whether there was anything to delete.
    fn delete(&self, path: &FilePath, recursive: bool) -> Result<bool, FileError>;

    /// Whether there is a file or directory of this name.
    fn exists(&self, path: &FilePath) -> Result<bool, FileError> {
        match self.status(path) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The hosts that hold the parts of a file, in the order of the parts; empty where the system has none to tell.
    fn block_locations(&self, file: &FileStatus) -> Result<Vec<BlockLocation>, FileError> {
        let _ = file;
        Ok(Vec::new())
    }

    /// For stores where renaming is neither atomic nor cheap: how output is made visible instead.
    fn pending_uploads(&self) -> Option<&dyn PendingUploads> {
        None
    }
}

/// What [`FileSystem::create`] does if the name is taken by a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// Fails with [`FileError::AlreadyExists`], at once or at the end.
    Refuse,
    /// The new file takes its place when it is finished.
    Replace,
}

/// An open file.
pub trait FileRead: Read + Seek + Send {
    /// The file's length in bytes, as it was when it was opened.
    fn length(&self) -> u64;

    /// Fills the buffer from the given byte on; fails if the file ends before it is full.
    fn read_exact_at(&mut self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.read_exact(buffer)
    }
}

/// A file being written. Dropped without [`FileWrite::finish`], it is discarded.
pub trait FileWrite: Write + Send {
    /// Makes the file visible under its name and returns its length in bytes.
    fn finish(self: Box<Self>) -> Result<u64, FileError>;
}

/// A file or directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileStatus {
    /// Its name.
    pub path: FilePath,
    /// Bytes; zero for a directory.
    pub length: u64,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Milliseconds since 1970; zero if the system does not say.
    pub modification_time: u64,
    /// The size in bytes in which the system stores the file, from which splits are made.
    pub block_size: u64,
}

/// Where one part of a file is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BlockLocation {
    /// The first byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Host names, without ports.
    pub hosts: Vec<String>,
}

/// Files that are uploaded whole but stay invisible until someone completes them: S3's multipart uploads.
pub trait PendingUploads {
    /// Begins a file that [`Self::complete`] makes visible.
    fn begin(&self, path: &FilePath) -> Result<Box<dyn PendingWrite>, FileError>;

    /// Makes the file visible, whole. Replaces a file of that name.
    fn complete(&self, upload: &PendingUpload) -> Result<(), FileError>;

    /// Discards the file. Content if the upload is gone already.
    fn abort(&self, upload: &PendingUpload) -> Result<(), FileError>;
}

/// A pending upload being written. Dropped, it stays pending: whoever knows its id can abort it.
pub trait PendingWrite: Write + Send {
    /// The upload as far as it is known: its id, for whoever must abort it should this process end.
    fn upload(&self) -> PendingUpload;

    /// Uploads what is left and returns what is needed to complete the file.
    fn finish(self: Box<Self>) -> Result<PendingUpload, FileError>;
}

/// A file that is uploaded but not visible.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingUpload {
    /// The name that it will have.
    pub path: FilePath,
    /// The store's id of the upload.
    pub upload_id: String,
    /// The store's ids of the parts, in order.
    pub parts: Vec<String>,
    /// Bytes.
    pub length: u64,
}
