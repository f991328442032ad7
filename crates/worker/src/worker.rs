//! Starts a worker.

use std::{
    io,
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

use firesteel_local_dirs::{CreateLocalDirsError, LocalDirs, remove_abandoned};
use firesteel_master_client::{MasterConnections, options as connection_options};
use firesteel_model::WorkerId;
use firesteel_rpc::Ports;
use firesteel_standalone::{
    WorkerDescription,
    worker::{Worker as Decisions, WorkerEvent},
    worker_id,
};
use firesteel_transfer::{LocalDirsSpool, TransferRuntime};
use tokio::{
    runtime::Handle,
    sync::{
        mpsc::{UnboundedSender, unbounded_channel},
        watch,
    },
    task::{JoinHandle, spawn_blocking},
};
use tracing::warn;

use crate::{
    WorkerHandle, WorkerOptions,
    directories::Directories,
    event_loop::{EventLoop, Input, event_of},
    executables::Executables,
    executor::Machine,
    port::ClaimedPort,
    processes::Processes,
};

/// The worker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartWorkerError {
    /// Its port.
    #[error("{ports} of {host} cannot be had (SPARK_WORKER_PORT, --port)")]
    Port {
        /// The host.
        host: String,
        /// What was tried.
        ports: Ports,
        /// Why the last one cannot be had.
        #[source]
        source: io::Error,
    },
    /// Its work directory.
    #[error("the work directory {path} cannot be made (SPARK_WORKER_DIR, --work-dir)")]
    WorkDirectory {
        /// Where it was to be.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its scratch space.
    #[error(transparent)]
    LocalDirectories(#[from] CreateLocalDirsError),
    /// The threads that fetch programs.
    #[error("the threads that fetch programs cannot be started")]
    Threads(#[source] io::Error),
}

/// A running worker. Dropping it kills what it has started; [`Self::stop`] is the better way.
pub struct Worker {
    id: WorkerId,
    inputs: UnboundedSender<Input>,
    work_directory: PathBuf,
    ended: watch::Receiver<Option<i32>>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Begins to register. To be called in a tokio runtime of several threads.
    ///
    /// # Errors
    ///
    /// Something that it needs on this machine cannot be had. What happens with masters is told by [`Self::wait`].
    pub async fn start(options: WorkerOptions) -> Result<Self, StartWorkerError> {
        let runtime = Handle::current();
        let port = ClaimedPort::claim(&options.host, options.ports).map_err(|source| StartWorkerError::Port {
            host: options.host.clone(),
            ports: options.ports,
            source,
        })?;
        let roots = options.local_directories.clone();
        // Of workers that were killed. May take its time.
        drop(spawn_blocking(move || remove_abandoned(&roots)));
        let (local, failed) = LocalDirs::create(&options.local_directories)?;
        for (path, error) in failed {
            warn!(%error, path = %path.display(), "a local directory cannot be used (SPARK_LOCAL_DIRS)");
        }
        // Programs are fetched in small pieces; these have the worker's scratch space for what is not.
        let spool = Arc::new(LocalDirsSpool::new(Arc::new(LocalDirs::open(local.directories().to_vec()))));
        let directories = Directories::new(options.work_directory.clone(), local).map_err(|source| {
            StartWorkerError::WorkDirectory { path: options.work_directory.display().to_string(), source }
        })?;
        let work_directory = directories.work().to_owned();
        let transfer = TransferRuntime::new(NonZeroUsize::MIN).map_err(StartWorkerError::Threads)?;

        let description = WorkerDescription {
            host: options.host.clone(),
            port: port.port(),
            cores: options.cores,
            memory: options.memory,
            resources: options.resources,
            web_ui_url: options.web_ui_url,
        };
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall_clock_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        let id = worker_id(wall_clock_ms, &options.host, port.port());
        let masters = options.masters.len();
        let seed = since_epoch.as_nanos() as u64;
        let worker = Decisions::new(options.decisions, id.clone(), description, masters, seed);

        // Unbounded, as neither processes nor connections must wait: masters say little, and processes tell twice each.
        let (inputs, received) = unbounded_channel();
        let machine = Arc::new(Machine {
            host: options.host,
            processes: Processes::default(),
            executables: Executables::new(directories.executables()),
            directories,
            transfer,
            spool,
            private_variables: options.private_variables,
            log_rolling: options.log_rolling,
            driver_program: options.driver_program,
            masters: options.masters.clone(),
            cluster_secret: options.secret.clone(),
            inputs: inputs.clone(),
        });
        let heard = inputs.clone();
        let connections =
            MasterConnections::start(&runtime, options.masters, &options.secret, &connection_options(), move |news| {
                if let Some(event) = event_of(news) {
                    // The worker has ended: nobody wants to know.
                    let _ = heard.send(Input::Event(event));
                }
            });
        let (ended_sender, ended) = watch::channel(None);
        let event_loop = EventLoop {
            worker,
            inputs: received,
            connections,
            machine,
            ended: ended_sender,
            started: Instant::now(),
            _port: port,
        };
        let task = runtime.spawn(event_loop.run());
        Ok(Self { id, inputs, work_directory, ended, task })
    }

    /// Its id.
    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// What asks it, from wherever.
    pub fn handle_to(&self) -> WorkerHandle {
        WorkerHandle::new(self.inputs.clone(), self.work_directory.clone())
    }

    /// Looks at the state; none if the worker has ended, or does not answer in time.
    pub async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Decisions) -> T + Send + 'static) -> Option<T> {
        self.handle_to().look(look).await
    }

    /// It is to leave in good order (SA-40).
    pub fn decommission(&self) {
        // It has ended: it has left.
        let _ = self.inputs.send(Input::Event(WorkerEvent::Decommission));
    }

    /// Waits until it has ended, and gives the exit code of the process.
    pub async fn wait(&mut self) -> i32 {
        match self.ended.wait_for(Option::is_some).await {
            Ok(code) => code.unwrap_or_default(),
            // The loop has panicked, or was aborted.
            Err(_) => 1,
        }
    }

    /// Ends what it has started, then itself, and gives the exit code of the process.
    pub async fn stop(mut self) -> i32 {
        // It has ended by itself.
        let _ = self.inputs.send(Input::Event(WorkerEvent::Stop));
        self.wait().await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}
