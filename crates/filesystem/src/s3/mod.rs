//! S3 and what speaks its protocol, through `object_store`.
//!
//! Objects stand for files, and common prefixes for directories: a directory is there as long as something is in it.

mod config;
mod upload;

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    Error as StoreError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, aws::AmazonS3,
    multipart::MultipartStore, path::Path as Key,
};
use tokio::runtime::Handle;
use upload::{ObjectWriter, PendingObject, Uploader};

use crate::{
    BoxedError, Existing, FileError, FilePath, FileRead, FileStatus, FileSystem, FileWrite, HadoopConf, PendingUpload,
    PendingUploads, PendingWrite, runtime,
    stream_reader::{RangeSource, StreamReader},
};

/// What S3A takes as the block size of objects (`fs.s3a.block.size`).
const BLOCK_SIZE: u64 = 32 << 20;

/// One bucket.
#[derive(Clone, Debug)]
pub struct S3FileSystem {
    store: Arc<AmazonS3>,
    handle: Handle,
    block_size: u64,
    part_size: usize,
}

impl S3FileSystem {
    /// The bucket of a path, configured by `fs.s3a.*` (`fs.s3a.bucket.NAME.*` first) and, where these are silent, by the standard
    /// `AWS_*` variables and instance or container credentials.
    pub fn new(path: &FilePath, conf: &HadoopConf) -> Result<Self, FileError> {
        let handle = runtime::handle(path)?;
        let set_up = |source| FileError::SetUp { path: path.clone(), source };
        let settings = config::Settings::new(conf, path.authority());
        let store = Arc::new(settings.build().map_err(set_up)?);
        let block_size = settings.bytes("block.size", BLOCK_SIZE).map_err(|error| set_up(error.into()))?;
        let part_size = settings.part_size().map_err(|error| set_up(error.into()))?;
        Ok(Self { store, handle, block_size, part_size })
    }

    fn uploader(&self, path: &FilePath) -> Result<Uploader, FileError> {
        Ok(Uploader::new(Arc::clone(&self.store), self.handle.clone(), path.clone(), key(path)?, self.part_size))
    }

    fn head(&self, path: &FilePath) -> Result<Option<ObjectMeta>, FileError> {
        match self.handle.block_on(self.store.head(&key(path)?)) {
            Ok(meta) => Ok(Some(meta)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("look up", path, error)),
        }
    }

    /// Whether there is any object below a path.
    fn has_children(&self, path: &FilePath) -> Result<bool, FileError> {
        let mut objects = self.store.list(Some(&key(path)?));
        let first = self.handle.block_on(objects.next()).transpose().map_err(|error| failed("list", path, error))?;
        Ok(first.is_some())
    }

    /// Every object below a path, the path itself excluded.
    fn objects_below(&self, path: &FilePath) -> Result<Vec<ObjectMeta>, FileError> {
        let objects = self.store.list(Some(&key(path)?)).try_collect();
        self.handle.block_on(objects).map_err(|error| failed("list", path, error))
    }

    fn file_status(&self, path: FilePath, meta: &ObjectMeta) -> FileStatus {
        FileStatus {
            path,
            length: meta.size,
            is_directory: false,
            modification_time: u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or_default(),
            block_size: self.block_size,
        }
    }

    fn directory_status(&self, path: FilePath) -> FileStatus {
        FileStatus { path, length: 0, is_directory: true, modification_time: 0, block_size: self.block_size }
    }
}

impl FileSystem for S3FileSystem {
    fn open(&self, path: &FilePath) -> Result<Box<dyn FileRead>, FileError> {
        let Some(meta) = self.head(path)? else {
            let is_directory = self.has_children(path)?;
            let path = path.clone();
            return Err(if is_directory { FileError::IsADirectory { path } } else { FileError::NotFound { path } });
        };
        let object = Object { store: Arc::clone(&self.store), key: meta.location, e_tag: meta.e_tag };
        Ok(Box::new(StreamReader::new(object, self.handle.clone(), path.clone(), meta.size)))
    }

