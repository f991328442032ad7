//! What a cluster manager that runs on other machines starts executors with.

use std::fmt;

use bytes::Bytes;
use firesteel_model::{ApplicationId, ExecutorId};
use serde::{Deserialize, Serialize};

use crate::{ExecutorLaunch, FileSource};

/// Everything that the executors of an application have in common: Spark's `Command`. Those who carry it do not read it; it is
/// opened where the process is started.
#[derive(Clone, Serialize, Deserialize)]
pub struct ExecutorCommand {
    /// The application's program.
    pub executable: Executable,
    /// `spark.executorEnv.NAME`
    pub environment: Vec<(String, String)>,
    /// The driver's control address.
    pub driver_address: String,
    /// The application's secret.
    pub secret: String,
    /// The key of the application's local files, if they are encrypted.
    pub io_encryption_key: Option<Vec<u8>>,
    /// The application's configuration.
    pub conf: Vec<(String, String)>,
}

/// A program that has to be the same on every machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Executable {
    /// Where it is on the driver's machine. A file there with the same content need not be fetched.
    pub path: String,
    /// BLAKE3 of its content.
    pub digest: [u8; 32],
    /// Its length in bytes.
    pub length: u64,
    /// Where it is served.
    pub source: FileSource,
}

/// The data cannot be read: whoever made it runs another release.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not read what the executor is to be started with; the application was built on another release of Firesteel: {0}"
)]
pub struct OpenCommandError(#[from] postcard::Error);

impl ExecutorCommand {
    /// As it travels.
    pub fn seal(&self) -> Bytes {
        postcard::to_stdvec(self).expect("nothing in it cannot be encoded").into()
    }

    /// What was sealed.
    pub fn open(sealed: &[u8]) -> Result<Self, OpenCommandError> {
        Ok(postcard::from_bytes(sealed)?)
    }

    /// What one executor reads on its standard input. `host` is the name that its peers reach it by.
    pub fn launch(
        self,
        application_id: ApplicationId,
        executor_id: ExecutorId,
        host: String,
        cores: u32,
    ) -> ExecutorLaunch {
        ExecutorLaunch {
            application_id,
            executor_id,
            driver_address: self.driver_address,
            host,
            cores,
            secret: self.secret,
            io_encryption_key: self.io_encryption_key,
            conf: self.conf,
            files_cache: None,
            driver_directories: Vec::new(),
        }
    }
}

/// Neither secrets nor the configuration, which may hold some.
impl fmt::Debug for ExecutorCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorCommand")
            .field("executable", &self.executable)
            .field("driver_address", &self.driver_address)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened_and_shows_no_secret() {
        let command = ExecutorCommand {
            executable: Executable {
                path: "/opt/app".to_owned(),
                digest: [7; 32],
                length: 9,
                source: FileSource::Driver { host: "h".to_owned(), port: 7, number: 3 },
            },
            environment: vec![("A".to_owned(), "b".to_owned())],
            driver_address: "h:1".to_owned(),
            secret: "hush".to_owned(),
            io_encryption_key: Some(vec![1, 2]),
            conf: vec![("spark.app.name".to_owned(), "x".to_owned())],
        };
        assert!(!format!("{command:?}").contains("hush"));
        let sealed = command.seal();
        let opened = ExecutorCommand::open(&sealed).unwrap();
        assert_eq!(opened.executable, command.executable);
        let launch = opened.launch("app-1".into(), "4".into(), "worker".to_owned(), 2);
        assert_eq!((launch.secret.as_str(), launch.host.as_str(), launch.cores), ("hush", "worker", 2));
        assert_eq!(launch.io_encryption_key, Some(vec![1, 2]));
        assert!(ExecutorCommand::open(&sealed[..3]).is_err());
    }
}
