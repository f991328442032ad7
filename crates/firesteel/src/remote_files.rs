//! Files that every process fetches by itself: from the file systems, and over HTTP (SS-80).

use std::{io::Read, path::Path, sync::Arc, time::Duration};

use firesteel_application_files::{BoxedError, RemoteEntry, RemoteFiles};
use firesteel_conf::{Artifact, ArtifactLocation, SparkConf, keys, read_bounded, read_bounded_file};
use firesteel_filesystem::{
    FilePath, FileStatus, FileSystem, FileSystems, HadoopConf, HttpFile, ParsePathError, Scheme, find_files,
};
use firesteel_model::url_without_secrets;
use tracing::warn;

use crate::error::{SparkError, chain};

/// The file systems of this process, and HTTP.
pub(crate) struct RemoteFileSystems {
    systems: FileSystems,
    /// `spark.files.fetchTimeout`; the libraries of S3 and HDFS have time-outs of their own.
    time_out: Duration,
}

impl RemoteFileSystems {
    pub(crate) fn new(conf: &SparkConf) -> Result<Arc<Self>, SparkError> {
        let hadoop = HadoopConf::from_spark(conf.get_all()).with_environment();
        let hadoop = hadoop.map_err(|error| SparkError::Configuration(chain(&error)))?;
        Ok(Arc::new(Self { systems: FileSystems::new(hadoop), time_out: conf.get(&keys::FILES_FETCH_TIMEOUT)? }))
    }

    fn find(&self, url: &str) -> Result<(FilePath, Arc<dyn FileSystem>), BoxedError> {
        let path = self.systems.path(url).map_err(|error| match error {
            ParsePathError::UnknownScheme { scheme, .. } => BoxedError::from(format!(
                "files of an application cannot be fetched by {scheme}:, only by hdfs:, s3a:, http: and https:; copy the file to \
                 one of these, or to this machine"
            )),
            error => error.into(),
        })?;
        let system = self.systems.get(&path)?;
        Ok((path, system))
    }
}

/// A pattern for an application's files cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MatchError {
    #[error("{pattern} matches no file")]
    Nothing { pattern: String },
    #[error("{pattern} matches several files, which cannot all have the name behind #")]
    OneName { pattern: String },
    #[error("{pattern} cannot be searched for")]
    Search {
        pattern: String,
        #[source]
        source: BoxedError,
    },
}

/// What an element of a list of files stands for: a pattern in a store for every file that it matches, in the order of their names, and
/// anything else for itself (SS-86). HTTP has no directories to look through.
pub(crate) fn resolve_pattern(conf: &SparkConf, artifact: Artifact) -> Result<Vec<Artifact>, SparkError> {
    let ArtifactLocation::Remote(url) = &artifact.location else { return Ok(vec![artifact]) };
    if !url.contains(['*', '?', '[']) || HttpFile::is_address(url) {
        return Ok(vec![artifact]);
    }
    let matches = RemoteFileSystems::new(conf)?.matches(url);
    let refuse = |error: MatchError| SparkError::AddFile(chain(&error));
    // What is behind the question mark of a pattern is no query.
    let pattern = || match url.split_once('?') {
        Some((begin, end)) => format!("{}?{end}", url_without_secrets(begin)),
        None => url_without_secrets(url),
    };
    let matches = matches.map_err(|source| refuse(MatchError::Search { pattern: pattern(), source }))?;
    match matches.len() {
        0 => Err(refuse(MatchError::Nothing { pattern: pattern() })),
        2.. if artifact.alias.is_some() => Err(refuse(MatchError::OneName { pattern: pattern() })),
        _ => {
            let found = |url| Artifact { location: ArtifactLocation::Remote(url), alias: artifact.alias.clone() };
            Ok(matches.into_iter().map(found).collect())
        }
    }
}

impl RemoteFileSystems {
    /// The files that a pattern matches, as URLs. A pattern may well meet a directory; whoever writes one wants files.
    fn matches(&self, pattern: &str) -> Result<Vec<String>, BoxedError> {
        let (path, system) = self.find(pattern)?;
        let found = find_files(&*system, &path)?;
        let is_directory_itself = |status: &FileStatus| status.path == path;
        let (files, left_out): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|status| !status.is_directory || is_directory_itself(status));
        for directory in left_out {
            warn!(path = %directory.path, "a directory among the application's files is left out");
        }
        Ok(files.into_iter().map(|file| file.path.to_string()).collect())
    }
}

impl RemoteFileSystems {
    /// The content of a file that a setting names, wherever it is, unless that is more than any configuration is; a pipe that nobody
    /// writes to is not waited for.
    pub(crate) fn read_bounded(&self, url: &str) -> Result<Vec<u8>, BoxedError> {
        if !HttpFile::is_address(url) {
            let (path, _) = self.find(url)?;
            if path.scheme() == Scheme::File {
                return Ok(read_bounded_file(Path::new(path.path()))?);
            }
        }
        Ok(read_bounded(self.open(url)?)?)
    }
}

