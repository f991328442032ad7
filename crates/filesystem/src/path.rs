//! Names of files: Hadoop's `Path`, as a value that has been checked once.
//!
//! A path is a scheme, an authority (bucket, or name node and port) and an absolute path. Names are taken as they are
//! written, without percent decoding, as Hadoop's `Path(String)` does; `.`, `..` and repeated slashes are resolved.

use std::{env, fmt};

use firesteel_model::{has_user_info, hide_secrets_of_urls};
use serde::{Deserialize, Serialize};

/// The schemes that name a file system here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scheme {
    /// `file:` or no scheme at all: the machine's own files.
    File,
    /// `s3://`.
    S3,
    /// `s3a://`, and `s3n://` which is read as it (DX-19).
    S3a,
    /// `hdfs://`.
    Hdfs,
}

impl Scheme {
    /// The scheme as it is written in front of the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::S3 => "s3",
            Self::S3a => "s3a",
            Self::Hdfs => "hdfs",
        }
    }
}

/// The name of a file or directory, or a glob pattern for such names.
///
/// It prints as Hadoop prints it (`file:/data/x`, `hdfs://node:8020/data/x`, `s3a://bucket/x`); serialized, it is that text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FilePath {
    scheme: Scheme,
    authority: String,
    path: String,
}

/// A text does not name a file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParsePathError {
    /// There is no text.
    #[error("a path must not be empty")]
    Empty,
    /// The scheme is not one that this build knows.
    #[error(
        "no file system for scheme {scheme:?} of {:?}; known are file, hdfs, s3, s3a and s3n",
        hide_secrets_of_urls(text)
    )]
    UnknownScheme {
        /// What stands before the colon.
        scheme: String,
        /// The whole text.
        text: String,
    },
    /// `s3a://key:secret@bucket`, which Hadoop refuses too since 3.2; a user of HDFS is not told by the path either.
    #[error(
        "{} has a user or password in front of the @, which no file system takes from there; set spark.hadoop.fs.s3a.access.key and spark.hadoop.fs.s3a.secret.key for S3, the environment variable HADOOP_USER_NAME for HDFS",
        hide_secrets_of_urls(text)
    )]
    UserInfo {
        /// The whole text.
        text: String,
    },
    /// `s3://` without a bucket.
    #[error("{text:?} does not name a bucket; write s3a://bucket/path")]
    NoBucket {
        /// The whole text.
        text: String,
    },
    /// `file://host/…`.
    #[error("{text:?} names the host {host:?}, but file: paths are on this machine; write file:///path")]
    HostOfLocalFile {
        /// The host that was given.
        host: String,
        /// The whole text.
        text: String,
    },
    /// A scheme followed by a relative path.
    #[error("the path of {text:?} must begin with a slash")]
    Relative {
        /// The whole text.
        text: String,
    },
    /// A relative path, but the working directory cannot be told.
    #[error("{text:?} is relative, and the working directory is not known; write an absolute path")]
    NoWorkingDirectory {
        /// The whole text.
        text: String,
    },
    /// `hdfs:///…` with no default file system to complete it.
    #[error("{text:?} names no name node and fs.defaultFS is not an hdfs:// address; write hdfs://host:port/path")]
    NoNameNode {
        /// The whole text.
        text: String,
    },
}

impl FilePath {
    /// Reads a path. One without a scheme is local, and a relative one is below the working directory;
    /// [`FileSystems::path`](crate::FileSystems::path) is the variant that knows `fs.defaultFS`.
    pub fn parse(text: &str) -> Result<Self, ParsePathError> {
        if text.is_empty() {
            return Err(ParsePathError::Empty);
        }
        match split_scheme(text) {
            Some((scheme, rest)) => Self::parse_with_scheme(text, scheme, rest),
            None => Self::parse_plain_local(text),
        }
    }

    /// A path below the root of a file system.
    pub(crate) fn from_parts(scheme: Scheme, authority: &str, path: &str) -> Self {
        Self { scheme, authority: authority.to_owned(), path: normalize(path) }
    }

