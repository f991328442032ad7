//! Python programs: an application of ours runs them.

use std::{ffi::OsString, path::Path};

use firesteel_conf::{Artifact, ArtifactLocation, SparkConf};

use crate::{PrimaryResource, Refusal};

/// Spark's names of what runs a program, and of what serves one that runs already.
const RUNNER: &str = "org.apache.spark.deploy.PythonRunner";
const GATEWAY_SERVER: &str = "org.apache.spark.api.python.PythonGatewayServer";

const PY_FILES: &str = "spark.submit.pyFiles";
const FILES: &str = "spark.files";

/// How a Python program is run.
pub(crate) struct PythonApplication {
    /// By which class of the driver of Python programs.
    pub(crate) class: String,
    /// The program, if that is not the parent process.
    pub(crate) program: Option<OsString>,
}

/// None if the resource is no Python program.
pub(crate) fn of(resource: &PrimaryResource, directory: &Path) -> Result<Option<PythonApplication>, Refusal> {
    match resource {
        PrimaryResource::PySparkShell => {
            Ok(Some(PythonApplication { class: GATEWAY_SERVER.to_owned(), program: None }))
        }
        PrimaryResource::Python(name) => {
            let program = program(name, directory)?;
            Ok(Some(PythonApplication { class: RUNNER.to_owned(), program: Some(program) }))
        }
        _ => Ok(None),
    }
}

/// The path of the program, which must be on this machine.
fn program(name: &str, directory: &Path) -> Result<OsString, Refusal> {
    // A path may hold characters that mean something in a URI, so one that exists is taken as it is.
    let path = if directory.join(name).exists() {
        directory.join(name)
    } else {
        match name.parse::<Artifact>() {
            Ok(Artifact { location: ArtifactLocation::Remote(url), .. }) => {
                return Err(Refusal::NotBuiltIn { what: format!("fetching a Python program ({url})") });
            }
            Ok(Artifact { location: ArtifactLocation::File(path) | ArtifactLocation::Local(path), .. }) => {
                directory.join(path)
            }
            Err(_) => directory.join(name),
        }
    };
    check_program(&path)?;
    Ok(path.into_os_string())
}

/// Refuses a program that is no file of this machine.
pub(crate) fn check_program(path: &Path) -> Result<(), Refusal> {
    if path.is_file() {
        return Ok(());
    }
    let why = if path.exists() { "it is not a file" } else { "there is no such file" };
    Err(Refusal::Application { path: path.to_owned(), why: why.to_owned() })
}

/// Workers find modules among the application's files.
pub(crate) fn ship_files(conf: &mut SparkConf) {
    let lists = [FILES, PY_FILES].map(|key| conf.get_raw(key).unwrap_or_default().to_owned());
    let mut files: Vec<&str> = Vec::new();
    for file in lists.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|file| !file.is_empty()) {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let files = files.join(",");
    let modules: Vec<String> =
        lists[1].split(',').map(str::trim).filter(|file| !file.is_empty()).map(plain_path).collect();
    conf.set(FILES, files);
    if conf.contains(PY_FILES) {
        conf.set(PY_FILES, modules.join(","));
    }
}

/// PySpark takes the names of its modules from this list and decodes nothing, so a file of this machine stands there as Spark has it: as
/// its path. One with a comma in it stays a URI, as it would be two.
fn plain_path(file: &str) -> String {
    let artifact: Option<Artifact> = file.parse().ok();
    let path = artifact.as_ref().and_then(Artifact::path).and_then(Path::to_str);
    path.filter(|path| path.starts_with('/') && !path.contains(',') && path.trim() == *path).unwrap_or(file).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_shipped_with_the_files() {
        let mut conf = SparkConf::new();
        conf.set(FILES, "file:/a").set(PY_FILES, "file:/m.py, file:/a,");
        ship_files(&mut conf);
        assert_eq!(conf.get_raw(FILES), Some("file:/a,file:/m.py"));
        assert_eq!(conf.get_raw(PY_FILES), Some("/m.py,/a"));
    }

    #[test]
    fn pyspark_gets_paths_of_modules_and_no_uris() {
        let mut conf = SparkConf::new();
        conf.set(
            PY_FILES,
            "file:/d/sp%20ace.zip,file:/d/%C3%BCn%C3%AF.zip,file:/d/pk%252.egg,file:/a%2Cb.py,hdfs://h/x.py",
        );
        ship_files(&mut conf);
        let expected = "/d/sp ace.zip,/d/ünï.zip,/d/pk%2.egg,file:/a%2Cb.py,hdfs://h/x.py";
        assert_eq!(conf.get_raw(PY_FILES), Some(expected));
        assert!(conf.get_raw(FILES).unwrap().starts_with("file:/d/sp%20ace.zip,"));
    }
}
