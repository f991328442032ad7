//! The files of one log: one file, or a directory of several (UI-30, UI-31).

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{CompressionCodec, EventLogOptions, RollingOptions, codec::Stream, directory::sanitized};

/// Owner and group read and write, as in Spark: the history server often runs as another user of the group.
const FILE_MODE: u32 = 0o660;
const DIRECTORY_MODE: u32 = 0o770;

const IN_PROGRESS: &str = ".inprogress";

/// An event log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenEventLogError {
    /// The directory is not there.
    #[error("the event log directory {} does not exist; create it, or set spark.eventLog.dir to one that exists", directory.display())]
    NoDirectory {
        /// Which.
        directory: PathBuf,
    },
    /// It is something else.
    #[error("spark.eventLog.dir {} is not a directory", directory.display())]
    NotADirectory {
        /// Which.
        directory: PathBuf,
    },
    /// A log of this application is there already.
    #[error("the event log {} exists already; set spark.eventLog.overwrite to true to replace it", path.display())]
    Exists {
        /// Its file or directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("could not create the event log {}", path.display())]
    Create {
        /// Its file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The files of one log, open for writing.
pub(crate) struct LogFile {
    layout: Layout,
    codec: Option<CompressionCodec>,
    /// Whole lines that are not written yet.
    pending: Vec<u8>,
    buffer_size: usize,
    overwrite: bool,
    /// None only after the end.
    stream: Option<Stream>,
}

enum Layout {
    Single { path: PathBuf },
    Rolling { directory: PathBuf, base: String, options: RollingOptions, index: u64, written: u64 },
}

impl LogFile {
    pub(crate) fn open(options: &EventLogOptions) -> Result<Self, OpenEventLogError> {
        let directory = &options.directory;
        match fs::metadata(directory) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(OpenEventLogError::NotADirectory { directory: directory.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenEventLogError::NoDirectory { directory: directory.clone() });
            }
            Err(source) => return Err(OpenEventLogError::Create { path: directory.clone(), source }),
        }
        let base = base_name(options);
        let (layout, first) = match options.rolling {
            None => {
                let path = directory.join(format!("{base}{}", ending(options.compression)));
                let first = in_progress(&path);
                refuse_or_remove(&path, options.overwrite)?;
                refuse_or_remove(&first, options.overwrite)?;
                (Layout::Single { path }, first)
            }
            Some(rolling) => {
                let own = directory.join(format!("eventlog_v2_{base}"));
                refuse_or_remove(&own, options.overwrite)?;
                let first = event_file(&own, 1, &base, options.compression);
                create_directory(&own, &base)
                    .map_err(|source| OpenEventLogError::Create { path: own.clone(), source })?;
                (Layout::Rolling { directory: own, base, options: rolling, index: 1, written: 0 }, first)
            }
        };
        let file = create_file(&first).inspect_err(|_| {
            if let Layout::Rolling { directory, .. } = &layout {
                let _ = fs::remove_dir_all(directory);
            }
        });
        let mut log = Self {
            layout,
            codec: options.compression,
            pending: Vec::new(),
            buffer_size: usize::try_from(options.buffer_size.bytes()).unwrap_or(usize::MAX),
            overwrite: options.overwrite,
            stream: None,
        };
        let failed = |source| OpenEventLogError::Create { path: first.clone(), source };
        match Stream::new(file.map_err(failed)?, options.compression) {
            Ok(stream) => log.stream = Some(stream),
            Err(source) => {
                log.discard();
                return Err(failed(source));
            }
        }
        Ok(log)
    }

    /// Removes what [`LogFile::open`] has created: the application does not start, and nobody would end its log.
    pub(crate) fn discard(self) {
        // What cannot be removed is no worse than the failure that led here.
        let _ = match &self.layout {
            Layout::Single { path } => fs::remove_file(in_progress(path)),
            Layout::Rolling { directory, .. } => fs::remove_dir_all(directory),
        };
    }

    /// The file or directory as it is called once the application has ended.
    pub(crate) fn path(&self) -> &Path {
        match &self.layout {
            Layout::Single { path } => path,
            Layout::Rolling { directory, .. } => directory,
        }
    }

    /// Writes one line; `line` ends in a newline and holds no other.
    pub(crate) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.roll_before(line.len())?;
        self.pending.extend_from_slice(line);
        if self.pending.len() >= self.buffer_size { self.write_pending() } else { Ok(()) }
    }

    /// Makes every line so far readable by others.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.write_pending()?;
        self.stream.as_mut().map_or(Ok(()), Stream::flush)
    }

    /// Ends the log, and takes the mark of the running application from it.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.write_pending()?;
        if let Some(stream) = self.stream.take() {
            stream.finish()?;
        }
        match &self.layout {
            Layout::Single { path } => {
                if !self.overwrite && path.exists() {
                    let message = format!("{} appeared meanwhile", path.display());
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
                }
                fs::rename(in_progress(path), path)
            }
            Layout::Rolling { directory, base, .. } => {
                let status = directory.join(status_file(base));
                fs::rename(in_progress(&status), status)
            }
        }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        if let Some(stream) = &mut self.stream {
            stream.write_all(&self.pending)?;
        }
        self.pending.clear();
        Ok(())
    }

    /// Begins the next file if this one would grow past its size.
    fn roll_before(&mut self, line_len: usize) -> io::Result<()> {
        let Layout::Rolling { directory, base, options, index, written } = &mut self.layout else { return Ok(()) };
        let line_len = line_len as u64;
        if *written + line_len <= options.max_file_size().bytes() || *written == 0 {
            *written += line_len;
            return Ok(());
        }
        *index += 1;
        *written = line_len;
        let next = event_file(directory, *index, base, self.codec);
        self.write_pending()?;
        if let Some(stream) = self.stream.take() {
            stream.finish()?;
        }
        self.stream = Some(Stream::new(create_file(&next)?, self.codec)?);
        Ok(())
    }
}

fn base_name(options: &EventLogOptions) -> String {
    let app = sanitized(options.app_id.as_str());
    match &options.app_attempt_id {
        Some(attempt) => format!("{app}_{}", sanitized(attempt)),
        None => app,
    }
}

fn ending(codec: Option<CompressionCodec>) -> String {
    codec.map(|codec| format!(".{codec}")).unwrap_or_default()
}

fn event_file(directory: &Path, index: u64, base: &str, codec: Option<CompressionCodec>) -> PathBuf {
    directory.join(format!("events_{index}_{base}{}", ending(codec)))
}

fn status_file(base: &str) -> String {
    format!("appstatus_{base}")
}

fn in_progress(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(IN_PROGRESS);
    PathBuf::from(name)
}

fn refuse_or_remove(path: &Path, overwrite: bool) -> Result<(), OpenEventLogError> {
    let failed = |source| OpenEventLogError::Create { path: path.to_owned(), source };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    };
    if !overwrite {
        return Err(OpenEventLogError::Exists { path: path.to_owned() });
    }
    if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.map_err(failed)
}

/// Leaves nothing if it fails. Modes are set a second time because the process's mask takes bits from what creating asks for.
fn create_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE)).inspect_err(|_| drop(fs::remove_file(path)))?;
    Ok(file)
}

/// The directory of a rolling log, with the empty file whose name says that the application runs. Leaves nothing if it fails.
fn create_directory(path: &Path, base: &str) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
        .and_then(|()| create_file(&in_progress(&path.join(status_file(base)))))
        .inspect_err(|_| drop(fs::remove_dir_all(path)))?;
    Ok(())
}
