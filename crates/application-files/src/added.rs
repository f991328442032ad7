//! The driver's list of the application's files: what is added, and what is refused (SS-80, SS-85).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use firesteel_conf::{Artifact, ArtifactLocation};
use firesteel_local_dirs::is_plain_name;
use firesteel_messages::{ApplicationFile, ApplicationFileKind, ArchiveFormat, FilePart, FileSource};
use firesteel_model::url_without_secrets;
use parking_lot::Mutex;
use tracing::{info, warn};

use crate::{ApplicationFiles, BoxedError, PlaceFileError, RemoteEntry, ServedFiles, store::Contents};

/// The application's files as the driver knows them.
pub struct AddedFiles {
    store: Arc<ApplicationFiles>,
    served: Arc<ServedFiles>,
    /// Where executors reach the driver's data plane. Not set in local mode, where there is nobody to serve.
    address: OnceLock<(String, u16)>,
    /// Held while a file is added, so that two of the same name do not pass each other.
    added: Mutex<Vec<AddedFile>>,
}

struct AddedFile {
    asked: Asked,
    /// As it was given.
    place: String,
    /// The name behind `#`.
    alias: Option<String>,
    file: Arc<ApplicationFile>,
}

impl AddedFile {
    fn url(&self) -> String {
        let url = match &self.file.source {
            FileSource::Remote(url) => url.clone(),
            _ => {
                let name = Artifact { location: self.asked.location.clone(), alias: None }.name();
                ApplicationFile { name, ..ApplicationFile::clone(&self.file) }.to_string()
            }
        };
        match &self.alias {
            Some(alias) => format!("{url}#{alias}"),
            None => url,
        }
    }
}

/// What somebody asked to be added. Asked twice, it is added once.
#[derive(Clone, PartialEq, Eq)]
struct Asked {
    location: ArtifactLocation,
    name: String,
    wanted: Wanted,
}

/// As what something is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// `--files`, `SparkContext::add_file`.
    File,
    /// `SparkContext::add_file_recursive`: a directory with all that is below it, too.
    FileOrDirectory,
    /// `--jars`.
    Jar,
    /// `--archives`, `SparkContext::add_archive`.
    Archive,
}

impl Wanted {
    /// Are both listed together? Files have a list, jars have one, and archives.
    fn is_listed_with(self, other: Self) -> bool {
        let list = |wanted| if wanted == Self::FileOrDirectory { Self::File } else { wanted };
        list(self) == list(other)
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Added {
    /// It is in place in this process, and executors must be told of it.
    New(Arc<ApplicationFile>),
    /// It was added before, and nothing has been done: what was added is not added anew, whatever it contains now.
    Before,
    /// Something of the same name with the same content was added before; nothing has been done but to list it as what is wanted, too.
    SameContent,
}

/// Why something is not among the application's files.
#[derive(Debug, thiserror::Error)]
pub enum AddFileError {
    /// There is no such file, or it cannot be looked at.
    #[error("{} cannot be added to the application", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is a directory, where only files are wanted.
    #[error("{place} is a directory; only SparkContext::add_file_recursive adds directories")]
    Directory {
        /// As it was given.
        place: String,
    },
    /// A directory has something in it that cannot be shipped.
    #[error("{} {why}, and so its directory cannot be added to the application", path.display())]
    InDirectory {
        /// What it is.
        path: PathBuf,
        /// Why it cannot.
        why: &'static str,
    },
    /// The name under which it would be found is none.
    #[error("{place} would be called {name:?}, which is not a plain file name in UTF-8; give it one behind #")]
    Name {
        /// As it was given.
        place: String,
        /// The name.
        name: String,
    },
    /// It is somewhere else, and cannot be had from there.
    #[error("{url} cannot be added to the application")]
    Remote {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: BoxedError,
    },
    /// Something else has the same name.
    #[error(
        "the name {name} is taken by {first}, and {second} has another content or is added as another kind (file, archive, directory); add it under another name (behind #), or set spark.files.overwrite=true"
    )]
    SameName {
        /// The name.
        name: String,
        /// What has it.
        first: String,
        /// What was to have it.
        second: String,
    },
    /// It could not be placed in the driver's own root directory.
    #[error("{place} cannot be added to the application")]
    Place {
        /// As it was given.
        place: String,
        /// Why.
        #[source]
        source: PlaceFileError,
    },
}

impl AddedFiles {
    /// No files yet. The store must be the driver's own, and read what the driver serves from `served`.
    pub fn new(store: Arc<ApplicationFiles>, served: Arc<ServedFiles>) -> Self {
        Self { store, served, address: OnceLock::new(), added: Mutex::default() }
    }

    /// The driver's own store; in local mode that of its tasks.
    pub fn store(&self) -> &Arc<ApplicationFiles> {
        &self.store
    }

    /// What is served.
    pub fn served(&self) -> &Arc<ServedFiles> {
        &self.served
    }

    /// Executors reach the driver's data plane here. Must be said before anything is added that they are to have.
    pub fn serve_at(&self, host: &str, port: u16) {
        // A second call would be for the same server: a driver has one.
        let _ = self.address.set((host.to_owned(), port));
    }

