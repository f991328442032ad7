//! The steps of a job's output, and the committer that renames.

use std::{
    collections::HashSet,
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::{PartWriter, pending};
use crate::{
    BoxedError, Codec, Existing, FileError, FilePath, FileStatus, FileSystem, FileSystems, FileWrite, HadoopConf,
    HadoopPropertyError, PendingUploads,
};

/// Where everything unfinished is, below the output directory.
const TEMPORARY: &str = "_temporary";

/// In [`TEMPORARY`]: whose output it is, as long as the job runs. Two jobs that both find no output directory then do not both
/// take it for their own.
const CLAIM: &str = "_claim";

/// The mark of a finished job.
const SUCCESS: &str = "_SUCCESS";

/// When renamed files become visible (`mapreduce.fileoutputcommitter.algorithm.version`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum CommitAlgorithm {
    /// Version 1: when the job commits.
    #[default]
    JobCommit,
    /// Version 2: when the task commits. Faster, and a job that fails has made some files visible until it is aborted.
    TaskCommit,
}

/// A job's output: what the driver decides and tasks are sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OutputSpec {
    /// The output directory.
    pub output: FilePath,
    /// Tells this job from every other that may write to the directory, such as `202611210930001234_0007`.
    pub job_id: String,
    /// When renamed files become visible.
    pub algorithm: CommitAlgorithm,
    /// Whether an output directory that exists is refused (`spark.hadoop.validateOutputSpecs`).
    pub validate: bool,
    /// Whether `_SUCCESS` is written (`mapreduce.fileoutputcommitter.marksuccessfuljobs`).
    pub mark_success: bool,
}

/// One attempt at a partition. No two attempts of a partition in a job may have the same number, whatever stage attempt they belong to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct TaskAttempt {
    /// The partition's index.
    pub partition: u32,
    /// The attempt's number.
    pub attempt: u32,
}

/// A step of a job's output failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The output directory is there already.
    #[error(
        "output directory {path} already exists; choose another, remove it, or set spark.hadoop.validateOutputSpecs=false to write \
         into it"
    )]
    OutputExists {
        /// The directory.
        path: FilePath,
    },
    /// Another job is writing to the output directory.
    #[error("another job is writing to output directory {path}; wait for it, or choose another directory")]
    OutputClaimed {
        /// The directory.
        path: FilePath,
    },
    /// What a task has committed is not there any more.
    #[error(
        "the output of partition {partition} has vanished from {path}/_temporary since its task committed it, and nothing was made \
         visible; see that nothing else writes there, and run the job again"
    )]
    PartitionMissing {
        /// Which.
        partition: u32,
        /// The output directory.
        path: FilePath,
    },
    /// The record of pending uploads cannot be read.
    #[error("the record of pending uploads {path} is damaged")]
    DamagedRecord {
        /// The record.
        path: FilePath,
        /// What is wrong with it.
        #[source]
        source: BoxedError,
    },
    /// Completing failed, and some files that had become visible could not be removed.
    #[error("could not make the output visible, and could not take back {path}; remove it before the job is run again")]
    CouldNotUndo {
        /// One of the files.
        path: FilePath,
        /// Why it failed in the first place.
        #[source]
        source: Box<FileError>,
    },
    /// The file system failed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl OutputSpec {
    /// Output to a directory, with what Hadoop's properties say.
    pub fn from_conf(output: FilePath, job_id: &str, conf: &HadoopConf) -> Result<Self, HadoopPropertyError> {
        const VERSION: &str = "mapreduce.fileoutputcommitter.algorithm.version";
        let algorithm = match conf.get(VERSION) {
            None | Some("1") => CommitAlgorithm::JobCommit,
            Some("2") => CommitAlgorithm::TaskCommit,
            Some(other) => {
                let (key, value) = (VERSION.to_owned(), other.to_owned());
                return Err(HadoopPropertyError { key, value, wanted: "1 or 2" });
            }
        };
        Ok(Self {
            output,
            job_id: job_id.to_owned(),
            algorithm,
            validate: conf.get_bool("validateOutputSpecs", true)?,
            mark_success: conf.get_bool("mapreduce.fileoutputcommitter.marksuccessfuljobs", true)?,
        })
    }
}

/// Performs the steps of a job's output: `*_job` on the driver, `*_task` where the task runs.
#[derive(Debug)]
pub struct OutputCommitter {
    spec: OutputSpec,
    system: Arc<dyn FileSystem>,
    /// Whether this job made the output directory, so that everything in it is its own.
    made_output: AtomicBool,
}

impl OutputCommitter {
    /// For the output that is specified. Nothing is touched yet.
    pub fn new(systems: &FileSystems, spec: OutputSpec) -> Result<Self, FileError> {
        let system = systems.get(&spec.output)?;
        Ok(Self { spec, system, made_output: AtomicBool::new(false) })
    }

