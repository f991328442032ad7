//! `spark://host:port[,host:port…]` as one cluster manager among others.

use std::{env, net::UdpSocket, sync::Arc, time::Duration};

use firesteel_conf::{MasterUrl, SparkConf, account_name, keys};
use firesteel_master_client::{ask, options};
use firesteel_model::error_chain;
use firesteel_rpc::{Address, Secret};
use firesteel_scheduler_backend::ClusterManager;
use firesteel_standalone::{
    ApplicationDescription, ExecutorDemand, LaunchData, ResourceRequirement,
    protocol::{ClientAnswer, ClientRequest, NewApplication},
};
use firesteel_standalone_backend::{StandaloneClusterManager, StandaloneOptions};
use tokio::runtime::Builder;

use crate::{
    cluster::is_one_address,
    cluster_manager::{ClusterLayout, ClusterRequest, ExternalClusterManager},
    dynamic_allocation,
    resources::CustomResources,
    settings,
};

/// Executors that workers of a standalone cluster start.
pub(crate) struct Standalone;

/// How long each master may take to answer at the start.
const TIME_OUT: Duration = Duration::from_secs(20);
/// The port of a master that is named without one.
const PORT: u16 = 7077;

impl ExternalClusterManager for Standalone {
    fn can_create(&self, master_url: &str) -> bool {
        matches!(master_url.parse(), Ok(MasterUrl::Standalone { .. }))
    }

    fn layout(&self, master_url: &str, conf: &SparkConf) -> Result<ClusterLayout, String> {
        let masters = masters(master_url)?;
        let secret = cluster_secret(conf)?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let options = options();
        let asked = ask(&masters, &secret, &options, &ClientRequest::NewApplication, TIME_OUT);
        let new = match runtime.block_on(asked) {
            Ok(ClientAnswer::NewApplication(new)) => new,
            Ok(other) => return Err(format!("the master has answered something else: {other:?}")),
            Err(error) => return Err(format!("{master_url} does not take the application: {}", error_chain(&error))),
        };
        let NewApplication { application_id, submitted_ms, workers, cores, most_cores, default_cores } = new;
        let wanted = |error: firesteel_conf::ConfError| error.to_string();
        let each = conf.get(&keys::EXECUTOR_CORES).map_err(wanted)?.unwrap_or(most_cores).max(1);
        let most = conf.get(&keys::CORES_MAX).map_err(wanted)?.unwrap_or(default_cores);
        let cores = cores.min(most).max(1);
        let executors = (cores / each).clamp(1, workers.max(1).saturating_mul(most_cores.max(1)));
        Ok(ClusterLayout {
            executors,
            cores,
            driver_host: own_address(&masters),
            application: Some((application_id, submitted_ms)),
        })
    }

    fn create(&self, request: ClusterRequest) -> Result<Arc<dyn ClusterManager>, String> {
        let conf: SparkConf = request.conf.iter().cloned().collect();
        let refused = |error: firesteel_conf::ConfError| error.to_string();
        let submitted_ms = request.layout.application.map_or(0, |(_, submitted_ms)| submitted_ms);
        let description = ApplicationDescription {
            name: conf.get(&keys::APP_NAME).map_err(refused)?.unwrap_or_default(),
            user: account_name(|name| env::var(name).ok()).unwrap_or_default(),
            max_cores: conf.get(&keys::CORES_MAX).map_err(refused)?,
            executor: executor_demand(&conf)?,
            executor_limit: dynamic_allocation::initial_executors(&conf).map_err(|error| error.to_string())?,
            web_ui_url: String::new(),
            queue: String::new(),
            launch: LaunchData::default(),
        };
        Ok(StandaloneClusterManager::new(StandaloneOptions {
            masters: masters(&request.master_url)?,
            cluster_secret: cluster_secret(&conf)?,
            application_id: request.application_id,
            submitted_ms,
            description,
            executable: request.executable,
            environment: request.environment,
            // The cluster's secret is the driver's: an executor runs whatever tasks do.
            conf: request.conf.into_iter().filter(|(key, _)| !key.starts_with("spark.authenticate.secret")).collect(),
        }))
    }

