//! `org.apache.spark.deploy.master.Master` (SA-01).

use std::{ffi::OsString, net::ToSocketAddrs, path::PathBuf, time::Duration};

use firesteel_conf::{SparkConf, create_cluster_secret, keys};
use firesteel_console::say;
use firesteel_master::{ArtifactStoreOptions, KillRights, MasterServer, MasterServerOptions, MasterWebUi};
use firesteel_model::{ByteCount, error_chain};
use firesteel_rpc::{Address, Secret};
use firesteel_standalone::master::MasterOptions;

use crate::{
    Environment,
    daemon::{report, run as run_daemon, start_logging, told_to_end},
    properties::{self, variable},
    recovery::{Recovery, recovery},
    refusal::Refusal,
    secret::parsed_secret,
    web_ui::{self, WebUi},
    words::{Option_, Words},
};

const USAGE: &str = "\
Usage: spark-class org.apache.spark.deploy.master.Master [options]

Options:
  -h HOST, --host HOST    Name or address to listen at and to be reached by (default: this machine's name, or SPARK_MASTER_HOST)
  -i HOST, --ip HOST      The same; an old name
  -p PORT, --port PORT    Port to listen at (default: 7077, or SPARK_MASTER_PORT)
  --webui-port PORT       Port of the web UI (default: 8080, or SPARK_MASTER_WEBUI_PORT)
  --properties-file FILE  Properties to begin with (default: conf/spark-defaults.conf)
  --help                  Print this and end";

const OPTIONS: &[Option_] = &[
    Option_ { names: &["--host", "-h", "--ip", "-i"] },
    Option_ { names: &["--port", "-p"] },
    Option_ { names: &["--webui-port"] },
    Option_ { names: &["--properties-file"] },
];

const PORT: u16 = 7077;
const WEB_UI_PORT: u16 = 8080;

/// What was asked for, from all places.
#[derive(Debug)]
struct Settings {
    host: String,
    port: u16,
    web_ui: WebUi,
    conf: SparkConf,
    artifacts: ArtifactStoreOptions,
    warnings: Vec<String>,
}

/// Runs the master until somebody ends it; the result is the exit code.
pub fn run(words: &[OsString], environment: &Environment) -> u8 {
    report(act(words, environment), USAGE)
}

fn act(words: &[OsString], environment: &Environment) -> Result<u8, Refusal> {
    let words = Words::parse(words, OPTIONS)?;
    if words.help {
        say(USAGE);
        return Ok(0);
    }
    let settings = settings(&words, environment)?;
    start_logging(&settings.conf)?;
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let secret = secret(&settings.conf, environment)?;
    run_daemon(serve(settings, secret))
}

async fn serve(settings: Settings, secret: Secret) -> Result<u8, Refusal> {
    let Settings { host, port, web_ui, conf, artifacts, .. } = settings;
    let pages = web_ui.bind().await?;
    let web_ui_url = pages.url(&web_ui.public_host);
    let Recovery { persistence, mut election, alone } = recovery(&conf, &format!("{host}:{port}"), &secret)?;
    let server = MasterServer::start(MasterServerOptions {
        address: Address::tcp(host.clone(), port),
        host,
        secret,
        master: MasterOptions { web_ui_url: web_ui_url.clone(), alone, ..master_options(&conf)? },
        persistence,
        artifacts,
    })
    .await
    .map_err(|error| Refusal::Start(error_chain(&error)))?;
    tracing::info!("Starting Spark master at {}", server.url());
    let pages = pages.serve(MasterWebUi { master: server.handle_to(), kill: kill_rights(&conf)? }.router());
    tracing::info!("Started the web UI of the master at {web_ui_url}");
    let mut ended = server.ended();
    let code = tokio::select! {
        code = told_to_end() => code?,
        // SA-54: never two that lead.
        () = ended.wait() => 0,
        over = server.take_part(&mut *election) => {
            let reason = over.map_err(|error| Refusal::Start(error_chain(&error)))?;
            tracing::warn!("Leadership has been revoked -- master shutting down: {reason}");
            0
        }
    };
    pages.stop().await;
    election.leave().await;
    server.stop().await;
    Ok(code)
}

fn settings(words: &Words, environment: &Environment) -> Result<Settings, Refusal> {
    if let Some(word) = words.positional.first() {
        return Err(Refusal::Usage(format!("a master takes no argument, and {word:?} was given")));
    }
    let (conf, mut warnings) = properties::read(words.option("--properties-file"), environment, "SPARK_MASTER_OPTS")?;
    if variable(environment, "SPARK_MASTER_IP").is_some() {
        warnings.push("SPARK_MASTER_IP is an old name; set SPARK_MASTER_HOST".to_owned());
    }
    let host = words
        .option("--host")
        .or_else(|| variable(environment, "SPARK_MASTER_HOST"))
        .or_else(|| variable(environment, "SPARK_MASTER_IP"))
        .or_else(|| variable(environment, "SPARK_LOCAL_IP"))
        .map_or_else(local_host_name, str::to_owned);
    let port = match words.option("--port").or_else(|| variable(environment, "SPARK_MASTER_PORT")) {
        Some(text) => text.parse().map_err(|_| Refusal::Setting(format!("{text:?} is no port: 0 to 65535 are")))?,
        None => PORT,
    };
    let web_ui_port = web_ui::port(
        conf.get(&keys::MASTER_UI_PORT)?,
        words.option("--webui-port"),
        variable(environment, "SPARK_MASTER_WEBUI_PORT"),
        WEB_UI_PORT,
    )?;
    let web_ui = WebUi::new(&conf, environment, &host, web_ui_port)?;
    warnings.extend(web_ui::warnings(&conf));
    let artifacts = artifacts(&conf, environment, &host, port)?;
    Ok(Settings { host, port, web_ui, conf, artifacts, warnings })
}

/// SA-65. Access lists need users, and there are none: nobody is on them.
fn kill_rights(conf: &SparkConf) -> Result<KillRights, Refusal> {
    if conf.get_raw("spark.acls.enable").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        return Ok(KillRights::Nobody);
    }
    Ok(match conf.get(&keys::UI_KILL_ENABLED)? {
        None => KillRights::ThisMachine,
        Some(true) => KillRights::Everyone,
        Some(false) => KillRights::Nobody,
    })
}