impl RemoteFiles for RemoteFileSystems {
    fn look(&self, url: &str) -> Result<RemoteEntry, BoxedError> {
        if HttpFile::is_address(url) {
            // A server that does not have it says so when it is fetched; it has no directories.
            return Ok(RemoteEntry::File);
        }
        let (path, system) = self.find(url)?;
        if !system.status(&path)?.is_directory {
            return Ok(RemoteEntry::File);
        }
        let mut files = Vec::new();
        let mut left = vec![(path, String::new())];
        while let Some((directory, below)) = left.pop() {
            for status in system.list(&directory)? {
                let place = format!("{below}{}", status.path.name());
                if status.is_directory {
                    left.push((status.path, format!("{place}/")));
                } else {
                    files.push(place);
                }
            }
        }
        files.sort();
        Ok(RemoteEntry::Directory(files))
    }

    fn open(&self, url: &str) -> Result<Box<dyn Read + Send>, BoxedError> {
        if HttpFile::is_address(url) {
            return Ok(Box::new(HttpFile::open(url, self.time_out)?));
        }
        let (path, system) = self.find(url)?;
        Ok(Box::new(system.open(&path)?))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Every file system has the same interface, so the local one stands for all.
    #[test]
    fn files_and_directories_are_told_apart_and_read() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("d/e/f")).unwrap();
        for (path, text) in [("d/a.txt", "a"), ("d/e/b.txt", "b"), ("d/e/f/.hidden", "c")] {
            fs::write(directory.path().join(path), text).unwrap();
        }
        let remote = RemoteFileSystems::new(&SparkConf::new()).unwrap();
        let url = |path: &str| format!("file:{}/{path}", directory.path().display());
        assert_eq!(remote.look(&url("d/a.txt")).unwrap(), RemoteEntry::File);
        let below = ["a.txt", "e/b.txt", "e/f/.hidden"].map(str::to_owned).to_vec();
        assert_eq!(remote.look(&url("d")).unwrap(), RemoteEntry::Directory(below));
        let mut text = String::new();
        remote.open(&url("d/e/b.txt")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "b");
        assert!(remote.look(&url("gone")).unwrap_err().to_string().contains("does not exist"));
    }

    fn resolved(conf: &SparkConf, place: &str) -> Result<Vec<String>, String> {
        let resolved = resolve_pattern(conf, place.parse().unwrap());
        resolved.map(|found| found.iter().map(Artifact::to_string).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn only_what_looks_like_a_pattern_in_a_store_is_searched_for() {
        let conf = SparkConf::new();
        for place in ["http://h/*.txt?x=[1]", "https://h/{a}", "local:/no/*", "/no/*", "s3a://bucket/a.txt#b"] {
            assert_eq!(resolved(&conf, place).unwrap().len(), 1, "{place}");
        }
        let refused = resolved(&conf, "ftp://h/*.txt").unwrap_err();
        assert!(refused.contains("ftp://h/*.txt cannot be searched for: files of an application cannot"), "{refused}");
    }

    #[test]
    fn a_pattern_stands_for_files() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("d/c.txt")).unwrap();
        for name in ["b.txt", "a.txt", ".hidden.txt", "x.log", "[1].log"] {
            fs::write(directory.path().join("d").join(name), "").unwrap();
        }
        let remote = RemoteFileSystems::new(&SparkConf::new()).unwrap();
        let below = format!("file:{}/d/", directory.path().display());
        let check = |pattern: &str, expected: &[&str]| {
            let found = remote.matches(&format!("{below}{pattern}")).unwrap();
            let names: Vec<_> = found.iter().map(|url| url.strip_prefix(&below).unwrap()).collect();
            assert_eq!(names, expected, "{pattern}");
        };
        check("*.txt", &[".hidden.txt", "a.txt", "b.txt"]);
        check("[ab].txt", &["a.txt", "b.txt"]);
        // The file of that very name comes first.
        check("[1].log", &["[1].log"]);
        check("*.gone", &[]);
        // Whoever names a directory is told that it is one.
        check("c.txt", &["c.txt"]);
    }

    #[test]
    fn other_schemes_are_refused_with_those_that_work() {
        let remote = RemoteFileSystems::new(&SparkConf::new()).unwrap();
        for operation in [remote.look("ftp://h/x").map(drop), remote.open("ftp://h/x").map(drop)] {
            let refused = operation.unwrap_err().to_string();
            assert!(refused.contains("cannot be fetched by ftp:, only by hdfs:, s3a:, http: and https:"), "{refused}");
        }
    }
}
