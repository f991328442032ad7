//! The application's files: `SparkContext::add_file` and its like, and [`SparkFiles`] (SS-14, SS-15, SS-17).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use firesteel_application_files::{
    Added, AddedFiles, ApplicationFiles, ApplicationFilesOptions, DriverFiles, FetchCache, ServedFiles, Wanted,
};
use firesteel_conf::{Artifact, ArtifactLocation, SparkConf, keys};
use firesteel_driver::{AddFileError, DriverHandle};
use firesteel_local_dirs::LocalDirs;
use firesteel_messages::ApplicationFile;
use firesteel_model::hide_secrets_of_urls;
use firesteel_transfer::{ClientOptions, TransferClient};
use parking_lot::Mutex;
use tracing::warn;

use crate::{
    context::SparkContext,
    error::{SparkError, chain},
    remote_files::{RemoteFileSystems, resolve_pattern},
};

/// In the first local directory; Spark's name for it.
const ROOT_DIRECTORY: &str = "userFiles";

/// Of the application that runs in this process, as driver or as executor; a process has one at a time.
static ROOT: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Where the application's files are, in the driver and in tasks.
#[derive(Clone, Copy, Debug)]
pub struct SparkFiles;

impl SparkFiles {
    /// The path of a file that was added: by its name, or the one behind `#`. It is not looked whether it is there.
    ///
    /// # Panics
    ///
    /// If no application runs in this process.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// use firesteel::SparkFiles;
    ///
    /// let path = directory.join("factor.txt");
    /// std::fs::write(&path, "3").expect("the file is written");
    /// spark.add_file(&path.to_string_lossy())?;
    /// let products = spark.range(1, 4, 1, 2).map(|n| {
    ///     let factor = std::fs::read_to_string(SparkFiles::get("factor.txt")).expect("the file was added");
    ///     n * factor.parse::<i64>().expect("it holds a number")
    /// });
    /// assert_eq!(products.collect()?, [3, 6, 9]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn get(name: &str) -> PathBuf {
        Self::root_directory().join(name)
    }

    /// The directory that holds all files that were added. For an executor that is a process, its working directory.
    ///
    /// # Panics
    ///
    /// If no application runs in this process.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::SparkFiles;
    ///
    /// assert!(SparkFiles::root_directory().is_dir());
    /// ```
    pub fn root_directory() -> PathBuf {
        let root = ROOT.lock().clone();
        root.expect("SparkFiles is for programs with a running SparkContext, and for tasks")
    }
}

