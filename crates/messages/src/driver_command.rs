//! What a cluster manager starts drivers with on other machines, in cluster deploy mode.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What was submitted: Spark's `Command`. The managers carry it and do not read it; it is opened where the driver is started.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverCommand {
    /// The program.
    pub resource: DriverResource,
    /// `--class`
    pub main_class: Option<String>,
    /// The program's arguments, which may be any bytes.
    pub arguments: Vec<Vec<u8>>,
    /// The application's configuration. Where a list names a file of the submitting machine, it has [`DriverCommand::file_uri`].
    pub conf: Vec<(String, String)>,
    /// Variables of the submitting machine that go with it.
    pub environment: Vec<(String, String)>,
    /// Files of the submitting machine, in the order in which the manager keeps them.
    pub files: Vec<DriverFile>,
}

/// The program of a driver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DriverResource {
    /// An executable: a path or URI as of the driver's machine, or [`DriverCommand::file_uri`].
    Native(String),
    /// A Python program, in the same way.
    Python(String),
    /// The bundled examples of the driver's machine.
    Examples,
}

/// A file that has to come to the driver's machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DriverFile {
    /// Where it is to be, below the driver's directory.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
    /// BLAKE3 of its content.
    pub digest: [u8; 32],
}

/// The scheme of [`DriverCommand::file_uri`].
const SCHEME: &str = "firesteel-artifact:";

/// The data cannot be read: whoever made it runs another release.
#[derive(Debug, thiserror::Error)]
#[error("could not read what the driver is to be started with; it was submitted by another release of Firesteel: {0}")]
pub struct OpenDriverCommandError(#[from] postcard::Error);

impl DriverCommand {
    /// Stands for one of its files until it is where the driver runs.
    pub fn file_uri(number: usize) -> String {
        format!("{SCHEME}{number}")
    }

    /// Which of its files a text stands for, if it does for one.
    pub fn file_of(&self, uri: &str) -> Option<&DriverFile> {
        self.files.get(uri.strip_prefix(SCHEME)?.parse::<usize>().ok()?)
    }

    /// As it travels.
    pub fn seal(&self) -> Bytes {
        postcard::to_stdvec(self).expect("nothing in it cannot be encoded").into()
    }

    /// What was sealed.
    pub fn open(sealed: &[u8]) -> Result<Self, OpenDriverCommandError> {
        Ok(postcard::from_bytes(sealed)?)
    }
}

/// Neither the configuration nor arguments nor variables, which may hold secrets.
impl fmt::Debug for DriverCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverCommand")
            .field("resource", &self.resource)
            .field("main_class", &self.main_class)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// What the process of a driver reads on its standard input before it becomes the driver.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverLaunch {
    /// What was submitted.
    pub command: DriverCommand,
    /// What the masters call its files, if it has some.
    pub artifacts: Option<String>,
    /// The masters, each as `host:port`, of which one leads.
    pub masters: Vec<String>,
    /// The cluster's secret, which the driver proves to the masters as its worker does.
    pub cluster_secret: String,
    /// The name that others reach the driver's machine by.
    pub host: String,
}

impl DriverLaunch {
    /// As it travels.
    pub fn seal(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("nothing in it cannot be encoded")
    }

    /// What was sealed.
    pub fn open(sealed: &[u8]) -> Result<Self, OpenDriverCommandError> {
        Ok(postcard::from_bytes(sealed)?)
    }
}

/// As for the command.
impl fmt::Debug for DriverLaunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverLaunch")
            .field("command", &self.command)
            .field("masters", &self.masters)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened_and_shows_no_secret() {
        let command = DriverCommand {
            resource: DriverResource::Python(DriverCommand::file_uri(0)),
            main_class: None,
            arguments: vec![b"hush\xff".to_vec()],
            conf: vec![("spark.x.password".to_owned(), "hush".to_owned())],
            environment: vec![("SPARK_TOKEN".to_owned(), "hush".to_owned())],
            files: vec![DriverFile { path: "app.py".to_owned(), length: 9, digest: [7; 32] }],
        };
        let launch = DriverLaunch {
            command: command.clone(),
            artifacts: None,
            masters: vec!["m:7077".to_owned()],
            cluster_secret: "hush".to_owned(),
            host: "w".to_owned(),
        };
        assert!(!format!("{launch:?}").contains("hush"));
        assert_eq!(DriverLaunch::open(&launch.seal()).unwrap(), launch);
        assert_eq!(DriverCommand::open(&command.seal()).unwrap(), command);
        assert!(DriverCommand::open(&command.seal()[..3]).is_err());
        assert_eq!(command.file_of("firesteel-artifact:0").map(|file| file.path.as_str()), Some("app.py"));
        for uri in ["firesteel-artifact:1", "firesteel-artifact:x", "file:/app.py", "0"] {
            assert_eq!(command.file_of(uri), None, "{uri}");
        }
    }
}
