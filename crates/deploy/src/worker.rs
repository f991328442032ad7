//! `org.apache.spark.deploy.worker.Worker` (SA-02).

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    net::UdpSocket,
    path::PathBuf,
    thread,
    time::Duration,
};

use firesteel_conf::{AUTH_SECRET_VARIABLE, ConfValue, MasterUrl, SparkConf, Unit, keys, spark_env::Environment};
use firesteel_console::say;
use firesteel_model::{ByteCount, error_chain};
use firesteel_rpc::{Address, Ports};
use firesteel_standalone::worker::{CleanupOptions, WorkerOptions as Decisions};
use firesteel_worker::{DriverProgram, LogRolling, RollingStrategy, Worker, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    daemon::{report, run as run_daemon, start_logging, told_to_end},
    master::local_host_name,
    properties::{self, variable},
    refusal::Refusal,
    secret::parsed_secret,
    web_ui::{self, WebUi},
    words::{Option_, Words},
};

const USAGE: &str = "\
Usage: spark-class org.apache.spark.deploy.worker.Worker [options] MASTER

MASTER is spark://HOST:PORT, or spark://HOST1:PORT1,HOST2:PORT2 if there are several.

Options:
  -c CORES, --cores CORES   Cores to offer (default: all, or SPARK_WORKER_CORES)
  -m MEM, --memory MEM      Memory to offer, such as 1000m or 2g (default: all but 1 GiB, or SPARK_WORKER_MEMORY)
  -d DIR, --work-dir DIR    Directory for the output of executors (default: SPARK_HOME/work, or SPARK_WORKER_DIR)
  -h HOST, --host HOST      Name or address that others reach this machine by (default: its name, or SPARK_LOCAL_HOSTNAME)
  -i HOST, --ip HOST        The same; an old name
  -p PORT, --port PORT      Port of its own (default: any, or SPARK_WORKER_PORT)
  --webui-port PORT         Port of the web UI (default: 8081, or SPARK_WORKER_WEBUI_PORT)
  --properties-file FILE    Properties to begin with (default: conf/spark-defaults.conf)
  --help                    Print this and end";

const OPTIONS: &[Option_] = &[
    Option_ { names: &["--cores", "-c"] },
    Option_ { names: &["--memory", "-m"] },
    Option_ { names: &["--work-dir", "-d"] },
    Option_ { names: &["--host", "-h", "--ip", "-i"] },
    Option_ { names: &["--port", "-p"] },
    Option_ { names: &["--webui-port"] },
    Option_ { names: &["--properties-file"] },
];

/// What is left to the system, and what a worker offers at least (SA-02).
const LEFT_TO_THE_SYSTEM: ByteCount = ByteCount::gib(1);
/// What is assumed where the system does not say.
const UNKNOWN_MEMORY: ByteCount = ByteCount::gib(2);
const MASTER_PORT: u16 = 7077;
/// The class that `spark-class` runs for a driver.
const DRIVER_WRAPPER: &str = "org.apache.spark.deploy.worker.DriverWrapper";
const WEB_UI_PORT: u16 = 8081;

/// Variables that executors and drivers do not get.
const PRIVATE: [&str; 2] = [AUTH_SECRET_VARIABLE, "SPARK_DAEMON"];

/// What was asked for, from all places.
#[derive(Debug)]
struct Settings {
    masters: Vec<Address>,
    host: String,
    port: u16,
    cores: u32,
    memory: ByteCount,
    work_directory: PathBuf,
    web_ui: WebUi,
    conf: SparkConf,
    warnings: Vec<String>,
}

/// What the machine has.
#[derive(Clone, Copy, Debug)]
struct Machine {
    cores: u32,
    memory: Option<ByteCount>,
}

/// Runs a worker until somebody ends it, or there is no master for too long; the result is the exit code.
pub fn run(words: &[OsString], environment: &Environment) -> u8 {
    report(act(words, environment), USAGE)
}

