//! Checkpoints: an RDD is written down, and what it was computed from is forgotten (RT-57).
//!
//! `checkpoint` only marks. When the next action on the RDD or on a descendant has succeeded, a second job writes every
//! partition to a file, and the RDD is from then on read from those files; a local checkpoint keeps the partitions in the
//! executors' storage instead. Descendants that were made before see the shorter lineage at their next job, for lineages
//! are looked at when a job is submitted (`stage_lineage`).

mod operators;
mod read;
mod write;

use std::{
    collections::HashSet,
    panic::Location,
    sync::{Arc, atomic::Ordering},
    thread,
};

use firesteel_closure::slot_of;
use firesteel_conf::keys;
use firesteel_filesystem::{FilePath, FileSystems, ObjectFileCodec, Scheme};
use firesteel_model::{BlockId, Partition, StorageLevel, TaskLocation};
use firesteel_scheduler::{Determinism, RddInfo};
use tracing::{info, warn};

use self::{
    operators::{CheckpointFile, CheckpointFileEnv, LocalCheckpoint, LocalCheckpointEnv},
    write::{WriteCheckpoint, WriteCheckpointEnv, visit_partitions},
};
use crate::{
    call_site::CallSite,
    context::SparkContext,
    data::Data,
    error::{SparkError, chain},
    hadoop::HadoopProperties,
    lineage::{Operation, RddCore},
    node::NodeOf,
    rdd::Rdd,
    sampling::any_seed,
    stage_lineage::with_dependencies,
};

/// How things stand with an RDD's checkpoint.
#[derive(Default)]
pub(crate) enum Checkpoint {
    /// Nobody wants one.
    #[default]
    None,
    /// The next action brings it about.
    Marked(Mark),
    /// Its job is under way.
    InProgress {
        /// As its mark said.
        local: bool,
    },
    /// The RDD is read from it.
    Done(Arc<Cut>),
}

/// Writes or keeps the partitions of an RDD, and says where it is read from then.
type MakeCut = dyn Fn(&SparkContext, &Arc<RddCore>) -> Result<Cut, SparkError> + Send + Sync;

/// How to make a checkpoint of an RDD whose type only whoever marked it knows.
#[derive(Clone)]
pub(crate) struct Mark {
    make: Arc<MakeCut>,
    local: bool,
}

/// Where an RDD is read from instead of being computed.
pub(crate) struct Cut {
    /// The RDD without dependencies.
    pub(crate) info: Arc<RddInfo>,
    /// What reads it.
    pub(crate) operation: Operation,
    /// Its files; none for a local checkpoint.
    files: Option<CheckpointFiles>,
}

/// The files of one checkpoint.
struct CheckpointFiles {
    directory: FilePath,
    systems: Arc<FileSystems>,
    /// `spark.cleaner.referenceTracking.cleanCheckpoints`.
    clean: bool,
}

/// Where an application's checkpoints are written.
#[derive(Clone)]
pub(crate) struct CheckpointDirectory {
    path: FilePath,
    hadoop: HadoopProperties,
    systems: Arc<FileSystems>,
}

impl Drop for CheckpointFiles {
    fn drop(&mut self) {
        if !self.clean {
            return;
        }
        // A remote system may take its time, and the last handle may be dropped anywhere.
        let (directory, systems) = (self.directory.clone(), Arc::clone(&self.systems));
        let started = thread::Builder::new().name("clean-checkpoint".to_owned()).spawn(move || {
            if let Err(error) = systems.get(&directory).and_then(|system| system.delete(&directory, true)) {
                warn!(%directory, error = &error as &dyn std::error::Error, "could not delete a checkpoint");
            }
        });
        if let Err(error) = started {
            warn!(directory = %self.directory, %error, "no thread to delete a checkpoint with");
        }
    }
}

