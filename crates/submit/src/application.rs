//! What can be started on this machine.

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use firesteel_conf::{Artifact, ArtifactLocation, ClusterManager, SparkConf, spark_env::Environment};
use firesteel_model::url_without_secrets;
use rustix::{
    fs::{AtFlags, CWD, OFlags, linkat},
    io::Errno,
};

use crate::{PrimaryResource, Refusal, Submission, artifacts, elf::ElfHeader, packages, python};

/// A native application that passed every check.
#[derive(Debug)]
pub struct Application {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its configuration, with the lists of files resolved.
    pub conf: SparkConf,
    /// `--class`, or the example's class.
    pub main_class: Option<String>,
    /// Its environment.
    pub environment: Environment,
    /// Set if the executable was fetched: it goes, with its directory, when the application ends.
    pub fetched: Option<Fetched>,
}

/// Writes what is behind a URL into a file that is empty: how an application is fetched that is not on this machine.
pub type Download<'a> = &'a dyn Fn(&str, &SparkConf, &mut File) -> Result<(), Box<dyn Error + Send + Sync>>;

/// An executable that was fetched, in a directory of its own. Both are removed when the value goes.
#[derive(Debug)]
pub struct Fetched {
    path: PathBuf,
}

impl Fetched {
    /// Where the executable is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // The file may never have come.
        let _ = fs::remove_file(&self.path);
        let _ = self.path.parent().map(fs::remove_dir);
    }
}

impl Application {
    /// Looks at the disk and refuses what cannot run here; an executable that is elsewhere is fetched, after everything else was
    /// looked at (SS-81). Relative paths are relative to `directory`. The second part of the result is more lines for the user.
    pub fn prepare(
        mut submission: Submission,
        environment: Environment,
        directory: &Path,
        download: Download<'_>,
    ) -> Result<(Self, Vec<String>), Refusal> {
        refuse_what_is_not_built_in(&submission, directory)?;
        submission.require_hadoop_conf(&environment)?;
        let python = python::of(&submission.resource, directory)?;
        let place = place_of_executable(&submission, &environment, directory)?;
        if let Place::Here(path) = &place {
            check_executable(path, path)?;
        }
        let origin = submission.origins.get(packages::KEY).copied();
        let mut warnings: Vec<String> = packages::check(&submission.conf, origin)?.into_iter().collect();
        artifacts::resolve(&mut submission.conf, directory, &mut warnings)?;
        let is_users_own = matches!(submission.resource, PrimaryResource::Native(_));
        let mut conf = submission.conf;
        let (path, fetched) = match place {
            Place::Here(path) => (path, None),
            Place::Elsewhere { url, name } => {
                let fetched = fetch(&url, &name, &conf, &environment, download)?;
                (fetched.path().to_owned(), Some(fetched))
            }
        };
        if is_users_own && is_foreign(&path) {
            warnings.push(format!(
                "{} is not built on the crate firesteel: it is run, but knows nothing of what spark-submit was told",
                path.display()
            ));
        }
        if conf.contains("spark.jars") {
            warnings.push(
                "spark.jars (--jars): the libraries are shipped as files, but no JVM loads classes from them"
                    .to_owned(),
            );
        }
        if conf.contains("spark.submit.pyFiles") {
            match python {
                Some(_) => python::ship_files(&mut conf),
                None => warnings.push(
                    "spark.submit.pyFiles (--py-files): the files are listed, but this application is not a Python program"
                        .to_owned(),
                ),
            }
        }
        let (main_class, program) =
            python.map_or((submission.main_class, None), |python| (Some(python.class), python.program));
        let application = Self {
            path,
            arguments: program.into_iter().chain(submission.application_arguments).collect(),
            conf,
            main_class,
            environment,
            fetched,
        };
        Ok((application, warnings))
    }
}