    /// The local file of this name. The path should be absolute.
    pub fn local(path: &std::path::Path) -> Option<Self> {
        path.to_str().map(|path| Self::from_parts(Scheme::File, "", path))
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bucket of S3, `host:port` or name service of HDFS, empty for local files.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The absolute path, beginning with a slash and without one at its end; `/` for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path; empty for the root.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The directory that holds it; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (parent, name) = self.path.rsplit_once('/')?;
        if name.is_empty() {
            return None;
        }
        let path = if parent.is_empty() { "/" } else { parent };
        Some(Self { scheme: self.scheme, authority: self.authority.clone(), path: path.to_owned() })
    }

    /// A path below this one.
    pub fn join(&self, below: &str) -> Self {
        Self::from_parts(self.scheme, &self.authority, &format!("{}/{below}", self.path))
    }

    /// Whether this is `other` or below it.
    pub fn starts_with(&self, other: &Self) -> bool {
        let same_root = self.scheme == other.scheme && self.authority == other.authority;
        let below = other.path == "/"
            || self.path.strip_prefix(&other.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        same_root && below
    }

    /// Whether jobs skip the file because its name begins with `_` or `.`.
    pub fn is_hidden(&self) -> bool {
        self.name().starts_with(['_', '.'])
    }

    /// The same path on another authority.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        Self::from_parts(self.scheme, &self.authority, path)
    }

    fn parse_with_scheme(text: &str, scheme: &str, rest: &str) -> Result<Self, ParsePathError> {
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "file" => Scheme::File,
            "s3" => Scheme::S3,
            "s3a" | "s3n" => Scheme::S3a,
            "hdfs" => Scheme::Hdfs,
            _ => return Err(ParsePathError::UnknownScheme { scheme: scheme.to_owned(), text: text.to_owned() }),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => match rest.find('/') {
                Some(slash) => rest.split_at(slash),
                None => (rest, "/"),
            },
            None => ("", rest),
        };
        if rest.starts_with("//") && has_user_info(text) {
            return Err(ParsePathError::UserInfo { text: text.to_owned() });
        }
        match scheme {
            Scheme::File if !matches!(authority, "" | "localhost") => {
                return Err(ParsePathError::HostOfLocalFile { host: authority.to_owned(), text: text.to_owned() });
            }
            Scheme::S3 | Scheme::S3a if authority.is_empty() => {
                return Err(ParsePathError::NoBucket { text: text.to_owned() });
            }
            _ => {}
        }
        if scheme == Scheme::File && !path.starts_with('/') && !path.is_empty() {
            return Self::parse_plain_local(path);
        }
        if !path.starts_with('/') {
            return Err(ParsePathError::Relative { text: text.to_owned() });
        }
        let authority = if scheme == Scheme::File { "" } else { authority };
        Ok(Self::from_parts(scheme, authority, path))
    }

    fn parse_plain_local(text: &str) -> Result<Self, ParsePathError> {
        if text.starts_with('/') {
            return Ok(Self::from_parts(Scheme::File, "", text));
        }
        let directory = env::current_dir().ok().and_then(|directory| directory.to_str().map(str::to_owned));
        let directory = directory.ok_or_else(|| ParsePathError::NoWorkingDirectory { text: text.to_owned() })?;
        Ok(Self::from_parts(Scheme::File, "", &format!("{directory}/{text}")))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::File => write!(f, "file:{}", self.path),
            _ => write!(f, "{}://{}{}", self.scheme.as_str(), self.authority, self.path),
        }
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for FilePath {
    type Error = ParsePathError;
    fn try_from(text: String) -> Result<Self, ParsePathError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for FilePath {
    type Err = ParsePathError;
    fn from_str(text: &str) -> Result<Self, ParsePathError> {
        Self::parse(text)
    }
}

/// The scheme and what follows its colon, if the text begins with one.
pub(crate) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let letter_first = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let plain = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (letter_first && plain).then_some((scheme, rest))
}

