//! Hadoop's distributed file system, through `hdfs-native`.
//!
//! The library does not tell where blocks are, so splits of HDFS files name no hosts and tasks run anywhere.

use std::{
    io::{self, Write},
    ops::Range,
    path::Path,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions, client::FileStatus as HdfsStatus, file};
use tokio::runtime::Handle;

use crate::{
    BoxedError, Existing, FileError, FileIoError, FilePath, FileRead, FileStatus, FileSystem, FileWrite, HadoopConf,
    HadoopPropertyError, runtime,
    stream_reader::{RangeSource, StreamReader},
    umask::Umask,
};

/// HDFS's default block size, for files that do not say their own.
const BLOCK_SIZE: u64 = 128 << 20;

/// How much is gathered before it is sent: a few of HDFS's 64 KiB packets.
const WRITE_BUFFER: usize = 1 << 20;

/// What `fs.permissions.umask-mode` leaves if it is not set.
const FILE_PERMISSION: u32 = 0o644;
const DIRECTORY_PERMISSION: u32 = 0o755;

/// One name node or name service.
#[derive(Clone, Debug)]
pub struct HdfsFileSystem {
    client: Client,
    handle: Handle,
    umask: Option<Umask>,
    block_size: Option<u64>,
}

impl HdfsFileSystem {
    /// The cluster of a path, configured by the site files of `HADOOP_CONF_DIR` and `spark.hadoop.*` above them.
    pub fn new(path: &FilePath, conf: &HadoopConf) -> Result<Self, FileError> {
        let handle = runtime::handle(path)?;
        let set_up = |error: HdfsError| FileError::SetUp { path: path.clone(), source: error.into() };
        let trimmed = conf.iter().map(|(key, value)| (key, value.trim()));
        let mut builder = ClientBuilder::new()
            .with_url(format!("hdfs://{}", path.authority()))
            .with_config(attempts_at_one_name_node(path, conf).into_iter().chain(trimmed))
            .with_io_runtime(handle.clone());
        if let Some(directory) = conf.directory().and_then(Path::to_str) {
            builder = builder.with_config_dir(directory);
        }
        let client = builder.build().map_err(set_up)?;
        let of_property = |error: HadoopPropertyError| FileError::SetUp { path: path.clone(), source: error.into() };
        let umask = Umask::from_conf(conf).map_err(of_property)?;
        // The name node's own, if it is not set; 0 is no size of blocks.
        let block_size = Some(conf.get_bytes("dfs.blocksize", 0).map_err(of_property)?).filter(|size| *size > 0);
        Ok(Self { client, handle, umask, block_size })
    }

    fn look_up(&self, path: &FilePath) -> Result<HdfsStatus, FileError> {
        let status = self.handle.block_on(self.client.get_file_info(path.path()));
        status.map_err(|error| self.in_the_way(failed("look up", path, error)))
    }

    /// Of a path that leads through a file, the name node tells the whole: finds the file.
    fn in_the_way(&self, error: FileError) -> FileError {
        let FileError::NotADirectory { path } = &error else { return error };
        let mut above = path.parent();
        while let Some(path) = above {
            match self.handle.block_on(self.client.get_file_info(path.path())) {
                Ok(status) if !status.isdir => return FileError::NotADirectory { path },
                Ok(_) => break,
                Err(_) => above = path.parent(),
            }
        }
        error
    }
}

/// The library tries a name node that refuses connections as often as if there were others to turn to: several minutes. Without
/// a name service there is none, and Hadoop's own client gives up after about ten seconds.
fn attempts_at_one_name_node(path: &FilePath, conf: &HadoopConf) -> Option<(&'static str, &'static str)> {
    let name_service = format!("dfs.ha.namenodes.{}", path.authority());
    conf.get(&name_service).is_none().then_some(("dfs.client.failover.max.attempts", "3"))
}

