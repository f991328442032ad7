//! What is sent to a standalone cluster so that it runs the driver (SA-71, SS-82, AS-05, AS-06).
//!
//! Everything that can be wrong here is found here: what is missing, of the wrong kind, or cannot be read. Files of this machine go
//! along; what workers can fetch by themselves, or have (`local:`), is only named.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::File,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use firesteel_conf::{AUTH_SECRET_VARIABLE, Artifact, ArtifactLocation, Key, SparkConf, keys, spark_env::Environment};
use firesteel_messages::{DriverCommand, DriverFile, DriverResource};

use crate::{
    PrimaryResource, Refusal, Submission,
    application::{check_executable, is_foreign, refuse_what_is_not_built_in},
    artifacts, packages, python,
};

/// A driver that passed every check that can be made on the submitting machine.
#[derive(Debug)]
pub struct ClusterApplication {
    /// What the driver is started with.
    pub command: DriverCommand,
    /// Where its files are on this machine, in the order of the command.
    pub files: Vec<PathBuf>,
    /// The application's configuration, as it was resolved.
    pub conf: SparkConf,
    /// What people call the driver: the main class, or the program's file.
    pub name: String,
}

/// The lists of files of an application.
static LISTS: [&Key<Vec<String>>; 4] = [&keys::FILES, &keys::ARCHIVES, &keys::JARS, &keys::SUBMIT_PY_FILES];

/// Settings that name something of this machine, and would name something else on a worker's. The driver gets the worker's.
const OF_THIS_MACHINE: [&str; 3] = ["spark.driver.host", "spark.driver.bindAddress", "spark.deploy.secret.file"];

/// Variables whose beginnings say that they are Spark's (SS-95), and those that go with a Python program.
const SENT: [&str; 2] = ["SPARK_", "PYSPARK_"];
/// Of them, those that say where things are on this machine, or are for its daemons.
const NOT_SENT: [&str; 13] = [
    "SPARK_HOME",
    "SPARK_CONF_DIR",
    "SPARK_ENV_LOADED",
    "SPARK_LOCAL_IP",
    "SPARK_LOCAL_HOSTNAME",
    "SPARK_LOCAL_DIRS",
    "SPARK_LOG_DIR",
    "SPARK_PID_DIR",
    "SPARK_SSH_OPTS",
    "SPARK_IDENT_STRING",
    "SPARK_NICENESS",
    "PYSPARK_DRIVER_PYTHON_OPTS",
    "PYSPARK_SUBMIT_ARGS",
];
const NOT_SENT_FAMILIES: [&str; 4] = ["SPARK_MASTER_", "SPARK_WORKER_", "SPARK_DAEMON_", "PYSPARK_GATEWAY_"];

/// Names in a driver's directory that its output has.
const OUTPUT: [&str; 2] = ["stdout", "stderr"];

impl ClusterApplication {
    /// Looks at the disk and refuses what cannot run. Relative paths are relative to `directory`. The second part of the result is more
    /// lines for the user.
    pub fn prepare(
        mut submission: Submission,
        environment: &Environment,
        directory: &Path,
    ) -> Result<(Self, Vec<String>), Refusal> {
        refuse_what_is_not_built_in(&submission, directory)?;
        let origin = submission.origins.get(packages::KEY).copied();
        let mut warnings: Vec<String> = packages::check(&submission.conf, origin)?.into_iter().collect();
        artifacts::resolve(&mut submission.conf, directory, &mut warnings)?;
        let mut files = Files::default();
        let resource = resource(&submission.resource, directory, &mut files, &mut warnings)?;
        let mut conf = submission.conf;
        for list in LISTS {
            let elements = conf.get(list).map_err(|error| Refusal::Conf(error.into()))?;
            if elements.is_empty() {
                continue;
            }
            let sent = elements.iter().map(|element| files.element(list.name(), element));
            conf.set(list.name(), sent.collect::<Result<Vec<_>, _>>()?.join(","));
        }
        let sent = conf.get_all().filter(|(key, _)| !OF_THIS_MACHINE.contains(key));
        let command = DriverCommand {
            resource,
            main_class: submission.main_class.clone(),
            arguments: submission.application_arguments.iter().map(|word| word.as_bytes().to_vec()).collect(),
            conf: sent.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            environment: sent_variables(environment),
            files: files.files,
        };
        let name = submission.main_class.unwrap_or_else(|| submission.resource.text().to_owned());
        Ok((Self { command, files: files.paths, conf, name }, warnings))
    }
}

