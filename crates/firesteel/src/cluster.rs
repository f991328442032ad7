//! Starts an application whose executors are processes.

use std::{env, fs, net::IpAddr, path::PathBuf, sync::Arc};

use firesteel_application_files::AddedFiles;
use firesteel_block_store::{LocalBlockManagerMaster, MemoryManager};
use firesteel_closure::build_id;
use firesteel_conf::{MasterUrl, SecretSide, SparkConf, keys};
use firesteel_driver::DriverHandle;
use firesteel_executor::{
    ExecutorBlockSource, ExecutorShuffle, ExecutorStorage, StorageOptions, StoragePlace, fetch_task_result,
};
use firesteel_local::LocalLink;
use firesteel_local_dirs::LocalDirs;
use firesteel_messages::{Executable, FileSource};
use firesteel_model::{ApplicationId, BlockManagerId, ExecutorId};
use firesteel_rpc::Secret;
use firesteel_scheduler_backend::{CoarseGrainedOptions, CoarseGrainedSchedulerBackend, DataPlane};
use firesteel_transfer::TransferServer;
use parking_lot::Mutex;
use tracing::warn;

use crate::{
    application_files, broadcast,
    cluster_manager::{ClusterLayout, ClusterRequest, ExternalClusterManager, claimant},
    error::{SparkError, chain},
    io_encryption, settings,
};

/// The master of an application whose executors are processes.
pub(crate) struct Cluster {
    manager: Arc<dyn ExternalClusterManager>,
    master: String,
    layout: ClusterLayout,
    secret: Secret,
    /// Serves broadcast pieces; from the start to the end of the application.
    server: Mutex<Option<TransferServer>>,
}

impl Cluster {
    /// Lays out what the master URL asks for; `None` for local mode.
    pub(crate) fn of(conf: &SparkConf, url: &MasterUrl, master: &str) -> Result<Option<Self>, SparkError> {
        if let MasterUrl::Local { .. } = url {
            return Ok(None);
        }
        let manager = claimant(master)?.ok_or_else(|| {
            SparkError::Configuration(match url {
                MasterUrl::External { .. } => format!(
                    "Could not parse Master URL: '{}'; no cluster manager is registered for it, and it is none of local[N] \
                     and local-cluster[workers,cores,memory]",
                    url.redacted()
                ),
                _ => format!(
                    "master {} is not built in yet; use local[N], local-cluster[workers,cores,memory] or spark://host:port",
                    url.redacted()
                ),
            })
        })?;
        // RT-52: executors would refuse the same, one after another.
        settings::memory(conf, &keys::EXECUTOR_MEMORY)?
            .pool_sizes()
            .map_err(|error| SparkError::Configuration(error.to_string()))?;
        let layout = manager.layout(master, conf).map_err(SparkError::Configuration)?;
        // Whoever else knows the cluster's secret has no business in an application.
        let secret = if let MasterUrl::Standalone { .. } = url { Secret::generate() } else { secret(conf)? };
        Ok(Some(Self { manager, master: master.to_owned(), layout, secret, server: Mutex::new(None) }))
    }

    /// How many cores there will be.
    pub(crate) fn cores(&self) -> u32 {
        self.layout.cores
    }

    /// The application's id, if the manager gives ids.
    pub(crate) fn application_id(&self) -> Option<ApplicationId> {
        self.layout.application.as_ref().map(|(application_id, _)| application_id.clone())
    }

    /// How many of them an executor has, or the largest ones have.
    pub(crate) fn cores_per_executor(&self) -> u32 {
        self.layout.cores.div_ceil(self.layout.executors.max(1))
    }

