//! Scratch directories whose process has ended without removing them.
//!
//! A process that is killed removes nothing. So each directory is claimed by a lock of the kernel, which goes with the process
//! however that ends: a directory that nobody holds is nobody's. Process ids would be taken anew, and mean nothing in another
//! container that shares the disk.
//!
//! A directory gets the name of a claimed one only when it is locked, so that none is ever seen in between. The name has the
//! boot in it, as a lock is known to the kernel that holds it: on a disk that hosts share, another host's directories look
//! abandoned. Real Spark's directories have other names, and so have those on file systems without locks.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

const PREFIX: &str = "blockmgr-";

/// A name that no other directory has. Nobody looks behind it.
pub(crate) fn unclaimed_name() -> String {
    format!("{PREFIX}{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>())
}

/// Another name for a directory of this name, with the same meaning to others.
pub(crate) fn renamed(name: &str) -> String {
    match claimed_prefix().filter(|prefix| name.starts_with(prefix)) {
        Some(prefix) => format!("{prefix}{:016x}", rand::random::<u64>()),
        None => unclaimed_name(),
    }
}

/// What the names of directories begin with whose processes run, or ran, under this kernel since it was started.
fn claimed_prefix() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot: String = boot.chars().filter(char::is_ascii_hexdigit).collect();
    (!boot.is_empty()).then(|| format!("{PREFIX}{boot}-"))
}

/// Locks a directory that this process has made, and gives it the name of a claimed one. Where that cannot be, the directory
/// stays as it is and is left to people if the process is killed.
pub(crate) fn claim(path: PathBuf) -> io::Result<(PathBuf, Option<File>)> {
    let Some(prefix) = claimed_prefix() else { return Ok((path, None)) };
    // Shared, as some file systems give no other lock on what is only read. Whoever removes wants it alone.
    let Some(lock) = open(&path).ok().filter(|file| flock(file, FlockOperation::NonBlockingLockShared).is_ok()) else {
        return Ok((path, None));
    };
    let claimed = path.with_file_name(format!("{prefix}{:016x}", rand::random::<u64>()));
    fs::rename(&path, &claimed)?;
    Ok((claimed, Some(lock)))
}

/// Not through a link that somebody has put there.
fn open(directory: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(directory)
}

/// Removes the scratch directories in these roots that processes of this user have left behind, as far as that can be known
/// and done. May take its time.
pub fn remove_abandoned(roots: &[PathBuf]) {
    let Some(prefix) = claimed_prefix() else { return };
    let user = rustix::process::geteuid().as_raw();
    for root in roots {
        let Ok(entries) = fs::read_dir(root) else { continue };
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                continue;
            }
            let Ok(directory) = open(&entry.path()) else { continue };
            let own = directory.metadata().is_ok_and(|metadata| metadata.uid() == user);
            if own && flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Removes directories of a process that has ended, for sure. Several processes may do so at once, even while others of them
/// still write there: they take turns, so that the last one, behind whom nobody writes any more, finds what is left.
pub fn remove_left_behind(directories: &[PathBuf]) {
    for path in directories {
        // Somebody else was first.
        let Ok(directory) = open(path) else { continue };
        // Where there are no locks it is removed all the same, or as far as it goes.
        while flock(&directory, FlockOperation::LockExclusive) == Err(Errno::INTR) {}
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalDirs;

    #[test]
    fn what_a_process_has_left_is_removed_and_what_is_in_use_or_anothers_stays() {
        let root = tempfile::tempdir().unwrap();
        let roots = [root.path().to_owned()];
        let (live, _) = LocalDirs::create(&roots).unwrap();
        fs::write(live.path_to_write("a").unwrap(), b"x").unwrap();
        let of_spark = root.path().join("blockmgr-0d7a1b0c-3f1e-4a57-9d0c-1f6f3e2d4c5b");
        let unclaimed = root.path().join(unclaimed_name());
        let elsewhere = root.path().join("elsewhere");
        let prefix = claimed_prefix().unwrap();
        let abandoned = root.path().join(format!("{prefix}{:016x}", 7));
        for path in [&of_spark, &unclaimed, &elsewhere, &abandoned.join("00")] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(abandoned.join("00/shuffle_0_0_0.data"), b"x").unwrap();
        let link = root.path().join(format!("{prefix}link"));
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        remove_abandoned(&roots);
        assert!(!abandoned.exists());
        assert!(live.path("a").exists());
        for path in [&of_spark, &unclaimed, &elsewhere, &link] {
            assert!(path.is_dir(), "{path:?}");
        }
    }

    #[test]
    fn a_directory_whose_removal_was_broken_off_is_abandoned_too() {
        let root = tempfile::tempdir().unwrap();
        let name = format!("{}{:016x}", claimed_prefix().unwrap(), 7);
        fs::create_dir(root.path().join(renamed(&name))).unwrap();
        remove_abandoned(&[root.path().to_owned()]);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_left_behind_goes_whatever_its_name() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join("left");
        fs::create_dir_all(left.join("executor-0")).unwrap();
        remove_left_behind(&[left.clone(), root.path().join("never was")]);
        assert!(!left.exists());
    }
}
