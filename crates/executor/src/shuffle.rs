//! What an executor has for shuffles: where files are, how they are written, how others' are fetched.

use std::{
    io,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use firesteel_local_dirs::LocalDirs;
use firesteel_model::{ApplicationId, ByteCount, ExecutorId, MapStatusOptions, ShuffleId};
use firesteel_rpc::Secret;
use firesteel_shuffle::{FetchLimits, ShuffleBlockResolver, ShuffleReadContext, WriterOptions};
use firesteel_transfer::{ClientOptions, LocalDirsSpool, TransferClient, TransferRuntime};
use parking_lot::Mutex;
use tracing::debug;

use crate::host_local::HostLocalDirectories;

/// The index cache of one executor: Spark's `spark.shuffle.service.index.cache.size`.
const INDEX_CACHE_SIZE: ByteCount = ByteCount::mib(100);

/// How shuffles are written and read. Each field names its keys in its own type.
#[derive(Clone, Debug, Default)]
pub struct ShuffleOptions {
    /// Of map outputs.
    pub writer: WriterOptions,
    /// What is told of their sizes.
    pub map_status: MapStatusOptions,
    /// Of reduce tasks.
    pub limits: FetchLimits,
    /// Of connections to peers.
    pub client: ClientOptions,
    /// Files of other executors on this host are opened in place if their directories are inside one of these
    /// (`spark.shuffle.readHostLocalDisk`); without any, they are fetched over the network.
    pub host_local_roots: Vec<PathBuf>,
}

/// What an executor has for shuffles.
pub struct ExecutorShuffle {
    application_id: ApplicationId,
    executor_id: ExecutorId,
    local_dirs: Arc<LocalDirs>,
    resolver: Arc<ShuffleBlockResolver>,
    host_local: HostLocalDirectories,
    options: ShuffleOptions,
    secret: Secret,
    /// Made at the first read of a shuffle: an application without one starts no thread for it.
    client: OnceLock<TransferClient>,
    starting: Mutex<()>,
    runtime: OnceLock<Arc<TransferRuntime>>,
}

/// The data plane's threads could not be started.
#[derive(Debug, thiserror::Error)]
#[error("could not start the threads of the data plane")]
pub struct StartDataPlaneError(#[from] io::Error);

impl ExecutorShuffle {
    /// For one executor of an application whose processes know `secret`.
    pub fn new(
        application_id: ApplicationId,
        executor_id: ExecutorId,
        local_dirs: Arc<LocalDirs>,
        secret: Secret,
        options: ShuffleOptions,
    ) -> Self {
        let resolver = Arc::new(ShuffleBlockResolver::new(INDEX_CACHE_SIZE));
        resolver.register(application_id.clone(), executor_id.clone(), Arc::clone(&local_dirs));
        Self {
            application_id,
            executor_id,
            local_dirs,
            resolver,
            host_local: HostLocalDirectories::new(options.host_local_roots.clone()),
            options,
            secret,
            client: OnceLock::new(),
            starting: Mutex::new(()),
            runtime: OnceLock::new(),
        }
    }

    /// How map outputs are written.
    pub fn writer_options(&self) -> &WriterOptions {
        &self.options.writer
    }

    /// What a map task tells of its output's sizes.
    pub fn map_status_options(&self) -> &MapStatusOptions {
        &self.options.map_status
    }

    /// How much a reduce task may have under way.
    pub fn fetch_limits(&self) -> &FetchLimits {
        &self.options.limits
    }

    /// Where this executor's files are.
    pub fn resolver(&self) -> &Arc<ShuffleBlockResolver> {
        &self.resolver
    }

    /// The application.
    pub(crate) fn application_id(&self) -> &ApplicationId {
        &self.application_id
    }

    /// Which other executors of this host are read from their files.
    pub(crate) fn host_local(&self) -> &HostLocalDirectories {
        &self.host_local
    }

    /// What a reduce task needs.
    pub fn read_context(&self) -> Result<ShuffleReadContext, StartDataPlaneError> {
        Ok(ShuffleReadContext {
            application_id: self.application_id.clone(),
            executor_id: self.executor_id.clone(),
            resolver: Arc::clone(&self.resolver),
            client: self.client()?.clone(),
            encryption: self.local_dirs.encryption().cloned(),
        })
    }

    /// The way to other block managers.
    pub fn client(&self) -> Result<&TransferClient, StartDataPlaneError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let _starting = self.starting.lock();
        let runtime = self.runtime()?;
        let spool = Arc::new(LocalDirsSpool::new(Arc::clone(&self.local_dirs)));
        Ok(self
            .client
            .get_or_init(|| TransferClient::new(runtime, self.secret.clone(), spool, self.options.client.clone())))
    }

    /// The threads of the data plane, for a server as well.
    pub fn runtime(&self) -> Result<&Arc<TransferRuntime>, StartDataPlaneError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = Arc::new(TransferRuntime::new(DATA_PLANE_THREADS)?);
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// Deletes the files of a shuffle.
    pub fn remove(&self, shuffle_id: ShuffleId) {
        match self.resolver.remove_shuffle(&self.application_id, &self.executor_id, shuffle_id) {
            Ok(files) => debug!(%shuffle_id, files, "shuffle removed"),
            Err(error) => debug!(%shuffle_id, %error, "shuffle not removed"),
        }
    }
}

/// Two threads are enough for 10 Gbit/s.
const DATA_PLANE_THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();
