//! The places of an application's files, as the lists `spark.files`, `spark.jars`, `spark.archives` and
//! `spark.submit.pyFiles` hold them (SS-80, SS-85).
//!
//! A plain path or `file:` is a file of the submitting machine; `local:` is a file that every machine has already; any
//! other scheme is fetched by each machine. `#name` at the end is the name under which the file appears. In lists every
//! local file is a `file:` or `local:` URI with its absolute path, percent-encoded, so that no path can break a list.

use std::{
    ffi::OsString,
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    str::FromStr,
};

use firesteel_model::url_without_secrets;

/// One file of an application.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Artifact {
    /// Where it is.
    pub location: ArtifactLocation,
    /// The name behind `#`: what the file, or the directory that an archive is unpacked to, is called.
    pub alias: Option<String>,
}

/// Where a file is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ArtifactLocation {
    /// On the submitting machine.
    File(PathBuf),
    /// At this path on every machine.
    Local(PathBuf),
    /// Behind another scheme, as it was written, without the alias.
    Remote(String),
}

/// A text is no place of a file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseArtifactError {
    /// There is nothing in front of the `#`, or nothing at all.
    #[error("{0:?} names no file")]
    Empty(String),
    /// `%` is not followed by two hexadecimal digits.
    #[error("{0:?} has a % that is not followed by two hexadecimal digits")]
    Encoding(String),
    /// `file://host/…`
    #[error("{0:?} names a host; write file:/path or file:///path")]
    Host(String),
}

impl Artifact {
    /// What the file is called where it is used: the alias, or the last part of its path.
    pub fn name(&self) -> String {
        if let Some(alias) = &self.alias {
            return alias.clone();
        }
        match &self.location {
            ArtifactLocation::File(path) | ArtifactLocation::Local(path) => {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            ArtifactLocation::Remote(url) => {
                // A host alone is a name too, but not what stands in front of it.
                let url = url_without_secrets(url);
                url.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
            }
        }
    }

    /// The path, if the file is on this machine.
    pub fn path(&self) -> Option<&Path> {
        match &self.location {
            ArtifactLocation::File(path) | ArtifactLocation::Local(path) => Some(path),
            ArtifactLocation::Remote(_) => None,
        }
    }
}

impl FromStr for Artifact {
    type Err = ParseArtifactError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (place, alias) = match text.split_once('#') {
            Some((place, alias)) => (place, Some(alias.to_owned()).filter(|alias| !alias.is_empty())),
            None => (text, None),
        };
        if place.is_empty() {
            return Err(ParseArtifactError::Empty(text.to_owned()));
        }
        let location = match scheme(place) {
            None => ArtifactLocation::File(PathBuf::from(place)),
            Some("file") => ArtifactLocation::File(uri_path(text, &place["file:".len()..])?),
            Some("local") => ArtifactLocation::Local(uri_path(text, &place["local:".len()..])?),
            Some(_) => ArtifactLocation::Remote(place.to_owned()),
        };
        Ok(Self { location, alias })
    }
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            ArtifactLocation::File(path) => write_uri(f, "file", path)?,
            ArtifactLocation::Local(path) => write_uri(f, "local", path)?,
            ArtifactLocation::Remote(url) => f.write_str(url)?,
        }
        self.alias.as_ref().map_or(Ok(()), |alias| write!(f, "#{alias}"))
    }
}

/// The scheme of a URI: a letter, then letters, digits and `+-.`, up to a colon.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    formed.then_some(scheme)
}

/// The path of what follows `file:`.
fn uri_path(text: &str, rest: &str) -> Result<PathBuf, ParseArtifactError> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => match rest.strip_prefix("localhost").unwrap_or(rest) {
            path if path.starts_with('/') => path,
            _ => return Err(ParseArtifactError::Host(text.to_owned())),
        },
    };
    if path.is_empty() {
        return Err(ParseArtifactError::Empty(text.to_owned()));
    }
    decode(path).ok_or_else(|| ParseArtifactError::Encoding(text.to_owned()))
}

fn decode(path: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(OsString::from_vec(bytes).into())
}

fn write_uri(f: &mut fmt::Formatter<'_>, scheme: &str, path: &Path) -> fmt::Result {
    // A relative path has no URI of its own; it is written as it would be typed.
    if path.is_absolute() {
        write!(f, "{scheme}://")?;
    } else {
        write!(f, "{scheme}:")?;
    }
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~+@=:&$!'()*".contains(byte) {
            write!(f, "{}", char::from(*byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(path: &str) -> ArtifactLocation {
        ArtifactLocation::File(path.into())
    }

    #[test]
    fn forms() {
        let remote = |url: &str| ArtifactLocation::Remote(url.to_owned());
        let cases = [
            ("a.txt", file("a.txt"), None, "a.txt"),
            ("/x/a%20b.txt", file("/x/a%20b.txt"), None, "a%20b.txt"),
            ("file:/x/a%20b.txt", file("/x/a b.txt"), None, "a b.txt"),
            ("file:///x/a.txt#n.txt", file("/x/a.txt"), Some("n.txt"), "n.txt"),
            ("file://localhost/x", file("/x"), None, "x"),
            ("file:rel/a", file("rel/a"), None, "a"),
            ("local:/opt/a.jar", ArtifactLocation::Local("/opt/a.jar".into()), None, "a.jar"),
            ("local:///opt/a.jar", ArtifactLocation::Local("/opt/a.jar".into()), None, "a.jar"),
            ("env.tar.gz#env", file("env.tar.gz"), Some("env"), "env"),
            ("env.tar.gz#", file("env.tar.gz"), None, "env.tar.gz"),
            ("hdfs://h:8020/a/b.zip#z", remote("hdfs://h:8020/a/b.zip"), Some("z"), "z"),
            ("https://h/a/b.zip?x=1", remote("https://h/a/b.zip?x=1"), None, "b.zip"),
            ("https://me:word@h/", remote("https://me:word@h/"), None, "h"),
        ];
        for (text, location, alias, name) in cases {
            let artifact: Artifact = text.parse().unwrap();
            assert_eq!(artifact, Artifact { location, alias: alias.map(str::to_owned) }, "{text}");
            assert_eq!(artifact.name(), name);
        }
    }

    #[test]
    fn what_is_no_place() {
        for text in ["", "#a", "file:", "file://", "file://host/x", "file:/%4", "file:/%zz", "local:"] {
            assert!(text.parse::<Artifact>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_path_survives_its_uri_and_never_breaks_a_list(name in "[^/\0]{1,20}", alias in proptest::option::of("[a-z.]{1,8}")) {
            let artifact = Artifact { location: ArtifactLocation::File(Path::new("/dir").join(name)), alias };
            let text = artifact.to_string();
            prop_assert!(!text.contains([',', ' ']));
            prop_assert_eq!(text.parse::<Artifact>().unwrap(), artifact);
        }
    }
}
