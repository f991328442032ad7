//! Master URLs: which cluster manager runs the application (SS-40…52).

use std::{fmt, num::IntErrorKind, str::FromStr};

use firesteel_model::{hide_secrets_of_urls, url_without_secrets};

use crate::{ClusterManager, redaction::REDACTED};

/// Where the driver runs (SS-11).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum DeployMode {
    /// Where the application was submitted. The default, whatever the documentation calls "local" (DX-20).
    #[default]
    Client,
    /// Inside the cluster.
    Cluster,
}

impl fmt::Display for DeployMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Cluster => "cluster",
        })
    }
}

/// A parsed master URL. `Display` writes the form that parses back to the same, save an external one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum MasterUrl {
    /// `local`, `local[N]`, `local[*]`, `local[N,F]`, `local[*,F]`
    Local {
        /// Task slots.
        threads: WorkerThreads,
        /// F: how often a task may fail before its job does; 1 if it is not given (RT-05).
        max_failures: u32,
    },
    /// `local-cluster[workers,cores,memory]`
    LocalCluster {
        /// Worker processes.
        workers: u32,
        /// Cores of each worker.
        cores_per_worker: u32,
        /// Memory of each worker in MiB.
        memory_per_worker_mib: u32,
    },
    /// `spark://host:port[,host:port…]`
    Standalone {
        /// The masters to try; at least one.
        masters: Vec<HostPort>,
    },
    /// `mesos://host[:port][,host[:port]…]`
    Mesos {
        /// The masters, or dispatchers in cluster mode; at least one.
        masters: Vec<HostPort>,
    },
    /// `mesos://zk://host:port[,host:port…]/path`, or with the path after every host (DX-4)
    MesosZooKeeper {
        /// `user:password@`, without the `@`.
        authentication: Option<String>,
        /// The ZooKeeper servers; at least one.
        servers: Vec<HostPort>,
        /// Where the masters elect their leader; begins with `/`.
        path: String,
    },
    /// `yarn`
    Yarn {
        /// The mode that the older names `yarn-client`, `yarn-cluster` and `yarn-standalone` imply (SS-50).
        implied_mode: Option<DeployMode>,
    },
    /// `k8s://[http://|https://]host[:port][/path]`
    Kubernetes {
        /// The API server, always with its scheme; `https` if none was given.
        api_server: String,
    },
    /// Any other `scheme://…`. Only [`MasterUrl::external`] makes it: it means something only to a program that brings a
    /// cluster manager for it along (RT-03).
    External {
        /// As it was given.
        url: String,
    },
}

/// How many task slots `local` has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WorkerThreads {
    /// This many; at least 1.
    Fixed(u32),
    /// `*`: one for each logical core.
    AllCores,
}

impl WorkerThreads {
    /// The number, on a machine with so many logical cores.
    pub fn count(self, logical_cores: u32) -> u32 {
        match self {
            Self::Fixed(threads) => threads,
            Self::AllCores => logical_cores.max(1),
        }
    }
}

/// A host name or address, and a port if there is one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: String,
    /// The port; never 0.
    pub port: Option<u16>,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl MasterUrl {
    /// `local[*]`: what runs when nothing says otherwise (SS-03).
    pub const LOCAL_ALL_CORES: Self = Self::Local { threads: WorkerThreads::AllCores, max_failures: 1 };

    /// A URL whose scheme is none of Spark's, for a cluster manager of the application's own; none for any other text.
    pub fn external(text: &str) -> Option<Self> {
        let (scheme, _) = text.split_once("://")?;
        let is_name = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|next| next.is_ascii_alphanumeric() || "+.-".contains(next));
        let is_sparks = ["spark", "mesos", "zk", "k8s"].contains(&scheme);
        (is_name && !is_sparks && text.trim() == text).then(|| Self::External { url: text.to_owned() })
    }

    /// The URL as it may be shown: `Display` without the password that a ZooKeeper address can hold.
    pub fn redacted(&self) -> String {
        match self {
            Self::MesosZooKeeper { authentication: Some(_), servers, path } => {
                format!("mesos://zk://{REDACTED}@{}{path}", joined(servers))
            }
            Self::External { url } => url_without_secrets(url),
            other => other.to_string(),
        }
    }

    /// The kind of cluster manager.
    pub fn manager(&self) -> ClusterManager {
        match self {
            Self::Local { .. } => ClusterManager::Local,
            Self::LocalCluster { .. } => ClusterManager::LocalCluster,
            Self::Standalone { .. } => ClusterManager::Standalone,
            Self::Mesos { .. } | Self::MesosZooKeeper { .. } => ClusterManager::Mesos,
            Self::Yarn { .. } => ClusterManager::Yarn,
            Self::Kubernetes { .. } => ClusterManager::Kubernetes,
            Self::External { .. } => ClusterManager::External,
        }
    }
}

