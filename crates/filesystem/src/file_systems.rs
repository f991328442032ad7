//! The file systems of one process, each made when it is first used.

use std::{collections::HashMap, env, sync::Arc};

use parking_lot::Mutex;

use crate::{
    FileError, FilePath, FileSystem, HadoopConf, HadoopPropertyError, LocalFileSystem, ParsePathError, Scheme,
    path::split_scheme,
};

/// The property that says where a path without a scheme is.
const DEFAULT_FS: &str = "fs.defaultFS";

/// All file systems that a process uses, by scheme and authority: Hadoop's `FileSystem.get` with its cache.
#[derive(Debug)]
pub struct FileSystems {
    conf: HadoopConf,
    local: Result<Arc<dyn FileSystem>, HadoopPropertyError>,
    remote: Mutex<HashMap<(Scheme, String), Arc<dyn FileSystem>>>,
}

impl FileSystems {
    /// With this configuration. Nothing is opened or reached yet.
    pub fn new(conf: HadoopConf) -> Self {
        let local = LocalFileSystem::new(&conf).map(|local| Arc::new(local) as Arc<dyn FileSystem>);
        Self { conf, local, remote: Mutex::default() }
    }

    /// The configuration.
    pub fn conf(&self) -> &HadoopConf {
        &self.conf
    }

    /// Reads what a user wrote as a path: without a scheme it is on `fs.defaultFS`, which is the local system unless set.
    /// A relative path is below the working directory, or below `/user/<name>` on HDFS.
    pub fn path(&self, text: &str) -> Result<FilePath, ParsePathError> {
        let default = self.conf.get(DEFAULT_FS).map(FilePath::parse).transpose()?;
        match split_scheme(text) {
            Some((scheme, _)) => {
                if scheme.eq_ignore_ascii_case("s3n") {
                    notice_s3n();
                }
                let path = FilePath::parse(text)?;
                if path.scheme() != Scheme::Hdfs || !path.authority().is_empty() {
                    return Ok(path);
                }
                match default.filter(|default| default.scheme() == Scheme::Hdfs) {
                    Some(default) => Ok(default.with_path(path.path())),
                    None => Err(ParsePathError::NoNameNode { text: text.to_owned() }),
                }
            }
            None => match default.filter(|default| default.scheme() != Scheme::File) {
                None => FilePath::parse(text),
                Some(_) if text.is_empty() => Err(ParsePathError::Empty),
                Some(default) if text.starts_with('/') => Ok(default.with_path(text)),
                Some(default) if default.scheme() == Scheme::Hdfs => {
                    Ok(default.with_path(&format!("/user/{}/{text}", user_name())))
                }
                Some(default) => Ok(default.with_path(&format!("/{text}"))),
            },
        }
    }

    /// The file system that holds a path. The first use of an authority makes its client.
    pub fn get(&self, path: &FilePath) -> Result<Arc<dyn FileSystem>, FileError> {
        if path.scheme() == Scheme::File {
            return self.local(path);
        }
        let key = (path.scheme(), path.authority().to_owned());
        let mut remote = self.remote.lock();
        if let Some(system) = remote.get(&key) {
            return Ok(Arc::clone(system));
        }
        let system = self.connect(path)?;
        remote.insert(key, Arc::clone(&system));
        Ok(system)
    }

    fn local(&self, path: &FilePath) -> Result<Arc<dyn FileSystem>, FileError> {
        self.local.clone().map_err(|error| FileError::SetUp { path: path.clone(), source: error.into() })
    }

    fn connect(&self, path: &FilePath) -> Result<Arc<dyn FileSystem>, FileError> {
        match path.scheme() {
            Scheme::File => self.local(path),
            #[cfg(feature = "s3")]
            Scheme::S3 | Scheme::S3a => Ok(Arc::new(crate::S3FileSystem::new(path, &self.conf)?)),
            #[cfg(feature = "hdfs")]
            Scheme::Hdfs => Ok(Arc::new(crate::HdfsFileSystem::new(path, &self.conf)?)),
            #[cfg(not(feature = "s3"))]
            Scheme::S3 | Scheme::S3a => Err(FileError::LeftOut { path: path.clone(), feature: "s3" }),
            #[cfg(not(feature = "hdfs"))]
            Scheme::Hdfs => Err(FileError::LeftOut { path: path.clone(), feature: "hdfs" }),
        }
    }
}

impl Default for FileSystems {
    fn default() -> Self {
        Self::new(HadoopConf::default())
    }
}

/// Who HDFS should take us for.
pub(crate) fn user_name() -> String {
    let set = |name| env::var(name).ok().filter(|user| !user.is_empty());
    set("HADOOP_USER_NAME").or_else(|| set("USER")).or_else(|| set("LOGNAME")).unwrap_or_else(|| "root".to_owned())
}

/// Says once per process that `s3n` is read as `s3a` (DX-19).
fn notice_s3n() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            "s3n:// is out of date and read as s3a://; write s3a:// in paths and spark.hadoop.fs.s3a.* in keys"
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_default(address: &str) -> FileSystems {
        FileSystems::new(HadoopConf::from_spark([("spark.hadoop.fs.defaultFS", address)]))
    }

    #[test]
    fn the_default_file_system_completes_paths() {
        let hdfs = with_default("hdfs://node:8020");
        assert_eq!(hdfs.path("/x").unwrap().to_string(), "hdfs://node:8020/x");
        assert_eq!(hdfs.path("hdfs:///x").unwrap().to_string(), "hdfs://node:8020/x");
        assert_eq!(hdfs.path("x").unwrap().to_string(), format!("hdfs://node:8020/user/{}/x", user_name()));
        assert_eq!(hdfs.path("file:/x").unwrap().to_string(), "file:/x");
        assert_eq!(hdfs.path("s3n://b/x").unwrap().to_string(), "s3a://b/x");
        assert_eq!(with_default("s3a://bucket").path("x").unwrap().to_string(), "s3a://bucket/x");
        assert_eq!(with_default("file:///").path("/x").unwrap().to_string(), "file:/x");
        let local = FileSystems::default();
        assert_eq!(local.path("/x").unwrap().to_string(), "file:/x");
        let error = local.path("hdfs:///x").unwrap_err();
        assert!(matches!(error, ParsePathError::NoNameNode { .. }) && error.to_string().contains("fs.defaultFS"));
    }
}