fn act(words: &[OsString], environment: &Environment) -> Result<u8, Refusal> {
    let words = Words::parse(words, OPTIONS)?;
    if words.help {
        say(USAGE);
        return Ok(0);
    }
    let settings = settings(&words, environment, this_machine())?;
    start_logging(&settings.conf)?;
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let of = |name: &str| environment.get(OsStr::new(name)).cloned();
    let secret = parsed_secret(&settings.conf.cluster_secret(of)?)?;
    let Settings { masters, host, port, cores, memory, work_directory, web_ui, conf, .. } = settings;
    let worker_timeout = conf.get(&keys::WORKER_TIMEOUT)?;
    let options = WorkerOptions {
        masters,
        secret,
        host,
        ports: Ports::from(port),
        cores,
        memory,
        resources: Vec::new(),
        web_ui_url: String::new(),
        work_directory,
        local_directories: conf.local_dirs(of)?,
        private_variables: PRIVATE.map(str::to_owned).to_vec(),
        log_rolling: log_rolling(&conf)?,
        driver_program: driver_program()?,
        decisions: Decisions {
            worker_timeout,
            max_update_attempts: conf.get(&keys::WORKER_EXECUTOR_STATE_SYNC_MAX_ATTEMPTS)?,
            retained_executors: conf.get(&keys::WORKER_UI_RETAINED_EXECUTORS)? as usize,
            cleanup: cleanup(&conf)?,
            driver_terminate_timeout: conf.get(&keys::WORKER_DRIVER_TERMINATE_TIMEOUT)?,
            ..Decisions::default()
        },
    };
    run_daemon(serve(options, web_ui))
}

/// This program, as what becomes a driver.
fn driver_program() -> Result<DriverProgram, Refusal> {
    let path = env::current_exe()
        .map_err(|error| Refusal::Start(format!("where this program is cannot be found out: {error}")))?;
    Ok(DriverProgram { path, arguments: vec!["spark-class".into(), DRIVER_WRAPPER.into()] })
}

/// SA-45.
fn cleanup(conf: &SparkConf) -> Result<Option<CleanupOptions>, Refusal> {
    if !conf.get(&keys::WORKER_CLEANUP_ENABLED)? {
        return Ok(None);
    }
    let (interval, data_ttl) =
        (conf.get(&keys::WORKER_CLEANUP_INTERVAL)?, conf.get(&keys::WORKER_CLEANUP_APP_DATA_TTL)?);
    Ok(Some(CleanupOptions { interval, data_ttl }))
}

/// SA-47.
fn log_rolling(conf: &SparkConf) -> Result<Option<LogRolling>, Refusal> {
    const MINUTE: u64 = 60;
    let strategy = match conf.get(&keys::EXECUTOR_LOGS_ROLLING_STRATEGY)?.as_deref() {
        Some("size") => RollingStrategy::Size(conf.get(&keys::EXECUTOR_LOGS_ROLLING_MAX_SIZE)?.bytes()),
        Some("time") => {
            let interval = conf.get(&keys::EXECUTOR_LOGS_ROLLING_TIME_INTERVAL)?;
            let seconds = match interval.as_str() {
                "minutely" => MINUTE,
                "hourly" => 60 * MINUTE,
                // The key has been checked: it is a number or this.
                other => other.parse().unwrap_or(24 * 60 * MINUTE),
            };
            RollingStrategy::Time(Duration::from_secs(seconds))
        }
        _ => return Ok(None),
    };
    Ok(Some(LogRolling {
        strategy,
        max_retained_files: u32::try_from(conf.get(&keys::EXECUTOR_LOGS_ROLLING_MAX_RETAINED_FILES)?).ok(),
        compress: conf.get(&keys::EXECUTOR_LOGS_ROLLING_ENABLE_COMPRESSION)?,
    }))
}

