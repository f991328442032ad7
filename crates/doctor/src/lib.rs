//! `doctor`: looks for what would keep a cluster from working before jobs find it out (AS-38).
//!
//! Without a master's URL it looks at this machine: name, size, limits, directories, ports, configuration, secret, Python. With one
//! it also asks the masters. It changes nothing, and its exit code is 1 if there is a problem.

#![forbid(unsafe_code)]

mod cluster;
mod directories;
mod finding;
mod host;
mod ports;
mod python;

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Write},
    path::PathBuf,
};

use firesteel_conf::{MasterUrl, SparkConf, defaults_file_path, read_properties_file_if_there, spark_env::Environment};
use firesteel_console::say;
use firesteel_model::error_chain;
use firesteel_rpc::{Address, Secret};

pub use finding::{Finding, Verdict};

const USAGE: &str = "\
Usage: spark-class doctor [MASTER-URL]

Looks for what would keep a cluster from working: at this machine and, with a URL such as spark://host:7077, at its masters.
It changes nothing. Exit code 1: there is a problem.";

/// The port of a master that is named without one.
const MASTER_PORT: u16 = 7077;

/// Looks, and prints what it finds on standard output; the result is the exit code.
pub fn run(words: &[OsString], environment: &Environment) -> u8 {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let master = match words.as_slice() {
        [] => None,
        [word] if *word == "--help" || *word == "-h" => {
            say(USAGE);
            return 0;
        }
        [url] => match url.parse() {
            Ok(MasterUrl::Standalone { masters }) => Some(masters),
            _ => {
                say(format_args!(
                    "Error: {url} is not the URL of a standalone master, such as spark://host:7077\n{USAGE}"
                ));
                return 1;
            }
        },
        _ => {
            say(USAGE);
            return 1;
        }
    };
    let addresses = master.map(|masters| {
        masters
            .into_iter()
            .map(|master| Address::tcp(master.host, master.port.unwrap_or(MASTER_PORT)))
            .collect::<Vec<_>>()
    });
    let findings = look(addresses.as_deref(), environment);
    let mut text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    text.push_str(&finding::summary(&findings));
    text.push('\n');
    // Whoever reads it may have seen enough.
    let _ = io::stdout().write_all(text.as_bytes());
    u8::from(findings.iter().any(|finding| finding.verdict == Verdict::Problem))
}

fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.get(OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
}

/// Everything that can be looked at, in the order in which people would.
fn look(masters: Option<&[Address]>, environment: &Environment) -> Vec<Finding> {
    let advertised = ["SPARK_MASTER_HOST", "SPARK_LOCAL_HOSTNAME", "SPARK_LOCAL_IP"];
    let mut findings = host::look(advertised.iter().find_map(|name| variable(environment, name)));
    let (conf, found) = configuration(environment);
    findings.extend(found);
    findings.extend(directories(&conf, environment).iter().map(directories::look));
    findings.extend(wanted_ports(environment).iter().map(ports::look));
    findings.push(python::look(variable(environment, "PYSPARK_PYTHON").unwrap_or("python3")));
    let (secret, found) = secret(&conf, environment, masters.is_some());
    findings.push(found);
    if let (Some(masters), Some(secret)) = (masters, secret) {
        findings.extend(cluster::look(masters, &secret));
    }
    findings
}