    /// Serves the driver's blocks, listens for executors and starts them.
    pub(crate) fn start(
        &self,
        parts: ClusterParts<'_>,
    ) -> Result<(Arc<CoarseGrainedSchedulerBackend>, ExecutorStorage), SparkError> {
        let ClusterParts { conf, driver, application_id, local_dirs, memory, blocks, storage, files } = parts;
        let configuration = |error: &dyn std::error::Error| SparkError::Configuration(chain(error));
        if self.secret.is_short() {
            warn!(
                "the application's secret has fewer than 16 characters, and may be found by trying: use a longer one"
            );
        }
        io_encryption::warn_of_clear_network(conf)?;
        let DriverAddresses { host, bind_address } =
            DriverAddresses::of(conf, &self.layout.driver_host, |name| env::var(name).ok())?;
        let shuffle = Arc::new(ExecutorShuffle::new(
            application_id.clone(),
            ExecutorId::driver(),
            Arc::clone(local_dirs),
            self.secret.clone(),
            settings::shuffle(conf)?,
        ));
        let source = ExecutorBlockSource::new(Arc::clone(shuffle.resolver()), application_id.clone());
        let runtime = Arc::clone(shuffle.runtime().map_err(|error| configuration(&error))?);
        let server = TransferServer::start(
            &runtime,
            &bind_address,
            settings::ports(conf, &keys::DRIVER_BLOCK_MANAGER_PORT)?,
            self.secret.clone(),
            Arc::clone(&source) as _,
            settings::server(conf)?,
        )
        .map_err(|error| configuration(&error))?;
        let place = StoragePlace {
            block_manager_id: BlockManagerId {
                executor_id: ExecutorId::driver(),
                host: host.clone(),
                port: server.address().port(),
            },
            memory: Arc::clone(memory),
            local_dirs: Arc::clone(local_dirs),
        };
        let link = Arc::new(LocalLink::new(driver));
        let storage = ExecutorStorage::driver(place, storage, Arc::clone(blocks), link, &shuffle)
            .map_err(|error| configuration(&error))?;
        source.serve_blocks(storage.blocks());
        source.serve_files(files.served());
        files.serve_at(&host, server.address().port());
        let executable = executable(files, &host, server.address().port())?;
        // Before any executor is started: what cannot be added ends the application's start.
        application_files::add_configured(conf, files, Some(driver))?;
        *self.server.lock() = Some(server);

        let client = shuffle.client().map_err(|error| configuration(&error))?.clone();
        let scratch = local_dirs.directories()[0].clone();
        let logs = log_directory(application_id).unwrap_or_else(|| scratch.join("logs"));
        // No executor could be started without it, however often that was tried.
        let made = if logs.starts_with(&scratch) { fs::create_dir(&logs) } else { fs::create_dir_all(&logs) };
        made.map_err(|error| {
            let path = logs.display();
            SparkError::Io(format!("could not make {path} for what executors print; set SPARK_WORKER_DIR: {error}"))
        })?;
        let manager = self.manager.create(ClusterRequest {
            master_url: self.master.clone(),
            layout: self.layout.clone(),
            application_id: application_id.clone(),
            executable,
            conf: conf.get_all().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            environment: executor_environment(conf),
            scratch,
            driver_directories: local_dirs.directories().to_vec(),
            logs,
        });
        let manager = manager.map_err(SparkError::Configuration)?;
        let backend = CoarseGrainedSchedulerBackend::start(
            driver,
            manager,
            &self.secret,
            DataPlane {
                fetch_block: Arc::new(move |holder, block_id| {
                    fetch_task_result(&client, holder, block_id).map_err(|error| chain(&error))
                }),
                publish: broadcast::publisher(driver, &storage),
            },
            CoarseGrainedOptions {
                bind_address,
                host,
                ports: settings::ports(conf, &keys::DRIVER_PORT)?,
                rpc: settings::rpc(conf)?,
                build_id: build_id().map_err(|error| configuration(&error))?,
                io_encryption: local_dirs.encryption().cloned(),
            },
        )
        .map_err(|error| configuration(&error))?;
        Ok((backend, storage))
    }

    /// No block of the driver is served any more.
    pub(crate) fn stop_serving(&self) {
        self.server.lock().take();
    }
}

/// This program, served for machines that do not have it. What it was started from may have been replaced since.
fn executable(files: &AddedFiles, host: &str, port: u16) -> Result<Executable, SparkError> {
    const THIS_BINARY: &str = "/proc/self/exe";
    let failed = |error: std::io::Error| SparkError::Io(format!("could not read the program itself: {error}"));
    let length = fs::metadata(THIS_BINARY).map_err(failed)?.len();
    let number = files.served().serve([(PathBuf::from(THIS_BINARY), length)]);
    Ok(Executable {
        path: env::current_exe().map_err(failed)?.to_string_lossy().into_owned(),
        digest: build_id().map_err(failed)?,
        length,
        source: FileSource::Driver { host: host.to_owned(), port, number },
    })
}

/// What a cluster is started with.
pub(crate) struct ClusterParts<'a> {
    pub(crate) conf: &'a SparkConf,
    pub(crate) driver: &'a DriverHandle,
    pub(crate) application_id: &'a ApplicationId,
    pub(crate) local_dirs: &'a Arc<LocalDirs>,
    pub(crate) memory: &'a Arc<MemoryManager>,
    pub(crate) blocks: &'a Arc<LocalBlockManagerMaster>,
    pub(crate) storage: StorageOptions,
    pub(crate) files: &'a AddedFiles,
}

/// The secret that was configured, else one that nobody can know (SE-01, SE-02).
fn secret(conf: &SparkConf) -> Result<Secret, SparkError> {
    let refused = |error: &dyn std::error::Error| SparkError::Configuration(chain(error));
    let configured = conf.authentication_secret(SecretSide::Driver, |name| env::var(name).ok());
    let Some(configured) = configured.map_err(|error| refused(&error))? else { return Ok(Secret::generate()) };
    let text = str::from_utf8(configured.bytes()).map_err(|_| {
        SparkError::Configuration("the file that spark.authenticate.secret.file names is not text in UTF-8".to_owned())
    })?;
    Secret::parse(text).map_err(|error| refused(&error))
}

/// Is it more than a place to listen at? Who listens at every address is found at none of that name.
pub(crate) fn is_one_address(address: &str) -> bool {
    !address.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
}

/// Where the driver listens, and where executors find it.
#[derive(Debug, PartialEq, Eq)]
struct DriverAddresses {
    /// `spark.driver.host`
    host: String,
    /// `spark.driver.bindAddress`
    bind_address: String,
}

