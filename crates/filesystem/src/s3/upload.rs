//! Objects being written.
//!
//! What fits one part is put whole; anything longer is a multipart upload with a bounded number of parts on their way.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::Arc,
};

use object_store::{
    ObjectStore, PutMode, PutPayload,
    aws::AmazonS3,
    multipart::{MultipartStore, PartId},
    path::Path as Key,
};
use tokio::{runtime::Handle, task::JoinHandle};

use super::failed;
use crate::{BoxedError, Existing, FileError, FileIoError, FilePath, FileWrite, PendingUpload, PendingWrite, runtime};

/// How many parts are on their way while the next is filled: one hides the network behind the writer, a second its jitter.
const PARTS_IN_FLIGHT: usize = 2;

/// S3 takes 10,000 parts. After each thousand, parts double in size, so that 8 MiB at first reach 5 TiB, S3's largest object.
const PARTS_OF_ONE_SIZE: usize = 1000;

/// What S3 takes as one part.
const MAX_PART_SIZE: usize = 5 << 30;

type Part = JoinHandle<Result<PartId, object_store::Error>>;

/// The parts of one object.
pub(super) struct Uploader {
    store: Arc<AmazonS3>,
    handle: Handle,
    path: FilePath,
    key: Key,
    part_size: usize,
    buffer: Vec<u8>,
    upload_id: Option<String>,
    in_flight: VecDeque<Part>,
    parts: Vec<String>,
    length: u64,
}

impl Uploader {
    pub(super) fn new(store: Arc<AmazonS3>, handle: Handle, path: FilePath, key: Key, part_size: usize) -> Self {
        let (buffer, in_flight) = (Vec::new(), VecDeque::new());
        Self { store, handle, path, key, part_size, buffer, upload_id: None, in_flight, parts: Vec::new(), length: 0 }
    }

    /// The upload's id; begins it if need be.
    fn upload_id(&mut self) -> Result<String, FileError> {
        if let Some(id) = &self.upload_id {
            return Ok(id.clone());
        }
        let id = self.handle.block_on(self.store.create_multipart(&self.key));
        let id = id.map_err(|error| failed("begin the upload of", &self.path, error))?;
        self.upload_id = Some(id.clone());
        Ok(id)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let doublings = ((self.parts.len() + self.in_flight.len()) / PARTS_OF_ONE_SIZE).min(9);
        let part_size = (self.part_size << doublings).min(MAX_PART_SIZE);
        if self.buffer.len() >= part_size {
            self.send_part().map_err(|source| self.failed_write(source))?;
        }
        let length = bytes.len().min(part_size - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..length]);
        self.length += length as u64;
        Ok(length)
    }

    fn failed_write(&self, source: FileError) -> io::Error {
        let source = BoxedError::from(source);
        FileIoError { operation: "write", path: self.path.clone(), offset: self.length, source }
            .into_io(io::ErrorKind::Other)
    }

    /// Sends what is in the buffer as one part, waiting for earlier ones if too many are on their way.
    fn send_part(&mut self) -> Result<(), FileError> {
        let id = self.upload_id()?;
        while self.in_flight.len() >= PARTS_IN_FLIGHT {
            self.await_part()?;
        }
        let payload = PutPayload::from(std::mem::take(&mut self.buffer));
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let index = self.parts.len() + self.in_flight.len();
        let part = self.handle.spawn(async move { store.put_part(&key, &id, index, payload).await });
        self.in_flight.push_back(part);
        Ok(())
    }

    fn await_part(&mut self) -> Result<(), FileError> {
        let Some(part) = self.in_flight.pop_front() else { return Ok(()) };
        let part = self.handle.block_on(part).map_err(object_store::Error::from).and_then(|part| part);
        let part = part.map_err(|error| failed("upload a part of", &self.path, error))?;
        self.parts.push(part.content_id);
        Ok(())
    }

    /// Sends the rest and waits for all parts. An upload has at least one part, be it empty.
    fn finish_parts(&mut self) -> Result<PendingUpload, FileError> {
        if !self.buffer.is_empty() || (self.parts.is_empty() && self.in_flight.is_empty()) {
            self.send_part()?;
        }
        while !self.in_flight.is_empty() {
            self.await_part()?;
        }
        let upload_id = self.upload_id()?;
        Ok(PendingUpload { path: self.path.clone(), upload_id, parts: self.parts.clone(), length: self.length })
    }

    /// Waits until no part is on its way, so that none arrives behind an abort.
    fn settle(&mut self) {
        let parts = std::mem::take(&mut self.in_flight);
        if !parts.is_empty() {
            runtime::clean_up(&self.handle, async move {
                for part in parts {
                    let _ = part.await;
                }
            });
        }
    }

    /// Gives up: waits until no part is on its way, so that none arrives behind the abort, and aborts.
    fn abandon(&mut self) {
        let (parts, id) = (std::mem::take(&mut self.in_flight), self.upload_id.take());
        let Some(id) = id else { return };
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        runtime::clean_up(&self.handle, async move {
            for part in parts {
                let _ = part.await;
            }
            // Nobody is left who could act on a failure; the bucket's life-cycle rule for incomplete uploads does.
            let _ = store.abort_multipart(&key, &id).await;
        });
    }
}

/// An object that is visible once it is finished.
pub(super) struct ObjectWriter {
    uploader: Uploader,
    existing: Existing,
}

impl ObjectWriter {
    pub(super) fn new(uploader: Uploader, existing: Existing) -> Self {
        Self { uploader, existing }
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.uploader.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWrite for ObjectWriter {
    fn finish(mut self: Box<Self>) -> Result<u64, FileError> {
        let existing = self.existing;
        let uploader = &mut self.uploader;
        let failed = |path: &FilePath, error| failed("create", path, error);
        if uploader.upload_id.is_none() {
            let mode = if existing == Existing::Refuse { PutMode::Create } else { PutMode::Overwrite };
            let payload = PutPayload::from(std::mem::take(&mut uploader.buffer));
            let put = uploader.store.put_opts(&uploader.key, payload, mode.into());
            uploader.handle.block_on(put).map_err(|error| failed(&uploader.path, error))?;
            return Ok(uploader.length);
        }
        let upload = uploader.finish_parts()?;
        let complete = uploader.store.complete_multipart(&uploader.key, &upload.upload_id, part_ids(&upload.parts));
        uploader.handle.block_on(complete).map_err(|error| failed(&uploader.path, error))?;
        uploader.upload_id = None;
        Ok(upload.length)
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        self.uploader.abandon();
    }
}

/// An object that someone else completes.
pub(super) struct PendingObject {
    uploader: Uploader,
    upload_id: String,
}

impl PendingObject {
    pub(super) fn begin(mut uploader: Uploader) -> Result<Self, FileError> {
        let upload_id = uploader.upload_id()?;
        Ok(Self { uploader, upload_id })
    }
}

impl Write for PendingObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.uploader.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PendingWrite for PendingObject {
    fn upload(&self) -> PendingUpload {
        PendingUpload {
            path: self.uploader.path.clone(),
            upload_id: self.upload_id.clone(),
            parts: Vec::new(),
            length: 0,
        }
    }

    fn finish(mut self: Box<Self>) -> Result<PendingUpload, FileError> {
        self.uploader.finish_parts()
    }
}

impl Drop for PendingObject {
    fn drop(&mut self) {
        self.uploader.settle();
    }
}

/// The parts as `object_store` wants them.
pub(super) fn part_ids(parts: &[String]) -> Vec<PartId> {
    parts.iter().map(|part| PartId { content_id: part.clone() }).collect()
}
