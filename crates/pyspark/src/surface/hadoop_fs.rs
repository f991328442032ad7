//! Hadoop's `FileSystem`, which programs list, move and delete files by.

use std::sync::Arc;

use firesteel_filesystem::{
    Existing, FileError, FilePath, FileStatus, FileSystem, FileSystems, GlobPattern, HadoopConf, ParsePathError,
    Scheme, find_files,
};
use firesteel_py4j::{Class, Failure, JavaArray, Object, Throwable, Value, method, static_method};

use super::{
    JavaCall, JavaResult,
    hadoop_conf::ConfigurationHandle,
    hadoop_path::{PathHandle, UriHandle},
    hadoop_streams::{InputStream, OutputStream},
};
use crate::{
    driver::Driver,
    error::{ILLEGAL_ARGUMENT, IO_EXCEPTION},
    hadoop::{HadoopPath, Uri},
};

const FILE_SYSTEM: &str = "org.apache.hadoop.fs.FileSystem";
const FILE_STATUS: &str = "org.apache.hadoop.fs.FileStatus";
const CONTENT_SUMMARY: &str = "org.apache.hadoop.fs.ContentSummary";
const FILE_NOT_FOUND: &str = "java.io.FileNotFoundException";
const FILE_ALREADY_EXISTS: &str = "org.apache.hadoop.fs.FileAlreadyExistsException";
const NO_FILE_SYSTEM: &str = "org.apache.hadoop.fs.UnsupportedFileSystemException";

/// One file system.
struct FileSystemHandle {
    /// Without more than scheme and authority.
    uri: Uri,
    /// What names without scheme mean here.
    systems: FileSystems,
    system: Arc<dyn FileSystem>,
}

struct StatusHandle(FileStatus);

/// How much there is below a directory.
#[derive(Default)]
struct ContentSummary {
    length: u64,
    files: u64,
    directories: u64,
}

impl Object for FileSystemHandle {
    fn class(&self) -> &'static str {
        FILE_SYSTEM
    }
}

impl Object for StatusHandle {
    fn class(&self) -> &'static str {
        FILE_STATUS
    }

    fn to_java_string(&self) -> String {
        let FileStatus { path, length, is_directory, modification_time, block_size } = &self.0;
        format!(
            "FileStatus{{path={path}; isDirectory={is_directory}; length={length}; blocksize={block_size}; \
             modification_time={modification_time}}}"
        )
    }
}

impl Object for ContentSummary {
    fn class(&self) -> &'static str {
        CONTENT_SUMMARY
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: FILE_SYSTEM,
        extends: &[],
        members: &[
            static_method("get", 1, |call| open(None, call.object(0)?)),
            static_method("get", 2, |call| open(Some(&call.object::<UriHandle>(0)?.0), call.object(1)?)),
            static_method("getLocal", 1, |call| open(Some(&Uri::parse("file:///")), call.object(0)?)),
            method("getUri", 0, |call| Ok(Value::object(UriHandle(this(call)?.uri.clone())))),
            method("getScheme", 0, |call| Ok(Value::optional_text(this(call)?.uri.scheme.as_deref()))),
            method("getWorkingDirectory", 0, |call| path_of(&this(call)?.resolve_text(".")?)),
            method("makeQualified", 1, |call| path_of(&resolve(call, 0)?)),
            method("exists", 1, |call| Ok(Value::Bool(status(call)?.is_some()))),
            method("isFile", 1, |call| Ok(Value::Bool(status(call)?.is_some_and(|status| !status.is_directory)))),
            method("isDirectory", 1, |call| Ok(Value::Bool(status(call)?.is_some_and(|status| status.is_directory)))),
            method("getFileStatus", 1, |call| {
                let path = resolve(call, 0)?;
                Ok(Value::object(StatusHandle(this(call)?.system.status(&path).map_err(failed)?)))
            }),
            method("listStatus", 1, |call| {
                let path = resolve(call, 0)?;
                Ok(statuses(this(call)?.system.list(&path).map_err(failed)?))
            }),
            method("globStatus", 1, glob_status),
            method("getContentSummary", 1, content_summary),
            method("mkdirs", 1, |call| {
                let path = resolve(call, 0)?;
                this(call)?.system.mkdirs(&path).map_err(failed)?;
                Ok(Value::Bool(true))
            }),
            method("open", 1, open_file),
            // The size of a buffer, which is nobody's business but this one's.
            method("open", 2, open_file),
            method("create", 1, |call| create(call, true)),
            method("create", 2, |call| create(call, call.bool(1)?)),
            method("createNewFile", 1, create_new_file),
            method("delete", 1, |call| delete(call, true)),
            method("delete", 2, |call| delete(call, call.bool(1)?)),
            method("rename", 2, rename),
            // What it holds goes with the last who uses it.
            method("close", 0, |call| this(call).map(|_| Value::Void)),
        ],
    },
    Class {
        name: FILE_STATUS,
        extends: &[],
        members: &[
            method("getPath", 0, |call| path_of(&call.this::<StatusHandle>()?.0.path)),
            method("isFile", 0, |call| Ok(Value::Bool(!call.this::<StatusHandle>()?.0.is_directory))),
            method("isDirectory", 0, |call| Ok(Value::Bool(call.this::<StatusHandle>()?.0.is_directory))),
            method("isDir", 0, |call| Ok(Value::Bool(call.this::<StatusHandle>()?.0.is_directory))),
            method("getLen", 0, |call| long(call.this::<StatusHandle>()?.0.length)),
            method("getModificationTime", 0, |call| long(call.this::<StatusHandle>()?.0.modification_time)),
            method("getBlockSize", 0, |call| long(call.this::<StatusHandle>()?.0.block_size)),
        ],
    },
    Class {
        name: CONTENT_SUMMARY,
        extends: &[],
        members: &[
            method("getLength", 0, |call| long(call.this::<ContentSummary>()?.length)),
            method("getFileCount", 0, |call| long(call.this::<ContentSummary>()?.files)),
            method("getDirectoryCount", 0, |call| long(call.this::<ContentSummary>()?.directories)),
        ],
    },
];