impl fmt::Display for MasterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { threads, max_failures } => {
                f.write_str("local[")?;
                match threads {
                    WorkerThreads::Fixed(threads) => write!(f, "{threads}")?,
                    WorkerThreads::AllCores => f.write_str("*")?,
                }
                if *max_failures == 1 { f.write_str("]") } else { write!(f, ",{max_failures}]") }
            }
            Self::LocalCluster { workers, cores_per_worker, memory_per_worker_mib } => {
                write!(f, "local-cluster[{workers},{cores_per_worker},{memory_per_worker_mib}]")
            }
            Self::Standalone { masters } => write!(f, "spark://{}", joined(masters)),
            Self::Mesos { masters } => write!(f, "mesos://{}", joined(masters)),
            Self::MesosZooKeeper { authentication, servers, path } => {
                f.write_str("mesos://zk://")?;
                if let Some(authentication) = authentication {
                    write!(f, "{authentication}@")?;
                }
                write!(f, "{}{path}", joined(servers))
            }
            Self::Yarn { implied_mode: None } => f.write_str("yarn"),
            Self::Yarn { implied_mode: Some(mode) } => write!(f, "yarn-{mode}"),
            Self::Kubernetes { api_server } => write!(f, "k8s://{api_server}"),
            Self::External { url } => f.write_str(url),
        }
    }
}

/// A text is no master URL.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{:?} is not a master URL: {reason}", hide_secrets_of_urls(text))]
pub struct ParseMasterUrlError {
    text: String,
    reason: String,
}

impl ParseMasterUrlError {
    /// What is wrong, without the text.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl FromStr for MasterUrl {
    type Err = ParseMasterUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| ParseMasterUrlError { text: text.to_owned(), reason })
    }
}

fn parse(text: &str) -> Result<MasterUrl, String> {
    if text.trim() != text {
        return Err("there is a blank before or after it".to_owned());
    }
    match text {
        "local" => return Ok(MasterUrl::Local { threads: WorkerThreads::Fixed(1), max_failures: 1 }),
        "yarn" => return Ok(MasterUrl::Yarn { implied_mode: None }),
        "yarn-client" => return Ok(MasterUrl::Yarn { implied_mode: Some(DeployMode::Client) }),
        "yarn-cluster" | "yarn-standalone" => return Ok(MasterUrl::Yarn { implied_mode: Some(DeployMode::Cluster) }),
        _ => {}
    }
    if let Some(inside) = text.strip_prefix("local[") {
        return parse_local(inside.strip_suffix(']').ok_or("the closing bracket is missing")?);
    }
    if let Some(inside) = text.strip_prefix("local-cluster[") {
        return parse_local_cluster(inside.strip_suffix(']').ok_or("the closing bracket is missing")?);
    }
    if let Some(hosts) = text.strip_prefix("spark://") {
        let masters = parse_hosts(hosts)?;
        let without_port = masters.iter().find(|master| master.port.is_none());
        if let Some(master) = without_port {
            return Err(format!("the port of {master} is missing (a standalone master usually listens on 7077)"));
        }
        return Ok(MasterUrl::Standalone { masters });
    }
    if let Some(quorum) = text.strip_prefix("mesos://zk://") {
        return parse_zookeeper(quorum);
    }
    if let Some(hosts) = text.strip_prefix("mesos://") {
        return Ok(MasterUrl::Mesos { masters: parse_hosts(hosts)? });
    }
    if let Some(server) = text.strip_prefix("k8s://") {
        return parse_kubernetes(server);
    }
    if text.starts_with("zk://") {
        return Err(format!("write mesos://{} for a Mesos master that ZooKeeper elects", hide_secrets_of_urls(text)));
    }
    Err("it must be local, local[N], local[*] or local-cluster[n,cores,MiB], or start with spark://, mesos://, yarn or \
         k8s://"
        .to_owned())
}

fn parse_local(inside: &str) -> Result<MasterUrl, String> {
    let (threads, max_failures) = match inside.split_once(',') {
        None => (inside, 1),
        Some((threads, failures)) => (threads.trim_end(), positive(failures.trim(), "the number of allowed failures")?),
    };
    let threads = match threads {
        "*" => WorkerThreads::AllCores,
        number => WorkerThreads::Fixed(positive(number, "the number of threads")?),
    };
    Ok(MasterUrl::Local { threads, max_failures })
}

fn parse_local_cluster(inside: &str) -> Result<MasterUrl, String> {
    let parts: Vec<_> = inside.split(',').map(str::trim).collect();
    let [workers, cores, memory] = parts[..] else {
        return Err("local-cluster takes three numbers: workers, cores of each, MiB of each".to_owned());
    };
    Ok(MasterUrl::LocalCluster {
        workers: positive(workers, "the number of workers")?,
        cores_per_worker: positive(cores, "the number of cores")?,
        memory_per_worker_mib: positive(memory, "the memory in MiB")?,
    })
}

