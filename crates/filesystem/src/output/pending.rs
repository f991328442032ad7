//! Committing by pending uploads.
//!
//! An upload that nobody completes stays invisible, but costs money until it is aborted; so its id is recorded in the store before
//! the first byte is sent: `NAME.pending` in the attempt's directory, rewritten when the file is whole. Committing a task gathers
//! these in one `task_….pendingset`, a single put, which is what makes one of two attempts win. Committing the job completes
//! every upload of every set. If the process ends between beginning an upload and recording it, the id is lost; a life-cycle
//! rule of the bucket for incomplete uploads is the remedy, as it is for every S3 client. If the driver ends while it completes, some
//! files are visible and `_SUCCESS` is missing, as with every committer that has more than one file to make visible.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::CommitError;
use crate::{
    Existing, FileError, FilePath, FileStatus, FileSystem, FileWrite, PendingUpload, PendingUploads, PendingWrite,
};

/// The suffix of a record of one file.
const FILE_RECORD: &str = ".pending";

/// The suffix of a record of a committed task's files.
pub(super) const TASK_RECORD: &str = ".pendingset";

/// What both kinds of record hold, as JSON so that an operator can read it.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Whether every upload has all of its parts.
    whole: bool,
    uploads: Vec<PendingUpload>,
}

/// A file of an attempt.
pub(super) struct PendingFile {
    system: Arc<dyn FileSystem>,
    record: FilePath,
    upload: PendingUpload,
    write: Option<Box<dyn PendingWrite>>,
}

