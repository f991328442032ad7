//! Where executors write (SA-44…46).

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use firesteel_local_dirs::{LocalDirs, is_plain_name};
use firesteel_model::{ApplicationId, SubmissionId};
use firesteel_standalone::protocol::ExecutorNumber;
use tracing::{info, warn};

/// What executors of one application fetch once for all of them, beside their own directories.
const FETCH_CACHE: &str = "fetch-cache";
/// Programs that were fetched, below the work directory.
const EXECUTABLES: &str = "executables";

/// The directories of a worker.
#[derive(Debug)]
pub(crate) struct Directories {
    work: PathBuf,
    local: LocalDirs,
}

/// A directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    #[error("{0:?} is no name that a directory of an application or a driver can have")]
    Name(String),
    #[error("could not make {}", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The directories of an executor.
#[derive(Clone, Debug)]
pub(crate) struct ExecutorDirectories {
    /// Where its output goes.
    pub(crate) work: PathBuf,
    /// Its scratch space, on each disk.
    pub(crate) scratch: Vec<PathBuf>,
    /// What it shares with others of its application.
    pub(crate) fetch_cache: PathBuf,
}

impl Directories {
    /// Makes the work directory, if need be.
    pub(crate) fn new(work: PathBuf, local: LocalDirs) -> io::Result<Self> {
        fs::create_dir_all(&work)?;
        // Executors run in other directories.
        Ok(Self { work: work.canonicalize()?, local })
    }

    /// Scratch directories of this worker, which its executors remove if it is killed.
    pub(crate) fn local(&self) -> &[PathBuf] {
        self.local.directories()
    }

    /// Where the output of executors and drivers is.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    pub(crate) fn executables(&self) -> PathBuf {
        self.work.join(EXECUTABLES)
    }

    /// Makes the directories of an executor.
    pub(crate) fn make(
        &self,
        application_id: &ApplicationId,
        number: ExecutorNumber,
    ) -> Result<ExecutorDirectories, DirectoryError> {
        let name = name_of(application_id)?;
        let number = number.to_string();
        let work = self.work.join(name).join(&number);
        fs::create_dir_all(&work).map_err(|source| DirectoryError::Make { path: work.clone(), source })?;
        let scratch: Vec<PathBuf> = self.local().iter().map(|local| local.join(name).join(&number)).collect();
        for path in &scratch {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(|source| DirectoryError::Make { path: path.clone(), source })?;
        }
        let fetch_cache = self.local()[0].join(name).join(FETCH_CACHE);
        Ok(ExecutorDirectories { work, scratch, fetch_cache })
    }

    /// Makes the directory of a driver, where its program and its output are. One that is started again has it already.
    pub(crate) fn make_driver(&self, submission_id: &SubmissionId) -> Result<PathBuf, DirectoryError> {
        let path = self.work.join(plain(submission_id.as_str())?);
        // What it is given may be for its user alone.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| DirectoryError::Make { path: path.clone(), source })?;
        Ok(path)
    }

    /// Removes the scratch space of all executors of an application.
    pub(crate) fn remove_application(&self, application_id: &ApplicationId) {
        if let Ok(name) = name_of(application_id) {
            self.local().iter().for_each(|local| remove(&local.join(name)));
        }
    }

    /// Removes the work directories of applications and drivers that nothing was written to for so long (SA-45).
    pub(crate) fn clean_up(&self, data_ttl: Duration, running: &[ApplicationId], drivers: &[SubmissionId]) {
        let Some(oldest) = SystemTime::now().checked_sub(data_ttl) else { return };
        let entries = match fs::read_dir(&self.work) {
            Ok(entries) => entries,
            Err(error) => {
                return warn!(%error, path = %self.work.display(), "the work directory cannot be looked through");
            }
        };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let mut names = running.iter().map(ApplicationId::as_str).chain(drivers.iter().map(SubmissionId::as_str));
            let is_running = names.any(|running| name == *running);
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_directory || is_running || name == EXECUTABLES {
                continue;
            }
            // What cannot be looked at stays.
            if newest(&path).is_ok_and(|newest| newest < oldest) {
                info!(path = %path.display(), "removing a work directory that is old");
                remove(&path);
            }
        }
    }
}