fn configuration(environment: &Environment) -> (SparkConf, Vec<Finding>) {
    const SUBJECT: &str = "properties";
    let of = |name: &str| environment.get(OsStr::new(name)).cloned();
    let Some(path) = defaults_file_path(of("SPARK_CONF_DIR"), of("SPARK_HOME")) else {
        let advice = "set SPARK_HOME or SPARK_CONF_DIR";
        return (SparkConf::new(), vec![Finding::warning(SUBJECT, "there is no configuration directory", advice)]);
    };
    let settings = match read_properties_file_if_there(&path) {
        Ok(settings) => settings,
        Err(error) => return (SparkConf::new(), vec![Finding::problem(SUBJECT, error_chain(&error), "mend the file")]),
    };
    let conf: SparkConf = settings.into_iter().collect();
    let master: MasterUrl = conf
        .get_raw("spark.master")
        .and_then(|master| master.parse().ok())
        .unwrap_or(MasterUrl::Standalone { masters: Vec::new() });
    let warnings: Vec<String> = conf.review(&master).iter().map(ToString::to_string).collect();
    let finding = match warnings.len() {
        0 => Finding::fine(SUBJECT, format!("{}: {} keys", path.display(), conf.get_all().count())),
        _ => Finding::warning(SUBJECT, format!("{}: {}", path.display(), warnings.join("; ")), "mend or remove these"),
    };
    (conf, vec![finding])
}

fn directories(conf: &SparkConf, environment: &Environment) -> Vec<directories::Wanted> {
    let home = variable(environment, "SPARK_HOME").map(PathBuf::from).or_else(|| env::current_dir().ok());
    let below = |name: &str, folder: &str| {
        variable(environment, name).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(folder)))
    };
    let wanted = |subject, path, set_by, executable| directories::Wanted { subject, path, set_by, executable };
    let pids = PathBuf::from(variable(environment, "SPARK_PID_DIR").unwrap_or("/tmp"));
    let mut all = vec![wanted("process ids", pids, "SPARK_PID_DIR", false)];
    all.extend(below("SPARK_LOG_DIR", "logs").map(|path| wanted("logs", path, "SPARK_LOG_DIR", false)));
    all.extend(below("SPARK_WORKER_DIR", "work").map(|path| wanted("work", path, "SPARK_WORKER_DIR", true)));
    let local = conf.local_dirs(|name| environment.get(OsStr::new(name)).cloned()).unwrap_or_default();
    all.extend(local.into_iter().map(|path| wanted("local data", path, "SPARK_LOCAL_DIRS or spark.local.dir", false)));
    all
}

fn wanted_ports(environment: &Environment) -> Vec<ports::Wanted> {
    let port =
        |name: &str, default: u16| variable(environment, name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let wanted = |port, what, goes_on| ports::Wanted { port, what, goes_on };
    let all = [
        wanted(port("SPARK_MASTER_PORT", MASTER_PORT), "master", true),
        wanted(port("SPARK_MASTER_WEBUI_PORT", 8080), "web UI of the master", true),
        wanted(port("SPARK_WORKER_PORT", 0), "worker", true),
        wanted(port("SPARK_WORKER_WEBUI_PORT", 8081), "web UI of a worker", true),
    ];
    // Any port will do.
    all.into_iter().filter(|wanted| wanted.port != 0).collect()
}

fn secret(conf: &SparkConf, environment: &Environment, needed: bool) -> (Option<Secret>, Finding) {
    const SUBJECT: &str = "secret";
    let of = |name: &str| environment.get(OsStr::new(name)).cloned();
    match conf.cluster_secret(of) {
        Ok(secret) => {
            let parsed = str::from_utf8(secret.bytes()).ok().and_then(|text| Secret::parse(text).ok());
            let where_ = conf.cluster_secret_file(of).map(|path| path.display().to_string()).unwrap_or_default();
            match parsed {
                Some(secret) => {
                    (Some(secret), Finding::fine(SUBJECT, format!("the cluster's secret is known ({where_})")))
                }
                None => (
                    None,
                    Finding::problem(SUBJECT, "the cluster's secret is no text of enough length", "make a new one"),
                ),
            }
        }
        Err(error) => {
            let found = error_chain(&error);
            // The first master makes it.
            let finding = if needed {
                Finding::problem(SUBJECT, found, "copy conf/cluster-secret from the master's machine")
            } else {
                Finding::warning(SUBJECT, found, "")
            };
            (None, finding)
        }
    }
}
