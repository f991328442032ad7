//! A standalone cluster keeps what every cluster manager promises: the driver's side, a real master and a real worker.

use std::{fs, process::ExitCode, sync::Arc, time::Duration};

use firesteel_conformance::{ManagerHarness, Wanted};
use firesteel_master::{ArtifactStoreOptions, MasterServer, MasterServerOptions, NoPersistence};
use firesteel_messages::{Executable, FileSource};
use firesteel_model::ByteCount;
use firesteel_rpc::{Address, Secret};
use firesteel_scheduler_backend::ClusterManager;
use firesteel_standalone::{ApplicationDescription, ExecutorDemand, LaunchData, master::MasterOptions, worker};
use firesteel_standalone_backend::{StandaloneClusterManager, StandaloneOptions};
use firesteel_worker::{DriverProgram, Worker, WorkerOptions};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    firesteel_conformance::main(&Standalone::default())
}

/// The cluster of the case that runs.
#[derive(Default)]
struct Standalone(Mutex<Option<Cluster>>);

struct Cluster {
    runtime: Runtime,
    _master: MasterServer,
    worker: Option<Worker>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.runtime.block_on(worker.stop());
        }
    }
}

impl Cluster {
    fn start(wanted: &Wanted, secret: &Secret) -> (Self, Address) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be had");
        let (master, worker) = runtime.block_on(async {
            let master = MasterServer::start(MasterServerOptions {
                address: Address::tcp("127.0.0.1", 0),
                host: "127.0.0.1".to_owned(),
                secret: secret.clone(),
                master: MasterOptions::default(),
                persistence: Box::new(NoPersistence),
                // No files come.
                artifacts: ArtifactStoreOptions { directory: "/dev/null".into(), max_size: ByteCount::ZERO },
            });
            let master = master.await.expect("a port can be had");
            master.lead_alone().await;
            let options = WorkerOptions {
                masters: vec![master.address().clone()],
                secret: secret.clone(),
                host: "127.0.0.1".to_owned(),
                ports: 0.into(),
                cores: 2 * wanted.executors,
                memory: ByteCount::gib(64),
                resources: Vec::new(),
                web_ui_url: String::new(),
                work_directory: wanted.directory.join("work"),
                local_directories: vec![wanted.directory.join("local")],
                private_variables: Vec::new(),
                log_rolling: None,
                // No driver is submitted.
                driver_program: DriverProgram { path: "/dev/null".into(), arguments: Vec::new() },
                decisions: worker::WorkerOptions {
                    // Long enough for one that ends when it is asked to.
                    executor_kill_grace: Duration::from_secs(1),
                    ..worker::WorkerOptions::default()
                },
            };
            let worker = Worker::start(options).await.expect("it has what it needs");
            (master, worker)
        });
        let address = master.address().clone();
        (Self { runtime, _master: master, worker: Some(worker) }, address)
    }
}

impl ManagerHarness for Standalone {
    fn manager(&self, wanted: Wanted) -> Arc<dyn ClusterManager> {
        let secret = Secret::generate();
        let (cluster, master) = Cluster::start(&wanted, &secret);
        *self.0.lock() = Some(cluster);
        let content = fs::read(&wanted.executable).expect("it runs");
        StandaloneClusterManager::new(StandaloneOptions {
            masters: vec![master],
            cluster_secret: secret,
            application_id: wanted.application_id,
            submitted_ms: 0,
            description: ApplicationDescription {
                name: "conformance".to_owned(),
                user: String::new(),
                max_cores: Some(wanted.executors),
                executor: ExecutorDemand { cores: Some(1), memory: ByteCount::gib(1), resources: Vec::new() },
                executor_limit: None,
                web_ui_url: String::new(),
                queue: String::new(),
                launch: LaunchData::default(),
            },
            executable: Executable {
                path: wanted.executable.display().to_string(),
                digest: *blake3::hash(&content).as_bytes(),
                length: content.len() as u64,
                source: FileSource::Local(String::new()),
            },
            environment: Vec::new(),
            conf: wanted.conf,
        })
    }
}