impl FileSystem for HdfsFileSystem {
    fn open(&self, path: &FilePath) -> Result<Box<dyn FileRead>, FileError> {
        let reader = match self.handle.block_on(self.client.read(path.path())) {
            Ok(reader) => reader,
            Err(error) => {
                // The name node's answer for a directory is "path is not a file", among others.
                return Err(match self.look_up(path) {
                    Ok(status) if status.isdir => FileError::IsADirectory { path: path.clone() },
                    _ => failed("open", path, error),
                });
            }
        };
        let length = reader.file_length() as u64;
        Ok(Box::new(StreamReader::new(Blocks(reader), self.handle.clone(), path.clone(), length)))
    }

    fn create(&self, path: &FilePath, existing: Existing) -> Result<Box<dyn FileWrite>, FileError> {
        match self.look_up(path) {
            Ok(status) if status.isdir => return Err(FileError::IsADirectory { path: path.clone() }),
            Ok(_) if existing == Existing::Refuse => return Err(FileError::AlreadyExists { path: path.clone() }),
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        let parent = path.parent().ok_or_else(|| FileError::IsADirectory { path: path.clone() })?;
        let permission = self.umask.map_or(FILE_PERMISSION, Umask::file);
        let options = WriteOptions { block_size: self.block_size, permission, ..WriteOptions::default() };
        let temporary = parent.join(&format!(".{}.{:016x}.tmp", path.name(), rand::random::<u64>()));
        let create = self.client.create(temporary.path(), options);
        let writer = self.handle.block_on(create).map_err(|error| self.in_the_way(failed("create", path, error)))?;
        Ok(Box::new(HdfsFileWriter {
            system: self.clone(),
            writer: Some(writer),
            buffer: Vec::with_capacity(WRITE_BUFFER),
            temporary,
            path: path.clone(),
            existing,
            length: 0,
        }))
    }

    fn status(&self, path: &FilePath) -> Result<FileStatus, FileError> {
        Ok(status(path.clone(), &self.look_up(path)?))
    }

    fn list(&self, path: &FilePath) -> Result<Vec<FileStatus>, FileError> {
        let listed = self.handle.block_on(self.client.list_status(path.path(), false));
        let listed = listed.map_err(|error| failed("list", path, error))?;
        let mut found: Vec<_> = listed.iter().map(|entry| status(path.with_path(&entry.path), entry)).collect();
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn mkdirs(&self, path: &FilePath) -> Result<(), FileError> {
        let permission = self.umask.map_or(DIRECTORY_PERMISSION, Umask::directory);
        let made = self.handle.block_on(self.client.mkdirs(path.path(), permission, true));
        made.map_err(|error| self.in_the_way(failed("make directory", path, error)))
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> Result<(), FileError> {
        match self.handle.block_on(self.client.rename(from.path(), to.path(), false)) {
            Ok(()) => Ok(()),
            Err(error) => Err(match failed("rename", from, error) {
                FileError::AlreadyExists { .. } => FileError::AlreadyExists { path: to.clone() },
                FileError::NotFound { .. } if self.exists(from)? => {
                    FileError::NotFound { path: to.parent().unwrap_or_else(|| to.clone()) }
                }
                error => error,
            }),
        }
    }

    fn delete(&self, path: &FilePath, recursive: bool) -> Result<bool, FileError> {
        match self.handle.block_on(self.client.delete(path.path(), recursive)) {
            Ok(deleted) => Ok(deleted),
            Err(HdfsError::FileNotFound(_)) => Ok(false),
            Err(error) => Err(failed("delete", path, error)),
        }
    }
}

/// The blocks of one file as they were when it was opened.
struct Blocks(file::FileReader);

impl RangeSource for Blocks {
    fn stream(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, BoxedError>> {
        let (offset, length) = (range.start as usize, (range.end - range.start) as usize);
        self.0.read_range_stream(offset, length).map_err(BoxedError::from).boxed()
    }
}

/// A file being written beside its name, under a hidden one.
struct HdfsFileWriter {
    system: HdfsFileSystem,
    writer: Option<file::FileWriter>,
    buffer: Vec<u8>,
    temporary: FilePath,
    path: FilePath,
    existing: Existing,
    length: u64,
}

impl HdfsFileWriter {
    fn send(&mut self) -> Result<(), HdfsError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let bytes = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(WRITE_BUFFER)));
        self.system.handle.block_on(writer.write_bytes(bytes)).map(drop)
    }
}

impl Write for HdfsFileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == WRITE_BUFFER
            && let Err(error) = self.send()
        {
            let (path, source) = (self.path.clone(), BoxedError::from(error));
            let error = FileIoError { operation: "write", path, offset: self.length, source };
            return Err(error.into_io(io::ErrorKind::Other));
        }
        let length = bytes.len().min(WRITE_BUFFER - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..length]);
        self.length += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWrite for HdfsFileWriter {
    fn finish(mut self: Box<Self>) -> Result<u64, FileError> {
        self.send().map_err(|error| failed("write", &self.path, error))?;
        let Some(writer) = &mut self.writer else { return Ok(self.length) };
        self.system.handle.block_on(writer.close()).map_err(|error| failed("write", &self.path, error))?;
        let overwrite = self.existing == Existing::Replace;
        let renamed = self.system.client.rename(self.temporary.path(), self.path.path(), overwrite);
        self.system.handle.block_on(renamed).map_err(|error| match failed("create", &self.path, error) {
            FileError::NotFound { .. } => FileError::NotFound { path: self.temporary.clone() },
            error => error,
        })?;
        self.writer = None;
        Ok(self.length)
    }
}

