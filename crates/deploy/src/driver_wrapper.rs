//! `org.apache.spark.deploy.worker.DriverWrapper`: what a worker starts in cluster deploy mode, and what then becomes the driver.
//!
//! It reads on its standard input what the driver is (nothing secret is among its arguments or variables), fetches the files of the
//! submission into its working directory, checks everything as `spark-submit` does, and executes the program. The socket that was its
//! standard input closes by that, which tells the worker; if it comes to nothing, the reason is said there instead.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd},
        unix::{
            ffi::OsStringExt,
            fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt},
            net::UnixStream,
        },
    },
    path::{Component, Path, PathBuf},
    time::Duration,
};

use firesteel_conf::{Artifact, ArtifactLocation, DeployMode, Key, MasterUrl, SparkConf, keys};
use firesteel_console::say;
use firesteel_local_dirs::DiskReserve;
use firesteel_master_client::{Leader, LeaderError};
use firesteel_messages::{DriverCommand, DriverFile, DriverLaunch, DriverResource};
use firesteel_model::error_chain;
use firesteel_rpc::{Address, Secret};
use firesteel_standalone::ArtifactsId;
use firesteel_submit::{Application, Download, Origin, PrimaryResource, Submission};
use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use tokio::time::{Instant, sleep};

use crate::{Environment, daemon::run_alone, masters::Masters, refusal::Refusal};

/// More than this is no driver's description.
const LONGEST_LAUNCH: u64 = 64 << 20;
/// How long a master is waited for that has the files: the one that has ordered the start may be succeeded meanwhile.
const MASTER_TIME_OUT: Duration = Duration::from_secs(60);
const MASTER_PAUSE: Duration = Duration::from_millis(500);

/// The lists of files of an application.
static LISTS: [&Key<Vec<String>>; 4] = [&keys::FILES, &keys::ARCHIVES, &keys::JARS, &keys::SUBMIT_PY_FILES];

/// Becomes the driver. Returns, with an exit code, only if that fails.
pub fn run(_words: &[OsString], environment: &Environment, download: Download<'_>) -> u8 {
    let mut input = match take_input() {
        Ok(input) => input,
        Err(error) => {
            say(format_args!("Error: {}", error_chain(&error)));
            return 1;
        }
    };
    let Err((reason, code)) = read(&mut input).and_then(|launch| become_driver(launch, environment, download));
    say(format_args!("Error: {reason}"));
    // The worker may be gone.
    let _ = input.write_all(reason.as_bytes());
    code
}

/// Why there is no driver, and the exit code that says so.
type Failure = (String, u8);

enum Never {}

fn failed(error: &dyn std::error::Error) -> Failure {
    (error_chain(error), 1)
}

/// Standard input, as what is executed does not inherit it.
fn take_input() -> Result<UnixStream, Refusal> {
    let refused = |error: io::Error| Refusal::Start(format!("standard input cannot be read: {error}"));
    let is_socket = fs::metadata("/proc/self/fd/0").is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket {
        return Err(Refusal::Usage("workers start this, for drivers in cluster deploy mode".to_owned()));
    }
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned().map_err(refused)?;
    Ok(socket.into())
}

fn read(input: &mut UnixStream) -> Result<DriverLaunch, Failure> {
    let mut sealed = Vec::new();
    input.take(LONGEST_LAUNCH).read_to_end(&mut sealed).map_err(|error| failed(&error))?;
    DriverLaunch::open(&sealed).map_err(|error| failed(&error))
}

fn become_driver(launch: DriverLaunch, environment: &Environment, download: Download<'_>) -> Result<Never, Failure> {
    let refused = |refusal: Refusal| failed(&refusal);
    let directory = env::current_dir().map_err(|error| failed(&error))?;
    fetch(&launch, &directory).map_err(refused)?;
    let (submission, environment) = submission(launch, environment, &directory, download).map_err(refused)?;
    let prepared = Application::prepare(submission, environment, &directory, download);
    let (application, warnings) = prepared.map_err(|refusal| (refusal.to_string(), refusal.exit_code()))?;
    warnings.iter().for_each(|warning| say(format_args!("Warning: {warning}")));
    let error = application.launch_without_input();
    let code = error.exit_code();
    Err((error_chain(&error), code))
}