impl SparkContext {
    /// Adds a file to the application: every task that is launched from now on finds it by [`SparkFiles::get`].
    ///
    /// `path` is a file of this machine, which must stay as it is while the application runs, as executors fetch it when they
    /// need it; or an `hdfs:`, `s3a:`, `http:` or `https:` URL, which every process fetches by itself; or `local:` and a path
    /// that every machine has. It is one path, not a pattern: patterns are for `spark.files` and `--files`. `#name` at the end
    /// gives it another name. What was added before is not added again, with a warning.
    ///
    /// # Errors
    ///
    /// [`SparkError::AddFile`] if it is not there, is a directory, or has the name of another file with other content
    /// (unless `spark.files.overwrite` is set).
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// use firesteel::SparkFiles;
    ///
    /// let path = directory.join("words.txt");
    /// std::fs::write(&path, "flint steel").expect("the file is written");
    /// spark.add_file(&format!("{}#tools", path.display()))?;
    /// assert!(SparkFiles::get("tools").is_file());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn add_file(&self, path: &str) -> Result<(), SparkError> {
        self.add("add_file", path, Wanted::File)
    }

    /// As [`SparkContext::add_file`], and a directory is added with all files below it. Links to files are followed, links to
    /// directories refused.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// use firesteel::SparkFiles;
    ///
    /// std::fs::create_dir(directory.join("tables")).expect("the directory is made");
    /// std::fs::write(directory.join("tables/a.txt"), "a").expect("the file is written");
    /// spark.add_file_recursive(&directory.join("tables").to_string_lossy())?;
    /// assert!(SparkFiles::get("tables/a.txt").is_file());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn add_file_recursive(&self, path: &str) -> Result<(), SparkError> {
        self.add("add_file_recursive", path, Wanted::FileOrDirectory)
    }

    /// Adds an archive, as [`SparkContext::add_file`] adds files: it is unpacked into a directory that has the archive's
    /// name, or the one behind `#`. Known are `.zip`, `.jar`, `.tar`, `.tar.gz` and `.tgz`; anything else is placed as a file,
    /// with a warning. An archive with a member or a link that leads out of the directory is refused.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// use firesteel::SparkFiles;
    ///
    /// let path = directory.join("empty.tar");
    /// std::fs::write(&path, [0; 1024]).expect("the archive is written");
    /// spark.add_archive(&format!("{}#environment", path.display()))?;
    /// assert!(SparkFiles::get("environment").is_dir());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn add_archive(&self, path: &str) -> Result<(), SparkError> {
        self.add("add_archive", path, Wanted::Archive)
    }

    /// Everything that was added as a file, as URLs: `spark://driver:port/files/name` for what the driver serves.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("words.txt");
    /// std::fs::write(&path, "flint steel").expect("the file is written");
    /// spark.add_file(&path.to_string_lossy())?;
    /// assert_eq!(spark.list_files(), [format!("file:{}", path.display())]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn list_files(&self) -> Vec<String> {
        let is_file = |wanted| matches!(wanted, Wanted::File | Wanted::FileOrDirectory);
        self.files().list().into_iter().filter(|(wanted, _)| is_file(*wanted)).map(|(_, url)| url).collect()
    }

    /// Everything that was added as an archive, as URLs with the name behind `#` if one was given.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("empty.tar");
    /// std::fs::write(&path, [0; 1024]).expect("the archive is written");
    /// spark.add_archive(&format!("{}#environment", path.display()))?;
    /// assert_eq!(spark.list_archives(), [format!("file:{}#environment", path.display())]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn list_archives(&self) -> Vec<String> {
        let is_archive = |wanted| matches!(wanted, Wanted::Archive);
        self.files().list().into_iter().filter(|(wanted, _)| is_archive(*wanted)).map(|(_, url)| url).collect()
    }

    fn add(&self, operation: &str, path: &str, wanted: Wanted) -> Result<(), SparkError> {
        self.check_running(operation)?;
        add(self.files(), &parse(path)?, wanted, |file| self.announce_file(file)).map_err(|error| match error {
            SparkError::AddFile(message) if path.contains(['*', '?', '[', '{']) => SparkError::AddFile(format!(
                "{message}; {operation} takes one path, and no pattern: name each file, or set spark.files (--files), which may \
                 have patterns"
            )),
            error => error,
        })
    }
}

/// Adds what the configuration names: `spark.jars`, `spark.files` and `spark.archives`, in that order as in Spark. Executors
/// are told by `driver`, unless there are none but this process.
///
/// # Errors
///
/// As for [`SparkContext::add_file`]; a library of this machine that is missing is left out with a warning (SS-86).
pub(crate) fn add_configured(
    conf: &SparkConf,
    files: &AddedFiles,
    driver: Option<&DriverHandle>,
) -> Result<(), SparkError> {
    let announce = |file| driver.map_or(Ok(()), |driver| driver.add_file(file));
    for (key, wanted) in [(&keys::JARS, Wanted::Jar), (&keys::FILES, Wanted::File), (&keys::ARCHIVES, Wanted::Archive)]
    {
        for place in conf.get(key)? {
            if wanted == Wanted::Jar && is_missing(&place) {
                warn!(jar = place, "spark.jars: the library does not exist and is left out");
                continue;
            }
            let added = parse(&place)
                .and_then(|artifact| resolve_pattern(conf, artifact))
                .and_then(|found| found.iter().try_for_each(|artifact| add(files, artifact, wanted, announce)));
            added.map_err(|error| match error {
                SparkError::AddFile(message) => SparkError::AddFile(format!("{}: {message}", key.name())),
                error => error,
            })?;
        }
    }
    Ok(())
}

