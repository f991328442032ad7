//! The shared secret that processes of an application prove to each other (SE-01, SE-02).

use std::{fmt, io, path::PathBuf};

use crate::{ConfError, SparkConf, keys, read_bounded_file};

/// The variable by which a cluster manager hands the secret to a process that it starts.
pub const AUTH_SECRET_VARIABLE: &str = "_SPARK_AUTH_SECRET";

/// A shared secret. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Whose secret file counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretSide {
    /// `spark.authenticate.secret.driver.file`
    Driver,
    /// `spark.authenticate.secret.executor.file`
    Executor,
}

/// The configured secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadSecretError {
    /// A key cannot be read.
    #[error(transparent)]
    Conf(#[from] ConfError),
    /// The file cannot be read.
    #[error("could not read the secret file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds nothing.
    #[error("the secret file {} is empty", .0.display())]
    Empty(PathBuf),
}

impl SparkConf {
    /// The secret that was configured: by the environment variable, by the key, by the file; in this order. `None`: nobody
    /// configured one, so the application generates its own where the cluster manager can carry it.
    pub fn authentication_secret(
        &self,
        side: SecretSide,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Secret>, ReadSecretError> {
        if let Some(secret) = variable(AUTH_SECRET_VARIABLE).filter(|secret| !secret.is_empty()) {
            return Ok(Some(Secret(secret.into_bytes())));
        }
        if let Some(secret) = self.get(&keys::AUTHENTICATE_SECRET)? {
            return Ok(Some(Secret(secret.into_bytes())));
        }
        let file = match side {
            SecretSide::Driver => self.get(&keys::AUTHENTICATE_SECRET_DRIVER_FILE)?,
            SecretSide::Executor => self.get(&keys::AUTHENTICATE_SECRET_EXECUTOR_FILE)?,
        };
        let Some(path) = file.map(PathBuf::from) else { return Ok(None) };
        match read_bounded_file(&path) {
            Ok(bytes) if bytes.is_empty() => Err(ReadSecretError::Empty(path)),
            Ok(bytes) => Ok(Some(Secret(bytes))),
            Err(source) => Err(ReadSecretError::Read { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn what_has_no_end_and_what_nobody_writes_to_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for path in [&pipe, Path::new("/dev/zero")] {
            let mut conf = SparkConf::new();
            conf.set("spark.authenticate.secret.file", path.to_str().unwrap());
            let refused = conf.authentication_secret(SecretSide::Driver, |_| None);
            assert!(matches!(refused, Err(ReadSecretError::Read { .. })), "{refused:?}");
        }
    }

    #[test]
    fn each_source_in_turn() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let mut conf = SparkConf::new();
        let none = |_: &str| None;
        assert_eq!(conf.authentication_secret(SecretSide::Driver, none).unwrap(), None);

        conf.set("spark.authenticate.secret.file", path);
        let empty = conf.authentication_secret(SecretSide::Driver, none);
        assert!(matches!(empty, Err(ReadSecretError::Empty(_))));
        fs::write(path, b"from \xff file").unwrap();
        for side in [SecretSide::Driver, SecretSide::Executor] {
            let secret = conf.authentication_secret(side, none).unwrap().unwrap();
            assert_eq!(secret.bytes(), b"from \xff file");
            assert_eq!(format!("{secret:?}"), "Secret(hidden)");
        }

        conf.set("spark.authenticate.secret.executor.file", "/does/not/exist");
        let missing = conf.authentication_secret(SecretSide::Executor, none).unwrap_err();
        assert_eq!(missing.to_string(), "could not read the secret file /does/not/exist");

        conf.set("spark.authenticate.secret", "key");
        let secret = conf.authentication_secret(SecretSide::Executor, none).unwrap().unwrap();
        assert_eq!(secret.bytes(), b"key");
        let variable = |name: &str| (name == AUTH_SECRET_VARIABLE).then(|| "variable".to_owned());
        let secret = conf.authentication_secret(SecretSide::Executor, variable).unwrap().unwrap();
        assert_eq!(secret.bytes(), b"variable");
    }
}