fn positive(text: &str, what: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let bound = match text.parse::<u32>() {
        Ok(number) if digits && number > 0 => return Ok(number),
        Err(error) if digits && *error.kind() == IntErrorKind::PosOverflow => format!("most {}", u32::MAX),
        _ => "least 1".to_owned(),
    };
    Err(format!("{what} is {text:?}, but it must be a whole number of at {bound}"))
}

fn parse_hosts(hosts: &str) -> Result<Vec<HostPort>, String> {
    hosts.split(',').map(parse_host_port).collect()
}

fn parse_host_port(text: &str) -> Result<HostPort, String> {
    if text.is_empty() {
        return Err("a host is missing".to_owned());
    }
    // What stands in front of it may be a password.
    if let Some((_, host)) = text.rsplit_once('@') {
        return Err(format!("{host:?} must be host:port, without '@' and what stands in front of it"));
    }
    if let Some(odd) = text.chars().find(|c| c.is_whitespace() || "/?#\\\"'<>".contains(*c)) {
        let advice = if odd == '/' { "; leave the path and the last slash out" } else { "" };
        return Err(format!("{text:?} must be host:port, without {odd:?}{advice}"));
    }
    let (host, port) = if let Some(inside) = text.strip_prefix('[') {
        let (host, rest) = inside.split_once(']').ok_or_else(|| format!("the bracket of {text} is not closed"))?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| format!("[{host}] is not an IPv6 address"))?;
        let port = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':').ok_or_else(|| format!("{text:?} must be [address]:port"))?),
        };
        (host, port)
    } else {
        match text.split_once(':') {
            None => (text, None),
            Some((_, port)) if port.contains(':') => return Err(without_brackets(text)),
            Some((host, port)) => (host, Some(port)),
        }
    };
    if host.is_empty() {
        return Err("a host is missing".to_owned());
    }
    let port = port.map(|port| {
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let number = port.parse::<u16>().ok().filter(|number| digits && *number > 0);
        number.ok_or_else(|| format!("the port of {host} is {port:?}, but it must be a number from 1 to 65535"))
    });
    Ok(HostPort { host: host.to_owned(), port: port.transpose()? })
}

/// What to write in place of an IPv6 address without brackets. Its last group is most likely the port.
fn without_brackets(text: &str) -> String {
    let is_address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    match text.rsplit_once(':') {
        Some((address, port)) if is_address(address) && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            format!("an IPv6 address needs brackets, as in [{address}]:{port}")
        }
        _ if is_address(text) => format!("an IPv6 address needs brackets, as in [{text}]:7077"),
        _ => format!("{text:?} must be host:port, where an IPv6 address stands in brackets, as in [::1]:7077"),
    }
}

/// `a:2181,b:2181/path` and `a:2181/path,b:2181/path` (DX-4).
fn parse_zookeeper(quorum: &str) -> Result<MasterUrl, String> {
    let (authentication, quorum) = match quorum.rsplit_once('@') {
        Some((authentication, quorum)) => (Some(authentication.to_owned()), quorum),
        None => (None, quorum),
    };
    let mut servers = Vec::new();
    let mut path: Option<&str> = None;
    for server in quorum.split(',') {
        let host = match server.find('/') {
            Some(slash) => {
                let this = &server[slash..];
                if path.is_some_and(|path| path != this) {
                    return Err("the servers have different ZooKeeper paths".to_owned());
                }
                path = Some(this);
                &server[..slash]
            }
            None => server,
        };
        servers.push(parse_host_port(host)?);
    }
    let path = path.filter(|path| path.len() > 1).ok_or("the ZooKeeper path is missing, as in zk://host:2181/mesos")?;
    if path.chars().any(|c| c.is_whitespace()) {
        return Err("the ZooKeeper path has a blank in it".to_owned());
    }
    Ok(MasterUrl::MesosZooKeeper { authentication, servers, path: path.to_owned() })
}

fn parse_kubernetes(server: &str) -> Result<MasterUrl, String> {
    let (scheme, address) = match server.split_once("://") {
        None => ("https", server),
        Some((scheme @ ("http" | "https"), address)) => (scheme, address),
        Some((scheme, _)) => return Err(format!("{scheme}:// is neither http:// nor https://")),
    };
    let host = address.split('/').next().unwrap_or_default();
    parse_host_port(host)?;
    if address.chars().any(|c| c.is_whitespace()) {
        return Err("there is a blank in it".to_owned());
    }
    Ok(MasterUrl::Kubernetes { api_server: format!("{scheme}://{address}") })
}

fn joined(hosts: &[HostPort]) -> String {
    hosts.iter().map(HostPort::to_string).collect::<Vec<_>>().join(",")
}
