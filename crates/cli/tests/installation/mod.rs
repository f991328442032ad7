//! An installation for each test: the repository's scripts, the binary that cargo built, and an empty `conf/`, in a directory
//! whose name has a blank.

#![allow(dead_code, reason = "each test binary uses its part of this")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub use firesteel_testkit::{clean, link_or_copy};

pub struct Installation {
    pub directory: tempfile::TempDir,
}

/// How a command ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    pub fn conf(&self, key: &str) -> Option<&str> {
        self.stdout.lines().find_map(|line| line.strip_prefix("conf ")?.strip_prefix(key)?.strip_prefix('='))
    }

    #[track_caller]
    pub fn has_line(&self, line: &str) {
        assert!(self.stdout.lines().any(|printed| printed == line), "no {line:?} in\n{}{}", self.stdout, self.stderr);
    }
}

impl Installation {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("spark home ").tempdir().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        fs::create_dir(directory.path().join("bin")).unwrap();
        fs::create_dir(directory.path().join("conf")).unwrap();
        for script in ["spark-submit", "run-example", "spark-class", "find-firesteel.sh"] {
            link_or_copy(&repository.join("bin").join(script), &directory.path().join("bin").join(script));
        }
        link_or_copy(Path::new(env!("CARGO_BIN_EXE_firesteel")), &directory.path().join("bin/firesteel"));
        Self { directory }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The application in this installation.
    pub fn application(&self) -> PathBuf {
        self.example("print_conf")
    }

    /// One of the examples that cargo built, under another name.
    pub fn example(&self, name: &str) -> PathBuf {
        let path = self.path(&format!("my {name}"));
        if !path.exists() {
            link_or_copy(&built_example(name), &path);
        }
        path
    }

    pub fn command(&self, script: &str) -> Command {
        clean(Command::new(self.path("bin").join(script)), self.directory.path())
    }

    pub fn submit(&self, options: &[&str], arguments: &[&str]) -> Ended {
        self.command("spark-submit").args(options).arg(self.application()).args(arguments).output().unwrap().into()
    }

    pub fn run(&self, script: &str, words: &[&str]) -> Ended {
        self.command(script).args(words).output().unwrap().into()
    }
}

pub fn built_example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_firesteel")).parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing; run `cargo test -p firesteel-cli`, which builds it", path.display());
    path
}