/// The seam for later parts: each line goes when its part comes.
pub(crate) fn refuse_what_is_not_built_in(submission: &Submission, directory: &Path) -> Result<(), Refusal> {
    let manager = submission.master.manager();
    let built_in = [ClusterManager::Local, ClusterManager::LocalCluster, ClusterManager::Standalone];
    if !built_in.contains(&manager) {
        return Err(Refusal::ManagerNotBuiltIn { manager, master: submission.master.redacted() });
    }
    let not_built_in = |what: &str| Err(Refusal::NotBuiltIn { what: what.to_owned() });
    match &submission.resource {
        PrimaryResource::Native(_)
        | PrimaryResource::Examples
        | PrimaryResource::Python(_)
        | PrimaryResource::PySparkShell => {}
        PrimaryResource::Jar(resource) => return Err(Refusal::JvmApplication { resource: resource.clone() }),
        PrimaryResource::R(resource) => return not_built_in(&format!("running R programs ({resource})")),
        PrimaryResource::SparkRShell => return not_built_in("the R shell (sparkr-shell)"),
        PrimaryResource::SparkShell => return not_built_in("the Spark shell (spark-shell)"),
        PrimaryResource::Internal => {
            return not_built_in(submission.main_class.as_deref().unwrap_or("spark-internal without --class"));
        }
    }
    if submission.proxy_user.is_some() {
        return not_built_in("acting for another user (--proxy-user)");
    }
    let asked_now = |key: &str| {
        let origin = submission.origins.get(key).copied();
        submission.conf.get_raw(key).filter(|_| origin.is_some_and(|origin| origin > crate::Origin::PropertiesFile))
    };
    if let Some(keytab) = asked_now("spark.kerberos.keytab") {
        let path = directory.join(keytab.strip_prefix("file:").unwrap_or(keytab));
        if !keytab.starts_with("local:") && path.try_exists().is_ok_and(|exists| !exists) {
            return Err(Refusal::NoKeytab(path));
        }
    }
    if asked_now("spark.kerberos.principal").is_some() || asked_now("spark.kerberos.keytab").is_some() {
        return not_built_in("logging in with Kerberos (--principal, --keytab)");
    }
    Ok(())
}

/// The section of the table of functions, as `firesteel-closure` names it.
const FUNCTION_TABLE: &str = "firesteel_slots";

/// Where the file to execute is.
enum Place {
    Here(PathBuf),
    Elsewhere { url: String, name: String },
}

fn place_of_executable(submission: &Submission, environment: &Environment, directory: &Path) -> Result<Place, Refusal> {
    let resource = match &submission.resource {
        PrimaryResource::Native(resource) => resource,
        PrimaryResource::Python(_) | PrimaryResource::PySparkShell => {
            return python_driver(environment).map(Place::Here);
        }
        _ => return examples(environment).map(Place::Here),
    };
    // A path may hold characters that mean something in a URI, so one that exists is taken as it is.
    let as_it_is = directory.join(resource);
    if as_it_is.exists() {
        return Ok(Place::Here(as_it_is));
    }
    Ok(match resource.parse::<Artifact>() {
        Ok(Artifact { location: ArtifactLocation::File(path) | ArtifactLocation::Local(path), .. }) => {
            Place::Here(directory.join(path))
        }
        Ok(Artifact { location: ArtifactLocation::Remote(url), .. }) => {
            let name = Artifact { location: ArtifactLocation::Remote(url.clone()), alias: None }.name();
            Place::Elsewhere { url, name }
        }
        Err(_) => Place::Here(as_it_is),
    })
}

/// Fetches the executable into a new directory in the first local directory, where only its owner can look.
///
/// The directory and the name come when the file is complete and checked: what ends this process meanwhile, be it a signal that
/// nobody can heed, leaves nothing behind. From there on it is the application that removes them.
fn fetch(
    url: &str,
    name: &str,
    conf: &SparkConf,
    environment: &Environment,
    download: Download<'_>,
) -> Result<Fetched, Refusal> {
    let refused = |source: Box<dyn Error + Send + Sync>| Refusal::FetchApplication { url: url.to_owned(), source };
    let roots = conf.local_dirs(|name| environment.get(OsStr::new(name)).cloned());
    let roots = roots.map_err(|error| Refusal::Conf(error.into()))?;
    let root = roots.first().cloned().unwrap_or_else(std::env::temp_dir);
    let in_root = |error: io::Error| refused(format!("{}: {error}", root.display()).into());
    DirBuilder::new().recursive(true).create(&root).map_err(in_root)?;
    let place = || {
        let directory = new_directory(&root)?;
        let plain = !name.is_empty() && name != "." && name != "..";
        Ok(Fetched { path: directory.join(if plain { name } else { "application" }) })
    };
    let Some(mut file) = nameless_file(&root).map_err(in_root)? else {
        let fetched = place().map_err(in_root)?;
        let file = File::options().write(true).create_new(true).mode(0o700).open(&fetched.path);
        download(url, conf, &mut file.map_err(in_root)?).map_err(refused)?;
        check_executable(&fetched.path, Path::new(&url_without_secrets(url)))?;
        return Ok(fetched);
    };
    download(url, conf, &mut file).map_err(refused)?;
    let unnamed = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    check_executable(&unnamed, Path::new(&url_without_secrets(url)))?;
    let fetched = place().map_err(in_root)?;
    linkat(CWD, &unnamed, CWD, &fetched.path, AtFlags::SYMLINK_FOLLOW).map_err(|error| in_root(error.into()))?;
    Ok(fetched)
}