/// Where files of submissions are kept (AS-06).
fn artifacts(
    conf: &SparkConf,
    environment: &Environment,
    host: &str,
    port: u16,
) -> Result<ArtifactStoreOptions, Refusal> {
    let max_size = conf.get(&keys::DEPLOY_ARTIFACTS_MAX_SIZE)?;
    let directory = match conf.get(&keys::DEPLOY_ARTIFACTS_DIRECTORY)?.filter(|directory| !directory.is_empty()) {
        Some(directory) => PathBuf::from(directory),
        None => match variable(environment, "SPARK_HOME") {
            // Masters of several clusters may have the same installation.
            Some(home) => PathBuf::from(home).join("artifacts").join(format!("{host}-{port}")),
            // Nothing can be taken then, and whoever brings files is told.
            None => {
                return Ok(ArtifactStoreOptions { directory: PathBuf::from("artifacts"), max_size: ByteCount::ZERO });
            }
        },
    };
    Ok(ArtifactStoreOptions { directory, max_size })
}

/// The name of this machine, if it leads to an address; loopback otherwise.
pub(crate) fn local_host_name() -> String {
    let name = whoami::hostname().ok().filter(|name| !name.is_empty());
    let resolves = |name: &String| (name.as_str(), 0).to_socket_addrs().is_ok_and(|mut found| found.next().is_some());
    name.filter(resolves).unwrap_or_else(|| "127.0.0.1".to_owned())
}

fn master_options(conf: &SparkConf) -> Result<MasterOptions, Refusal> {
    let worker_timeout = conf.get(&keys::WORKER_TIMEOUT)?;
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(MasterOptions {
        worker_timeout,
        recovery_timeout: conf
            .get(&keys::DEPLOY_RECOVERY_TIMEOUT)?
            .unwrap_or(worker_timeout)
            .max(Duration::from_millis(1)),
        dead_worker_persistence: conf.get(&keys::DEAD_WORKER_PERSISTENCE)?,
        spread_out: conf.get(&keys::DEPLOY_SPREAD_OUT)?,
        default_cores: conf.get(&keys::DEPLOY_DEFAULT_CORES)?.unwrap_or(u32::MAX),
        max_executor_retries: u32::try_from(conf.get(&keys::DEPLOY_MAX_EXECUTOR_RETRIES)?).ok(),
        retained_applications: number(conf.get(&keys::DEPLOY_RETAINED_APPLICATIONS)?),
        retained_drivers: number(conf.get(&keys::DEPLOY_RETAINED_DRIVERS)?),
        ..MasterOptions::default()
    })
}

/// The cluster's secret. The first master that starts makes it.
fn secret(conf: &SparkConf, environment: &Environment) -> Result<Secret, Refusal> {
    let of = |name: &str| environment.get(std::ffi::OsStr::new(name)).cloned();
    let known = match conf.cluster_secret(of) {
        Err(firesteel_conf::ClusterSecretError::Missing(path)) => {
            if create_cluster_secret(&path, Secret::generate().expose())? {
                tracing::info!(
                    "the secret of this cluster is new: {}. Workers, and those who submit, need a copy of it; sbin/start-all.sh \
                     gives it to workers",
                    path.display()
                );
            }
            conf.cluster_secret(of)?
        }
        known => known?,
    };
    parsed_secret(&known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_of(line: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Words::parse(&words, OPTIONS)
            .and_then(|words| settings(&words, &environment))
            .map_err(|refusal| refusal.to_string())
    }

    /// SA-01: an option beats the environment.
    #[test]
    fn host_and_port_come_from_options_then_from_the_environment() {
        let of = |line: &str, variables: &[(&str, &str)]| {
            settings_of(line, variables).map(|settings| (settings.host, settings.port, settings.warnings.len()))
        };
        let (host, old) = (("SPARK_MASTER_HOST", "env"), ("SPARK_MASTER_IP", "old"));
        let port = ("SPARK_MASTER_PORT", "17077");
        assert_eq!(of("-h opt -p 1", &[host, port]), Ok(("opt".to_owned(), 1, 0)));
        assert_eq!(of("", &[host, port]), Ok(("env".to_owned(), 17077, 0)));
        assert_eq!(of("", &[old]), Ok(("old".to_owned(), 7077, 1)));
        assert_eq!(of("--ip=ip", &[]), Ok(("ip".to_owned(), 7077, 0)));
        assert_eq!(of("", &[("SPARK_LOCAL_IP", "10.0.0.1")]), Ok(("10.0.0.1".to_owned(), 7077, 0)));
        assert!(of("extra", &[]).unwrap_err().contains("takes no argument"));
        assert!(of("-p 70000", &[]).unwrap_err().contains("is no port"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let with = |key: &str, value: &str| [(key, value)].into_iter().collect::<SparkConf>();
        assert!(master_options(&with("spark.deploy.defaultCores", "0")).is_err());
        let options = master_options(&with("spark.deploy.maxExecutorRetries", "-1")).unwrap();
        assert_eq!(options.max_executor_retries, None);
    }
}
