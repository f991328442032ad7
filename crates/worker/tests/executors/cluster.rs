//! A cluster of one master and one worker, and an application on it.

use std::{
    env, fs,
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use firesteel_master::{ArtifactStoreOptions, MasterServer, MasterServerOptions, NoPersistence};
use firesteel_master_client::options as connection_options;
use firesteel_messages::{Executable, ExecutorCommand, FileSource};
use firesteel_model::{ApplicationId, ByteCount};
use firesteel_rpc::{Address, Receiver, Secret, Sender, connect};
use firesteel_standalone::{
    ApplicationDescription, ExecutorDemand, ExecutorState, LaunchData,
    master::MasterOptions,
    protocol::{FromApplication, FromMaster, ToApplication, ToMaster},
    worker,
};
use firesteel_worker::{Worker, WorkerOptions};

use crate::{act, drivers::driver_program};

/// Longer than anything takes, even on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a case, on threads.
pub(crate) fn block_on(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, case).await.expect("it takes too long") });
}

pub(crate) struct Cluster {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) secret: Secret,
    pub(crate) master: MasterServer,
    pub(crate) worker: Worker,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let secret = Secret::generate();
        let master = MasterServer::start(MasterServerOptions {
            address: Address::tcp("127.0.0.1", 0),
            host: "127.0.0.1".to_owned(),
            secret: secret.clone(),
            master: MasterOptions { max_executor_retries: Some(1), ..MasterOptions::default() },
            persistence: Box::new(NoPersistence),
            artifacts: ArtifactStoreOptions {
                directory: directory.path().join("artifacts"),
                max_size: ByteCount::mib(1),
            },
        });
        let master = master.await.unwrap();
        master.lead_alone().await;
        let options = worker_options(directory.path(), vec![master.address().clone()], &secret);
        let worker = Worker::start(options).await.unwrap();
        Self { directory, secret, master, worker }
    }

    /// What is below the work directory of an executor.
    pub(crate) fn output(&self, application: &Application, executor: u32, name: &str) -> String {
        let path = self.directory.path().join("work").join(application.id.as_str()).join(executor.to_string());
        fs::read_to_string(path.join(name)).unwrap()
    }

    /// All directories below the worker's scratch space that belong to an application.
    pub(crate) fn scratch(&self, application: &Application) -> Vec<PathBuf> {
        let roots = fs::read_dir(self.directory.path().join("local")).unwrap();
        let of_it = roots.map(|root| root.unwrap().path().join(application.id.as_str()));
        of_it.filter(|path| path.exists()).collect()
    }
}

pub(crate) fn worker_options(directory: &Path, masters: Vec<Address>, secret: &Secret) -> WorkerOptions {
    WorkerOptions {
        masters,
        secret: secret.clone(),
        host: "127.0.0.1".to_owned(),
        ports: 0.into(),
        cores: 2,
        memory: ByteCount::gib(2),
        resources: Vec::new(),
        web_ui_url: String::new(),
        work_directory: directory.join("work"),
        local_directories: vec![directory.join("local")],
        private_variables: vec!["PATH".to_owned()],
        log_rolling: None,
        driver_program: driver_program(),
        decisions: worker::WorkerOptions {
            executor_kill_grace: Duration::from_millis(100),
            driver_terminate_timeout: Duration::from_millis(500),
            decommission_enabled: true,
            ..worker::WorkerOptions::default()
        },
    }
}

/// This binary, served by nobody.
pub(crate) fn this_binary() -> Executable {
    let path = env::current_exe().unwrap();
    let content = fs::read(&path).unwrap();
    Executable {
        path: path.display().to_string(),
        digest: *blake3::hash(&content).as_bytes(),
        length: content.len() as u64,
        source: FileSource::Local(String::new()),
    }
}

/// An application's driver, as the master sees it.
pub(crate) struct Application {
    pub(crate) id: ApplicationId,
    sender: Sender<ToMaster>,
    receiver: Receiver<FromMaster>,
}

/// An executor that is not what it was.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) executor: u32,
    pub(crate) state: ExecutorState,
    pub(crate) reason: String,
}

impl Application {
    pub(crate) async fn start(cluster: &Cluster, act: &str, executable: Executable, secret: &Secret) -> Self {
        let command = ExecutorCommand {
            executable,
            environment: vec![
                ("TEST_VARIABLE".to_owned(), "as it was set".to_owned()),
                ("TEST_TOKEN".to_owned(), "swordfish".to_owned()),
            ],
            driver_address: "driver:7".to_owned(),
            secret: secret.expose().to_owned(),
            io_encryption_key: None,
            conf: vec![(act::ACT.to_owned(), act.to_owned())],
        };
        let description = ApplicationDescription {
            name: "test".to_owned(),
            user: "user".to_owned(),
            max_cores: Some(1),
            executor: ExecutorDemand { cores: Some(1), memory: ByteCount::gib(1), resources: Vec::new() },
            executor_limit: None,
            web_ui_url: String::new(),
            queue: String::new(),
            launch: LaunchData(command.seal()),
        };
        let connection = connect(cluster.master.address(), &cluster.secret, &connection_options()).await.unwrap();
        let (sender, receiver) = connection.split();
        let mut application = Self { id: "".into(), sender, receiver };
        application.say(FromApplication::Register { description, known: None }).await;
        loop {
            if let ToApplication::Registered { application_id, .. } = application.hear().await {
                application.id = application_id;
                return application;
            }
        }
    }

    pub(crate) async fn say(&self, message: FromApplication) {
        self.sender.send(&ToMaster::Application(message)).await.unwrap();
    }

    async fn hear(&mut self) -> ToApplication {
        loop {
            match self.receiver.receive().await.unwrap() {
                Some(FromMaster::Application(message)) => return message,
                Some(_) => {}
                None => panic!("the master has closed the connection"),
            }
        }
    }

    /// The next that becomes of an executor.
    pub(crate) async fn update(&mut self) -> Update {
        loop {
            if let ToApplication::ExecutorUpdated { executor, state, reason, .. } = self.hear().await {
                let reason = reason.map_or_else(String::new, |reason| reason.to_string());
                return Update { executor, state, reason };
            }
        }
    }
}

/// Waits for a condition outside of this process.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let looks = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looks).await.is_ok(), "waited in vain for: {what}");
}
