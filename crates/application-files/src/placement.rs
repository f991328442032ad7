//! The root directory of a process, in which something appears complete or not at all.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufReader, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::PlaceFileError;

/// The root directory, and one beside it for what is not complete yet.
#[derive(Debug)]
pub(crate) struct Placement {
    root: PathBuf,
    incoming: PathBuf,
    overwrite: bool,
}

impl Placement {
    /// Makes the directories, readable by their owner only.
    pub(crate) fn create(root: PathBuf, overwrite: bool) -> io::Result<Self> {
        let mut name = root.file_name().unwrap_or_default().to_owned();
        name.push(".incoming");
        let incoming = root.with_file_name(name);
        for directory in [&root, &incoming] {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        Ok(Self { root, incoming, overwrite })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn overwrites(&self) -> bool {
        self.overwrite
    }

    /// A name for something that is to be made and then put.
    pub(crate) fn incoming(&self) -> Incoming {
        Incoming { path: self.incoming.join(format!("{:016x}", rand::random::<u64>())) }
    }

    /// Gives it its name. What has the name already stays if it is the same, and is replaced only if that is allowed.
    pub(crate) fn put(&self, incoming: &Incoming, name: &str) -> Result<(), PlaceFileError> {
        let target = self.root.join(name);
        let write = || PlaceFileError::write(&target);
        let there = match fs::symlink_metadata(&target) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return fs::rename(&incoming.path, &target).map_err(write());
            }
            Err(error) => return Err(write()(error)),
        };
        if same_content(&incoming.path, &target).map_err(write())? {
            return Ok(());
        }
        if !self.overwrite {
            return Err(PlaceFileError::Exists { path: target });
        }
        if there.is_dir() || incoming.path.is_dir() {
            // A directory cannot be replaced in one step.
            let old = self.incoming();
            fs::rename(&target, &old.path).map_err(write())?;
        }
        fs::rename(&incoming.path, &target).map_err(write())
    }
}

/// Something on its way. What has not been put when the value goes is removed.
#[derive(Debug)]
pub(crate) struct Incoming {
    path: PathBuf,
}

impl Incoming {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // It is not there any more if it was put.
        let _ = match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&self.path),
            Ok(_) => fs::remove_file(&self.path),
            Err(error) => Err(error),
        };
    }
}

/// Two links to the same place, or two files with the same bytes. Directories are not compared: they count as different.
fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (first, second) = (fs::symlink_metadata(one)?, fs::symlink_metadata(other)?);
    if first.is_symlink() && second.is_symlink() {
        return Ok(fs::read_link(one)? == fs::read_link(other)?);
    }
    if !first.is_file() || !second.is_file() || first.len() != second.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(File::open(one)?).bytes(), BufReader::new(File::open(other)?).bytes());
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (one, other) if one != other => return Ok(false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(placement: &Placement, text: &str) -> Incoming {
        let incoming = placement.incoming();
        fs::write(incoming.path(), text).unwrap();
        incoming
    }

    #[test]
    fn a_name_has_one_content_unless_it_may_be_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("files");
        let placement = Placement::create(root.clone(), false).unwrap();
        placement.put(&incoming(&placement, "a"), "x").unwrap();
        placement.put(&incoming(&placement, "a"), "x").unwrap();
        let refused = placement.put(&incoming(&placement, "b"), "x").unwrap_err();
        assert!(matches!(refused, PlaceFileError::Exists { .. }), "{refused:?}");
        assert_eq!(fs::read_to_string(root.join("x")).unwrap(), "a");

        let placement = Placement::create(root.clone(), true).unwrap();
        placement.put(&incoming(&placement, "b"), "x").unwrap();
        assert_eq!(fs::read_to_string(root.join("x")).unwrap(), "b");
        let packed = placement.incoming();
        fs::create_dir(packed.path()).unwrap();
        fs::write(packed.path().join("y"), "y").unwrap();
        placement.put(&packed, "x").unwrap();
        assert_eq!(fs::read_to_string(root.join("x/y")).unwrap(), "y");
        placement.put(&incoming(&placement, "c"), "x").unwrap();
        assert_eq!(fs::read_to_string(root.join("x")).unwrap(), "c");
        drop(packed);
        assert_eq!(fs::read_dir(directory.path().join("files.incoming")).unwrap().count(), 0);
    }
}