    /// Everything that was added, in order, as Spark lists it: `spark://host:port/files/name` for what the driver serves, else
    /// the URL; with the name behind `#` if one was given.
    pub fn list(&self) -> Vec<(Wanted, String)> {
        self.added.lock().iter().map(|added| (added.asked.wanted, added.url())).collect()
    }

    /// Adds something: finds out what it is and places it in this process. A path is of this machine, and relative to the
    /// working directory; a file without a name of its own behind `#` has the last part of its path as its name.
    ///
    /// # Errors
    ///
    /// It is not there, cannot be what is wanted, or has the name of something else.
    pub fn add(&self, artifact: &Artifact, wanted: Wanted) -> Result<Added, AddFileError> {
        let mut added = self.added.lock();
        let location = match &artifact.location {
            ArtifactLocation::File(path) => {
                let absolute = std::path::absolute(path);
                ArtifactLocation::File(absolute.map_err(|source| AddFileError::Path { path: path.clone(), source })?)
            }
            location => location.clone(),
        };
        let name = name_of(artifact, &location)?;
        let asked = Asked { location, name, wanted };
        if added.iter().any(|earlier| earlier.asked == asked) {
            return Ok(Added::Before);
        }
        let (mut file, contents) = self.describe(artifact, &asked)?;
        let number = match file.source {
            FileSource::Driver { number, .. } => Some(number),
            _ => None,
        };
        let place = shown(artifact);
        let outcome = self.place(&added, &place, &mut file, contents);
        if let Some(number) = number.filter(|_| !matches!(outcome, Ok(None)) || self.address.get().is_none()) {
            self.served.forget(number);
        }
        if let Some(same) = outcome? {
            let is_same = |earlier: &&AddedFile| Arc::ptr_eq(&earlier.file, &same);
            if !added.iter().filter(is_same).any(|earlier| earlier.asked.wanted.is_listed_with(wanted)) {
                added.push(AddedFile { asked, place, alias: artifact.alias.clone(), file: same });
            }
            return Ok(Added::SameContent);
        }
        if let (None, ArtifactLocation::File(path)) = (self.address.get(), &asked.location) {
            file.source = FileSource::Local(path.to_string_lossy().into_owned());
        }
        let file = Arc::new(file);
        added.push(AddedFile { asked, place, alias: artifact.alias.clone(), file: Arc::clone(&file) });
        info!(file = %file, "file added to the application");
        Ok(Added::New(file))
    }

    /// Places a file in this process and learns its contents; nothing is placed if something of the same name has the same content, which
    /// is given then.
    fn place(
        &self,
        added: &[AddedFile],
        place: &str,
        file: &mut ApplicationFile,
        contents: Contents,
    ) -> Result<Option<Arc<ApplicationFile>>, AddFileError> {
        let failed = |source| AddFileError::Place { place: place.to_owned(), source };
        let earlier = added.iter().rev().find(|earlier| earlier.file.name == file.name);
        if let FileSource::Local(path) = &file.source
            && self.address.get().is_some()
            && !Path::new(path).exists()
        {
            // The driver runs no tasks, so it need not be one of the machines that have it.
            warn!(path, "the file is not on the driver's machine; executors must have it on theirs");
            return self.refuse_name(earlier, place).map(|()| None);
        }
        let (incoming, parts) = self.store.fetch(file, contents, &|| false).map_err(failed)?;
        file.parts = parts;
        // A jar is placed as any other file is; an archive and a directory are not.
        let placed_alike = |one: ApplicationFileKind, other: ApplicationFileKind| {
            let plain = |kind| matches!(kind, ApplicationFileKind::File | ApplicationFileKind::Jar);
            std::mem::discriminant(&one) == std::mem::discriminant(&other) || plain(one) && plain(other)
        };
        if let Some(earlier) = earlier
            && placed_alike(earlier.file.kind, file.kind)
            && !file.parts.is_empty()
            && earlier.file.parts == file.parts
        {
            return Ok(Some(Arc::clone(&earlier.file)));
        }
        self.refuse_name(earlier, place)?;
        self.store.put(&incoming, &file.name).map_err(failed)?;
        Ok(None)
    }