impl DriverAddresses {
    /// What was configured. `SPARK_LOCAL_IP` stands in for either, and either for the other, as far as that makes sense.
    fn of(conf: &SparkConf, default: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, SparkError> {
        let local_ip = variable("SPARK_LOCAL_IP").filter(|address| !address.is_empty());
        let (host, bind_address) = (conf.get(&keys::DRIVER_HOST)?, conf.get(&keys::DRIVER_BIND_ADDRESS)?);
        let is_one = |address: &String| is_one_address(address);
        let found_at = bind_address.clone().filter(is_one);
        Ok(Self {
            bind_address: bind_address
                .or_else(|| local_ip.clone())
                .or_else(|| host.clone())
                .unwrap_or_else(|| default.to_owned()),
            host: host.or_else(|| local_ip.filter(is_one)).or(found_at).unwrap_or_else(|| default.to_owned()),
        })
    }
}

/// `SPARK_WORKER_DIR`, else `work` in `SPARK_HOME`: where a worker keeps what its executors print (SA-44).
fn log_directory(application_id: &ApplicationId) -> Option<PathBuf> {
    let given = env::var_os("SPARK_WORKER_DIR").filter(|given| !given.is_empty()).map(PathBuf::from);
    let directory = given.or_else(|| env::var_os("SPARK_HOME").map(|home| PathBuf::from(home).join("work")))?;
    Some(directory.join(application_id.as_str()))
}

/// `spark.executorEnv.NAME`.
fn executor_environment(conf: &SparkConf) -> Vec<(String, String)> {
    conf.get_prefix(&keys::EXECUTOR_ENV).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1";

    /// RT-52: said by the driver, not by executors that die one after another.
    #[test]
    fn too_little_memory_for_executors_is_refused_before_any_is_started() {
        let refused = |memory: &str| {
            let conf: SparkConf = [("spark.executor.memory", memory)].into_iter().collect();
            let master = "local-cluster[1,1,1024]";
            Cluster::of(&conf, &master.parse().unwrap(), master).err().map(|error| error.to_string())
        };
        for memory in ["300m", "449m"] {
            let message = refused(memory).unwrap();
            assert!(message.contains("at least 450.0 MiB are needed: raise spark.executor.memory"), "{message}");
        }
        assert_eq!(refused("450m"), None);
    }

    #[test]
    fn the_driver_listens_where_it_is_told_to_and_is_found_there() {
        type Settings<'a> = &'a [(&'a str, &'a str)];
        let addresses = |local_ip: Option<&str>, settings: Settings<'_>| {
            let conf: SparkConf = settings.iter().copied().collect();
            let variable = |name: &str| local_ip.filter(|_| name == "SPARK_LOCAL_IP").map(str::to_owned);
            let DriverAddresses { host, bind_address } = DriverAddresses::of(&conf, LOOPBACK, variable).unwrap();
            (host, bind_address)
        };
        let (host, bind) = (("spark.driver.host", "driver"), ("spark.driver.bindAddress", "10.0.0.9"));
        let every = ("spark.driver.bindAddress", "0.0.0.0");
        let cases: [(Option<&str>, Settings<'_>, &str, &str); 9] = [
            (None, &[], LOOPBACK, LOOPBACK),
            (Some(""), &[], LOOPBACK, LOOPBACK),
            (Some("10.0.0.5"), &[], "10.0.0.5", "10.0.0.5"),
            (Some("0.0.0.0"), &[], LOOPBACK, "0.0.0.0"),
            (None, &[host], "driver", "driver"),
            (Some("10.0.0.5"), &[host], "driver", "10.0.0.5"),
            (Some("10.0.0.5"), &[host, bind], "driver", "10.0.0.9"),
            (None, &[bind], "10.0.0.9", "10.0.0.9"),
            (None, &[every], LOOPBACK, "0.0.0.0"),
        ];
        for (local_ip, settings, host, bind_address) in cases {
            let expected = (host.to_owned(), bind_address.to_owned());
            assert_eq!(addresses(local_ip, settings), expected, "{local_ip:?} {settings:?}");
        }
    }

    #[test]
    fn a_configured_secret_is_the_applications_and_otherwise_each_has_its_own() {
        let conf = |settings: &[(&str, &str)]| settings.iter().copied().collect::<SparkConf>();
        let given = conf(&[("spark.authenticate.secret", "a long enough secret")]);
        assert_eq!(secret(&given).unwrap().expose(), "a long enough secret");
        assert_ne!(secret(&conf(&[])).unwrap(), secret(&conf(&[])).unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let from_file = conf(&[("spark.authenticate.secret.file", path)]);
        std::fs::write(path, "from a file\n").unwrap();
        assert_eq!(secret(&from_file).unwrap().expose(), "from a file");
        for nothing in [&b""[..], b" \n", b"\xff"] {
            std::fs::write(path, nothing).unwrap();
            assert!(matches!(secret(&from_file), Err(SparkError::Configuration(_))), "{nothing:?}");
        }
    }
}
