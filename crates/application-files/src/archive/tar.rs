//! Tar archives, read as a stream.

use std::io::Read;

use tar::{Archive, EntryType};

use super::{UnpackError, unpacker::Unpacker};

pub(super) fn unpack(archive: impl Read, unpacker: &mut Unpacker<'_>) -> Result<(), UnpackError> {
    let mut archive = Archive::new(archive);
    for entry in archive.entries().map_err(UnpackError::Read)? {
        let mut entry = entry.map_err(UnpackError::Read)?;
        let member = entry.path().map_err(UnpackError::Read)?.into_owned();
        let kind = entry.header().entry_type();
        let link = |entry: &tar::Entry<'_, _>| match entry.link_name() {
            Ok(Some(target)) => Ok(target.into_owned()),
            Ok(None) => Err(UnpackError::Kind { member: member.to_string_lossy().into_owned() }),
            Err(error) => Err(UnpackError::Read(error)),
        };
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mode = entry.header().mode().map_err(UnpackError::Read)?;
                unpacker.file(&member, mode, &mut entry)?;
            }
            EntryType::Directory => unpacker.directory(&member)?,
            EntryType::Symlink => unpacker.symbolic_link(&member, &link(&entry)?)?,
            EntryType::Link => unpacker.hard_link(&member, &link(&entry)?)?,
            // What pax says of the archive as a whole, such as the commit that git made it of.
            EntryType::XGlobalHeader => {}
            _ => return Err(UnpackError::Kind { member: member.to_string_lossy().into_owned() }),
        }
    }
    Ok(())
}