    /// What was specified, to be sent with tasks.
    pub fn spec(&self) -> &OutputSpec {
        &self.spec
    }

    /// Refuses output that exists, before any task runs.
    pub fn check_output_specs(&self) -> Result<(), CommitError> {
        if self.spec.validate && self.system.exists(&self.spec.output)? {
            return Err(CommitError::OutputExists { path: self.spec.output.clone() });
        }
        Ok(())
    }

    /// Begins the job: checks the output directory and makes it. Of several jobs that begin at the same time at most one gets it,
    /// unless they are to write into a directory that exists.
    pub fn setup_job(&self) -> Result<(), CommitError> {
        self.check_output_specs()?;
        if self.spec.validate {
            self.claim_output()?;
            self.made_output.store(true, Ordering::Relaxed);
        }
        let made = self.system.mkdirs(&self.job_path());
        if made.is_err() && self.spec.validate {
            // What failed is the news, not what cannot be cleaned up behind it.
            let _ = self.abort_job();
        }
        Ok(made?)
    }

    /// Removes the directories that a claim has made on its way to failing: they would keep the next job out. Those with anything in
    /// them stay, as another job may have been faster.
    fn forget_directories(&self) {
        for directory in [&self.spec.output.join(TEMPORARY), &self.spec.output] {
            // As above.
            let _ = self.system.delete(directory, false);
        }
    }

    fn claim_output(&self) -> Result<(), CommitError> {
        let output = || self.spec.output.clone();
        let claim = self.system.create(&self.claim_path(), Existing::Refuse).and_then(|mut claim| {
            let written = claim.write_all(self.spec.job_id.as_bytes());
            written.map_err(|error| FileError::from_io("write", &self.claim_path(), error))?;
            claim.finish()
        });
        match claim {
            Ok(_) => {}
            Err(FileError::AlreadyExists { .. }) => return Err(CommitError::OutputClaimed { path: output() }),
            Err(error) => {
                self.forget_directories();
                return Err(error.into());
            }
        }
        // Another job may have been here, and have ended, between the check and the claim.
        let stranger = self.system.list(&self.spec.output)?.iter().any(|entry| entry.path.name() != TEMPORARY);
        if stranger {
            self.remove_temporary()?;
            return Err(CommitError::OutputExists { path: output() });
        }
        Ok(())
    }

    /// Begins a task attempt: removes what an attempt of the same number may have left when its executor died.
    pub fn setup_task(&self, task: TaskAttempt) -> Result<(), CommitError> {
        self.abort_task(task)
    }

    /// Begins a file of an attempt, named as it will be below the output directory.
    pub fn create_file(&self, task: TaskAttempt, name: &str) -> Result<Box<dyn FileWrite>, FileError> {
        let records = self.attempt_path(task);
        match self.system.pending_uploads() {
            None => self.system.create(&records.join(name), Existing::Replace),
            Some(_) => {
                let path = self.spec.output.join(name);
                Ok(Box::new(pending::PendingFile::begin(Arc::clone(&self.system), path, &records)?))
            }
        }
    }

    /// Begins the file that holds a whole partition, `part-00000` with the codec's suffix.
    pub fn create_part(&self, task: TaskAttempt, codec: Option<Codec>) -> Result<PartWriter, FileError> {
        let name = super::part_file_name(task.partition, codec);
        PartWriter::new(self.create_file(task, &name)?, codec, &self.spec.output.join(&name))
    }

    /// Whether an attempt has written any file. If not, it need not ask for permission to commit.
    pub fn needs_commit(&self, task: TaskAttempt) -> Result<bool, FileError> {
        self.system.exists(&self.attempt_path(task))
    }

    /// Makes the attempt's files the partition's output, in place of what another attempt committed.
    pub fn commit_task(&self, task: TaskAttempt) -> Result<(), CommitError> {
        let attempt = self.attempt_path(task);
        if let Some(uploads) = self.system.pending_uploads() {
            return pending::commit_task(&*self.system, uploads, &attempt, &self.record_path(task));
        }
        if !self.system.exists(&attempt)? {
            return Ok(());
        }
        match self.spec.algorithm {
            CommitAlgorithm::JobCommit => {
                let committed = self.committed_path(task);
                self.system.delete(&committed, true)?;
                self.system.rename(&attempt, &committed)?;
            }
            CommitAlgorithm::TaskCommit => {
                self.merge(&attempt, &self.spec.output)?;
                self.system.delete(&attempt, true)?;
            }
        }
        Ok(())
    }

