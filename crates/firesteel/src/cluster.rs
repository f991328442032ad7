//! Starts an application whose executors are processes.

use std::{env, net::IpAddr, path::PathBuf, sync::Arc};

use firesteel_application_files::AddedFiles;
use firesteel_block_store::{LocalBlockManagerMaster, MemoryManager};
use firesteel_closure::build_id;
use firesteel_conf::{MasterUrl, SecretSide, SparkConf, keys};
use firesteel_driver::DriverHandle;
use firesteel_executor::{
    ExecutorBlockSource, ExecutorShuffle, ExecutorStorage, StorageOptions, StoragePlace, fetch_task_result,
};
use firesteel_local::{LocalClusterLayout, LocalClusterManager, LocalClusterOptions, LocalLink};
use firesteel_local_dirs::LocalDirs;
use firesteel_model::{ApplicationId, BlockManagerId, ByteCount, ExecutorId};
use firesteel_rpc::Secret;
use firesteel_scheduler_backend::{CoarseGrainedOptions, CoarseGrainedSchedulerBackend};
use firesteel_transfer::TransferServer;
use parking_lot::Mutex;
use tracing::warn;

use crate::{
    application_files,
    error::{SparkError, chain},
    settings,
};

/// The host of executors that are processes of this machine, and of the driver unless something else is said.
const LOOPBACK: &str = "127.0.0.1";

/// The master of an application whose executors are processes.
pub(crate) struct Cluster {
    layout: LocalClusterLayout,
    host: String,
    secret: Secret,
    /// Serves broadcast pieces; from the start to the end of the application.
    server: Mutex<Option<TransferServer>>,
}

impl Cluster {
    /// Lays out what the master URL asks for; `None` for local mode.
    pub(crate) fn of(conf: &SparkConf, url: &MasterUrl, master: &str) -> Result<Option<Self>, SparkError> {
        match url {
            MasterUrl::Local { .. } => Ok(None),
            MasterUrl::LocalCluster { workers, cores_per_worker, memory_per_worker_mib } => {
                let executor_memory = conf.get(&keys::EXECUTOR_MEMORY)?;
                // RT-52: executors would refuse the same, one after another.
                settings::memory(conf, executor_memory)?
                    .pool_sizes()
                    .map_err(|error| SparkError::Configuration(error.to_string()))?;
                let layout = LocalClusterLayout::new(
                    *workers,
                    *cores_per_worker,
                    ByteCount::mib(u64::from(*memory_per_worker_mib)),
                    conf.get(&keys::EXECUTOR_CORES)?,
                    executor_memory,
                    conf.get(&keys::CORES_MAX)?,
                );
                let layout = layout.ok_or_else(|| {
                    SparkError::Configuration(format!(
                        "{master} has no room for an executor of {executor_memory} (spark.executor.memory) and the cores of spark.executor.cores: no task would ever start"
                    ))
                })?;
                Ok(Some(Self { layout, host: LOOPBACK.to_owned(), secret: secret(conf)?, server: Mutex::new(None) }))
            }
            _ => Err(SparkError::Configuration(format!(
                "master {master} is not built in yet; use local[N] or local-cluster[workers,cores,memory]"
            ))),
        }
    }

    /// How many cores there will be.
    pub(crate) fn cores(&self) -> u32 {
        self.layout.executors * self.layout.cores_per_executor
    }

    /// How many of them each executor has.
    pub(crate) fn cores_per_executor(&self) -> u32 {
        self.layout.cores_per_executor
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
        let DriverAddresses { host, bind_address } = DriverAddresses::of(conf, |name| env::var(name).ok())?;
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
            conf.get(&keys::DRIVER_BLOCK_MANAGER_PORT)?,
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
        // Before any executor is started: what cannot be added ends the application's start.
        application_files::add_configured(conf, files, Some(driver))?;
        *self.server.lock() = Some(server);

        let client = shuffle.client().map_err(|error| configuration(&error))?.clone();
        let scratch = local_dirs.directories()[0].clone();
        let logs = log_directory(application_id).unwrap_or_else(|| scratch.join("logs"));
        let manager = LocalClusterManager::new(LocalClusterOptions {
            layout: self.layout,
            application_id: application_id.clone(),
            host: self.host.clone(),
            conf: conf.get_all().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            environment: executor_environment(conf),
            scratch,
            logs,
        });
        let backend = CoarseGrainedSchedulerBackend::start(
            driver,
            manager,
            &self.secret,
            Arc::new(move |holder, block_id| {
                fetch_task_result(&client, holder, block_id).map_err(|error| chain(&error))
            }),
            CoarseGrainedOptions {
                bind_address,
                host,
                port: conf.get(&keys::DRIVER_PORT)?,
                rpc: settings::rpc(conf)?,
                build_id: build_id().map_err(|error| configuration(&error))?,
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
    fn of(conf: &SparkConf, variable: impl Fn(&str) -> Option<String>) -> Result<Self, SparkError> {
        let local_ip = variable("SPARK_LOCAL_IP").filter(|address| !address.is_empty());
        let (host, bind_address) = (conf.get(&keys::DRIVER_HOST)?, conf.get(&keys::DRIVER_BIND_ADDRESS)?);
        // Who listens at every address is found at none of that name.
        let is_one = |address: &String| !address.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
        let found_at = bind_address.clone().filter(is_one);
        Ok(Self {
            bind_address: bind_address
                .or_else(|| local_ip.clone())
                .or_else(|| host.clone())
                .unwrap_or_else(|| LOOPBACK.to_owned()),
            host: host.or_else(|| local_ip.filter(is_one)).or(found_at).unwrap_or_else(|| LOOPBACK.to_owned()),
        })
    }
}

/// `SPARK_WORKER_DIR`, else `work` in `SPARK_HOME`: where a worker keeps what its executors print (SA-44).
fn log_directory(application_id: &ApplicationId) -> Option<PathBuf> {
    let given = env::var_os("SPARK_WORKER_DIR").map(PathBuf::from);
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
            let DriverAddresses { host, bind_address } = DriverAddresses::of(&conf, variable).unwrap();
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