    fn create(&self, path: &FilePath, existing: Existing) -> Result<Box<dyn FileWrite>, FileError> {
        if existing == Existing::Refuse && self.head(path)?.is_some() {
            return Err(FileError::AlreadyExists { path: path.clone() });
        }
        Ok(Box::new(ObjectWriter::new(self.uploader(path)?, existing)))
    }

    fn status(&self, path: &FilePath) -> Result<FileStatus, FileError> {
        if path.path() != "/" {
            if let Some(meta) = self.head(path)? {
                return Ok(self.file_status(path.clone(), &meta));
            }
            if !self.has_children(path)? {
                return Err(FileError::NotFound { path: path.clone() });
            }
        }
        Ok(self.directory_status(path.clone()))
    }

    fn list(&self, path: &FilePath) -> Result<Vec<FileStatus>, FileError> {
        let prefix = key(path)?;
        let listed = self.handle.block_on(self.store.list_with_delimiter(Some(&prefix)));
        let listed = listed.map_err(|error| failed("list", path, error))?;
        if listed.objects.is_empty() && listed.common_prefixes.is_empty() && path.path() != "/" {
            let meta = self.head(path)?.ok_or_else(|| FileError::NotFound { path: path.clone() })?;
            return Ok(vec![self.file_status(path.clone(), &meta)]);
        }
        let mut found = BTreeMap::new();
        // What the library makes of `/`: the directory would be in itself.
        if listed.common_prefixes.iter().any(|directory| directory.as_ref().is_empty()) {
            let source = "it has objects whose keys begin with /, and no path can name them".into();
            return Err(FileError::Failed { operation: "list", path: path.clone(), source });
        }
        for directory in &listed.common_prefixes {
            let path = path.with_path(directory.as_ref());
            found.insert(path.clone(), self.directory_status(path));
        }
        // The object that other tools leave to mark a directory has the directory's own name.
        for meta in listed.objects.iter().filter(|meta| meta.location != prefix) {
            let path = path.with_path(meta.location.as_ref());
            found.insert(path.clone(), self.file_status(path, meta));
        }
        Ok(found.into_values().collect())
    }