    /// Removes what the attempt wrote. Content if there is nothing.
    pub fn abort_task(&self, task: TaskAttempt) -> Result<(), CommitError> {
        let attempt = self.attempt_path(task);
        if let Some(uploads) = self.system.pending_uploads() {
            pending::abort_below(&*self.system, uploads, &attempt)?;
        }
        self.system.delete(&attempt, true)?;
        Ok(())
    }

    /// Makes the output of all committed tasks visible, removes what the job left unfinished, and writes `_SUCCESS` last. After
    /// an error the caller should [abort](Self::abort_job) the job.
    pub fn commit_job(&self) -> Result<(), CommitError> {
        self.commit_partitions(0)
    }

    /// As [`Self::commit_job`] for a job whose first `partitions` partitions have all written files. Refused, before anything is
    /// visible, if one of them is not there: an attempt on an executor that was given up may live on, and replace at just this
    /// moment what the attempt that counts has committed.
    pub fn commit_partitions(&self, partitions: u32) -> Result<(), CommitError> {
        let job = self.job_path();
        if let Some(uploads) = self.system.pending_uploads() {
            let records = pending::committed(&*self.system, &job, &self.task_prefix())?;
            self.check_complete(partitions, &records, Self::record_path)?;
            pending::commit_job(&*self.system, uploads, &records)?;
        } else if self.spec.algorithm == CommitAlgorithm::JobCommit {
            let mut tasks = self.system.list(&job)?;
            tasks.retain(|entry| entry.is_directory && entry.path.name().starts_with(&self.task_prefix()));
            self.check_complete(partitions, &tasks, Self::committed_path)?;
            for task in tasks {
                self.merge(&task.path, &self.spec.output)?;
            }
        }
        self.remove_temporary()?;
        if self.spec.mark_success {
            self.system.create(&self.spec.output.join(SUCCESS), Existing::Replace)?.finish()?;
        }
        Ok(())
    }

    fn check_complete(
        &self,
        partitions: u32,
        found: &[FileStatus],
        path: impl Fn(&Self, TaskAttempt) -> FilePath,
    ) -> Result<(), CommitError> {
        let found: HashSet<&str> = found.iter().map(|entry| entry.path.name()).collect();
        let is_there = |partition| found.contains(path(self, TaskAttempt { partition, attempt: 0 }).name());
        match (0..partitions).find(|&partition| !is_there(partition)) {
            Some(partition) => Err(CommitError::PartitionMissing { partition, path: self.spec.output.clone() }),
            None => Ok(()),
        }
    }

    /// Removes everything that the job wrote: what is unfinished and, if the job made the output directory, that with all in it.
    pub fn abort_job(&self) -> Result<(), CommitError> {
        let nobody_else_writes = self.remove_temporary()?;
        if nobody_else_writes && self.made_output.load(Ordering::Relaxed) {
            self.system.delete(&self.spec.output, true)?;
        }
        Ok(())
    }

