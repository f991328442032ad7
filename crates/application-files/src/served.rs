//! What the driver serves: files of its machine, by number.

use std::{collections::BTreeMap, fs::File, io, os::unix::fs::MetadataExt, path::PathBuf, sync::Arc};

use firesteel_transfer::{FileRange, Payload, Unavailable};
use parking_lot::Mutex;

/// Files of the driver's machine that executors may have. They stay where they are, and are opened when somebody asks.
#[derive(Debug, Default)]
pub struct ServedFiles {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u32,
    files: BTreeMap<u32, Vec<Arc<ServedPart>>>,
}

#[derive(Debug)]
struct ServedPart {
    path: PathBuf,
    /// What the file was when it was added; executors compare its content too.
    length: u64,
}

/// A file that was added cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenServedError {
    /// It was never there, or is not served any more.
    #[error("the driver serves no file of this number")]
    Unknown,
    /// It is gone.
    #[error("{} is gone; it must stay where it is while the application runs", .0.display())]
    Gone(PathBuf),
    /// It has another length.
    #[error("{} has changed since it was added to the application", .0.display())]
    Changed(PathBuf),
    /// It cannot be opened.
    #[error("{} cannot be opened", .0.display())]
    Open(PathBuf, #[source] io::Error),
}

impl ServedFiles {
    /// Serves these files together, under the number that it gives. Of each, the path and the length.
    pub fn serve(&self, parts: impl IntoIterator<Item = (PathBuf, u64)>) -> u32 {
        let parts = parts.into_iter().map(|(path, length)| Arc::new(ServedPart { path, length })).collect();
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        state.files.insert(number, parts);
        number
    }

    /// Serves them no longer.
    pub(crate) fn forget(&self, number: u32) {
        self.state.lock().files.remove(&number);
    }

    /// A piece, for the data plane.
    ///
    /// # Errors
    ///
    /// There is no such file, it is gone, or it is not what it was when it was added.
    pub fn piece(&self, range: &FileRange) -> Result<Payload, Unavailable> {
        let opened = self.find(range.number, range.part).and_then(|part| Ok((open(&part)?, part)));
        let (file, part) = opened.map_err(|error| match &error {
            OpenServedError::Open(_, source) => Unavailable::Failed(format!("{error}: {source}")),
            _ => Unavailable::NotFound(error.to_string()),
        })?;
        match range.offset.checked_add(range.length) {
            Some(end) if end <= part.length => {
                Ok(Payload::File { file: Arc::new(file), offset: range.offset, length: range.length })
            }
            _ => Err(Unavailable::Refused("the piece does not lie within the file".to_owned())),
        }
    }

    /// The whole file, for the driver itself.
    pub(crate) fn open(&self, number: u32, part: u32) -> Result<File, OpenServedError> {
        open(&*self.find(number, part)?)
    }

    fn find(&self, number: u32, part: u32) -> Result<Arc<ServedPart>, OpenServedError> {
        let state = self.state.lock();
        let parts = state.files.get(&number).ok_or(OpenServedError::Unknown)?;
        parts.get(part as usize).cloned().ok_or(OpenServedError::Unknown)
    }
}

fn open(part: &ServedPart) -> Result<File, OpenServedError> {
    let path = || part.path.clone();
    let file = File::open(&part.path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenServedError::Gone(path()),
        _ => OpenServedError::Open(path(), error),
    })?;
    let length = file.metadata().map_err(|error| OpenServedError::Open(path(), error))?.size();
    if length == part.length { Ok(file) } else { Err(OpenServedError::Changed(path())) }
}
