//! Installing servers, once per machine, from the public registries.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// A server could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("neither XDG_CACHE_HOME nor HOME is set, so there is no cache directory")]
    NoCacheDirectory,
    /// A file or directory of the cache cannot be used.
    #[error("could not use {path} of the cache of test servers")]
    Cache {
        /// The file or directory.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// A tool is missing.
    #[error("could not run {command}; tests against real servers need it on the PATH")]
    Run {
        /// The command line.
        command: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// A tool failed.
    #[error("{command} failed with {status}:\n{output}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
}

/// Where test servers are kept.
const TEST_SERVERS: &str = "firesteel-tests";

/// A directory of the user's cache. It need not be there.
pub fn cache_directory(name: &str) -> Result<PathBuf, InstallError> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(base.ok_or(InstallError::NoCacheDirectory)?.join(name))
}

/// A Python environment with these packages, made by the first test that needs it. The name should carry the versions.
pub fn python_environment(name: &str, requirements: &[&str]) -> Result<PathBuf, InstallError> {
    install(name, |directory| {
        run(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
        let mut pip = Command::new(directory.join("bin/python"));
        run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(requirements))
    })
}

/// A directory with the jars of these `group:artifact:version` and of all that they need at run time, from Maven's repositories. The
/// name should carry the versions.
pub fn maven_jars(name: &str, artifacts: &[&str]) -> Result<PathBuf, InstallError> {
    install(name, |directory| {
        let pom = directory.join("pom.xml");
        fs::write(&pom, project(artifacts)).map_err(|source| InstallError::Cache { path: pom.clone(), source })?;
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "-Dstyle.color=never", "--file"]).arg(&pom);
        maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        run(maven.arg(format!("-DoutputDirectory={}", directory.display())))
    })
}

/// Makes a directory of the cache unless it is complete. One process at a time does so; what one that was ended has left is removed.
pub(crate) fn install(
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), InstallError>,
) -> Result<PathBuf, InstallError> {
    let cache = cache_directory(TEST_SERVERS)?;
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::Cache { path, source }
    };
    fs::create_dir_all(&cache).map_err(at(&cache))?;
    let lock_path = cache.join(format!("{name}.lock"));
    let lock = fs::File::create(&lock_path).map_err(at(&lock_path))?;
    lock.lock().map_err(at(&lock_path))?;
    let directory = cache.join(name);
    let complete = cache.join(format!("{name}.complete"));
    if complete.exists() && directory.is_dir() {
        return Ok(directory);
    }
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&directory)(error)),
        _ => {}
    }
    fs::create_dir_all(&directory).map_err(at(&directory))?;
    make(&directory)?;
    fs::write(&complete, b"").map_err(at(&complete))?;
    Ok(directory)
}

pub(crate) fn run(command: &mut Command) -> Result<(), InstallError> {
    /// The last lines are the ones that say what went wrong.
    const KEPT_CHARACTERS: usize = 4000;
    let line = format!("{command:?}");
    let output = command.output().map_err(|source| InstallError::Run { command: line.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let begin = text.char_indices().rev().nth(KEPT_CHARACTERS).map_or(0, |(index, _)| index);
    Err(InstallError::Failed { command: line, status: output.status, output: text[begin..].to_owned() })
}

fn project(artifacts: &[&str]) -> String {
    let dependencies: String = artifacts
        .iter()
        .map(|artifact| {
            let mut parts = artifact.split(':');
            let mut tag = |name| format!("<{name}>{}</{name}>", parts.next().unwrap_or_default());
            format!("<dependency>{}{}{}</dependency>\n", tag("groupId"), tag("artifactId"), tag("version"))
        })
        .collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n\
         <groupId>firesteel</groupId><artifactId>test-server</artifactId><version>1</version><packaging>pom</packaging>\n\
         <dependencies>\n{dependencies}</dependencies></project>\n"
    )
}