/// The comma list that `textFile` takes, cut at the commas that are not inside braces and not behind a backslash.
/// What is between two commas may be empty.
pub fn split_comma_list(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin, mut escaped) = (0usize, 0, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&text[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, printed: &str) {
        assert_eq!(FilePath::parse(text).unwrap().to_string(), printed, "{text}");
    }

    #[test]
    fn reads_every_spelling() {
        check("/a//b/./c/../d/", "file:/a/b/d");
        check("file:/a", "file:/a");
        check("file:///a", "file:/a");
        check("file://localhost/a", "file:/a");
        check("s3://bucket/a b%20/*", "s3://bucket/a b%20/*");
        check("s3a://bucket", "s3a://bucket/");
        check("s3n://bucket/x", "s3a://bucket/x");
        check("hdfs://node:8020/x/", "hdfs://node:8020/x");
        check("HDFS://node:8020/x", "hdfs://node:8020/x");
        let relative = FilePath::parse("data/x").unwrap();
        assert_eq!(relative.path(), env::current_dir().unwrap().join("data/x").to_str().unwrap());
        assert_eq!(FilePath::parse("file:data/x").unwrap(), relative);
    }

    #[test]
    fn refuses_what_names_nothing() {
        assert_eq!(FilePath::parse(""), Err(ParsePathError::Empty));
        assert!(matches!(FilePath::parse("gs://b/x"), Err(ParsePathError::UnknownScheme { .. })));
        assert!(matches!(FilePath::parse("s3a:///x"), Err(ParsePathError::NoBucket { .. })));
        assert!(matches!(FilePath::parse("file://host/x"), Err(ParsePathError::HostOfLocalFile { .. })));
        assert!(matches!(FilePath::parse("hdfs:x"), Err(ParsePathError::Relative { .. })));
    }

    #[test]
    fn credentials_in_a_path_are_refused_and_not_repeated() {
        for text in ["s3a://AKIA:SECRET@bucket/x", "s3n://AKIA:SEC/RET@bucket/x", "hdfs://me:SECRET@node:8020/x"] {
            let error = FilePath::parse(text).unwrap_err();
            assert!(matches!(error, ParsePathError::UserInfo { .. }), "{error}");
            assert!(error.to_string().contains("://*********(redacted)@"), "{error}");
            assert!(!error.to_string().contains("AKIA") && !error.to_string().contains("RET"), "{error}");
        }
        let error = FilePath::parse("ftp://me:SECRET@host/x").unwrap_err().to_string();
        assert!(error.contains("\"ftp://*********(redacted)@host/x\""), "{error}");
        check("s3a://bucket/me:word@x", "s3a://bucket/me:word@x");
    }

    #[test]
    fn parents_and_children() {
        let path = FilePath::parse("s3a://bucket/a/b").unwrap();
        assert_eq!(path.name(), "b");
        let parent = path.parent().unwrap();
        assert_eq!(parent.to_string(), "s3a://bucket/a");
        assert_eq!(parent.join("b"), path);
        assert_eq!(parent.parent().unwrap().to_string(), "s3a://bucket/");
        assert_eq!(parent.parent().unwrap().parent(), None);
        assert!(path.starts_with(&parent) && path.starts_with(&parent.parent().unwrap()));
        assert!(!parent.join("bc").starts_with(&path));
        assert!(parent.join("_x").is_hidden() && parent.join(".x").is_hidden() && !parent.join("x_").is_hidden());
    }

    #[test]
    fn commas_inside_braces_do_not_split() {
        assert_eq!(split_comma_list("a,b{c,d},{e,{f,g}},h\\,i,,j"), ["a", "b{c,d}", "{e,{f,g}}", "h\\,i", "", "j"]);
        assert_eq!(split_comma_list(""), [""]);
    }

    #[test]
    fn travels_as_text() {
        let path = FilePath::parse("hdfs://node:8020/x").unwrap();
        let bytes = postcard::to_stdvec(&path).unwrap();
        assert_eq!(postcard::from_bytes::<FilePath>(&bytes).unwrap(), path);
    }
}
