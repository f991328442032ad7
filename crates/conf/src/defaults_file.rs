//! Finding and reading `spark-defaults.conf` (SS-71).

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{OFlags, fcntl_setfl};

use crate::properties::{self, ParsePropertiesError};

/// A properties file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadDefaultsError {
    /// It cannot be read.
    #[error("could not read the properties file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not in the syntax.
    #[error("could not understand the properties file {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: ParsePropertiesError,
    },
}

/// No configuration is longer: what is may be a device without an end, or another file altogether.
const MOST_BYTES: u64 = 16 << 20;

/// Where the defaults file is, from the values of `SPARK_CONF_DIR` and `SPARK_HOME`; whether or not it exists.
pub fn defaults_file_path(conf_dir: Option<OsString>, spark_home: Option<OsString>) -> Option<PathBuf> {
    conf_directory(conf_dir, spark_home).map(|directory| directory.join("spark-defaults.conf"))
}

/// The configuration directory, from the values of `SPARK_CONF_DIR` and, if that is not set, `SPARK_HOME`; whether or not it
/// exists.
pub fn conf_directory(conf_dir: Option<OsString>, spark_home: Option<OsString>) -> Option<PathBuf> {
    let conf_dir = conf_dir.filter(|path| !path.is_empty()).map(PathBuf::from);
    conf_dir.or_else(|| spark_home.filter(|path| !path.is_empty()).map(|home| PathBuf::from(home).join("conf")))
}

/// Reads a properties file, unless there is none: then nothing is set. One that may not be looked at is an error, or what an
/// administrator has set would be lost unseen.
pub fn read_properties_file_if_there(path: &Path) -> Result<Vec<(String, String)>, ReadDefaultsError> {
    match read_properties_file(path) {
        Err(ReadDefaultsError::Read { source, .. }) if is_absence(&source) => Ok(Vec::new()),
        read => read,
    }
}

/// Does the error say that there is nothing by that name?
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads a properties file. A key that comes twice is there twice; the last one counts. Bytes that are not UTF-8 become U+FFFD, as
/// in Spark; [`SparkConf::review`](crate::SparkConf::review) tells where that matters.
pub fn read_properties_file(path: &Path) -> Result<Vec<(String, String)>, ReadDefaultsError> {
    let text = read_bounded(path).map_err(|source| ReadDefaultsError::Read { path: path.to_owned(), source })?;
    properties::parse(&text).map_err(|source| ReadDefaultsError::Parse { path: path.to_owned(), source })
}

/// Reads a file or a pipe, which is what `<(…)` of a shell names. A named pipe that nobody has open for writing would make whoever
/// opens it wait without a word, so it is opened as if it were not to be waited for.
fn read_bounded(path: &Path) -> io::Result<String> {
    let mut file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    let mut bytes = Vec::new();
    // The pipe of a shell has no name of its own, and had its writer when it was made.
    if file.metadata()?.file_type().is_fifo() && fs::canonicalize(path).is_ok() {
        let mut first = [0];
        match file.read(&mut first) {
            Ok(0) => return Err(io::Error::other("it is a named pipe, and nobody writes to it")),
            Ok(_) => bytes.extend(first),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    fcntl_setfl(&file, OFlags::empty())?;
    file.by_ref().take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it has more than {} MiB", MOST_BYTES >> 20)));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::AsRawFd, thread};

    use firesteel_model::error_chain;
    use rustix::{
        fs::{CWD, FileType, Mode, mknodat},
        io::ioctl_fionread,
    };

    use super::*;

    fn refused(path: &Path) -> String {
        error_chain(&read_properties_file(path).unwrap_err())
    }

    #[test]
    fn what_has_no_end_is_refused() {
        assert_eq!(
            refused(Path::new("/dev/zero")),
            "could not read the properties file /dev/zero: it has more than 16 MiB"
        );
        assert_eq!(read_properties_file(Path::new("/dev/null")).unwrap(), []);
        let directory = tempfile::tempdir().unwrap();
        let long = directory.path().join("long");
        File::create(&long).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert!(refused(&long).ends_with("it has more than 16 MiB"));
        File::create(&long).unwrap().set_len(0).unwrap();
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced_as_in_spark() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("latin-1");
        fs::write(&path, b"# gr\xfc\xdfe\nspark.a=b\nspark.app.name=M\xfcller\n").unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let read = read_properties_file(&path).unwrap();
        assert_eq!(read, [pair("spark.a", "b"), pair("spark.app.name", "M\u{fffd}ller")]);
    }

    #[test]
    fn pipes_are_read_if_somebody_writes() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(refused(&pipe).ends_with("it is a named pipe, and nobody writes to it"));
        // Open for reading too, as a pipe that nobody reads cannot be opened for writing alone.
        let mut writer = File::options().read(true).write(true).open(&pipe).unwrap();
        writer.write_all(b"spark.x 1\n").unwrap();
        let read = thread::scope(|scope| {
            let reading = scope.spawn(|| read_properties_file(&pipe));
            while ioctl_fionread(&writer).unwrap() > 0 {
                thread::yield_now();
            }
            drop(writer);
            reading.join().unwrap()
        });
        assert_eq!(read.unwrap(), [("spark.x".to_owned(), "1".to_owned())]);

        let (read, mut write) = io::pipe().unwrap();
        write.write_all(b"spark.x 1\n").unwrap();
        drop(write);
        let path = format!("/proc/self/fd/{}", read.as_raw_fd());
        assert_eq!(read_properties_file(Path::new(&path)).unwrap(), [("spark.x".to_owned(), "1".to_owned())]);
    }
}