/// The program: what of it goes along, and how the driver's machine finds the rest.
fn resource(
    resource: &PrimaryResource,
    directory: &Path,
    files: &mut Files,
    warnings: &mut Vec<String>,
) -> Result<DriverResource, Refusal> {
    let (PrimaryResource::Native(text) | PrimaryResource::Python(text)) = resource else {
        // All others are refused by now.
        return Ok(DriverResource::Examples);
    };
    let is_python = matches!(resource, PrimaryResource::Python(_));
    let place = match located(text, directory) {
        Artifact { location: ArtifactLocation::File(path), .. } => {
            if is_python {
                python::check_program(&path)?;
            } else {
                check_executable(&path, &path)?;
                if is_foreign(&path) {
                    warnings.push(format!(
                        "{} is not built on the crate firesteel: it is run, but knows nothing of what spark-submit was told",
                        path.display()
                    ));
                }
            }
            files.add(text, path)?
        }
        elsewhere => elsewhere.to_string(),
    };
    Ok(if is_python { DriverResource::Python(place) } else { DriverResource::Native(place) })
}

/// Where a program is. A path may hold characters that mean something in a URI, so one that exists is taken as it is.
fn located(text: &str, directory: &Path) -> Artifact {
    let here = |path: PathBuf| Artifact { location: ArtifactLocation::File(path), alias: None };
    let as_it_is = directory.join(text);
    if as_it_is.exists() {
        return here(as_it_is);
    }
    match text.parse() {
        Ok(Artifact { location: ArtifactLocation::File(path), .. }) => here(directory.join(path)),
        Ok(elsewhere) => elsewhere,
        Err(_) => here(as_it_is),
    }
}

/// What goes along.
#[derive(Default)]
struct Files {
    paths: Vec<PathBuf>,
    files: Vec<DriverFile>,
    names: BTreeSet<String>,
}

impl Files {
    /// What stands for an element of a list where the driver runs.
    fn element(&mut self, key: &'static str, element: &str) -> Result<String, Refusal> {
        let artifact: Artifact = element.parse().map_err(|source| Refusal::Artifact { key, source })?;
        let ArtifactLocation::File(path) = artifact.location else { return Ok(element.to_owned()) };
        let uri = self.add(element, path)?;
        Ok(artifact.alias.map_or(uri.clone(), |alias| format!("{uri}#{alias}")))
    }

    /// Takes a file along, once. It keeps its name, in a directory of its own if another file has that already.
    fn add(&mut self, named: &str, path: PathBuf) -> Result<String, Refusal> {
        if let Some(number) = self.paths.iter().position(|known| *known == path) {
            return Ok(DriverCommand::file_uri(number));
        }
        let refused = |why: String| Refusal::Upload { file: named.to_owned(), why };
        let name = path.file_name().and_then(OsStr::to_str);
        let name = name.ok_or_else(|| refused("its name is not UTF-8".to_owned()))?.to_owned();
        let (length, digest) = content(&path).map_err(|error| refused(error.to_string()))?;
        let number = self.files.len();
        let is_free = !OUTPUT.iter().any(|output| name.starts_with(output)) && self.names.insert(name.clone());
        let path_there = if is_free { name } else { format!("{number}/{name}") };
        // A file may be called as the directory of another one.
        self.names.insert(number.to_string());
        self.files.push(DriverFile { path: path_there, length, digest });
        self.paths.push(path);
        Ok(DriverCommand::file_uri(number))
    }
}

fn content(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((hasher.count(), *hasher.finalize().as_bytes()))
}

