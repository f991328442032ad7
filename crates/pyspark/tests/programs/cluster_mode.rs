//! Programs whose driver a standalone cluster runs (SA-71, AS-05…07, AS-14): a real master, real workers, and real PySpark.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use firesteel_testkit::{ServerProcess, built_binary, free_port};

use crate::{
    assert_ok,
    installation::{Ended, Installation, place_of},
};

/// Longer than anything takes, even on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);
const WAIT: [&str; 2] = ["--conf", "spark.standalone.submit.waitAppCompletion=true"];
const MASTER: &str = "org.apache.spark.deploy.master.Master";
const WORKER: &str = "org.apache.spark.deploy.worker.Worker";

static EXAMPLES: LazyLock<PathBuf> = LazyLock::new(|| {
    let tested = Path::new(env!("CARGO_BIN_EXE_firesteel-pyspark"));
    built_binary("firesteel-examples", "firesteel-examples", env!("CARGO_PKG_NAME"), tested).unwrap()
});

/// A master and workers. They end with the value.
pub(crate) struct Cluster {
    pub(crate) installation: Installation,
    port: u16,
    master: ServerProcess,
    workers: Vec<ServerProcess>,
}

fn daemon(installation: &Installation, class: &str, words: &[&str], variables: &[(&str, &str)]) -> ServerProcess {
    let mut command = installation.clean(installation.path("bin/firesteel"));
    command.args(["spark-class", class]).args(words).env("SPARK_HOME", installation.path(""));
    command.env("SPARK_CONF_DIR", installation.path("conf")).envs(variables.iter().copied());
    let name = words.join(" ");
    let directory = installation.path(&format!("daemons/{class}-{}", name.len()));
    fs::create_dir_all(&directory).unwrap();
    ServerProcess::spawn(class, &command, &directory).unwrap()
}

impl Cluster {
    /// With so many workers of two cores each.
    pub(crate) fn start(workers: usize, defaults: &str) -> Self {
        let installation = Installation::new();
        installation.write("conf/spark-defaults.conf", defaults);
        let port = free_port().unwrap();
        let text = port.to_string();
        let mut master = daemon(&installation, MASTER, &["--host", "127.0.0.1", "--port", &text], &[]);
        master.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok()).unwrap();
        let mut this = Self { installation, port, master, workers: Vec::new() };
        for number in 0..workers {
            this.add_worker(number);
        }
        this
    }

    fn add_worker(&mut self, number: usize) {
        let work = self.work(number);
        let url = self.url();
        let words =
            ["--host", "127.0.0.1", "--cores", "2", "--memory", "3g", "--work-dir", work.to_str().unwrap(), &url];
        self.workers.push(daemon(&self.installation, WORKER, &words, &[]));
    }

    /// A work directory; the length of its name tells the workers' logs apart.
    fn work(&self, number: usize) -> PathBuf {
        self.installation.path(&format!("work{}", "-".repeat(number)))
    }

    pub(crate) fn url(&self) -> String {
        format!("spark://127.0.0.1:{}", self.port)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.installation.clean(self.installation.path("bin/spark-submit"));
        command.args(words).env("SPARK_CONF_DIR", self.installation.path("conf"));
        command.env("SPARK_TEST_VARIABLE", "sent");
        command
    }

    fn submit(&self, words: &[&str]) -> Ended {
        let url = self.url();
        let words: Vec<&str> = ["--master", &url, "--deploy-mode", "cluster"].iter().chain(words).copied().collect();
        self.command(&words).output().unwrap().into()
    }

    fn about(&self, option: &str, id: &str) -> Ended {
        self.command(&["--master", &self.url(), option, id]).output().unwrap().into()
    }

    /// The directory of a driver, on whichever worker it is; none if no worker has it yet.
    fn directory_of(&self, id: &str) -> Option<PathBuf> {
        let directories: Vec<PathBuf> =
            (0..self.workers.len()).map(|number| self.work(number).join(id)).filter(|path| path.exists()).collect();
        assert!(directories.len() <= 1, "{id} is in {directories:?}");
        directories.into_iter().next()
    }

    fn output_of(&self, id: &str) -> [String; 2] {
        let directory = self.directory_of(id).unwrap_or_default();
        ["stdout", "stderr"].map(|name| fs::read_to_string(directory.join(name)).unwrap_or_default())
    }

    /// How many submissions have files at the master.
    fn kept(&self) -> usize {
        let path = self.installation.path(&format!("artifacts/127.0.0.1-{}", self.port));
        fs::read_dir(path).map_or(0, Iterator::count)
    }
}

