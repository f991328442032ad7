//! The secret of a standalone cluster: what masters, workers and those who submit prove to one another.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{ConfError, ReadSecretError, Secret, SecretSide, SparkConf, defaults_file::conf_directory, keys};

/// The file in the configuration directory.
const FILE_NAME: &str = "cluster-secret";

/// There is no secret to prove.
#[derive(Debug, thiserror::Error)]
pub enum ClusterSecretError {
    /// A key cannot be read.
    #[error(transparent)]
    Conf(#[from] ConfError),
    /// The secret of `spark.authenticate.secret` or its file cannot be had.
    #[error(transparent)]
    Configured(#[from] ReadSecretError),
    /// There is no place where it could be.
    #[error("the cluster's secret is not known: set SPARK_HOME or SPARK_CONF_DIR, or spark.deploy.secret.file")]
    NoDirectory,
    /// The file is not there.
    #[error(
        "the cluster's secret is not known: {} is not there. The master makes it when it starts for the first time; copy it from the \
         master's machine (sbin/start-all.sh does), or name a file of your own by spark.deploy.secret.file",
        .0.display()
    )]
    Missing(PathBuf),
    /// Others can read it.
    #[error("the cluster's secret is no secret: others can read {} (its mode is {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be read, or made.
    #[error("could not {action} {}, which has the cluster's secret", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl SparkConf {
    /// The cluster's secret: `spark.authenticate.secret` and what belongs to it, as in Spark, else the content of
    /// [`Self::cluster_secret_file`].
    pub fn cluster_secret(
        &self,
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Secret, ClusterSecretError> {
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        if let Some(secret) = self.authentication_secret(SecretSide::Driver, text)? {
            return Ok(secret);
        }
        let path = self.cluster_secret_file(variable)?;
        let failed = |source: io::Error| ClusterSecretError::File { action: "read", path: path.clone(), source };
        let mode = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata.mode() & 0o777,
            Ok(_) => return Err(failed(io::Error::other("it is no file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ClusterSecretError::Missing(path)),
            Err(error) => return Err(failed(error)),
        };
        if mode & 0o077 != 0 {
            return Err(ClusterSecretError::Open { path, mode });
        }
        let bytes = crate::read_bounded_file(&path).map_err(failed)?;
        if bytes.trim_ascii().is_empty() {
            return Err(ReadSecretError::Empty(path).into());
        }
        Ok(Secret::of_bytes(bytes))
    }

    /// Where the cluster's secret is kept: `spark.deploy.secret.file`, else `cluster-secret` in the configuration directory.
    pub fn cluster_secret_file(
        &self,
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<PathBuf, ClusterSecretError> {
        if let Some(path) = self.get(&keys::DEPLOY_SECRET_FILE)? {
            return Ok(PathBuf::from(path));
        }
        let directory = conf_directory(variable("SPARK_CONF_DIR"), variable("SPARK_HOME"));
        directory.map(|directory| directory.join(FILE_NAME)).ok_or(ClusterSecretError::NoDirectory)
    }
}

/// Keeps a new secret in a file that only its owner can read. Of several who do this at once one is first, and the others find its
/// file; false for them.
pub fn create_cluster_secret(path: &Path, secret: &str) -> Result<bool, ClusterSecretError> {
    let failed = |source| ClusterSecretError::File { action: "make", path: path.to_owned(), source };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(failed)?;
    // Whole under its name, or not there: a reader never finds half of it.
    let unfinished = directory.join(format!(".{FILE_NAME}-{}", std::process::id()));
    let made = write_private(&unfinished, secret).and_then(|()| fs::hard_link(&unfinished, path));
    // It has another name now, or is of no use.
    let _ = fs::remove_file(&unfinished);
    match made {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn write_private(path: &Path, secret: &str) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn the_first_who_makes_it_decides_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let conf_dir = directory.path().join("conf");
        let variable = |name: &str| (name == "SPARK_CONF_DIR").then(|| OsString::from(conf_dir.as_os_str()));
        let conf = SparkConf::new();
        let path = conf.cluster_secret_file(variable).unwrap();
        assert!(matches!(conf.cluster_secret(variable), Err(ClusterSecretError::Missing(_))));
        assert!(create_cluster_secret(&path, "first").unwrap());
        assert!(!create_cluster_secret(&path, "second").unwrap());
        assert_eq!(conf.cluster_secret(variable).unwrap().bytes().trim_ascii(), b"first");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&conf_dir).unwrap().count(), 1);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = conf.cluster_secret(variable).unwrap_err().to_string();
        assert!(refused.contains("its mode is 640") && refused.contains("chmod 600"), "{refused}");

        let mut conf = SparkConf::new();
        conf.set("spark.authenticate.secret", "as in Spark");
        assert_eq!(conf.cluster_secret(variable).unwrap().bytes(), b"as in Spark");
        assert!(matches!(SparkConf::new().cluster_secret(|_| None), Err(ClusterSecretError::NoDirectory)));
    }
}