    fn name(&self) -> &'static str {
        "standalone"
    }
}

fn masters(master_url: &str) -> Result<Vec<Address>, String> {
    match master_url.parse() {
        Ok(MasterUrl::Standalone { masters }) => {
            Ok(masters.into_iter().map(|master| Address::tcp(master.host, master.port.unwrap_or(PORT))).collect())
        }
        _ => Err(format!("{master_url} is no master of a standalone cluster")),
    }
}

fn cluster_secret(conf: &SparkConf) -> Result<Secret, String> {
    let secret = conf.cluster_secret(|name| env::var_os(name)).map_err(|error| error_chain(&error))?;
    let text = str::from_utf8(secret.bytes()).map_err(|_| "the cluster's secret is not text in UTF-8".to_owned())?;
    Secret::parse(text).map_err(|error| error_chain(&error))
}

/// What the master reserves for each executor: all that it may hold, so that its worker is not overcommitted.
fn executor_demand(conf: &SparkConf) -> Result<ExecutorDemand, String> {
    let refused = |error: &dyn std::error::Error| error_chain(error);
    let memory = settings::memory(conf, &keys::EXECUTOR_MEMORY).map_err(|error| refused(&error))?;
    let resources = CustomResources::of(conf).map_err(|error| refused(&error))?;
    Ok(ExecutorDemand {
        cores: conf.get(&keys::EXECUTOR_CORES).map_err(|error| refused(&error))?,
        memory: memory.heap + memory.off_heap,
        resources: resources
            .of_executors()
            .map(|(name, amount)| ResourceRequirement {
                name: name.to_owned(),
                amount: u32::try_from(amount).unwrap_or(u32::MAX),
            })
            .collect(),
    })
}

/// The address of this machine that the first master is reached from; nothing is sent for that.
fn own_address(masters: &[Address]) -> String {
    let local_ip = env::var("SPARK_LOCAL_IP").ok().filter(|address| !address.is_empty() && is_one_address(address));
    let reached_from = |master: &Address| {
        let Address::Tcp { host, port } = master else { return None };
        let socket = UdpSocket::bind(("0.0.0.0", 0)).ok();
        let connected = socket.filter(|socket| socket.connect((host.as_str(), *port)).is_ok());
        let socket = connected.or_else(|| {
            UdpSocket::bind(("::", 0)).ok().filter(|socket| socket.connect((host.as_str(), *port)).is_ok())
        })?;
        Some(socket.local_addr().ok()?.ip().to_string())
    };
    local_ip.or_else(|| masters.iter().find_map(reached_from)).unwrap_or_else(|| "127.0.0.1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_reserves_all_that_an_executor_may_hold_in_its_pools() {
        let conf: SparkConf = [
            ("spark.executor.memory", "2g"),
            ("spark.memory.offHeap.enabled", "true"),
            ("spark.memory.offHeap.size", "1g"),
            ("spark.executor.cores", "3"),
            ("spark.executor.resource.gpu.amount", "2"),
        ]
        .into_iter()
        .collect();
        let demand = executor_demand(&conf).unwrap();
        assert_eq!((demand.cores, demand.memory), (Some(3), firesteel_model::ByteCount::gib(3)));
        assert_eq!(demand.resources, [ResourceRequirement { name: "gpu".to_owned(), amount: 2 }]);
    }

    #[test]
    fn masters_have_a_port_and_the_driver_an_address() {
        let masters = masters("spark://127.0.0.1:7077,other:7078").unwrap();
        assert_eq!(masters.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1:7077", "other:7078"]);
        if env::var_os("SPARK_LOCAL_IP").is_none() {
            assert_eq!(own_address(&masters), "127.0.0.1");
        }
    }
}