fn sent_variables(environment: &Environment) -> Vec<(String, String)> {
    let is_sent = |name: &str| {
        SENT.iter().any(|start| name.starts_with(start))
            && !NOT_SENT.contains(&name)
            && !NOT_SENT_FAMILIES.iter().any(|start| name.starts_with(start))
            && name != AUTH_SECRET_VARIABLE
    };
    let texts = environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    texts.filter(|(name, _)| is_sent(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, fs};

    use super::*;
    use crate::{Action, Arguments, Defaults, Launcher, resolve};

    fn prepare(directory: &Path, words: &[&str]) -> Result<(ClusterApplication, Vec<String>), String> {
        let words = ["--master", "spark://m:7077", "--deploy-mode", "cluster"].iter().chain(words);
        let words: Vec<OsString> = words.map(OsString::from).collect();
        let variables = [
            ("SPARK_USER", "ada"),
            ("PYSPARK_PYTHON", "python3"),
            ("SPARK_HOME", "/spark"),
            ("SPARK_WORKER_DIR", "/work"),
            ("_SPARK_AUTH_SECRET", "hush"),
            ("PATH", "/bin"),
        ];
        let environment: Environment = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let parsed = Arguments::parse(Launcher::SparkSubmit, &words).unwrap();
        let action = resolve(Launcher::SparkSubmit, parsed, &environment, &Defaults::default(), 0);
        let Action::Run(submission) = action.unwrap() else { panic!("it is to be run") };
        ClusterApplication::prepare(*submission, &environment, directory).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn files_of_this_machine_go_along_once_and_keep_their_names() {
        let root = tempfile::tempdir().unwrap();
        for name in ["app.py", "one/m.py", "two/m.py", "stdout.txt"] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let files = "stdout.txt#alias,app.py,two/m.py,hdfs://h/x,local:///y";
        let words = ["--py-files", "one/m.py", "--files", files, "--conf", "spark.driver.host=here", "app.py", "a b"];
        let (application, warnings) = prepare(root.path(), &words).unwrap();
        assert_eq!(warnings, Vec::<String>::new());
        let command = &application.command;
        let placed: Vec<&str> = command.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(placed, ["app.py", "1/stdout.txt", "m.py", "3/m.py"]);
        assert_eq!((command.files[0].length, command.files[0].digest), (6, *blake3::hash(b"app.py").as_bytes()));
        assert_eq!(application.files.len(), 4);
        assert_eq!(command.resource, DriverResource::Python(DriverCommand::file_uri(0)));
        let conf: SparkConf = command.conf.iter().cloned().collect();
        let uri = DriverCommand::file_uri;
        let listed = format!("{}#alias,{},{},hdfs://h/x,local:///y", uri(1), uri(0), uri(2));
        assert_eq!(conf.get_raw("spark.files"), Some(listed.as_str()));
        assert_eq!(conf.get_raw("spark.submit.pyFiles"), Some(uri(3).as_str()));
        assert_eq!(
            (conf.get_raw("spark.driver.host"), conf.get_raw("spark.submit.deployMode")),
            (None, Some("cluster"))
        );
        assert_eq!(command.arguments, [b"a b".to_vec()]);
        let names: Vec<&str> = command.environment.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PYSPARK_PYTHON", "SPARK_USER"]);
    }

    #[test]
    fn what_workers_have_or_fetch_is_only_named_and_what_is_missing_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for text in ["local:///opt/app.py", "hdfs://h/app.py"] {
            let (application, _) = prepare(root.path(), &[text]).unwrap();
            assert_eq!(application.command.resource, DriverResource::Python(text.to_owned()));
            assert!(application.files.is_empty());
        }
        assert!(prepare(root.path(), &["app.py"]).unwrap_err().contains("there is no such file"));
        assert!(prepare(root.path(), &["--files", "x", "local:/a.py"]).unwrap_err().contains("does not exist"));
        assert!(prepare(root.path(), &["app.jar"]).unwrap_err().contains("JVM application"));
        fs::write(root.path().join("text"), "text").unwrap();
        assert!(prepare(root.path(), &["text"]).unwrap_err().contains("it is not an executable"));
    }
}
