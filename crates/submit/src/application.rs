//! What can be started on this machine.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use firesteel_conf::{Artifact, ArtifactLocation, ClusterManager, SparkConf, spark_env::Environment};

use crate::{PrimaryResource, Refusal, Submission, artifacts, packages};

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
}

impl Application {
    /// Looks at the disk and refuses what cannot run here. Relative paths are relative to `directory`. The second part of
    /// the result is more lines for the user.
    pub fn prepare(
        submission: Submission,
        environment: Environment,
        directory: &Path,
    ) -> Result<(Self, Vec<String>), Refusal> {
        refuse_what_is_not_built_in(&submission, directory)?;
        let path = executable(&submission, &environment, directory)?;
        packages::check(&submission.conf, submission.origins.get("spark.jars.packages").copied())?;
        let mut warnings = Vec::new();
        let mut conf = submission.conf;
        artifacts::resolve(&mut conf, directory, &mut warnings)?;
        if conf.contains("spark.jars") {
            warnings.push(
                "spark.jars (--jars): the libraries are listed for the application, but no JVM loads classes from them"
                    .to_owned(),
            );
        }
        if conf.contains("spark.submit.pyFiles") {
            warnings.push(
                "spark.submit.pyFiles (--py-files): the files are listed, but this application is not a Python program"
                    .to_owned(),
            );
        }
        let application = Self {
            path,
            arguments: submission.application_arguments,
            conf,
            main_class: submission.main_class,
            environment,
        };
        Ok((application, warnings))
    }
}

/// The seam for later parts: each line goes when its part comes.
fn refuse_what_is_not_built_in(submission: &Submission, directory: &Path) -> Result<(), Refusal> {
    let manager = submission.master.manager();
    if !matches!(manager, ClusterManager::Local | ClusterManager::LocalCluster) {
        return Err(Refusal::ManagerNotBuiltIn { manager, master: submission.master.redacted() });
    }
    let not_built_in = |what: &str| Err(Refusal::NotBuiltIn { what: what.to_owned() });
    match &submission.resource {
        PrimaryResource::Native(_) | PrimaryResource::Examples => {}
        PrimaryResource::Jar(resource) => return Err(Refusal::JvmApplication { resource: resource.clone() }),
        PrimaryResource::Python(resource) => return not_built_in(&format!("running Python programs ({resource})")),
        PrimaryResource::PySparkShell => return not_built_in("the driver of Python programs (pyspark-shell)"),
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
        if !keytab.starts_with("local:") && !path.exists() {
            return Err(Refusal::NoKeytab(path));
        }
    }
    if asked_now("spark.kerberos.principal").is_some() || asked_now("spark.kerberos.keytab").is_some() {
        return not_built_in("logging in with Kerberos (--principal, --keytab)");
    }
    Ok(())
}

/// The file to execute.
fn executable(submission: &Submission, environment: &Environment, directory: &Path) -> Result<PathBuf, Refusal> {
    let resource = match &submission.resource {
        PrimaryResource::Native(resource) => resource,
        _ => return examples(environment),
    };
    // A path may hold characters that mean something in a URI, so one that exists is taken as it is.
    let as_it_is = directory.join(resource);
    let path = if as_it_is.exists() {
        as_it_is
    } else {
        match resource.parse::<Artifact>().map(|artifact| artifact.location) {
            Ok(ArtifactLocation::File(path) | ArtifactLocation::Local(path)) => directory.join(path),
            Ok(ArtifactLocation::Remote(_)) => {
                return Err(Refusal::RemoteApplication { resource: resource.clone() });
            }
            Err(_) => as_it_is,
        }
    };
    match why_it_cannot_run(&path) {
        Ok(None) => Ok(path),
        Ok(Some(why)) => Err(Refusal::Application { path, why: why.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Refusal::Application { path, why: "there is no such file".to_owned() })
        }
        Err(error) => Err(Refusal::Application { path, why: error.to_string() }),
    }
}

fn why_it_cannot_run(path: &Path) -> io::Result<Option<&'static str>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(Some("it is not a file"));
    }
    let header = elf_header(path)?;
    if !header.starts_with(b"\x7fELF") {
        return Ok(Some("it is not an executable; an application is a program built on the firesteel crate"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Ok(Some("its owner has not made it executable (chmod +x)"));
    }
    // The system's search for an interpreter would hand a file that it cannot execute to a shell, so this is found out here.
    let own = elf_header(Path::new("/proc/self/exe"))?;
    let machine = |header: &[u8]| (header.get(4..6).map(<[u8]>::to_vec), header.get(18..20).map(<[u8]>::to_vec));
    if header.len() < own.len() || metadata.len() < end_of_program_headers(&header) {
        return Ok(Some("the file is cut off"));
    }
    if machine(&header) != machine(&own) {
        return Ok(Some("it was built for another kind of machine"));
    }
    Ok(None)
}

/// The header of a 64-bit ELF file; less if the file is shorter.
fn elf_header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    fs::File::open(path)?.take(64).read_to_end(&mut header)?;
    Ok(header)
}

/// Where the table ends that says what to load: offset, entry size and number, in the byte order of this machine.
fn end_of_program_headers(header: &[u8]) -> u64 {
    let offset = header.get(32..40).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes);
    let half = |at: usize| header.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_ne_bytes);
    offset.saturating_add(u64::from(half(54)) * u64::from(half(56)))
}

/// The bundled examples: of an installation, else of a development tree.
fn examples(environment: &Environment) -> Result<PathBuf, Refusal> {
    let home = environment.get(OsStr::new("SPARK_HOME")).filter(|home| !home.is_empty()).ok_or(Refusal::NoSparkHome)?;
    let home = PathBuf::from(home);
    let places = ["examples", "target/release", "target/debug"];
    let found = places.iter().map(|place| home.join(place).join("firesteel-examples")).find(|path| path.is_file());
    found.ok_or(Refusal::ExamplesNotBuilt { spark_home: home })
}