    fn mkdirs(&self, path: &FilePath) -> Result<(), FileError> {
        match self.head(path) {
            Ok(Some(_)) => Err(FileError::NotADirectory { path: path.clone() }),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> Result<(), FileError> {
        if self.exists(to)? {
            return Err(FileError::AlreadyExists { path: to.clone() });
        }
        let mut moves = Vec::new();
        if let Some(meta) = self.head(from)? {
            moves.push((meta.location, key(to)?));
        }
        for meta in self.objects_below(from)? {
            let path = from.with_path(meta.location.as_ref());
            let below = path.path().strip_prefix(from.path()).unwrap_or_default();
            moves.push((meta.location, key(&to.join(below))?));
        }
        if moves.is_empty() {
            return Err(FileError::NotFound { path: from.clone() });
        }
        // All copies before the first deletion, so that what fails half-way has lost nothing.
        let moved = self.handle.block_on(async {
            for (source, target) in &moves {
                self.store.copy(source, target).await?;
            }
            for (source, _) in &moves {
                self.store.delete(source).await?;
            }
            Ok(())
        });
        moved.map_err(|error| failed("rename", from, error))
    }

    fn delete(&self, path: &FilePath, recursive: bool) -> Result<bool, FileError> {
        let below = if recursive { self.objects_below(path)? } else { Vec::new() };
        if !recursive && self.has_children(path)? {
            return Err(FileError::NotEmpty { path: path.clone() });
        }
        let mut keys: Vec<Key> = below.into_iter().map(|meta| meta.location).collect();
        if path.path() != "/" && self.head(path)?.is_some() {
            keys.push(key(path)?);
        }
        let any = !keys.is_empty();
        let keys = futures_util::stream::iter(keys.into_iter().map(Ok)).boxed();
        let deleted = self.store.delete_stream(keys).try_for_each(|_| async { Ok(()) });
        self.handle.block_on(deleted).map_err(|error| failed("delete", path, error))?;
        Ok(any)
    }

    fn pending_uploads(&self) -> Option<&dyn PendingUploads> {
        Some(self)
    }
}

impl PendingUploads for S3FileSystem {
    fn begin(&self, path: &FilePath) -> Result<Box<dyn PendingWrite>, FileError> {
        Ok(Box::new(PendingObject::begin(self.uploader(path)?)?))
    }

    fn complete(&self, upload: &PendingUpload) -> Result<(), FileError> {
        let key = key(&upload.path)?;
        let completed = self.store.complete_multipart(&key, &upload.upload_id, upload::part_ids(&upload.parts));
        self.handle.block_on(completed).map_err(|error| failed("complete the upload of", &upload.path, error))?;
        Ok(())
    }

    fn abort(&self, upload: &PendingUpload) -> Result<(), FileError> {
        let key = key(&upload.path)?;
        match self.handle.block_on(self.store.abort_multipart(&key, &upload.upload_id)) {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("abort the upload of", &upload.path, error)),
        }
    }
}

/// One version of an object: a file that is replaced while it is read must fail, not change in the middle.
struct Object {
    store: Arc<AmazonS3>,
    key: Key,
    e_tag: Option<String>,
}

impl RangeSource for Object {
    fn stream(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, BoxedError>> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let options =
            GetOptions { range: Some(GetRange::Bounded(range)), if_match: self.e_tag.clone(), ..Default::default() };
        let stream = async move {
            let result = store.get_opts(&key, options).await?;
            Ok::<_, StoreError>(result.into_stream())
        };
        futures_util::stream::once(stream).try_flatten().map_err(BoxedError::from).boxed()
    }
}

/// The object's key. Keys that `object_store` cannot name are refused.
fn key(path: &FilePath) -> Result<Key, FileError> {
    Key::parse(path.path()).map_err(|error| FileError::Failed {
        operation: "use the name",
        path: path.clone(),
        source: error.into(),
    })
}

/// Sorts what the store answered.
fn failed(operation: &'static str, path: &FilePath, error: StoreError) -> FileError {
    let path = path.clone();
    // The library tells these by text alone: the server's code, and the address at which it looks for credentials of the machine.
    if answered(&error, "<Code>NoSuchBucket</Code>") {
        return FileError::NoSuchBucket { path };
    }
    if answered(&error, "/latest/api/token") || answered(&error, "/latest/meta-data/iam/") {
        return FileError::NoCredentials { operation, path, source: error.into() };
    }
    match error {
        StoreError::NotFound { .. } => FileError::NotFound { path },
        StoreError::AlreadyExists { .. } => FileError::AlreadyExists { path },
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            FileError::PermissionDenied { operation, path, source: error.into() }
        }
        error => FileError::Failed { operation, path, source: error.into() },
    }
}

/// Whether an error or what caused it says this.
fn answered(error: &StoreError, text: &str) -> bool {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.any(|cause| cause.to_string().contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_are_nowhere_are_told_from_other_failures() {
        let path: FilePath = "s3a://bucket/x".parse().unwrap();
        let error = |text: &str| failed("read", &path, StoreError::Generic { store: "S3", source: text.into() });
        let missing = error("Error performing PUT http://169.254.169.254/latest/api/token in 3s: connection refused");
        assert!(matches!(missing, FileError::NoCredentials { .. }));
        let message = missing.to_string();
        assert!(
            message.contains("spark.hadoop.fs.s3a.access.key") && message.contains("AWS_ACCESS_KEY_ID"),
            "{message}"
        );
        assert!(matches!(error("connection refused"), FileError::Failed { .. }));
    }
}