/// Fetches what belongs to the driver and is not here yet: one that is started again finds it.
fn fetch(launch: &DriverLaunch, directory: &Path) -> Result<(), Refusal> {
    let DriverLaunch { command, artifacts, .. } = launch;
    let mut missing = Vec::new();
    for (number, file) in command.files.iter().enumerate() {
        let path = path_of(file, directory)?;
        if !is_same(&path, file) {
            missing.push((number as u32, file, path));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let Some(artifacts) = artifacts else {
        return Err(Refusal::Start("the submission names files and has brought none".to_owned()));
    };
    let addresses = launch.masters.iter().map(|master| master.parse::<Address>());
    let addresses = addresses.collect::<Result<_, _>>().map_err(|error| Refusal::Start(error_chain(&error)))?;
    let secret = Secret::parse(&launch.cluster_secret).map_err(|error| Refusal::Setting(error_chain(&error)))?;
    let (masters, id) = (Masters::new(addresses, secret), ArtifactsId(artifacts.clone()));
    run_alone(async {
        let mut leader = leader(&masters).await?;
        let mut reserve = DiskReserve::default();
        for (number, file, path) in missing {
            let fetched = fetch_file(&mut leader, &id, number, file, &path, &mut reserve).await;
            fetched.map_err(|error| Refusal::Start(error_chain(&error)))?;
            if !is_same(&path, file) {
                return Err(Refusal::Start(format!("{} is not what was submitted", path.display())));
            }
        }
        Ok(())
    })
}

async fn leader(masters: &Masters) -> Result<Leader, Refusal> {
    let deadline = Instant::now() + MASTER_TIME_OUT;
    loop {
        match masters.leader().await {
            Ok(leader) => return Ok(leader),
            Err(error) if Instant::now() >= deadline => {
                let reason = error_chain(&error);
                return Err(Refusal::Start(format!("the files of the submission cannot be fetched: {reason}")));
            }
            Err(_) => sleep(MASTER_PAUSE).await,
        }
    }
}

async fn fetch_file(
    leader: &mut Leader,
    id: &ArtifactsId,
    number: u32,
    file: &DriverFile,
    path: &Path,
    reserve: &mut DiskReserve,
) -> Result<(), LeaderError> {
    let failed = |source| LeaderError::File { file: path.display().to_string(), source };
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    }
    // An earlier start may have been killed at it.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut written = opened.map_err(failed)?;
    leader.fetch(id, number, file.length, |bytes| reserve.write_all(&mut written, bytes).map_err(failed)).await
}

/// The path comes from whoever has submitted, and may not lead out of the directory.
fn path_of(file: &DriverFile, directory: &Path) -> Result<PathBuf, Refusal> {
    let path = Path::new(&file.path);
    let plain = path.components().all(|component| matches!(component, Component::Normal(_)));
    if file.path.is_empty() || !plain {
        return Err(Refusal::Start(format!("{:?} is no place for a file of a driver", file.path)));
    }
    Ok(directory.join(path))
}

fn is_same(path: &Path, file: &DriverFile) -> bool {
    let Ok(opened) = File::open(path) else { return false };
    let is_file = opened.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == file.length);
    is_file
        && blake3::Hasher::new().update_reader(opened).is_ok_and(|hasher| *hasher.finalize().as_bytes() == file.digest)
}

