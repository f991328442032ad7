//! The test application as a process, and everything that belongs to it.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use firesteel_e2e::{Gates, HOSTS_VARIABLE, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A running application. When it is dropped before it has finished, all its processes are killed.
pub struct Application {
    driver: Child,
    directory: TempDir,
    gates: Gates,
}

/// What an application left behind.
pub struct Finished {
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    directory: TempDir,
    pub gates: Gates,
}

/// How an application is to be started.
pub struct Start {
    scenario: String,
    settings: Vec<String>,
    binary: PathBuf,
    wrapper: Vec<String>,
    hosts: Option<u32>,
    directory: TempDir,
}

impl Start {
    pub fn new(scenario: &str, master: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        for name in ["gates", "scratch", "work"] {
            fs::create_dir(directory.path().join(name)).expect("a directory for the test");
        }
        let start = Self {
            scenario: scenario.to_owned(),
            settings: Vec::new(),
            binary: env!("CARGO_BIN_EXE_e2e-application").into(),
            wrapper: Vec::new(),
            hosts: None,
            directory,
        };
        let scratch = start.scratch().display().to_string();
        start
            .with("spark.master", master)
            .with("spark.app.name", scenario)
            .with("spark.local.dir", &scratch)
            .with("spark.ui.showConsoleProgress", "false")
    }

    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.push(format!("{key}={value}"));
        self
    }

    /// No task starts before every executor is there: executors ask whom to give copies to once a minute at most.
    pub fn complete(self) -> Self {
        self.with("spark.scheduler.minRegisteredResourcesRatio", "1.0")
            .with("spark.scheduler.maxRegisteredResourcesWaitingTime", "2min")
    }

    /// Another file to run in place of the application's own.
    pub fn binary(mut self, binary: PathBuf) -> Self {
        self.binary = binary;
        self
    }

    /// Executors are on so many hosts, in turn.
    pub fn hosts(mut self, hosts: u32) -> Self {
        self.hosts = Some(hosts);
        self
    }

    /// Writes a shell script and gives its path. Another process writes it: while this one has it open, a process that
    /// another test starts may have it open too, and then it cannot be run.
    pub fn script(&self, name: &str, body: &str) -> String {
        let path = self.directory.path().join(name);
        let mut writer = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let script = format!("#!/bin/sh\n{body}\n");
        writer.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("the shell reads");
        assert!(writer.wait().expect("the shell ends").success());
        path.display().to_string()
    }

    /// A command that gets the application's command line as its last arguments.
    pub fn through(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    pub fn scratch(&self) -> PathBuf {
        self.directory.path().join("scratch")
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn start(self) -> Application {
        let directory = self.directory;
        let path = |name: &str| directory.path().join(name);
        let mut words = self.wrapper;
        words.push(self.binary.display().to_string());
        let hosts = self.hosts.map(|hosts| (HOSTS_VARIABLE, hosts.to_string()));
        let driver = Command::new(&words[0])
            .args(&words[1..])
            .arg(&self.scenario)
            .arg(path("gates"))
            .args(&self.settings)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(hosts)
            // Executors inherit it: their logs are here, and it tells every process of this application from all others.
            .env("SPARK_WORKER_DIR", path("work"))
            .stdin(Stdio::null())
            .stdout(File::create(path("stdout")).expect("a file for the output"))
            .stderr(File::create(path("stderr")).expect("a file for the output"))
            .spawn()
            .expect("the application starts");
        let gates = Gates::in_directory(&path("gates"));
        Application { driver, directory, gates }
    }

    pub fn finish(self) -> Finished {
        self.start().finish()
    }
}

impl Application {
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    pub fn driver(&self) -> u32 {
        self.driver.id()
    }

    pub fn scratch(&self) -> PathBuf {
        self.directory.path().join("scratch")
    }

    /// Waits until somebody has come to a gate, and says which process it is.
    pub fn wait_for(&mut self, gate: &str) -> u32 {
        wait_until(&format!("{gate} to be reached"), || {
            if let Some(status) = self.driver.try_wait().expect("the driver is our child") {
                // It may have been reached at the very end.
                return Some(self.gates.arrived(gate).unwrap_or_else(|| panic!("{status} before {gate} was reached")));
            }
            self.gates.arrived(gate)
        })
    }

    /// Waits until the driver has printed this text on standard error.
    pub fn wait_for_stderr(&mut self, text: &str) {
        wait_until(&format!("{text:?} on standard error"), || {
            let status = self.driver.try_wait().expect("the driver is our child");
            let bytes = fs::read(self.directory.path().join("stderr")).expect("the output is in a file");
            let printed = String::from_utf8_lossy(&bytes).contains(text);
            assert!(printed || status.is_none(), "the driver ended without saying {text:?}");
            printed.then_some(())
        });
    }

    /// The executors' process ids, sorted.
    pub fn executors(&self) -> Vec<u32> {
        let driver = self.driver();
        processes_of(self.directory.path()).into_iter().filter(|&pid| pid != driver).collect()
    }

    /// What the driver has printed on standard error so far.
    pub fn driver_log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.path().join("stderr")).unwrap_or_default()).into_owned()
    }

    /// Everything that the executors have printed so far.
    pub fn executor_logs(&self) -> String {
        executor_logs(self.directory.path())
    }

    /// Waits for the application's end. Nothing may be left of it.
    pub fn finish(self) -> Finished {
        let finished = self.finish_untidily();
        assert_eq!(processes_of(finished.directory.path()), [] as [u32; 0], "processes are left\n{finished:?}");
        assert_eq!(files_below(&finished.scratch()), [] as [PathBuf; 0], "files are left\n{finished:?}");
        finished
    }

    /// Waits for the driver's end alone.
    pub fn finish_untidily(mut self) -> Finished {
        let status = wait_until("the application to end", || self.driver.try_wait().expect("the driver is our child"));
        let output = |name: &str| {
            let bytes = fs::read(self.directory.path().join(name)).expect("the output is in a file");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (stdout, stderr) = (output("stdout"), output("stderr"));
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().expect("a directory for the test"));
        Finished { status, stdout, stderr, directory, gates: self.gates.clone() }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        if matches!(self.driver.try_wait(), Ok(None)) {
            let _ = self.driver.kill();
            let _ = self.driver.wait();
            for name in ["stdout", "stderr"] {
                let bytes = fs::read(self.directory.path().join(name)).unwrap_or_default();
                eprintln!("--- {name} of the driver\n{}", String::from_utf8_lossy(&bytes));
            }
        }
        for pid in processes_of(self.directory.path()) {
            signal(pid, Signal::KILL);
        }
    }
}