    fn refuse_name(&self, earlier: Option<&AddedFile>, place: &str) -> Result<(), AddFileError> {
        match earlier {
            Some(earlier) if !self.store.overwrites() => Err(AddFileError::SameName {
                name: earlier.file.name.clone(),
                first: earlier.place.clone(),
                second: place.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// What is to be fetched, with parts of unknown content.
    fn describe(&self, artifact: &Artifact, asked: &Asked) -> Result<(ApplicationFile, Contents), AddFileError> {
        let place = || shown(artifact);
        let directory = || AddFileError::Directory { place: place() };
        let kind = self.kind(artifact, asked.wanted);
        let file = |source, kind, parts| ApplicationFile { name: asked.name.clone(), source, kind, parts };
        Ok(match &asked.location {
            ArtifactLocation::File(path) => {
                let metadata =
                    fs::metadata(path).map_err(|source| AddFileError::Path { path: path.clone(), source })?;
                let (kind, parts) = match (metadata.is_dir(), asked.wanted) {
                    (true, Wanted::FileOrDirectory) => (ApplicationFileKind::Directory, files_below(path)?),
                    (true, _) => return Err(directory()),
                    // To open a pipe would wait for whoever writes to it.
                    (false, _) if !metadata.is_file() => {
                        let source =
                            io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a directory");
                        return Err(AddFileError::Path { path: path.clone(), source });
                    }
                    (false, _) => (kind, vec![(String::new(), metadata.len())]),
                };
                let full = |(below, length): &(String, u64)| match below.as_str() {
                    "" => (path.clone(), *length),
                    below => (path.join(below), *length),
                };
                let number = self.served.serve(parts.iter().map(full));
                let (host, port) = self.address.get().cloned().unwrap_or_default();
                let parts = parts.into_iter().map(|(path, length)| unknown(path, length)).collect();
                (file(FileSource::Driver { host, port, number }, kind, parts), Contents::Unknown)
            }
            ArtifactLocation::Local(path) => {
                let Some(path) = path.to_str() else {
                    return Err(AddFileError::Name { place: place(), name: path.to_string_lossy().into_owned() });
                };
                if asked.wanted != Wanted::FileOrDirectory && Path::new(path).is_dir() {
                    return Err(directory());
                }
                (file(FileSource::Local(path.to_owned()), kind, Vec::new()), Contents::Known)
            }
            ArtifactLocation::Remote(url) => {
                let remote = |source| AddFileError::Remote { url: shown(artifact), source };
                let (kind, parts) = match (self.store.sources().remote.look(url).map_err(remote)?, asked.wanted) {
                    (RemoteEntry::File, _) => (kind, vec![unknown(String::new(), 0)]),
                    (RemoteEntry::Directory(paths), Wanted::FileOrDirectory) => {
                        (ApplicationFileKind::Directory, paths.into_iter().map(|path| unknown(path, 0)).collect())
                    }
                    (RemoteEntry::Directory(_), _) => return Err(directory()),
                };
                (file(FileSource::Remote(url.clone()), kind, parts), Contents::Unknown)
            }
        })
    }

    fn kind(&self, artifact: &Artifact, wanted: Wanted) -> ApplicationFileKind {
        match wanted {
            Wanted::File | Wanted::FileOrDirectory => ApplicationFileKind::File,
            Wanted::Jar => ApplicationFileKind::Jar,
            // The name in front of the alias tells the format.
            Wanted::Archive => {
                let packed = Artifact { location: artifact.location.clone(), alias: None }.name();
                match ArchiveFormat::of(&packed) {
                    Some(format) => ApplicationFileKind::Archive(format),
                    None => {
                        warn!(
                            archive = shown(artifact),
                            "not unpacked: its name does not end in .zip, .jar, .tar, .tar.gz or .tgz; it is placed as a file"
                        );
                        ApplicationFileKind::File
                    }
                }
            }
        }
    }
}

fn unknown(path: String, length: u64) -> FilePart {
    FilePart { path, length, digest: [0; 32] }
}

/// A place as a message shows it.
fn shown(artifact: &Artifact) -> String {
    match &artifact.location {
        ArtifactLocation::Remote(url) => {
            let plain = url_without_secrets(url);
            Artifact { location: ArtifactLocation::Remote(plain), alias: artifact.alias.clone() }.to_string()
        }
        _ => artifact.to_string(),
    }
}

/// The name under which it will be found.
fn name_of(artifact: &Artifact, location: &ArtifactLocation) -> Result<String, AddFileError> {
    let name = Artifact { location: location.clone(), alias: artifact.alias.clone() }.name();
    let in_utf8 = match location {
        ArtifactLocation::File(path) | ArtifactLocation::Local(path) => {
            artifact.alias.is_some() || path.file_name().is_some_and(|name| name.to_str().is_some())
        }
        ArtifactLocation::Remote(_) => true,
    };
    if in_utf8 && is_plain_name(&name) {
        return Ok(name);
    }
    Err(AddFileError::Name { place: shown(artifact), name })
}

/// The paths below a directory of all files in it, with their lengths, in order. Links to files count as files.
fn files_below(directory: &Path) -> Result<Vec<(String, u64)>, AddFileError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| AddFileError::Path { path, source }
    };
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).map_err(failed(&next))? {
            let path = entry.map_err(failed(&next))?.path();
            let metadata = fs::metadata(&path).map_err(failed(&path))?;
            if metadata.is_file() {
                match path.strip_prefix(directory).unwrap_or(&path).to_str() {
                    Some(below) => found.push((below.to_owned(), metadata.len())),
                    None => return Err(AddFileError::InDirectory { path, why: "has a name that is not UTF-8" }),
                }
            } else if !metadata.is_dir() {
                return Err(AddFileError::InDirectory { path, why: "is neither a file nor a directory" });
            } else if path.is_symlink() {
                return Err(AddFileError::InDirectory { path, why: "is a link to a directory" });
            } else {
                left.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
