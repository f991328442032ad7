//! A data set of a checkpoint that is there already.

use std::{panic::Location, sync::Arc};

use firesteel_filesystem::FileSystems;
use firesteel_model::{Partition, TaskLocation};

use super::operators::{CheckpointFile, CheckpointFileEnv, part_name};
use crate::{
    call_site::Scope,
    context::SparkContext,
    data::Data,
    error::{SparkError, chain},
    hadoop::HadoopProperties,
    lineage::NewRdd,
    rdd::Rdd,
};

impl SparkContext {
    /// What [`Rdd::checkpoint`] has written, by the directory that [`Rdd::get_checkpoint_file`] gave, of this application or of another
    /// one whose checkpoint was not removed. `T` must be the type that it was written with. Lazy, except that the files are listed
    /// now.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if there is no such directory, [`SparkError::Io`] if it is none of a checkpoint, or cannot be
    /// looked at.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// spark.set_checkpoint_dir(&directory.to_string_lossy())?;
    /// let squares = spark.range(0, 10, 1, 3).map(|n| n * n);
    /// squares.checkpoint()?;
    /// squares.count()?;
    /// let file = squares.get_checkpoint_file().expect("it was written");
    /// let again = spark.checkpoint_file::<i64>(&file)?;
    /// assert_eq!((again.num_partitions(), again.collect()?), (3, squares.collect()?));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn checkpoint_file<T: Data>(&self, directory: &str) -> Result<Rdd<T>, SparkError> {
        let _scope = Scope::enter("checkpointFile");
        let io = |error: &dyn std::error::Error| SparkError::Io(chain(error));
        let (hadoop, conf) = HadoopProperties::of(self)?;
        let systems = Arc::new(FileSystems::new(conf));
        let directory = systems.path(directory).map_err(|error| io(&error))?;
        let system = systems.get(&directory).map_err(|error| io(&error))?;
        let files = system.list(&directory).map_err(|error| match error {
            error if error.is_not_found() => SparkError::InvalidArgument(format!(
                "requirement failed: Checkpoint directory does not exist: {directory}"
            )),
            error => io(&error),
        })?;
        let parts: Vec<_> = files.iter().filter(|file| file.path.name().starts_with("part-")).collect();
        let mut preferred = Vec::with_capacity(parts.len());
        for (partition, file) in (0..).map(Partition).zip(&parts) {
            // Of a checkpoint that was broken off some are missing.
            if file.path.name() != part_name(partition) {
                return Err(SparkError::Io(format!("Invalid checkpoint file: {}", file.path)));
            }
            let locations = system.block_locations(file).map_err(|error| io(&error))?;
            let hosts = locations.into_iter().next().map(|location| location.hosts).unwrap_or_default();
            preferred.push(hosts.into_iter().map(TaskLocation::Host).collect::<Vec<_>>());
        }
        let mut new = NewRdd::source("checkpointFile", parts.len() as u32).kind("ReliableCheckpointRDD");
        new.preferred_locations = preferred.iter().any(|hosts| !hosts.is_empty()).then(|| preferred.into());
        Ok(Rdd::source::<CheckpointFile<T>>(self, Location::caller(), new, |rdd_id| CheckpointFileEnv {
            rdd_id,
            directory,
            hadoop,
        }))
    }
}