fn this<'a>(call: &JavaCall<'a>) -> Result<&'a FileSystemHandle, Failure> {
    call.this()
}

fn long(number: u64) -> JavaResult {
    Ok(Value::Long(i64::try_from(number).unwrap_or(i64::MAX)))
}

pub(super) fn failed(error: FileError) -> Failure {
    let class = if error.is_not_found() { FILE_NOT_FOUND } else { IO_EXCEPTION };
    let message = match &error {
        FileError::NotFound { path } => format!("File {} does not exist", shown(path)),
        error => firesteel_model::error_chain(error),
    };
    Throwable::new(class, message).into()
}

/// As Hadoop shows a path in an error: one of this machine without its scheme.
fn shown(path: &FilePath) -> String {
    if path.scheme() == Scheme::File { path.path().to_owned() } else { path.to_string() }
}

fn path_of(path: &FilePath) -> JavaResult {
    Ok(Value::object(PathHandle(HadoopPath::of(Uri::parse(&path.to_string())))))
}

fn statuses(found: Vec<FileStatus>) -> Value {
    Value::object(JavaArray::new(found.into_iter().map(|status| Value::object(StatusHandle(status)))))
}

/// `Path.getFileSystem`
pub(super) fn of_path(call: &JavaCall<'_>) -> JavaResult {
    open(Some(&call.this::<PathHandle>()?.0.0), call.object(0)?)
}

/// The file system of an address, or the default one.
fn open(uri: Option<&Uri>, configuration: &ConfigurationHandle) -> JavaResult {
    const DEFAULT: &str = "fs.defaultFS";
    let mut conf: HadoopConf = configuration.0.to_conf();
    let default = Uri::parse(conf.get(DEFAULT).unwrap_or("file:///"));
    // An address without authority is that of the default system, if that has the same scheme.
    let uri = match uri {
        Some(uri) if uri.authority().is_none() && uri.scheme == default.scheme => &default,
        Some(uri) if uri.scheme.is_some() => uri,
        _ => &default,
    };
    let scheme = uri.scheme.clone();
    let root = Uri { scheme, authority: Some(uri.authority().unwrap_or_default().to_owned()), path: String::new() };
    conf.set(DEFAULT, &format!("{root}/"));
    let systems = FileSystems::new(conf);
    let path = systems.path(&format!("{root}/")).map_err(|error| match error {
        ParsePathError::UnknownScheme { scheme, .. } => {
            Throwable::new(NO_FILE_SYSTEM, format!("No FileSystem for scheme \"{scheme}\""))
        }
        error => Throwable::new(IO_EXCEPTION, error.to_string()),
    })?;
    let system = systems.get(&path).map_err(failed)?;
    // Java's own file system shows a path, others do not.
    let path = if path.scheme() == Scheme::File { "/" } else { "" };
    Ok(Value::object(FileSystemHandle { uri: Uri { path: path.to_owned(), ..root }, systems, system }))
}

impl FileSystemHandle {
    fn resolve_text(&self, text: &str) -> Result<FilePath, Failure> {
        self.systems.path(text).map_err(|error| Throwable::new(ILLEGAL_ARGUMENT, error.to_string()).into())
    }

    fn resolve(&self, path: &HadoopPath) -> Result<FilePath, Failure> {
        let uri = &path.0;
        let is_own = uri.scheme.is_none()
            || (uri.scheme == self.uri.scheme
                && (uri.authority().is_none() || uri.authority() == self.uri.authority()));
        if !is_own {
            let message = format!("Wrong FS: {path}, expected: {}", self.uri);
            return Err(Throwable::new(ILLEGAL_ARGUMENT, message).into());
        }
        self.resolve_text(&path.to_string())
    }

