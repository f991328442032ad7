//! Where logs lie: `spark.eventLog.dir`.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogDirectoryError {
    /// It is on a file system that logs cannot be written to.
    #[error(
        "spark.eventLog.dir is {uri:?}, but event logs can only be written to local directories; \
         use a path or a file: URI, for instance of a mounted directory that the history server reads too"
    )]
    Scheme {
        /// As it was given.
        uri: String,
    },
    /// A `file:` URI names another machine, or no absolute path.
    #[error("spark.eventLog.dir is {uri:?}; a file: URI must have the form file:/path or file:///path")]
    Uri {
        /// As it was given.
        uri: String,
    },
    /// The path is relative and the working directory is unknown.
    #[error("could not find out the working directory, which spark.eventLog.dir {path:?} is relative to")]
    WorkingDirectory {
        /// As it was given.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The directory that a value of `spark.eventLog.dir` means: a path (a relative one in the working directory) or a
/// `file:` URI.
pub fn log_directory(value: &str) -> Result<PathBuf, LogDirectoryError> {
    let absolute = |path: &str| {
        std::path::absolute(Path::new(path))
            .map_err(|source| LogDirectoryError::WorkingDirectory { path: value.to_owned(), source })
    };
    match value.split_once(':') {
        Some(("file", path)) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(LogDirectoryError::Uri { uri: value.to_owned() });
            }
            Ok(PathBuf::from(unescaped(path)))
        }
        // A colon after a slash is part of a path, not the end of a scheme.
        Some((scheme, _)) if !scheme.contains('/') => Err(LogDirectoryError::Scheme { uri: value.to_owned() }),
        _ => absolute(value),
    }
}

/// `%20` and the like are bytes of the path; a percent sign without two digits is itself.
fn unescaped(path: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    let bytes = path.as_bytes();
    let mut unescaped = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                unescaped.push(byte);
                rest = &after[2..];
            }
            None => {
                unescaped.push(*first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(unescaped)
}

/// An application or attempt id as part of a file name: Spark's rule, which keeps the codec after the last dot readable.
pub(crate) fn sanitized(id: &str) -> String {
    id.chars()
        .map(|char| match char {
            ' ' | ':' | '/' => '-',
            '.' | '$' | '{' | '}' | '\'' | '"' => '_',
            other => other,
        })
        .collect::<String>()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{LogDirectoryError, log_directory, sanitized};

    #[test]
    fn paths_and_file_uris_are_local_directories() {
        for (value, path) in [
            ("/tmp/spark-events", "/tmp/spark-events"),
            ("file:/tmp/spark-events", "/tmp/spark-events"),
            ("file:///tmp/spark-events", "/tmp/spark-events"),
            ("file:/tmp/with%20space/100%", "/tmp/with space/100%"),
            ("/tmp/a:b", "/tmp/a:b"),
        ] {
            assert_eq!(log_directory(value).unwrap(), Path::new(path), "{value}");
        }
        assert!(log_directory("events").unwrap().is_absolute());
    }

    #[test]
    fn other_file_systems_are_refused_by_name() {
        for value in ["hdfs://nn:8020/logs", "s3a://bucket/logs"] {
            let error = log_directory(value).unwrap_err();
            assert!(matches!(error, LogDirectoryError::Scheme { .. }), "{error}");
            assert!(error.to_string().contains(value), "{error}");
        }
        assert!(matches!(log_directory("file://host/logs"), Err(LogDirectoryError::Uri { .. })));
    }

    #[test]
    fn names_have_no_dots_and_no_capitals() {
        assert_eq!(sanitized("App 1:2/3.4"), "app-1-2-3_4");
        assert_eq!(sanitized("app-20261121125303-0000"), "app-20261121125303-0000");
    }
}