async fn serve(options: WorkerOptions, web_ui: WebUi) -> Result<u8, Refusal> {
    let pages = web_ui.bind().await?;
    let web_ui_url = pages.url(&web_ui.public_host);
    let options = WorkerOptions { web_ui_url: web_ui_url.clone(), ..options };
    let (host, cores, memory) = (options.host.clone(), options.cores, options.memory);
    let mut worker = Worker::start(options).await.map_err(|error| Refusal::Start(error_chain(&error)))?;
    tracing::info!("Starting Spark worker {} on {host} with {cores} cores, {memory} RAM", worker.id());
    let pages = pages.serve(firesteel_worker::web_ui(worker.handle_to()));
    tracing::info!("Started the web UI of the worker at {web_ui_url}");
    let mut power = signal(SignalKind::from_raw(rustix::process::Signal::POWER.as_raw()))
        .map_err(|error| Refusal::Start(format!("signals cannot be heard: {error}")))?;
    let ended = loop {
        tokio::select! {
            code = worker.wait() => break code,
            code = told_to_end() => {
                let code = code?;
                pages.stop().await;
                worker.stop().await;
                return Ok(code);
            }
            // SA-40.
            _ = power.recv() => worker.decommission(),
        }
    };
    pages.stop().await;
    Ok(u8::try_from(ended).unwrap_or(1))
}

fn settings(words: &Words, environment: &Environment, machine: Machine) -> Result<Settings, Refusal> {
    let [master] = &words.positional[..] else {
        let given = words.positional.len();
        return Err(Refusal::Usage(format!(
            "a worker takes one argument, the URL of its masters, and {given} were given"
        )));
    };
    let masters = match master.parse() {
        Ok(MasterUrl::Standalone { masters }) => masters,
        Ok(_) => return Err(Refusal::Usage(format!("{master} is no spark://HOST:PORT"))),
        Err(error) => return Err(Refusal::Usage(error_chain(&error))),
    };
    let masters: Vec<Address> =
        masters.into_iter().map(|master| Address::tcp(master.host, master.port.unwrap_or(MASTER_PORT))).collect();
    let (conf, mut warnings) = properties::read(words.option("--properties-file"), environment, "SPARK_WORKER_OPTS")?;
    let given =
        |option: &str, name: &str| words.option(option).or_else(|| variable(environment, name)).map(str::to_owned);
    let host = given("--host", "SPARK_LOCAL_HOSTNAME")
        .or_else(|| variable(environment, "SPARK_LOCAL_IP").map(str::to_owned))
        .unwrap_or_else(|| own_name(&masters));
    let port = match given("--port", "SPARK_WORKER_PORT") {
        Some(text) => text.parse().map_err(|_| Refusal::Setting(format!("{text:?} is no port: 0 to 65535 are")))?,
        None => 0,
    };
    let cores = match given("--cores", "SPARK_WORKER_CORES") {
        Some(text) => text
            .parse()
            .ok()
            .filter(|cores| *cores > 0)
            .ok_or_else(|| Refusal::Setting(format!("{text:?} is no number of cores from 1 on")))?,
        None => machine.cores,
    };
    let memory = match given("--memory", "SPARK_WORKER_MEMORY") {
        Some(text) => memory(&text)?,
        None => machine.memory.unwrap_or(UNKNOWN_MEMORY).saturating_sub(LEFT_TO_THE_SYSTEM).max(LEFT_TO_THE_SYSTEM),
    };
    let work_directory = match given("--work-dir", "SPARK_WORKER_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => {
            let home = variable(environment, "SPARK_HOME")
                .ok_or_else(|| Refusal::Setting("set SPARK_HOME, or SPARK_WORKER_DIR".to_owned()))?;
            PathBuf::from(home).join("work")
        }
    };
    let web_ui_port = web_ui::port(
        conf.get(&keys::WORKER_UI_PORT)?,
        words.option("--webui-port"),
        variable(environment, "SPARK_WORKER_WEBUI_PORT"),
        WEB_UI_PORT,
    )?;
    let web_ui = WebUi::new(&conf, environment, &host, web_ui_port)?;
    warnings.extend(web_ui::warnings(&conf));
    Ok(Settings { masters, host, port, cores, memory, work_directory, web_ui, conf, warnings })
}

/// SA-02: a number alone means MiB, and is most likely meant as something else if it is tiny.
fn memory(text: &str) -> Result<ByteCount, Refusal> {
    let memory = ByteCount::parse(text, Unit::MiB)
        .map_err(|expected| Refusal::Setting(format!("the memory to offer is {text:?}; it must be {expected}")))?;
    if memory.bytes() == 0 {
        return Err(Refusal::Setting(format!(
            "memory can't be 0, missing a M or G on the end of the memory specification {text:?}?"
        )));
    }
    Ok(memory)
}

