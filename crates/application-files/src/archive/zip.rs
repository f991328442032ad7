//! Zip archives and jars. Their directory is at the end, so they are read from a file.

use std::{
    io::{Read, Seek},
    path::{Path, PathBuf},
};

use zip::ZipArchive;

use super::{UnpackError, unpacker::Unpacker};

/// As long as a symbolic link can be.
const MAX_TARGET: u64 = 4096;
/// What a file has whose archive was made on a system without permissions.
const DEFAULT_MODE: u32 = 0o644;

pub(super) fn unpack(archive: impl Read + Seek, unpacker: &mut Unpacker<'_>) -> Result<(), UnpackError> {
    let mut archive = ZipArchive::new(archive).map_err(UnpackError::Zip)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(UnpackError::Zip)?;
        let member = PathBuf::from(entry.name().map_err(UnpackError::Zip)?.into_owned());
        if entry.is_dir() {
            unpacker.directory(&member)?;
        } else if entry.is_symlink() {
            let mut target = String::new();
            entry.by_ref().take(MAX_TARGET).read_to_string(&mut target).map_err(UnpackError::Read)?;
            unpacker.symbolic_link(&member, Path::new(&target))?;
        } else {
            let mode = entry.unix_mode().unwrap_or(DEFAULT_MODE);
            unpacker.file(&member, mode, &mut entry)?;
        }
    }
    Ok(())
}