    fn status(&self, path: &FilePath) -> Result<Option<FileStatus>, Failure> {
        match self.system.status(path) {
            Ok(status) => Ok(Some(status)),
            // Nothing is below a file.
            Err(FileError::NotFound { .. } | FileError::NotADirectory { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

fn resolve(call: &JavaCall<'_>, index: usize) -> Result<FilePath, Failure> {
    this(call)?.resolve(&call.object::<PathHandle>(index)?.0)
}

fn status(call: &JavaCall<'_>) -> Result<Option<FileStatus>, Failure> {
    this(call)?.status(&resolve(call, 0)?)
}

/// A name that is no pattern and of no file gives `null`, a pattern that matches nothing an array of nothing.
fn glob_status(call: &JavaCall<'_>) -> JavaResult {
    let pattern = resolve(call, 0)?;
    let glob = GlobPattern::parse(pattern.path());
    let glob = glob.map_err(|error| Throwable::new(IO_EXCEPTION, error.to_string()))?;
    let found = find_files(&*this(call)?.system, &pattern);
    let found = found.map_err(|error| Throwable::new(IO_EXCEPTION, firesteel_model::error_chain(&error)))?;
    Ok(if found.is_empty() && glob.literal().is_some() { Value::Null } else { statuses(found) })
}

fn content_summary(call: &JavaCall<'_>) -> JavaResult {
    let system = &this(call)?.system;
    let mut summary = ContentSummary::default();
    let mut left = vec![system.status(&resolve(call, 0)?).map_err(failed)?];
    while let Some(status) = left.pop() {
        if status.is_directory {
            summary.directories += 1;
            left.extend(system.list(&status.path).map_err(failed)?);
        } else {
            summary.files += 1;
            summary.length += status.length;
        }
    }
    Ok(Value::object(summary))
}

fn open_file(call: &JavaCall<'_>) -> JavaResult {
    let path = resolve(call, 0)?;
    Ok(InputStream::value(this(call)?.system.open(&path).map_err(failed)?))
}

fn create(call: &JavaCall<'_>, overwrite: bool) -> JavaResult {
    let path = resolve(call, 0)?;
    let existing = if overwrite { Existing::Replace } else { Existing::Refuse };
    if !overwrite && this(call)?.status(&path)?.is_some() {
        return Err(Throwable::new(FILE_ALREADY_EXISTS, format!("File already exists: {}", shown(&path))).into());
    }
    Ok(OutputStream::value(this(call)?.system.create(&path, existing).map_err(failed)?))
}

fn create_new_file(call: &JavaCall<'_>) -> JavaResult {
    let path = resolve(call, 0)?;
    let created = this(call)?.system.create(&path, Existing::Refuse).and_then(|file| file.finish());
    match created {
        Ok(_) => Ok(Value::Bool(true)),
        Err(FileError::AlreadyExists { .. }) => Ok(Value::Bool(false)),
        Err(error) => Err(failed(error)),
    }
}

fn delete(call: &JavaCall<'_>, recursive: bool) -> JavaResult {
    let path = resolve(call, 0)?;
    Ok(Value::Bool(this(call)?.system.delete(&path, recursive).map_err(failed)?))
}

/// As Hadoop's file systems do it: into a directory that is there, unless that is empty and a directory takes its place on this machine;
/// never onto a file. What cannot be because of names is `false`, but a file of this machine that is not there is an exception.
fn rename(call: &JavaCall<'_>) -> JavaResult {
    let (handle, from, to) = (this(call)?, resolve(call, 0)?, resolve(call, 1)?);
    let is_local = from.scheme() == Scheme::File;
    let Some(source) = handle.status(&from)? else {
        return if is_local { Err(failed(FileError::NotFound { path: from })) } else { Ok(Value::Bool(false)) };
    };
    let mut target = to;
    if let Some(existing) = handle.status(&target)? {
        if !existing.is_directory {
            return Ok(Value::Bool(false));
        }
        let is_empty = || handle.system.list(&target).map(|files| files.is_empty()).map_err(failed);
        if is_local && source.is_directory && is_empty()? {
            handle.system.delete(&target, false).map_err(failed)?;
        } else {
            target = target.join(from.name());
            if handle.status(&target)?.is_some() {
                return Ok(Value::Bool(false));
            }
        }
    }
    if is_local && let Some(parent) = target.parent() {
        handle.system.mkdirs(&parent).map_err(failed)?;
    }
    match handle.system.rename(&from, &target) {
        Ok(()) => Ok(Value::Bool(true)),
        // Of the directory that it is to be in.
        Err(FileError::NotFound { .. } | FileError::NotADirectory { .. } | FileError::AlreadyExists { .. }) => {
            Ok(Value::Bool(false))
        }
        Err(error) => Err(failed(error)),
    }
}