fn this_machine() -> Machine {
    let of_group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let info = rustix::system::sysinfo();
    let of_system = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let memory = of_group.map_or(of_system, |of_group: u64| of_group.min(of_system));
    Machine {
        cores: thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory: (memory > 0).then_some(ByteCount(memory)),
    }
}

/// The name of this machine, or the address that a master sees, where others could not find it by its name: a master elsewhere has no
/// use for a loopback address.
fn own_name(masters: &[Address]) -> String {
    let name = local_host_name();
    let loopback = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0))
        .is_ok_and(|mut addresses| addresses.all(|address| address.ip().is_loopback()));
    if !loopback {
        return name;
    }
    let seen = masters.iter().find_map(|master| {
        let Address::Tcp { host, port } = master else { return None };
        // Nothing is sent.
        let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        socket.connect((host.as_str(), *port)).ok()?;
        Some(socket.local_addr().ok()?.ip().to_string())
    });
    seen.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine { cores: 6, memory: Some(ByteCount::gib(16)) };

    fn settings_of(line: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Words::parse(&words, OPTIONS)
            .and_then(|words| settings(&words, &environment, MACHINE))
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn what_is_offered_comes_from_options_then_from_the_environment_then_from_the_machine() {
        let home = ("SPARK_HOME", "/spark");
        let of = |line: &str, variables: &[(&str, &str)]| {
            let settings = settings_of(line, variables).unwrap();
            (settings.cores, settings.memory, settings.port, settings.work_directory.to_string_lossy().into_owned())
        };
        let all = ByteCount::gib(15);
        assert_eq!(of("spark://m:1", &[home]), (6, all, 0, "/spark/work".to_owned()));
        let variables = [
            home,
            ("SPARK_WORKER_CORES", "3"),
            ("SPARK_WORKER_MEMORY", "2g"),
            ("SPARK_WORKER_PORT", "9"),
            ("SPARK_WORKER_DIR", "/w"),
        ];
        assert_eq!(of("spark://m:1", &variables), (3, ByteCount::gib(2), 9, "/w".to_owned()));
        let line = "-c 2 -m 512 -p 8 -d /x spark://m:1,n:2";
        assert_eq!(of(line, &variables), (2, ByteCount::mib(512), 8, "/x".to_owned()));
        let masters = settings_of(line, &variables).map(|settings| settings.masters);
        assert_eq!(masters.unwrap().len(), 2);
    }

    #[test]
    fn output_is_rolled_over_as_the_keys_say() {
        let rolling = |settings: &[(&str, &str)]| {
            let prefix = "spark.executor.logs.rolling.";
            let settings = settings.iter().map(|(key, value)| (format!("{prefix}{key}"), (*value).to_owned()));
            log_rolling(&settings.collect()).unwrap()
        };
        assert_eq!(rolling(&[]), None);
        let by_size = rolling(&[("strategy", "size"), ("maxSize", "10k"), ("maxRetainedFiles", "3")]).unwrap();
        assert_eq!((by_size.strategy, by_size.max_retained_files), (RollingStrategy::Size(10 << 10), Some(3)));
        let seconds = |interval| match rolling(&[("strategy", "time"), ("time.interval", interval)]).unwrap().strategy {
            RollingStrategy::Time(time) => time.as_secs(),
            RollingStrategy::Size(_) => 0,
        };
        assert_eq!(["daily", "hourly", "minutely", "7"].map(seconds), [86_400, 3600, 60, 7]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |line: &str| settings_of(line, &[("SPARK_HOME", "/spark")]).unwrap_err();
        assert!(refused("").contains("takes one argument"));
        assert!(refused("spark://a:1 spark://b:1").contains("takes one argument"));
        assert!(refused("local[2]").contains("is no spark://HOST:PORT"));
        assert!(refused("-c 0 spark://a:1").contains("no number of cores"));
        assert!(refused("-m 0 spark://a:1").contains("missing a M or G"));
        assert!(refused("-m x spark://a:1").contains("memory to offer"));
        let without_home = settings_of("spark://a:1", &[]).unwrap_err();
        assert!(without_home.contains("SPARK_HOME"), "{without_home}");
    }
}