impl SparkContext {
    /// Says where checkpoints are written: a directory that every executor reaches, on any file system. They go into a new
    /// directory below it.
    ///
    /// # Errors
    ///
    /// [`SparkError::Io`] if the directory cannot be made.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// spark.set_checkpoint_dir(&directory.to_string_lossy())?;
    /// let below = spark.checkpoint_dir().expect("it was set");
    /// assert!(below.contains(&*directory.to_string_lossy()));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn set_checkpoint_dir(&self, directory: &str) -> Result<(), SparkError> {
        let io = |error: &dyn std::error::Error| SparkError::Io(chain(error));
        let (hadoop, conf) = HadoopProperties::of(self)?;
        let systems = Arc::new(FileSystems::new(conf));
        let directory = systems.path(directory).map_err(|error| io(&error))?;
        if directory.scheme() == Scheme::File && !self.master().starts_with("local") {
            warn!(%directory, "the checkpoint directory is on the driver's own disk, which executors may not reach");
        }
        let path = directory.join(&unique_name());
        systems.get(&path).and_then(|system| system.mkdirs(&path)).map_err(|error| io(&error))?;
        *self.checkpoint_directory().lock() = Some(CheckpointDirectory { path, hadoop, systems });
        Ok(())
    }

    /// Forgets that directory: there can be no further checkpoints until [`SparkContext::set_checkpoint_dir`] names another.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// spark.set_checkpoint_dir(&directory.to_string_lossy())?;
    /// spark.clear_checkpoint_dir();
    /// assert_eq!(spark.checkpoint_dir(), None);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn clear_checkpoint_dir(&self) {
        *self.checkpoint_directory().lock() = None;
    }

    /// The directory that this application's checkpoints go to, if one was set by [`SparkContext::set_checkpoint_dir`].
    pub fn checkpoint_dir(&self) -> Option<String> {
        self.checkpoint_directory().lock().as_ref().map(|directory| directory.path.to_string())
    }
}

/// A name that no other application has taken.
fn unique_name() -> String {
    format!("{:016x}{:016x}", any_seed(), any_seed())
}