    /// Removes what the job has in `_temporary`, and that itself unless another job has something there. Is it gone?
    fn remove_temporary(&self) -> Result<bool, CommitError> {
        let (job, temporary) = (self.job_path(), self.spec.output.join(TEMPORARY));
        let attempts = job.join(TEMPORARY);
        let uploads: Option<&dyn PendingUploads> = self.system.pending_uploads();
        for (directory, prefix) in [(&attempts, self.attempt_prefix()), (&job, self.task_prefix())] {
            for entry in pending::list_if_there(&*self.system, directory)? {
                if !entry.path.name().starts_with(&prefix) {
                    continue;
                }
                match uploads {
                    Some(uploads) if entry.is_directory => pending::abort_below(&*self.system, uploads, &entry.path)?,
                    Some(uploads) => pending::abort_record(&*self.system, uploads, &entry.path)?,
                    None => {}
                }
                self.system.delete(&entry.path, true)?;
            }
        }
        if self.made_output.load(Ordering::Relaxed) || self.claimed_by_this_job() {
            self.system.delete(&self.claim_path(), false)?;
        }
        for directory in [&attempts, &job, &temporary] {
            if !pending::list_if_there(&*self.system, directory)?.is_empty() {
                return Ok(false);
            }
            // Another job may put something into it just now; then it stays.
            match self.system.delete(directory, false) {
                Ok(_) => {}
                Err(_) if !pending::list_if_there(&*self.system, directory)?.is_empty() => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn claimed_by_this_job(&self) -> bool {
        let mut claimed_by = String::new();
        let read = self.system.open(&self.claim_path()).map(|mut claim| claim.read_to_string(&mut claimed_by));
        matches!(read, Ok(Ok(_))) && claimed_by == self.spec.job_id
    }

    /// Moves a file or the content of a directory to a place that may hold files already; those of the same name are replaced.
    fn merge(&self, from: &FilePath, to: &FilePath) -> Result<(), FileError> {
        let source = self.system.status(from)?;
        let target = match self.system.status(to) {
            Ok(target) => Some(target),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        match target {
            Some(target) if source.is_directory && target.is_directory => {
                for entry in self.system.list(from)? {
                    self.merge(&entry.path, &to.join(entry.path.name()))?;
                }
                Ok(())
            }
            Some(_) => {
                self.system.delete(to, true)?;
                self.system.rename(from, to)
            }
            None => self.system.rename(from, to),
        }
    }

    fn job_path(&self) -> FilePath {
        // Hadoop counts attempts of the application here; the engine starts a job anew instead of recovering it.
        self.spec.output.join(TEMPORARY).join("0")
    }

    fn attempt_path(&self, task: TaskAttempt) -> FilePath {
        let name = format!("{}{:06}_{}", self.attempt_prefix(), task.partition, task.attempt);
        self.job_path().join(TEMPORARY).join(&name)
    }

    fn committed_path(&self, task: TaskAttempt) -> FilePath {
        self.job_path().join(&format!("{}{:06}", self.task_prefix(), task.partition))
    }

    fn record_path(&self, task: TaskAttempt) -> FilePath {
        self.job_path().join(&format!("{}{:06}{}", self.task_prefix(), task.partition, pending::TASK_RECORD))
    }

    /// What the names of this job's attempts begin with, as Hadoop's do.
    fn attempt_prefix(&self) -> String {
        format!("attempt_{}_m_", self.spec.job_id)
    }

    /// What the names of this job's committed tasks begin with.
    fn task_prefix(&self) -> String {
        format!("task_{}_m_", self.spec.job_id)
    }

    fn claim_path(&self) -> FilePath {
        self.spec.output.join(TEMPORARY).join(CLAIM)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io};

    use super::*;
    use crate::{FileRead, LocalFileSystem};

    /// A disk that has room for directories and for nothing else; or not even for those below `_temporary`.
    #[derive(Debug)]
    struct FullDisk {
        disk: LocalFileSystem,
        takes_claims: bool,
    }

    fn no_room(path: &FilePath) -> FileError {
        FileError::from_io("write", path, io::ErrorKind::StorageFull.into())
    }

    impl FileSystem for FullDisk {
        fn open(&self, path: &FilePath) -> Result<Box<dyn FileRead>, FileError> {
            self.disk.open(path)
        }

        fn create(&self, path: &FilePath, existing: Existing) -> Result<Box<dyn FileWrite>, FileError> {
            if self.takes_claims {
                return self.disk.create(path, existing);
            }
            self.disk.mkdirs(&path.parent().unwrap())?;
            Err(no_room(path))
        }

        fn status(&self, path: &FilePath) -> Result<FileStatus, FileError> {
            self.disk.status(path)
        }

        fn list(&self, path: &FilePath) -> Result<Vec<FileStatus>, FileError> {
            self.disk.list(path)
        }

        fn mkdirs(&self, path: &FilePath) -> Result<(), FileError> {
            Err(no_room(path))
        }

        fn rename(&self, from: &FilePath, to: &FilePath) -> Result<(), FileError> {
            self.disk.rename(from, to)
        }

        fn delete(&self, path: &FilePath, recursive: bool) -> Result<bool, FileError> {
            self.disk.delete(path, recursive)
        }
    }

    #[test]
    fn a_job_that_could_not_begin_leaves_nothing_that_keeps_the_next_one_out() {
        for takes_claims in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let output = FilePath::local(root.path()).unwrap().join("output");
            let spec = OutputSpec::from_conf(output.clone(), "1", &HadoopConf::default()).unwrap();
            let system = Arc::new(FullDisk { disk: LocalFileSystem::default(), takes_claims });
            let job = OutputCommitter { spec, system, made_output: AtomicBool::new(false) };
            let error = job.setup_job().unwrap_err();
            assert!(matches!(error, CommitError::File(_)), "{error:?}");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "{takes_claims}");
        }
    }

    #[test]
    fn what_another_job_has_claimed_stays() {
        let root = tempfile::tempdir().unwrap();
        let output = FilePath::local(root.path()).unwrap().join("output");
        let spec = OutputSpec::from_conf(output.clone(), "1", &HadoopConf::default()).unwrap();
        let claim = root.path().join("output/_temporary/_claim");
        fs::create_dir_all(claim.parent().unwrap()).unwrap();
        fs::write(&claim, "2").unwrap();
        let system = Arc::new(FullDisk { disk: LocalFileSystem::default(), takes_claims: false });
        let job = OutputCommitter { spec, system, made_output: AtomicBool::new(false) };
        job.claim_output().unwrap_err();
        assert_eq!(fs::read(&claim).unwrap(), b"2");
    }
}