/// The driver's id, which was printed.
fn id_of(ended: &Ended) -> String {
    let (_, rest) =
        ended.stderr.split_once("Driver successfully submitted as ").unwrap_or_else(|| panic!("{}", ended.stderr));
    rest.split_whitespace().next().unwrap().to_owned()
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_python_program_runs_on_a_worker_with_its_files_and_its_exit_code_is_told() {
    let cluster = Cluster::start(2, "spark.extra.password swordfish\n");
    let module = cluster.installation.write("elsewhere/shipped.py", "def triple(n):\n    return 3 * n\n");
    let file = cluster.installation.write("elsewhere/stdout", "shipped");
    let script = place_of("cluster_mode.py");
    let (module, file) = (module.to_str().unwrap(), format!("{}#alias.txt", file.display()));
    // The first master of the list is not there (AS-07).
    let url = format!("spark://127.0.0.1:{},127.0.0.1:{}", free_port().unwrap(), cluster.port);
    for code in ["0", "5"] {
        let words =
            [&["--master", &url, "--deploy-mode", "cluster", "--py-files", module, "--files", &file][..], &WAIT];
        let words: Vec<&str> = words.concat();
        let mut command = cluster.command(&words);
        let ended: Ended = command.arg(&script).args(["one word", "", code]).output().unwrap().into();
        let id = id_of(&ended);
        let [stdout, stderr] = cluster.output_of(&id);
        assert_eq!(ended.code, Some(code.parse().unwrap()), "{}{stdout}{stderr}", ended.stderr);
        assert_eq!(stdout.lines().last(), Some("all as expected"), "{stdout}{stderr}");
        let state = if code == "0" { "FINISHED" } else { "FAILED" };
        assert!(ended.stderr.contains(&format!("State of {id} is {state}")), "{}", ended.stderr);
        assert!(stderr.starts_with("Launch Command: \"spark-submit\""), "{stderr}");
        assert!(!stderr.contains("swordfish"), "{stderr}");
    }
    until("the end of the files at the master", || cluster.kept() == 0);
}

#[test]
fn a_native_program_runs_on_a_worker() {
    let cluster = Cluster::start(2, "");
    let program = EXAMPLES.to_str().unwrap();
    let words = [&WAIT[..], &["--class", "org.apache.spark.examples.SparkPi", program, "10"]].concat();
    let ended = cluster.submit(&words);
    let [stdout, stderr] = cluster.output_of(&id_of(&ended));
    assert_eq!(ended.code, Some(0), "{}{stderr}", ended.stderr);
    assert!(stdout.contains("Pi is roughly 3."), "{stdout}{stderr}");
}

#[test]
fn a_driver_is_asked_for_and_killed() {
    let cluster = Cluster::start(1, "");
    let script = place_of("waits.py");
    let ended = cluster.submit(&[script.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let id = id_of(&ended);
    assert!(ended.stderr.contains(&format!("State of {id} is RUNNING")), "{}", ended.stderr);
    until("its output", || cluster.output_of(&id)[0].contains("ready"));
    let status = cluster.about("--status", &id);
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    for part in [
        "SubmissionStatusResponse",
        "\"driverState\": \"RUNNING\"",
        "\"workerHostPort\": \"127.0.0.1:",
        "\"success\": true",
    ] {
        assert!(status.stderr.contains(part), "{part}: {}", status.stderr);
    }
    let killed = cluster.about("--kill", &id);
    assert_eq!(killed.code, Some(0), "{}", killed.stderr);
    assert!(killed.stderr.contains(&format!("Kill request for {id} submitted")), "{}", killed.stderr);
    until("its end", || cluster.about("--status", &id).stderr.contains("\"driverState\": \"KILLED\""));
    for option in ["--kill", "--status"] {
        let unknown = cluster.about(option, "driver-20000101000000-0000");
        assert_eq!(unknown.code, Some(1), "{}", unknown.stderr);
        assert!(unknown.stderr.contains("\"success\": false"), "{}", unknown.stderr);
    }
}

#[test]
fn a_supervised_driver_is_started_again_and_one_that_cannot_start_is_an_error() {
    let cluster = Cluster::start(1, "");
    let script = place_of("dies_once.py");
    let words = [&WAIT[..], &["--supervise", script.to_str().unwrap()]].concat();
    let ended = cluster.submit(&words);
    let id = id_of(&ended);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(cluster.output_of(&id)[0].contains("all as expected"));

    let words = [&WAIT[..], &["--supervise", "local:/nowhere/program.py"]].concat();
    let ended = cluster.submit(&words);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("is ERROR\ncannot run /nowhere/program.py: there is no such file"),
        "{}",
        ended.stderr
    );
}

/// The most memory that a process has held, in KiB.
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn files_that_are_too_large_are_refused_and_large_ones_pass_through_little_memory() {
    let cluster = Cluster::start(1, "spark.deploy.artifacts.maxSize 100m\n");
    let script = place_of("dies_once.py");
    let large = cluster.installation.path("large");
    let sized = |mib: u64| fs::File::create(&large).unwrap().set_len(mib << 20).unwrap();
    sized(101);
    let words = ["--files", large.to_str().unwrap(), script.to_str().unwrap()];
    let refused = cluster.submit(&words);
    assert_eq!(refused.code, Some(255), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("the master takes 100.0 MiB at most (spark.deploy.artifacts.maxSize"),
        "{}",
        refused.stderr
    );
    assert_eq!(cluster.kept(), 0);

    sized(99);
    let before = peak_kib(cluster.master.id());
    let ended = cluster.submit(&[&WAIT[..], &["--supervise"], &words].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let held = peak_kib(cluster.master.id()) - before;
    assert!(held < 32 << 10, "the master has held {held} KiB more than before");
    let kept = cluster.directory_of(&id_of(&ended)).unwrap().join("large");
    assert_eq!(fs::metadata(kept).unwrap().len(), 99 << 20);
}

#[test]
fn who_does_not_know_the_secret_is_refused() {
    let cluster = Cluster::start(0, "");
    let other = cluster.installation.path("other conf");
    fs::create_dir(&other).unwrap();
    let script = place_of("waits.py");
    let url = cluster.url();
    let words = ["--master", &url, "--deploy-mode", "cluster", script.to_str().unwrap()];
    let run =
        |words: &[&str]| -> Ended { cluster.command(words).env("SPARK_CONF_DIR", &other).output().unwrap().into() };
    let refused = run(&words);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("the cluster's secret is not known"), "{}", refused.stderr);
    let secret = ["--conf", "spark.authenticate.secret=another secret of some length"];
    for asked in [&words[..], &["--master", &url, "--kill", "driver-1"], &["--master", &url, "--status", "driver-1"]] {
        let refused = run(&[&secret[..], asked].concat());
        assert_ne!(refused.code, Some(0));
        assert!(refused.stderr.contains("secret") && !refused.stderr.contains("another secret"), "{}", refused.stderr);
    }
    assert_eq!(cluster.kept(), 0);
}

#[test]
fn the_same_program_works_in_client_mode() {
    let cluster = Cluster::start(1, "");
    let url = cluster.url();
    let mut command = cluster.command(&["--master", &url]);
    let ended: Ended = command.arg(place_of("rdd.py")).output().unwrap().into();
    assert_ok(&ended);
}
