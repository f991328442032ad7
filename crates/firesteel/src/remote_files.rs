//! Files that every process fetches by itself: from the file systems, and over HTTP (SS-80).

use std::{io::Read, sync::Arc, time::Duration};

use firesteel_application_files::{BoxedError, RemoteEntry, RemoteFiles};
use firesteel_conf::{SparkConf, keys};
use firesteel_filesystem::{FilePath, FileSystem, FileSystems, HadoopConf, HttpFile, ParsePathError};

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

    #[test]
    fn other_schemes_are_refused_with_those_that_work() {
        let remote = RemoteFileSystems::new(&SparkConf::new()).unwrap();
        for operation in [remote.look("ftp://h/x").map(drop), remote.open("ftp://h/x").map(drop)] {
            let refused = operation.unwrap_err().to_string();
            assert!(refused.contains("cannot be fetched by ftp:, only by hdfs:, s3a:, http: and https:"), "{refused}");
        }
    }
}
