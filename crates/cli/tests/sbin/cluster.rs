//! An installation with `sbin/`, and an `ssh` that runs what it is told on this machine.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use firesteel_testkit::{clean, free_port, link_or_copy};

use crate::installation::{Ended, Installation};

pub const MASTER: &str = "org.apache.spark.deploy.master.Master";
pub const WORKER: &str = "org.apache.spark.deploy.worker.Worker";

/// Takes its options off, writes down what it was called with, and runs the command with a fresh environment, as a login on another
/// host would. `unreachable` cannot be reached. If `meet` is there, it waits until as many hosts as that says have been called.
const SSH: &str = r#"#!/bin/bash
fake=${0%/*}/..
printf '%s\n' "$*" >>"$fake/ssh-calls"
while [ "${1#-}" != "$1" ]; do shift 2; done
host=$1
if [ "$host" = unreachable ]; then
    echo "ssh: connect to host unreachable port 22: No route to host" >&2
    exit 255
fi
if [ -f "$fake/meet" ]; then
    touch "$fake/called-$host"
    for ((look = 0; look < 6000; look++)); do
        [ "$(ls "$fake" | grep -c '^called-')" -ge "$(cat "$fake/meet")" ] && break
        sleep 0.01
    done
    [ $look -lt 6000 ] || exit 99
fi
command=$2
if [ -d "$fake/hosts" ]; then
    home=$(printf '%q' "$(cat "$fake/home")")
    command=${command//"$home"/"$(printf '%q' "$fake/hosts/$host")"}
fi
exec env -i PATH="$PATH" HOME="$HOME" USER=tester HOST_NAME="$host" bash -c "$command"
"#;

/// An installation whose daemons are ended with it.
pub struct Cluster {
    pub installation: Installation,
    pub port: u16,
}

impl Cluster {
    pub fn new() -> Self {
        let installation = Installation::new();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        fs::create_dir(installation.path("sbin")).unwrap();
        for script in fs::read_dir(repository.join("sbin")).unwrap() {
            let script = script.unwrap();
            link_or_copy(&script.path(), &installation.path("sbin").join(script.file_name()));
        }
        link_or_copy(&repository.join("bin/stop-all.sh"), &installation.path("bin/stop-all.sh"));
        let ssh = installation.write("fake/bin/ssh", SSH);
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        installation.write("fake/home", &installation.directory.path().display().to_string());
        let port = free_port().unwrap();
        let cluster = Self { installation, port };
        let of = |name| cluster.installation.path(name).display().to_string();
        let settings = format!(
            "SPARK_PID_DIR='{}'\nSPARK_LOG_DIR='{}'\nSPARK_WORKER_DIR='{}'\nSPARK_LOCAL_DIRS='{}'\n\
             SPARK_MASTER_HOST=127.0.0.1\nSPARK_MASTER_PORT={port}\nSPARK_LOCAL_IP=127.0.0.1\n\
             SPARK_MASTER_WEBUI_PORT=0\nSPARK_WORKER_WEBUI_PORT=0\nSPARK_WORKER_CORES=2\nSPARK_WORKER_MEMORY=1g\n",
            of("pids"),
            of("logs"),
            of("work"),
            of("local")
        );
        cluster.installation.write("conf/spark-env.sh", &settings);
        cluster
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.installation.path(path)
    }

    pub fn set(&self, line: &str) {
        let path = self.path("conf/spark-env.sh");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}{line}\n")).unwrap();
    }

    pub fn hosts(&self, text: &str) {
        self.installation.write("conf/workers", text);
    }

    pub fn command(&self, script: &str) -> Command {
        let mut command = clean(Command::new(self.path(script)), self.installation.directory.path());
        let path = format!("{}:{}", self.path("fake/bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("USER", "tester").stdin(Stdio::null());
        command
    }

    pub fn run(&self, script: &str, words: &[&str]) -> Ended {
        ended(self.command(script).args(words))
    }

    pub fn daemon(&self, words: &[&str]) -> Ended {
        self.run("sbin/spark-daemon.sh", words)
    }

    /// The file with a daemon's output, or that of one of its earlier runs.
    pub fn log(&self, class: &str, suffix: &str) -> PathBuf {
        let logs: Vec<PathBuf> = fs::read_dir(self.path("logs")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let is_wanted = |path: &&PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(&format!("spark-tester-{class}-1-")) && name.ends_with(&format!(".out{suffix}"))
        };
        logs.iter().find(is_wanted).unwrap_or_else(|| panic!("a log of {class} in {logs:?}")).clone()
    }

    pub fn pid(&self, class: &str) -> Option<u32> {
        let file = self.path("pids").join(format!("spark-tester-{class}-1.pid"));
        fs::read_to_string(file).ok().map(|text| text.trim().parse().unwrap())
    }

    /// What `ssh` was called with.
    pub fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("fake/ssh-calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

pub fn ended(command: &mut Command) -> Ended {
    let output: Output = command.output().unwrap();
    output.into()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Ok(files) = fs::read_dir(self.path("pids")) else { return };
        for file in files.flatten() {
            let Ok(text) = fs::read_to_string(file.path()) else { continue };
            let Ok(pid) = text.trim().parse::<i32>() else { continue };
            // Only if it is still the daemon that this test has started.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let own = self.installation.directory.path().as_os_str().as_encoded_bytes();
            if environment.windows(own.len()).any(|part| part == own) {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        }
    }
}