impl PendingFile {
    pub(super) fn begin(system: Arc<dyn FileSystem>, path: FilePath, records: &FilePath) -> Result<Self, FileError> {
        let uploads = system.pending_uploads().ok_or_else(|| not_pending(&path))?;
        let write = uploads.begin(&path)?;
        let upload = write.upload();
        // A name below sub-directories of the output becomes one flat name.
        let name = format!("{:08x}-{}{FILE_RECORD}", crc32fast::hash(path.path().as_bytes()), path.name());
        let file = Self { record: records.join(&name), upload, write: Some(write), system: Arc::clone(&system) };
        // From here on, dropping the value aborts the upload.
        write_record(&*system, &file.record, &Record { whole: false, uploads: vec![file.upload.clone()] })?;
        Ok(file)
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.write {
            Some(write) => write.write(bytes),
            None => Err(io::Error::other("the file is finished")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write.as_mut().map_or(Ok(()), |write| write.flush())
    }
}

impl FileWrite for PendingFile {
    fn finish(mut self: Box<Self>) -> Result<u64, FileError> {
        let Some(write) = self.write.take() else { return Ok(self.upload.length) };
        let finished = write.finish().and_then(|upload| {
            let length = upload.length;
            write_record(&*self.system, &self.record, &Record { whole: true, uploads: vec![upload] })?;
            Ok(length)
        });
        if finished.is_err() {
            discard(&*self.system, &self.upload, &self.record);
        }
        finished
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if self.write.take().is_some() {
            discard(&*self.system, &self.upload, &self.record);
        }
    }
}

/// Aborts one upload as far as that goes; aborting the task or the job finds its record if it fails here.
fn discard(system: &dyn FileSystem, upload: &PendingUpload, record: &FilePath) {
    let aborted = system.pending_uploads().map(|uploads| uploads.abort(upload));
    if let Some(Ok(())) = aborted {
        let _ = system.delete(record, false);
    }
}

/// Sets the attempt's uploads aside as the task's.
pub(super) fn commit_task(
    system: &dyn FileSystem,
    uploads: &dyn PendingUploads,
    attempt: &FilePath,
    task_record: &FilePath,
) -> Result<(), CommitError> {
    let mut set = Record { whole: true, uploads: Vec::new() };
    for record in records_below(system, attempt)? {
        let record = read_record(system, &record)?;
        if record.whole {
            set.uploads.extend(record.uploads);
        } else {
            abort_all(uploads, &record.uploads)?;
        }
    }
    let earlier = match read_record(system, task_record) {
        Ok(record) => record.uploads,
        Err(CommitError::File(error)) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error),
    };
    write_record(system, task_record, &set)?;
    let replaced: Vec<_> = earlier.into_iter().filter(|upload| !set.uploads.contains(upload)).collect();
    abort_all(uploads, &replaced)?;
    system.delete(attempt, true)?;
    Ok(())
}

/// The records of committed tasks, whose names begin with `prefix`.
pub(super) fn committed(system: &dyn FileSystem, job: &FilePath, prefix: &str) -> Result<Vec<FileStatus>, FileError> {
    let mut records = list_if_there(system, job)?;
    records.retain(|entry| {
        let name = entry.path.name();
        !entry.is_directory && name.starts_with(prefix) && name.ends_with(TASK_RECORD)
    });
    Ok(records)
}

/// Completes every upload of these records; all or, as far as the store lets us, none.
pub(super) fn commit_job(
    system: &dyn FileSystem,
    uploads: &dyn PendingUploads,
    records: &[FileStatus],
) -> Result<(), CommitError> {
    let mut all = Vec::new();
    for record in records {
        all.extend(read_record(system, &record.path)?.uploads);
    }
    let mut completed: Vec<&PendingUpload> = Vec::new();
    for upload in &all {
        if let Err(source) = uploads.complete(upload) {
            for upload in completed {
                if system.delete(&upload.path, false).is_err() {
                    return Err(CommitError::CouldNotUndo { path: upload.path.clone(), source: source.into() });
                }
            }
            return Err(source.into());
        }
        completed.push(upload);
    }
    // The sets go first: aborting what is left must not meet uploads that have just been completed.
    for record in records {
        system.delete(&record.path, false)?;
    }
    Ok(())
}

/// Aborts every upload of one record.
pub(super) fn abort_record(
    system: &dyn FileSystem,
    uploads: &dyn PendingUploads,
    record: &FilePath,
) -> Result<(), CommitError> {
    Ok(abort_all(uploads, &read_record(system, record)?.uploads)?)
}

/// Aborts every upload that is recorded in a directory or below it.
pub(super) fn abort_below(
    system: &dyn FileSystem,
    uploads: &dyn PendingUploads,
    directory: &FilePath,
) -> Result<(), CommitError> {
    for record in records_below(system, directory)? {
        abort_all(uploads, &read_record(system, &record)?.uploads)?;
    }
    Ok(())
}

fn abort_all(uploads: &dyn PendingUploads, pending: &[PendingUpload]) -> Result<(), FileError> {
    pending.iter().try_for_each(|upload| uploads.abort(upload))
}

fn records_below(system: &dyn FileSystem, directory: &FilePath) -> Result<Vec<FilePath>, FileError> {
    let mut found = Vec::new();
    for entry in list_if_there(system, directory)? {
        if entry.is_directory {
            found.extend(records_below(system, &entry.path)?);
        } else if entry.path.name().ends_with(FILE_RECORD) || entry.path.name().ends_with(TASK_RECORD) {
            found.push(entry.path);
        }
    }
    Ok(found)
}

/// What is in a directory: nothing, if it is not there.
pub(super) fn list_if_there(system: &dyn FileSystem, directory: &FilePath) -> Result<Vec<FileStatus>, FileError> {
    match system.list(directory) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        other => other,
    }
}

fn write_record(system: &dyn FileSystem, path: &FilePath, record: &Record) -> Result<(), FileError> {
    let failed = |error: io::Error| FileError::from_io("write", path, error);
    let mut file = system.create(path, Existing::Replace)?;
    let json = serde_json::to_vec_pretty(record).map_err(|error| failed(error.into()))?;
    file.write_all(&json).map_err(failed)?;
    file.finish()?;
    Ok(())
}

fn read_record(system: &dyn FileSystem, path: &FilePath) -> Result<Record, CommitError> {
    let mut json = Vec::new();
    system.open(path)?.read_to_end(&mut json).map_err(|error| FileError::from_io("read", path, error))?;
    serde_json::from_slice(&json)
        .map_err(|error| CommitError::DamagedRecord { path: path.clone(), source: error.into() })
}

fn not_pending(path: &FilePath) -> FileError {
    FileError::Failed {
        operation: "begin",
        path: path.clone(),
        source: "the file system has no pending uploads".into(),
    }
}