/// What `spark-submit` would have made of it on this machine in client mode, save that the program can see that it is in a cluster.
fn submission(
    launch: DriverLaunch,
    environment: &Environment,
    directory: &Path,
    download: Download<'_>,
) -> Result<(Submission, Environment), Refusal> {
    let DriverLaunch { command, cluster_secret, host, .. } = launch;
    let mut conf: SparkConf = command.conf.iter().cloned().collect();
    place_lists(&mut conf, &command, directory)?;
    conf.set(keys::DRIVER_HOST.name(), host);
    let brings_secret =
        ["spark.authenticate.secret", "spark.authenticate.secret.file", "spark.authenticate.secret.driver.file"];
    if !brings_secret.iter().any(|key| conf.contains(key)) {
        let path = inherited_secret(&cluster_secret)
            .map_err(|error| Refusal::Start(format!("the cluster's secret cannot be handed over: {error}")))?;
        conf.set(keys::DEPLOY_SECRET_FILE.name(), path);
    }
    let resource = resource(&command, &conf, directory, download)?;
    let master: MasterUrl = conf.get(&keys::MASTER)?.unwrap_or(MasterUrl::LOCAL_ALL_CORES);
    // What the submitting machine has said about its settings is not said again.
    let origins = conf.get_all().map(|(key, _)| (key.to_owned(), Origin::PropertiesFile)).collect();
    let mut environment = environment.clone();
    environment.extend(command.environment.into_iter().map(|(name, value)| (name.into(), value.into())));
    let submission = Submission {
        master,
        deploy_mode: DeployMode::Cluster,
        resource,
        main_class: command.main_class,
        application_arguments: command.arguments.into_iter().map(OsString::from_vec).collect(),
        conf,
        origins,
        proxy_user: None,
        warnings: Vec::new(),
        verbose: false,
    };
    Ok((submission, environment))
}

/// Files of the submitting machine are files of this one now.
fn place_lists(conf: &mut SparkConf, command: &DriverCommand, directory: &Path) -> Result<(), Refusal> {
    for list in LISTS {
        let elements = conf.get(list)?;
        if elements.is_empty() {
            continue;
        }
        let placed = elements.iter().map(|element| {
            let (uri, alias) =
                element.split_once('#').map_or((element.as_str(), None), |(uri, alias)| (uri, Some(alias)));
            let Some(file) = command.file_of(uri) else { return Ok(element.clone()) };
            let location = ArtifactLocation::File(path_of(file, directory)?);
            Ok(Artifact { location, alias: alias.map(str::to_owned) }.to_string())
        });
        let placed = placed.collect::<Result<Vec<_>, Refusal>>()?.join(",");
        conf.set(list.name(), placed);
    }
    Ok(())
}

fn resource(
    command: &DriverCommand,
    conf: &SparkConf,
    directory: &Path,
    download: Download<'_>,
) -> Result<PrimaryResource, Refusal> {
    let here = |path: PathBuf| Artifact { location: ArtifactLocation::File(path), alias: None }.to_string();
    Ok(match &command.resource {
        DriverResource::Examples => PrimaryResource::Examples,
        DriverResource::Native(uri) => match command.file_of(uri) {
            Some(file) => {
                let path = path_of(file, directory)?;
                fs::set_permissions(&path, Permissions::from_mode(0o700))
                    .map_err(|error| Refusal::Start(format!("{}: {error}", path.display())))?;
                PrimaryResource::Native(here(path))
            }
            None => PrimaryResource::Native(uri.clone()),
        },
        DriverResource::Python(uri) => match (command.file_of(uri), uri.parse()) {
            (Some(file), _) => PrimaryResource::Python(here(path_of(file, directory)?)),
            (None, Ok(Artifact { location: ArtifactLocation::Remote(url), .. })) => {
                PrimaryResource::Python(here(fetched_program(&url, conf, directory, download)?))
            }
            (None, _) => PrimaryResource::Python(uri.clone()),
        },
    })
}

