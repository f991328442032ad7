//! Directories that daemons and executors write to.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use firesteel_model::ByteCount;
use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::finding::Finding;

/// Below this, jobs that shuffle or spill are likely to fill it.
const LITTLE_ROOM: ByteCount = ByteCount::gib(2);

/// A directory, and what is kept there.
pub(crate) struct Wanted {
    pub(crate) subject: &'static str,
    pub(crate) path: PathBuf,
    /// Who says so, for the advice.
    pub(crate) set_by: &'static str,
    /// Programs are started from there.
    pub(crate) executable: bool,
}

pub(crate) fn look(wanted: &Wanted) -> Finding {
    let Wanted { subject, path, set_by, .. } = wanted;
    // What is made at the first start need not be there yet.
    let Some(there) = path.ancestors().find(|ancestor| ancestor.exists()) else {
        return Finding::problem(subject, format!("{} cannot be made", path.display()), format!("set {set_by}"));
    };
    if let Err(error) = try_to_write(there) {
        return Finding::problem(
            subject,
            format!("{} cannot be written to: {error}", there.display()),
            format!("give this account the right to, or set {set_by}"),
        );
    }
    let Ok(system) = statvfs(there) else {
        return Finding::warning(subject, format!("how full {} is cannot be found out", there.display()), "");
    };
    let free = ByteCount(system.f_bavail.saturating_mul(system.f_frsize));
    if wanted.executable && system.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Finding::problem(
            subject,
            format!("{} is mounted noexec, and workers start programs from there", there.display()),
            format!("set {set_by} to another file system"),
        );
    }
    room(subject, path, free, set_by)
}

fn room(subject: &'static str, path: &Path, free: ByteCount, set_by: &str) -> Finding {
    let found = format!("{}: {free} free", path.display());
    if free < LITTLE_ROOM {
        return Finding::warning(subject, found, format!("make room, or set {set_by} to another disk"));
    }
    Finding::fine(subject, found)
}

/// Rights alone do not tell: the file system may be read-only, or full.
fn try_to_write(directory: &Path) -> io::Result<()> {
    let name = format!(".firesteel-doctor-{}", std::process::id());
    let path = directory.join(name);
    let written = fs::OpenOptions::new().write(true).create_new(true).open(&path).map(drop);
    // It may not have been made.
    let _ = fs::remove_file(&path);
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    fn wanted(path: PathBuf) -> Wanted {
        Wanted { subject: "work", path, set_by: "SPARK_WORKER_DIR", executable: false }
    }

    #[test]
    fn a_directory_need_not_be_there_yet_and_nothing_is_left_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let finding = look(&wanted(directory.path().join("a/b")));
        assert_ne!(finding.verdict, Verdict::Problem, "{finding}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let finding = look(&wanted(file.join("below")));
        assert_eq!(finding.verdict, Verdict::Problem, "{finding}");
        assert!(finding.advice.contains("SPARK_WORKER_DIR"));
    }

    #[test]
    fn little_room_is_a_warning() {
        let verdict = |free| room("work", Path::new("/w"), free, "SPARK_WORKER_DIR").verdict;
        assert_eq!((verdict(ByteCount::mib(100)), verdict(ByteCount::gib(3))), (Verdict::Warning, Verdict::Fine));
    }
}
