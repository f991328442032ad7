//! Real Spark 4.3, from the pyspark package, in a virtual environment that later runs find again.

#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

const PYSPARK: &str = "pyspark==4.3.0";

/// How long Spark may take for anything, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(240);

/// An installed pyspark.
pub struct Spark {
    environment: PathBuf,
    home: PathBuf,
}

impl Spark {
    /// The installation, made if it is not there.
    ///
    /// # Panics
    ///
    /// Where Spark cannot be had: a test that was not run must not look as if it had passed.
    pub fn find() -> Self {
        Self::install().unwrap_or_else(|error| panic!("no real Spark here: {error:#}"))
    }

    fn install() -> anyhow::Result<Self> {
        run(Command::new("java").arg("-version")).context("Spark needs Java 17")?;
        let environment = cache_directory()?.join(PYSPARK.replace("==", "-"));
        let parent = environment.parent().context("the cache directory has a parent")?;
        fs::create_dir_all(parent)?;
        // Tests run as several processes; one of them installs, the others wait for the lock.
        let lock = File::create(environment.with_extension("lock"))?;
        lock.lock()?;
        let complete = environment.join("complete");
        if !complete.exists() {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
            let pip = environment.join("bin/pip");
            run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", PYSPARK]))?;
            File::create(complete)?;
        }
        let python = environment.join("bin/python");
        let home =
            run(Command::new(python).args(["-c", "import pyspark, os; print(os.path.dirname(pyspark.__file__))"]))?;
        Ok(Self { environment, home: PathBuf::from(home.trim()) })
    }

    /// Runs a Python script and returns what it prints.
    pub fn python(&self, script: &Path, arguments: &[&Path]) -> anyhow::Result<String> {
        let mut command = Command::new(self.environment.join("bin/python"));
        command.arg(script).args(arguments);
        self.set_environment(&mut command);
        run(&mut command)
    }

    /// Starts the history server for the logs in this directory.
    pub fn history_server(&self, logs: &Path) -> anyhow::Result<HistoryServer> {
        HistoryServer::start(self, logs)
    }

    fn set_environment(&self, command: &mut Command) {
        command
            .env("SPARK_HOME", &self.home)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_PUBLIC_DNS", "127.0.0.1")
            .env("SPARK_DAEMON_MEMORY", "512m")
            .env("PYSPARK_PYTHON", self.environment.join("bin/python"))
            .env_remove("SPARK_CONF_DIR")
            .env_remove("SPARK_LOG_DIR");
    }
}

fn cache_directory() -> anyhow::Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(cache.join("firesteel-tests"))
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("could not run {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {errors}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// A running history server; killed when dropped.
pub struct HistoryServer {
    process: Child,
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl HistoryServer {
    fn start(spark: &Spark, logs: &Path) -> anyhow::Result<Self> {
        // Java itself, without the shell script before it, so that killing the process ends the server.
        let mut command = Command::new("java");
        let options = [
            ("spark.history.fs.logDirectory", format!("file:{}", logs.display())),
            ("spark.history.fs.update.interval", "1s".to_owned()),
            ("spark.history.ui.port", "0".to_owned()),
        ];
        command.arg("-Xmx512m").args(java_options());
        command.args(options.iter().map(|(key, value)| format!("-D{key}={value}")));
        command.arg("-cp").arg(spark.home.join("jars/*")).arg("org.apache.spark.deploy.history.HistoryServer");
        spark.set_environment(&mut command);
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("could not start the history server")?;
        let output = process.stderr.take().context("standard error is piped")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sender, port) = mpsc::channel();
        thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Some(port) = bound_port(&line) {
                        // Nobody waits any more if the start timed out.
                        let _ = sender.send(port);
                    }
                    log.lock().expect("no holder panics").push(line);
                }
            }
        });
        let mut server = Self { process, port: 0, log };
        server.port = port.recv_timeout(PATIENCE).with_context(|| format!("no port in time: {}", server.log()))?;
        Ok(server)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().expect("no holder panics").join("\n")
    }

    /// The answer to a path below `/api/v1`, once it is there and good.
    pub fn get(&self, path: &str, good: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(path);
            if let Ok(value) = &answer
                && good(value)
            {
                return answer;
            }
            if Instant::now() > deadline {
                bail!("{path} was at last {answer:?}; the server logged:\n{}", self.log());
            }
            // Between two looks; what is waited for is the condition above.
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn ask(&self, path: &str) -> anyhow::Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // HTTP/1.0, so that the answer comes in one piece and its end is the end of the connection.
        write!(stream, "GET /api/v1{path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no end of head")?;
        ensure!(head.lines().next().is_some_and(|line| line.contains(" 200 ")), "{head}\n{body}");
        Ok(serde_json::from_str(body)?)
    }
}

impl Drop for HistoryServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The port from the line that tells that the web server is up.
fn bound_port(line: &str) -> Option<u16> {
    let (_, address) = line.split_once("started at http://")?;
    address.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
}

/// What Spark's launcher gives every JVM from 17 on.
fn java_options() -> Vec<String> {
    let packages = [
        "java.lang",
        "java.lang.invoke",
        "java.lang.reflect",
        "java.io",
        "java.net",
        "java.nio",
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "sun.nio.ch",
        "sun.nio.cs",
        "sun.security.action",
        "sun.util.calendar",
    ];
    packages.iter().map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")).collect()
}
