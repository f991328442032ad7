//! Where contents come from.

use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use firesteel_local_dirs::DiskReserve;
use firesteel_messages::{ApplicationFile, FilePart, FileSource};
use firesteel_transfer::{FileRange, PeerAddress, TransferClient};

use crate::{PlaceFileError, ServedFiles, names};

/// An error of whoever fetches.
pub type BoxedError = Box<dyn Error + Send + Sync>;

/// Files that every process fetches by itself, from where their URL says: the file systems and HTTP.
pub trait RemoteFiles: Send + Sync {
    /// What a URL stands for.
    ///
    /// # Errors
    ///
    /// It is not there, cannot be reached, or its scheme is not known.
    fn look(&self, url: &str) -> Result<RemoteEntry, BoxedError>;

    /// Opens a file for reading from its beginning. No read waits for ever, whatever the other side does, and one that sends
    /// next to nothing is an error in the end. How long the content may be is for whoever reads it to say.
    ///
    /// # Errors
    ///
    /// As for [`RemoteFiles::look`].
    fn open(&self, url: &str) -> Result<Box<dyn Read + Send>, BoxedError>;
}

/// What is behind a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteEntry {
    /// A file.
    File,
    /// A directory, with the paths below it of all files in it, however deep.
    Directory(Vec<String>),
}

/// How this process reads what the driver serves.
#[derive(Clone)]
pub enum DriverFiles {
    /// It is the driver.
    Here(Arc<ServedFiles>),
    /// It is an executor.
    There(TransferClient),
}

impl DriverFiles {
    fn open(&self, source: (&str, u16, u32), part: u32, length: u64) -> Result<Box<dyn Read + Send>, BoxedError> {
        let (host, port, number) = source;
        match self {
            Self::Here(served) => Ok(Box::new(served.open(number, part)?)),
            Self::There(client) => Ok(Box::new(DriverReader {
                client: client.clone(),
                driver: PeerAddress::new(host, port),
                number,
                part,
                position: 0,
                length,
                asked: false,
                chunk: Box::new(io::empty()),
            })),
        }
    }
}

/// How much is asked for at once; so much of a file is in memory.
const CHUNK: u64 = 4 << 20;

/// Reads a file of the driver piece by piece.
struct DriverReader {
    client: TransferClient,
    driver: PeerAddress,
    number: u32,
    part: u32,
    /// Where the next piece begins.
    position: u64,
    /// What the driver had when the file was added.
    length: u64,
    /// Was anything asked for? An empty file is too, as it must still be there.
    asked: bool,
    chunk: Box<dyn Read + Send>,
}

impl Read for DriverReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if self.position == self.length && self.asked {
                return Ok(0);
            }
            self.asked = true;
            let length = CHUNK.min(self.length - self.position);
            let range = FileRange { number: self.number, part: self.part, offset: self.position, length };
            let fetched = self.client.fetch_file(&self.driver, range).map_err(io::Error::other)?;
            if fetched.body.length() != length {
                return Err(io::Error::other("the driver sent another length than was asked for"));
            }
            self.position += length;
            self.chunk = fetched.body.into_reader();
        }
    }
}

/// Where contents come from, for one process.
pub(crate) struct Sources {
    pub(crate) driver: DriverFiles,
    pub(crate) remote: Arc<dyn RemoteFiles>,
}

impl Sources {
    /// Opens the part at `index` of a file.
    pub(crate) fn open(&self, file: &ApplicationFile, index: usize) -> Result<Box<dyn Read + Send>, PlaceFileError> {
        let part = &file.parts[index];
        let opened = match &file.source {
            FileSource::Driver { host, port, number } => {
                self.driver.open((host, *port, *number), index as u32, part.length)
            }
            FileSource::Remote(url) if part.path.is_empty() => self.remote.open(url),
            FileSource::Remote(url) => self.remote.open(&format!("{}/{}", url.trim_end_matches('/'), part.path)),
            FileSource::Local(path) => return open_local(&Path::new(path).join(&part.path)),
        };
        opened.map_err(|source| PlaceFileError::Fetch { file: name_of(file, part), source })
    }
}

/// Opens what must be on this machine.
fn open_local(path: &Path) -> Result<Box<dyn Read + Send>, PlaceFileError> {
    match File::open(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(source) => Err(PlaceFileError::not_here(path)(source)),
    }
}

/// A part of a file as a message names it.
pub(crate) fn name_of(file: &ApplicationFile, part: &FilePart) -> String {
    if part.path.is_empty() { file.to_string() } else { format!("{file}/{}", part.path) }
}

/// How much is copied at once.
const BUFFER: usize = 256 << 10;

/// Copies a content into a new file, which everybody of this user may execute, as in Spark; gives its length and digest.
pub(crate) fn copy(
    name: impl Fn() -> String,
    content: &mut dyn Read,
    to: &Path,
    killed: &dyn Fn() -> bool,
) -> Result<(u64, [u8; 32]), PlaceFileError> {
    let write = || PlaceFileError::write(to);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(to).map_err(write())?;
    let mut reserve = DiskReserve::default();
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        if killed() {
            return Err(PlaceFileError::Killed);
        }
        let length = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PlaceFileError::Fetch { file: name(), source: error.into() }),
        };
        hasher.update(&buffer[..length]);
        reserve.write_all(&mut file, &buffer[..length]).map_err(write())?;
    }
    Ok((hasher.count(), *hasher.finalize().as_bytes()))
}

/// The path of a part below its directory, if it stays there.
pub(crate) fn part_path(part: &FilePart) -> Result<std::path::PathBuf, PlaceFileError> {
    names::below(Path::new(&part.path)).ok_or_else(|| PlaceFileError::Name(part.path.clone()))
}