/// Fetches a Python program that workers can reach (SS-82).
fn fetched_program(url: &str, conf: &SparkConf, directory: &Path, download: Download<'_>) -> Result<PathBuf, Refusal> {
    let name = Artifact { location: ArtifactLocation::Remote(url.to_owned()), alias: None }.name();
    let name = name.split(['?', '#']).next().unwrap_or_default();
    let path = directory.join(if Path::new(name).file_name() == Some(OsStr::new(name)) { name } else { "program.py" });
    let failed = |error: &dyn std::fmt::Display| {
        let url = firesteel_model::url_without_secrets(url);
        Refusal::Start(format!("could not fetch the application {url}: {error}"))
    };
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let mut file = opened.map_err(|error| failed(&error))?;
    download(url, conf, &mut file).map_err(|error| failed(&error_chain(&*error)))?;
    Ok(path)
}

/// The cluster's secret as a file that only this process and those that it starts can open: the driver proves it to the masters.
fn inherited_secret(secret: &str) -> io::Result<String> {
    let mut file = File::from(memfd_create("cluster-secret", MemfdFlags::empty())?);
    fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    file.write_all(secret.as_bytes())?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // The driver inherits it.
    let _ = file.into_raw_fd();
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(path: &str, list: &str) -> DriverCommand {
        DriverCommand {
            resource: DriverResource::Python(DriverCommand::file_uri(0)),
            main_class: None,
            arguments: Vec::new(),
            conf: vec![
                ("spark.files".to_owned(), list.to_owned()),
                ("spark.master".to_owned(), "spark://m:1".to_owned()),
            ],
            environment: vec![("SPARK_X".to_owned(), "1".to_owned())],
            files: vec![DriverFile { path: path.to_owned(), length: 0, digest: *blake3::hash(b"").as_bytes() }],
        }
    }

    fn submission_of(command: DriverCommand) -> Result<(Submission, Environment), Refusal> {
        let cluster_secret = "a secret of some length".to_owned();
        let masters = vec!["m:1".to_owned()];
        let launch = DriverLaunch { command, artifacts: None, masters, cluster_secret, host: "worker".to_owned() };
        submission(launch, &Environment::new(), Path::new("/d"), &|_, _, _| unreachable!("nothing is remote"))
    }

    #[test]
    fn files_of_the_submission_become_files_of_the_drivers_directory() {
        let list = format!("{}#x,hdfs://h/b,local:/c", DriverCommand::file_uri(0));
        let (submission, environment) = submission_of(command("0/a b.py", &list)).unwrap();
        assert_eq!(submission.conf.get_raw("spark.files"), Some("file:///d/0/a%20b.py#x,hdfs://h/b,local:/c"));
        assert_eq!(submission.resource, PrimaryResource::Python("file:///d/0/a%20b.py".to_owned()));
        assert_eq!(submission.conf.get_raw("spark.driver.host"), Some("worker"));
        assert_eq!(environment.get(OsStr::new("SPARK_X")), Some(&"1".into()));
        let secret = submission.conf.cluster_secret(|_| None).unwrap();
        assert_eq!(secret.bytes(), b"a secret of some length");
        assert!(!submission.describe().contains("of some length"));
    }

    #[test]
    fn a_file_that_leads_elsewhere_is_refused() {
        for path in ["", "/etc/passwd", "../x", "a/../../x"] {
            let refused = submission_of(command(path, "")).err().map(|refusal| refusal.to_string());
            assert!(refused.is_some_and(|refused| refused.contains("is no place for a file")), "{path}");
        }
    }

    #[test]
    fn what_is_here_already_is_known_by_its_content() {
        let directory = tempfile::tempdir().unwrap();
        let file = &command("a", "").files[0];
        let path = path_of(file, directory.path()).unwrap();
        assert!(!is_same(&path, file) && !is_same(directory.path(), file));
        fs::write(&path, "").unwrap();
        assert!(is_same(&path, file));
        fs::write(&path, "x").unwrap();
        assert!(!is_same(&path, file));
    }
}