impl Drop for HdfsFileWriter {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        let (client, temporary) = (self.system.client.clone(), self.temporary.path().to_owned());
        runtime::clean_up(&self.system.handle, async move {
            // Closed so that its lease ends, deleted so that nothing is left; a hidden file that stays does no harm.
            let _ = writer.close().await;
            let _ = client.delete(&temporary, false).await;
        });
    }
}

fn status(path: FilePath, status: &HdfsStatus) -> FileStatus {
    FileStatus {
        path,
        length: if status.isdir { 0 } else { status.length as u64 },
        is_directory: status.isdir,
        modification_time: status.modification_time,
        block_size: status.blocksize.filter(|size| *size > 0).unwrap_or(BLOCK_SIZE),
    }
}

/// Sorts what the name node answered: it names Java exceptions.
fn failed(operation: &'static str, path: &FilePath, error: HdfsError) -> FileError {
    let exception = match &error {
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => {
            class.rsplit('.').next().unwrap_or_default()
        }
        _ => "",
    };
    let path = path.clone();
    match (&error, exception) {
        (HdfsError::FileNotFound(_), _) | (_, "FileNotFoundException") => FileError::NotFound { path },
        (HdfsError::AlreadyExists(_), _) | (_, "FileAlreadyExistsException") => FileError::AlreadyExists { path },
        (HdfsError::IsADirectoryError(_), _) => FileError::IsADirectory { path },
        (_, "ParentNotDirectoryException") => FileError::NotADirectory { path },
        // So it answers whoever looks for something below a file.
        (HdfsError::RPCError(_, message), "AccessControlException") if message.contains("(is not a directory)") => {
            FileError::NotADirectory { path }
        }
        (_, "PathIsNotEmptyDirectoryException") => FileError::NotEmpty { path },
        (_, "AccessControlException") => FileError::PermissionDenied { operation, path, source: error.into() },
        (HdfsError::IOError(_), _) => match error {
            HdfsError::IOError(error) => FileError::Failed { operation, path, source: error.into() },
            other => FileError::Failed { operation, path, source: other.into() },
        },
        _ => FileError::Failed { operation, path, source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_node_is_tried_as_often_as_hadoop_does_unless_it_is_set() {
        let path: FilePath = "hdfs://service/x".parse().unwrap();
        let attempts = |settings: &[(&str, &str)]| {
            let conf = HadoopConf::from_spark(settings.iter().copied());
            let merged: std::collections::BTreeMap<_, _> = attempts_at_one_name_node(&path, &conf)
                .into_iter()
                .chain(conf.iter())
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            merged.get("dfs.client.failover.max.attempts").cloned()
        };
        assert_eq!(attempts(&[]).as_deref(), Some("3"));
        assert_eq!(attempts(&[("spark.hadoop.dfs.client.failover.max.attempts", "9")]).as_deref(), Some("9"));
        assert_eq!(attempts(&[("spark.hadoop.dfs.ha.namenodes.service", "one,two")]), None, "others can be turned to");
    }
}
