//! Archives, unpacked into a directory that nobody else knows yet.

mod tar;
mod unpacker;
mod zip;

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use firesteel_messages::ArchiveFormat;
use flate2::read::MultiGzDecoder;

use unpacker::Unpacker;

/// How much is read of an archive at once.
const BUFFER: usize = 128 << 10;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is damaged, or of another format than its name says.
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    /// As above, found by the zip library.
    #[error("the archive cannot be read")]
    Zip(#[source] ::zip::result::ZipError),
    /// An absolute path, or one with `..`.
    #[error("its member {member:?} would be written outside of its directory")]
    Outside {
        /// The path in the archive.
        member: String,
    },
    /// A symbolic or hard link that leads out of the directory.
    #[error("its member {member:?} is a link to {target:?}, which is outside of its directory")]
    LinkOutside {
        /// The link.
        member: String,
        /// What it points to.
        target: String,
    },
    /// A member whose path goes through a symbolic link.
    #[error("its member {member:?} would be written through a symbolic link")]
    ThroughLink {
        /// The path in the archive.
        member: String,
    },
    /// A device, a pipe, or something else that is not a file, directory or link.
    #[error("its member {member:?} is neither a file nor a directory nor a link")]
    Kind {
        /// The path in the archive.
        member: String,
    },
    /// The local disk.
    #[error("could not write {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Unpacks an archive into a directory that it makes. Owners are not kept, and of permissions only those to execute and read.
pub(crate) fn unpack(format: ArchiveFormat, archive: File, into: &Path) -> Result<(), UnpackError> {
    let mut unpacker = Unpacker::create(into)?;
    let archive = BufReader::with_capacity(BUFFER, archive);
    match format {
        ArchiveFormat::Zip => zip::unpack(archive, &mut unpacker)?,
        ArchiveFormat::Tar => tar::unpack(archive, &mut unpacker)?,
        ArchiveFormat::TarGz => tar::unpack(MultiGzDecoder::new(archive), &mut unpacker)?,
    }
    unpacker.finish()
}

#[cfg(test)]
mod tests;
