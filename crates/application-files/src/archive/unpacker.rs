//! Writes the members of an archive, and nothing outside of one directory.
//!
//! Members are written one after the other into a directory that this process alone knows, so what was checked stays true.
//! No member is written through a symbolic link; where links lead is looked at when all members are there, since what a link
//! leads to may come after it.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use firesteel_local_dirs::DiskReserve;

use super::UnpackError;
use crate::names::below;

/// The directory that is being filled.
pub(super) struct Unpacker<'a> {
    root: &'a Path,
    /// Symbolic links: where they are below the root, and what they point to.
    links: Vec<(PathBuf, PathBuf)>,
    /// A small archive may hold more than any disk.
    reserve: DiskReserve,
}

/// As many links may lead to one another, as in the kernel.
const MAX_LINKS: usize = 40;

impl<'a> Unpacker<'a> {
    pub(super) fn create(root: &'a Path) -> Result<Self, UnpackError> {
        make_directory(root)?;
        Ok(Self { root, links: Vec::new(), reserve: DiskReserve::default() })
    }

    pub(super) fn directory(&mut self, member: &Path) -> Result<(), UnpackError> {
        let path = self.path(member)?;
        self.directories_to(member, &path)
    }

    /// `mode` has the permissions as the archive has them.
    pub(super) fn file(&mut self, member: &Path, mode: u32, content: &mut dyn Read) -> Result<(), UnpackError> {
        let path = self.path_for_new(member)?;
        let write = |source| UnpackError::Write { path: path.clone(), source };
        // Its owner must be able to remove it, and nobody gains rights by it.
        let mode = (mode & 0o755) | 0o600;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(write)?;
        let mut buffer = vec![0; super::BUFFER];
        loop {
            let length = content.read(&mut buffer).map_err(UnpackError::Read)?;
            if length == 0 {
                return Ok(());
            }
            self.reserve.write_all(&mut file, &buffer[..length]).map_err(write)?;
        }
    }

    pub(super) fn symbolic_link(&mut self, member: &Path, target: &Path) -> Result<(), UnpackError> {
        let path = self.path_for_new(member)?;
        symlink(target, &path).map_err(|source| UnpackError::Write { path: path.clone(), source })?;
        let place = path.strip_prefix(self.root).unwrap_or(&path).to_owned();
        self.links.push((place, target.to_owned()));
        Ok(())
    }

    /// `target` is a member that came before.
    pub(super) fn hard_link(&mut self, member: &Path, target: &Path) -> Result<(), UnpackError> {
        let outside = || UnpackError::LinkOutside { member: text(member), target: text(target) };
        let target = below(target).ok_or_else(outside)?;
        let mut from = self.root.to_owned();
        for part in target.components() {
            from.push(part);
            if from.is_symlink() {
                return Err(UnpackError::ThroughLink { member: text(member) });
            }
        }
        let path = self.path_for_new(member)?;
        fs::hard_link(&from, &path).map_err(|source| UnpackError::Write { path, source })
    }

    /// Every member is there: looks where links lead.
    pub(super) fn finish(self) -> Result<(), UnpackError> {
        for (place, target) in &self.links {
            // A later member of the same name may have replaced it.
            let replaced = fs::read_link(self.root.join(place)).map_or(true, |there| there != *target);
            if !replaced && !stays_inside(self.root, place, target) {
                return Err(UnpackError::LinkOutside { member: text(place), target: text(target) });
            }
        }
        Ok(())
    }

    fn path(&self, member: &Path) -> Result<PathBuf, UnpackError> {
        let plain = below(member).ok_or_else(|| UnpackError::Outside { member: text(member) })?;
        Ok(self.root.join(plain))
    }

    /// Where a member goes that is no directory. The last member of a name counts.
    fn path_for_new(&self, member: &Path) -> Result<PathBuf, UnpackError> {
        let path = self.path(member)?;
        if path == self.root {
            return Err(UnpackError::Outside { member: text(member) });
        }
        if let Some(parent) = path.parent() {
            self.directories_to(member, parent)?;
        }
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(UnpackError::Write { path, source }),
            _ => Ok(path),
        }
    }

    /// Makes the directories down to `path`, none of which may be a link.
    fn directories_to(&self, member: &Path, path: &Path) -> Result<(), UnpackError> {
        let mut directory = self.root.to_owned();
        for part in path.strip_prefix(self.root).unwrap_or(path).components() {
            directory.push(part);
            match fs::symlink_metadata(&directory) {
                Ok(there) if there.is_dir() => {}
                Ok(there) if there.is_symlink() => {
                    return Err(UnpackError::ThroughLink { member: text(member) });
                }
                _ => make_directory(&directory)?,
            }
        }
        Ok(())
    }
}

/// Does a link lead to a place below the root, through whatever other links? What is not there may be anywhere below.
fn stays_inside(root: &Path, place: &Path, target: &Path) -> bool {
    let mut at: PathBuf = place.parent().map(Path::to_owned).unwrap_or_default();
    let mut rest: VecDeque<OsString> = VecDeque::new();
    let mut followed = 0;
    let mut next = target.to_owned();
    loop {
        for component in next.components().rev() {
            match component {
                Component::Normal(part) => rest.push_front(part.to_owned()),
                Component::ParentDir => rest.push_front("..".into()),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return false,
            }
        }
        next = loop {
            let Some(part) = rest.pop_front() else { return true };
            if part == ".." {
                if !at.pop() {
                    return false;
                }
                continue;
            }
            at.push(part);
            if let Ok(target) = fs::read_link(root.join(&at)) {
                at.pop();
                break target;
            }
        };
        followed += 1;
        if followed > MAX_LINKS {
            return false;
        }
    }
}

fn make_directory(path: &Path) -> Result<(), UnpackError> {
    let made = DirBuilder::new().mode(0o755).create(path);
    made.map_err(|source| UnpackError::Write { path: path.to_owned(), source })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