fn is_missing(place: &str) -> bool {
    let artifact = place.parse::<Artifact>();
    artifact.is_ok_and(|artifact| matches!(&artifact.location, ArtifactLocation::File(path) if !path.exists()))
}

fn parse(place: &str) -> Result<Artifact, SparkError> {
    place.parse().map_err(|error| SparkError::AddFile(format!("{error}")))
}

fn add(
    files: &AddedFiles,
    artifact: &Artifact,
    wanted: Wanted,
    announce: impl Fn(Arc<ApplicationFile>) -> Result<(), AddFileError>,
) -> Result<(), SparkError> {
    match files.add(artifact, wanted).map_err(|error| SparkError::AddFile(chain(&error)))? {
        Added::New(file) => {
            announce(file).map_err(|error| {
                SparkError::AddFile(format!("{}: {}", hide_secrets_of_urls(&artifact.to_string()), chain(&error)))
            })?;
        }
        Added::Before => {
            warn!(
                path = hide_secrets_of_urls(&artifact.to_string()).as_ref(),
                "added before, and not again: what was added cannot be replaced by itself"
            );
        }
        Added::SameContent => {}
    }
    Ok(())
}

/// The driver's files, of which there are none yet.
pub(crate) fn of_driver(conf: &SparkConf, local_dirs: &LocalDirs) -> Result<AddedFiles, SparkError> {
    let served = Arc::<ServedFiles>::default();
    let options = ApplicationFilesOptions {
        root: root_in(local_dirs),
        overwrite: conf.get(&keys::FILES_OVERWRITE)?,
        cache: None,
    };
    let store = ApplicationFiles::new(options, DriverFiles::Here(Arc::clone(&served)), RemoteFileSystems::new(conf)?);
    let store = store.map_err(|error| no_root(local_dirs, &error))?;
    Ok(AddedFiles::new(Arc::new(store), served))
}

/// An executor's files, before it has heard of any. `client` must be one for nothing else.
pub(crate) fn of_executor(
    conf: &SparkConf,
    local_dirs: &LocalDirs,
    client: TransferClient,
    cache: Option<&Path>,
) -> Result<Arc<ApplicationFiles>, SparkError> {
    let patience = conf.get(&keys::FILES_FETCH_TIMEOUT)?;
    let use_cache = conf.get(&keys::FILES_USE_FETCH_CACHE)?;
    let cache = match cache.filter(|_| use_cache) {
        Some(directory) => {
            let cache = FetchCache::new(directory.to_owned(), patience);
            Some(cache.map_err(|error| SparkError::Io(format!("could not make {}: {error}", directory.display())))?)
        }
        None => None,
    };
    let options =
        ApplicationFilesOptions { root: root_in(local_dirs), overwrite: conf.get(&keys::FILES_OVERWRITE)?, cache };
    let files = ApplicationFiles::new(options, DriverFiles::There(client), RemoteFileSystems::new(conf)?);
    Ok(Arc::new(files.map_err(|error| no_root(local_dirs, &error))?))
}

/// How an executor connects to fetch files from the driver: as for shuffles, with a time-out of its own.
pub(crate) fn client_options(conf: &SparkConf, shuffle: &ClientOptions) -> Result<ClientOptions, SparkError> {
    Ok(ClientOptions { connection_time_out: conf.get(&keys::FILES_FETCH_TIMEOUT)?, ..shuffle.clone() })
}

/// Says where [`SparkFiles`] finds files in this process from now on.
pub(crate) fn set_root_directory(root: Option<&Path>) {
    *ROOT.lock() = root.map(Path::to_owned);
}

fn root_in(local_dirs: &LocalDirs) -> PathBuf {
    local_dirs.directories()[0].join(ROOT_DIRECTORY)
}

fn no_root(local_dirs: &LocalDirs, error: &std::io::Error) -> SparkError {
    SparkError::Io(format!("could not make {}: {error}", root_in(local_dirs).display()))
}