impl<T: Data> Rdd<T> {
    /// Has the RDD written to the checkpoint directory by a second job after the next action on it or on a descendant, and
    /// read from there ever after. Persist it first, or it is computed twice.
    ///
    /// # Errors
    ///
    /// [`SparkError::NoCheckpointDirectory`]
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// spark.set_checkpoint_dir(&directory.to_string_lossy())?;
    /// let squares = spark.range(0, 4, 1, 2).map(|n| n * n);
    /// squares.checkpoint()?;
    /// assert!(!squares.is_checkpointed());
    /// assert_eq!(squares.sum()?, 14);
    /// assert!(squares.is_checkpointed() && squares.get_checkpoint_file().is_some());
    /// assert!(squares.dependencies().is_empty());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn checkpoint(&self) -> Result<(), SparkError> {
        let directory = self.context().checkpoint_directory().lock().clone();
        let directory = directory.ok_or(SparkError::NoCheckpointDirectory)?;
        let location = CallSite::at("checkpoint", Location::caller());
        let make =
            move |context: &SparkContext, rdd: &Arc<RddCore>| write_files::<T>(context, rdd, &directory, &location);
        self.mark(Mark { make: Arc::new(make), local: false });
        Ok(())
    }

    /// Has the RDD kept in the executors' storage by the next action on it or on a descendant, and its lineage forgotten.
    /// Faster than [`Rdd::checkpoint`] and not fault tolerant: with an executor, its partitions are lost for good.
    ///
    /// An RDD that is not persisted gets [`StorageLevel::MEMORY_AND_DISK`]; one that is, may use disk too from now on.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let squares = spark.range(0, 4, 1, 2).map(|n| n * n);
    /// squares.local_checkpoint();
    /// assert_eq!(squares.sum()?, 14);
    /// assert!(squares.is_checkpointed() && squares.dependencies().is_empty());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn local_checkpoint(&self) -> &Self {
        let level = match self.storage_level() {
            level if level.is_valid() => StorageLevel { use_disk: true, ..level },
            _ => StorageLevel::MEMORY_AND_DISK,
        };
        self.core().replace_storage_level(level);
        let location = CallSite::at("localCheckpoint", Location::caller());
        let make = move |context: &SparkContext, rdd: &Arc<RddCore>| store_locally::<T>(context, rdd, &location);
        self.mark(Mark { make: Arc::new(make), local: true });
        self
    }

    /// Is it read from a checkpoint? It is after the next action behind [`Rdd::checkpoint`] or [`Rdd::local_checkpoint`].
    pub fn is_checkpointed(&self) -> bool {
        self.core().with_checkpoint(|checkpoint| matches!(checkpoint, Checkpoint::Done(_)))
    }

    /// Is its checkpoint a local one, made or to be made? See [`Rdd::local_checkpoint`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let squares = spark.range(0, 4, 1, 2).map(|n| n * n);
    /// assert!(!squares.is_locally_checkpointed());
    /// squares.local_checkpoint();
    /// assert!(squares.is_locally_checkpointed());
    /// ```
    pub fn is_locally_checkpointed(&self) -> bool {
        self.core().with_checkpoint(|checkpoint| match checkpoint {
            Checkpoint::Marked(mark) => mark.local,
            Checkpoint::InProgress { local } => *local,
            Checkpoint::Done(cut) => cut.files.is_none(),
            Checkpoint::None => false,
        })
    }

    /// The directory of its checkpoint; none before that is written, and none for a local one. See [`Rdd::checkpoint`].
    pub fn get_checkpoint_file(&self) -> Option<String> {
        self.core().with_checkpoint(|checkpoint| match checkpoint {
            Checkpoint::Done(cut) => cut.files.as_ref().map(|files| files.directory.to_string()),
            Checkpoint::None | Checkpoint::Marked(_) | Checkpoint::InProgress { .. } => None,
        })
    }

    fn mark(&self, mark: Mark) {
        let marked = self.core().with_checkpoint(|checkpoint| match checkpoint {
            Checkpoint::None => {
                *checkpoint = Checkpoint::Marked(mark);
                true
            }
            // The later of the two decides, as in Spark.
            Checkpoint::Marked(before) => {
                *before = mark;
                false
            }
            Checkpoint::InProgress { .. } | Checkpoint::Done(_) => false,
        });
        if marked {
            self.context().registry().marked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Makes the checkpoints that are due when a job on `rdd` has succeeded: of itself if it is marked, else of the nearest
/// marked ancestors.
pub(crate) fn after_job(context: &SparkContext, rdd: &Arc<RddCore>) -> Result<(), SparkError> {
    if context.registry().marked.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    let mut seen = HashSet::from([rdd.id()]);
    let mut pending = vec![Arc::clone(rdd)];
    while let Some(rdd) = pending.pop() {
        let mark = rdd.with_checkpoint(|checkpoint| match checkpoint {
            Checkpoint::Marked(mark) => {
                let mark = mark.clone();
                *checkpoint = Checkpoint::InProgress { local: mark.local };
                Some(mark)
            }
            Checkpoint::None | Checkpoint::InProgress { .. } | Checkpoint::Done(_) => None,
        });
        if let Some(mark) = mark {
            make(context, &rdd, mark)?;
            continue;
        }
        let ((parents, shuffles), _) = rdd.lineage();
        let behind = shuffles.iter().map(|shuffle| &shuffle.parent);
        for parent in parents.iter().chain(behind) {
            if seen.insert(parent.id()) {
                pending.push(Arc::clone(parent));
            }
        }
    }
    Ok(())
}

fn make(context: &SparkContext, rdd: &Arc<RddCore>, mark: Mark) -> Result<(), SparkError> {
    match (mark.make)(context, rdd) {
        Ok(cut) => {
            context.registry().marked.fetch_sub(1, Ordering::Relaxed);
            info!(rdd_id = %rdd.id(), local = mark.local, "RDD is checkpointed");
            rdd.cut_lineage(cut);
            Ok(())
        }
        Err(error) => {
            // The next action tries again.
            rdd.with_checkpoint(|checkpoint| *checkpoint = Checkpoint::Marked(mark));
            Err(error)
        }
    }
}

fn write_files<T: Data>(
    context: &SparkContext,
    rdd: &Arc<RddCore>,
    directory: &CheckpointDirectory,
    call_site: &CallSite,
) -> Result<Cut, SparkError> {
    let CheckpointDirectory { path, hadoop, systems } = directory;
    let io = |error: &dyn std::error::Error| SparkError::Io(chain(error));
    let directory = path.join(&format!("rdd-{}", rdd.id()));
    let system = systems.get(&directory).map_err(|error| io(&error))?;
    system.mkdirs(&directory).map_err(|error| io(&error))?;
    let codec =
        if context.conf().get(&keys::CHECKPOINT_COMPRESS)? { ObjectFileCodec::Lz4 } else { ObjectFileCodec::None };
    let env = WriteCheckpointEnv { directory: directory.clone(), hadoop: hadoop.clone(), codec };
    let partitions = (0..rdd.info.partitions).map(Partition).collect();
    context.run_one_job::<WriteCheckpoint<T>>(rdd, call_site, partitions, &env, |_, _| {})?;

    // Where the files are; and that they all are there.
    let mut preferred = Vec::with_capacity(rdd.info.partitions as usize);
    for partition in 0..rdd.info.partitions {
        let file = directory.join(&operators::part_name(Partition(partition)));
        let status = system.status(&file).map_err(|error| io(&error))?;
        let locations = system.block_locations(&status).map_err(|error| io(&error))?;
        let hosts = locations.into_iter().next().map(|location| location.hosts).unwrap_or_default();
        preferred.push(hosts.into_iter().map(TaskLocation::Host).collect::<Vec<_>>());
    }
    let preferred = preferred.iter().any(|hosts| !hosts.is_empty()).then(|| preferred.into());
    let env = CheckpointFileEnv { rdd_id: rdd.id(), directory: directory.clone(), hadoop: hadoop.clone() };
    Ok(Cut {
        info: Arc::new(cut_info(&rdd.info, preferred)),
        operation: Operation::new(slot_of::<NodeOf<CheckpointFile<T>>>(), &env),
        files: Some(CheckpointFiles {
            directory,
            systems: Arc::clone(systems),
            clean: context.conf().get(&keys::CLEANER_REFERENCE_TRACKING_CLEAN_CHECKPOINTS)?,
        }),
    })
}

fn store_locally<T: Data>(context: &SparkContext, rdd: &Arc<RddCore>, call_site: &CallSite) -> Result<Cut, SparkError> {
    // An action need not have looked at every partition.
    let missing: Vec<Partition> = context.blocks().with(|registry, _| {
        let partitions = (0..rdd.info.partitions).map(Partition);
        partitions.filter(|&partition| registry.locations(&BlockId::Rdd(rdd.id(), partition)).is_empty()).collect()
    });
    if !missing.is_empty() {
        visit_partitions::<T>(context, rdd, call_site, missing)?;
    }
    let env = LocalCheckpointEnv { rdd_id: rdd.id() };
    Ok(Cut {
        info: Arc::new(cut_info(&rdd.info, None)),
        operation: Operation::new(slot_of::<NodeOf<LocalCheckpoint<T>>>(), &env),
        files: None,
    })
}

/// The RDD without what it was computed from: what is written down is the same at every look.
fn cut_info(made: &RddInfo, preferred_locations: Option<Arc<[Vec<TaskLocation>]>>) -> RddInfo {
    let mut info = with_dependencies(made, Vec::new());
    info.determinism = Determinism::Determinate;
    info.barrier = false;
    info.preferred_locations = preferred_locations;
    info
}