impl ExecutorDirectories {
    /// Removes the scratch space: the executor has ended.
    pub(crate) fn remove_scratch(&self) {
        self.scratch.iter().for_each(|path| remove(path));
    }
}

/// The name comes from a master, and a path is made of it.
fn name_of(application_id: &ApplicationId) -> Result<&str, DirectoryError> {
    plain(application_id.as_str())
}

fn plain(name: &str) -> Result<&str, DirectoryError> {
    if is_plain_name(name) && name != EXECUTABLES { Ok(name) } else { Err(DirectoryError::Name(name.to_owned())) }
}

fn remove(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(%error, path = %path.display(), "a directory could not be removed");
        }
        _ => {}
    }
}

/// When anything in a directory was written last. Links are not followed.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::symlink_metadata(path)?;
    let mut latest = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            latest = latest.max(newest(&entry?.path())?);
        }
    }
    Ok(latest)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn directories(root: &Path) -> Directories {
        let (local, _) = LocalDirs::create(&[root.join("disk1"), root.join("disk2")]).unwrap();
        Directories::new(root.join("work"), local).unwrap()
    }

    #[test]
    fn scratch_space_goes_with_the_executor_and_with_the_application_and_output_stays() {
        let root = tempfile::tempdir().unwrap();
        let directories = directories(root.path());
        let app = ApplicationId::from("app-1");
        let made = directories.make(&app, 7).unwrap();
        let other = directories.make(&app, 8).unwrap();
        assert_eq!((made.work.clone(), made.scratch.len()), (root.path().join("work/app-1/7"), 2));
        fs::write(made.work.join("stdout"), "x").unwrap();
        fs::write(made.scratch[1].join("spill"), "x").unwrap();
        fs::create_dir(&made.fetch_cache).unwrap();
        made.remove_scratch();
        assert!(made.scratch.iter().all(|path| !path.exists()));
        assert!(made.fetch_cache.exists() && other.scratch[0].exists());
        directories.remove_application(&app);
        assert!(!made.fetch_cache.exists() && !other.scratch[1].exists() && !other.scratch[0].exists());
        assert!(made.work.join("stdout").exists());
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let directories = directories(root.path());
        for name in ["..", "../x", "/tmp/x", "", "a/b", "executables"] {
            let error = directories.make(&ApplicationId::from(name), 0).unwrap_err();
            assert!(matches!(error, DirectoryError::Name(_)), "{name}: {error:?}");
            let error = directories.make_driver(&SubmissionId::from(name)).unwrap_err();
            assert!(matches!(error, DirectoryError::Name(_)), "{name}: {error:?}");
            directories.remove_application(&ApplicationId::from(name));
        }
        assert!(root.path().join("work").exists());
    }

    #[test]
    fn only_what_is_old_and_belongs_to_nothing_that_runs_is_cleaned_up() {
        let root = tempfile::tempdir().unwrap();
        let directories = directories(root.path());
        let old = SystemTime::now() - Duration::from_secs(3600);
        let age = |path: &Path| File::open(path).unwrap().set_modified(old).unwrap();
        for name in ["old", "running", "written"] {
            let made = directories.make(&ApplicationId::from(name), 0).unwrap();
            fs::write(made.work.join("stdout"), name).unwrap();
            if name != "written" {
                age(&made.work.join("stdout"));
            }
            age(&made.work);
            age(made.work.parent().unwrap());
        }
        for id in ["driver", "old-driver"] {
            age(&directories.make_driver(&SubmissionId::from(id)).unwrap());
        }
        fs::create_dir(directories.executables()).unwrap();
        age(&directories.executables());
        directories.clean_up(Duration::from_secs(1800), &["running".into()], &["driver".into()]);
        let mut left: Vec<_> =
            fs::read_dir(root.path().join("work")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["driver", "executables", "running", "written"]);
    }
}
