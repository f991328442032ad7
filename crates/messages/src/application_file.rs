//! The application's files on their way to executors (SS-80).

use std::fmt;

use firesteel_model::url_without_secrets;
use serde::{Deserialize, Serialize};

/// A file, archive or directory of the application, as the driver announces it. Executors place it before the first task that
/// may need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationFile {
    /// What it is called below the root directory of every process: a plain file name.
    pub name: String,
    /// Where it comes from.
    pub source: FileSource,
    /// What is made of it.
    pub kind: ApplicationFileKind,
    /// What it consists of: one part for a file or an archive, one for each file of a directory. Empty if it is on every
    /// machine already.
    pub parts: Vec<FilePart>,
}

/// Where an application's file comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FileSource {
    /// The driver serves it on its data plane.
    Driver {
        /// The name that executors reach the driver by; empty if there is nobody but the driver.
        host: String,
        /// The port of its data plane.
        port: u16,
        /// The driver's own numbering. No path is ever asked for.
        number: u32,
    },
    /// Every process fetches it from this URL.
    Remote(String),
    /// It is at this path of every machine.
    Local(String),
}

/// What is made of an application's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ApplicationFileKind {
    /// A file under its name.
    File,
    /// A library: placed as a file, and listed apart.
    Jar,
    /// A directory of its name with what the archive holds (SS-17).
    Archive(ArchiveFormat),
    /// A directory of its name with all files below it.
    Directory,
}

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ArchiveFormat {
    /// `.zip` and `.jar`.
    Zip,
    /// `.tar`.
    Tar,
    /// `.tar.gz` and `.tgz`.
    TarGz,
}

/// One file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePart {
    /// Where it is below the directory that it belongs to; empty for what is no directory.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
    /// BLAKE3 of its content when the driver added it: every process must have the same.
    pub digest: [u8; 32],
}

impl ArchiveFormat {
    /// The format that a file's name tells, in any case, as Spark tells it.
    pub fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |ending| name.ends_with(ending);
        if ends(".zip") || ends(".jar") {
            Some(Self::Zip)
        } else if ends(".tar.gz") || ends(".tgz") {
            Some(Self::TarGz)
        } else if ends(".tar") {
            Some(Self::Tar)
        } else {
            None
        }
    }
}

impl fmt::Display for ApplicationFile {
    /// For people: `spark://host:port/files/name`, or the URL it was added by, less what may be a secret; the name alone where
    /// there is no address to fetch it from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            FileSource::Driver { host, .. } if host.is_empty() => f.write_str(&self.name),
            FileSource::Driver { host, port, .. } => {
                let kind = if self.kind == ApplicationFileKind::Jar { "jars" } else { "files" };
                write!(f, "spark://{host}:{port}/{kind}/{}", self.name)
            }
            FileSource::Remote(url) => f.write_str(&url_without_secrets(url)),
            FileSource::Local(path) => write!(f, "file:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_as_people_see_them() {
        let shown =
            |kind, source| ApplicationFile { name: "a.zip".to_owned(), source, kind, parts: Vec::new() }.to_string();
        let driver = |host: &str| FileSource::Driver { host: host.to_owned(), port: 7, number: 0 };
        assert_eq!(shown(ApplicationFileKind::File, driver("h")), "spark://h:7/files/a.zip");
        assert_eq!(shown(ApplicationFileKind::Jar, driver("h")), "spark://h:7/jars/a.zip");
        assert_eq!(shown(ApplicationFileKind::File, driver("")), "a.zip");
        assert_eq!(shown(ApplicationFileKind::File, FileSource::Local("/d/b.zip".to_owned())), "file:/d/b.zip");
        assert_eq!(
            shown(ApplicationFileKind::File, FileSource::Remote("https://u:p@h/b.zip?token=1".to_owned())),
            "https://h/b.zip"
        );
    }

    #[test]
    fn formats_by_name() {
        let cases = [
            ("a.zip", Some(ArchiveFormat::Zip)),
            ("A.JAR", Some(ArchiveFormat::Zip)),
            ("a.tar", Some(ArchiveFormat::Tar)),
            ("a.tar.gz", Some(ArchiveFormat::TarGz)),
            ("a.TGZ", Some(ArchiveFormat::TarGz)),
            ("a.gz", None),
            ("tar", None),
        ];
        for (name, format) in cases {
            assert_eq!(ArchiveFormat::of(name), format, "{name}");
        }
    }
}