/// A file that goes with this process unless it is given a name; `None` where the file system has no such files.
fn nameless_file(directory: &Path) -> io::Result<Option<File>> {
    let opened =
        File::options().read(true).write(true).mode(0o700).custom_flags(OFlags::TMPFILE.bits() as i32).open(directory);
    match opened {
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::OPNOTSUPP | Errno::ISDIR)) => Ok(None),
        opened => opened.map(Some),
    }
}

/// A directory that this process has made: a name that somebody else has taken is not used.
fn new_directory(root: &Path) -> io::Result<PathBuf> {
    let root = std::path::absolute(root)?;
    let mut number = 0;
    loop {
        let directory = root.join(format!("spark-application-{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Refuses a file that cannot be executed, under the name that the user knows.
pub(crate) fn check_executable(path: &Path, name: &Path) -> Result<(), Refusal> {
    let refused = |why: String| Refusal::Application { path: name.to_owned(), why };
    match why_it_cannot_run(path) {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Err(refused(why.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(refused("there is no such file".to_owned())),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Is it surely a program that cannot make a context? Each that can has the table of functions that `firesteel-closure` makes.
pub(crate) fn is_foreign(path: &Path) -> bool {
    let has_table = ElfHeader::read(path).and_then(|header| header.has_section(path, FUNCTION_TABLE));
    // What cannot be read shows when it is run.
    matches!(has_table, Ok(Some(false)))
}

fn why_it_cannot_run(path: &Path) -> io::Result<Option<&'static str>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(Some("it is not a file"));
    }
    let header = ElfHeader::read(path)?;
    if !header.is_elf() {
        return Ok(Some("it is not an executable; an application is a program built on the firesteel crate"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Ok(Some("its owner has not made it executable (chmod +x)"));
    }
    // The system's search for an interpreter would hand a file that it cannot execute to a shell, so this is found out here.
    if !header.is_complete() {
        return Ok(Some("the file is cut off"));
    }
    if !header.is_for_the_machine_of(&ElfHeader::read(Path::new("/proc/self/exe"))?) {
        return Ok(Some("it was built for another kind of machine"));
    }
    if metadata.len() < header.least_length(path)? {
        return Ok(Some("the file is cut off"));
    }
    Ok(None)
}

/// The bundled examples: of an installation, else of a development tree.
fn examples(environment: &Environment) -> Result<PathBuf, Refusal> {
    let home = spark_home(environment)?;
    let found = program_of_home(&home, "examples", "firesteel-examples");
    found.ok_or_else(|| Refusal::ExamplesNotBuilt { own_home: own_home(&home), spark_home: home })
}

/// The driver of Python programs.
fn python_driver(environment: &Environment) -> Result<PathBuf, Refusal> {
    let home = spark_home(environment)?;
    let found = program_of_home(&home, "bin", "firesteel-pyspark");
    found.ok_or_else(|| Refusal::PythonNotBuilt { own_home: own_home(&home), spark_home: home })
}

fn spark_home(environment: &Environment) -> Result<PathBuf, Refusal> {
    let home = environment.get(OsStr::new("SPARK_HOME")).filter(|home| !home.is_empty());
    home.map(PathBuf::from).ok_or(Refusal::NoSparkHome)
}

/// Where else than in `SPARK_HOME` the programs may be that were not found there: where this one is. The variable may be another
/// Spark's.
fn own_home(spark_home: &Path) -> Option<PathBuf> {
    let own = home_of(&env::current_exe().ok()?)?;
    (own != fs::canonicalize(spark_home).ok().unwrap_or_default()).then_some(own)
}

/// The installation or development tree that has this program.
fn home_of(program: &Path) -> Option<PathBuf> {
    let directory = program.parent()?;
    if directory.ends_with("bin") {
        return directory.parent().map(Path::to_owned);
    }
    let of_cargo = directory.ends_with("target/release") || directory.ends_with("target/debug");
    directory.ancestors().nth(2).filter(|_| of_cargo).map(Path::to_owned)
}

/// A program of an installation, where it is in `place`, or of a development tree.
fn program_of_home(home: &Path, place: &str, name: &str) -> Option<PathBuf> {
    let places = [place, "target/release", "target/debug"];
    places.iter().map(|place| home.join(place).join(name)).find(|path| path.is_file())
}