impl Finished {
    /// It must have ended well and printed these lines after its application id.
    pub fn succeeded_with(&self, lines: &[&str]) -> &Self {
        assert_eq!(self.status.code(), Some(0), "{self:?}");
        assert_eq!(self.lines(), lines, "{self:?}");
        self
    }

    /// It must have ended with exit code 1 and all of these texts on standard error.
    pub fn failed_with(&self, texts: &[&str]) -> &Self {
        assert_eq!(self.status.code(), Some(1), "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "standard error does not have {text:?}: {self:?}");
        }
        self
    }

    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// What it printed, less the application id.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().skip(1).collect()
    }

    pub fn scratch(&self) -> PathBuf {
        self.directory.path().join("scratch")
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Everything that the executors printed.
    pub fn executor_logs(&self) -> String {
        executor_logs(self.directory.path())
    }
}

fn executor_logs(directory: &Path) -> String {
    let logs = files_below(&directory.join("work"));
    logs.iter().map(|path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()).collect()
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, stdout, stderr, .. } = self;
        let logs = self.executor_logs();
        write!(f, "{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n--- executors\n{logs}")
    }
}

pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("process ids are not 0");
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

pub fn is_alive(pid: u32) -> bool {
    // After the name, which may have anything in it but ends at the last parenthesis, comes the state.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Every process that was started with `directory` in its environment; zombies have none.
pub fn processes_of(directory: &Path) -> Vec<u32> {
    let wanted = format!("SPARK_WORKER_DIR={}", directory.join("work").display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc can be read").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may end while it is looked at.
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes()) && is_alive(pid) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}

/// Every file and empty directory below a directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    fn visit(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                let before = found.len();
                visit(&path, found)?;
                if found.len() == before {
                    found.push(path);
                }
            } else {
                found.push(path);
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    // What goes away while it is looked at is not there.
    let _ = visit(directory, &mut found);
    found.sort();
    found
}
