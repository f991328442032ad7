//! Finding and reading `spark-defaults.conf` (SS-71).

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use crate::{
    properties::{self, ParsePropertiesError},
    read_bounded_file,
};

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
    let bytes = read_bounded_file(path).map_err(|source| ReadDefaultsError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    // Editors put it there unseen, and it would be a part of the first key.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    properties::parse(text).map_err(|source| ReadDefaultsError::Parse { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use firesteel_model::error_chain;

    use super::*;

    fn refused(path: &Path) -> String {
        error_chain(&read_properties_file(path).unwrap_err())
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spark-defaults.conf");
        fs::write(&path, "\u{feff}spark.master local[2]\n").unwrap();
        assert_eq!(read_properties_file(&path).unwrap(), [("spark.master".to_owned(), "local[2]".to_owned())]);
    }

    #[test]
    fn what_has_no_end_is_refused() {
        assert_eq!(
            refused(Path::new("/dev/zero")),
            "could not read the properties file /dev/zero: it has more than 16 MiB"
        );
        assert_eq!(read_properties_file(Path::new("/dev/null")).unwrap(), []);
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
}
