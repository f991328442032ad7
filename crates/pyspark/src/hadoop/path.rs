//! Hadoop's `Path` and Java's `URI`, as names only: nothing is looked at.

use std::fmt;

/// A name by its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Uri {
    pub(crate) scheme: Option<String>,
    /// `Some` where there is `//`, be it with nothing behind it.
    pub(crate) authority: Option<String>,
    pub(crate) path: String,
}

/// A text is no path.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PathError {
    #[error("Can not create a Path from an empty string")]
    Empty,
    #[error("java.net.URISyntaxException: Relative path in absolute URI: {0}")]
    Relative(String),
}

impl Uri {
    /// Reads a text as it stands.
    pub(crate) fn parse(text: &str) -> Self {
        let slash = text.find('/').unwrap_or(text.len());
        let (scheme, rest) = match text[..slash].split_once(':') {
            Some((scheme, _)) if !scheme.is_empty() => (Some(scheme.to_owned()), &text[scheme.len() + 1..]),
            _ => (None, text),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority.to_owned()), path)
            }
            None => (None, rest),
        };
        Self { scheme, authority, path: path.to_owned() }
    }

    /// The authority, if it says anything.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.authority.as_deref().filter(|authority| !authority.is_empty())
    }

    /// The authority without user and port.
    pub(crate) fn host(&self) -> Option<&str> {
        let host = self.authority()?.rsplit('@').next().unwrap_or_default();
        Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
    }

    /// The port, or -1.
    pub(crate) fn port(&self) -> i32 {
        let port = self.authority().and_then(|authority| authority.rsplit_once(':')?.1.parse::<u16>().ok());
        port.map_or(-1, i32::from)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}:")?;
        }
        if let Some(authority) = &self.authority {
            write!(f, "//{authority}")?;
        }
        f.write_str(&self.path)
    }
}

/// A path of Hadoop's: a name whose slashes are in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HadoopPath(pub(crate) Uri);

impl HadoopPath {
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        let uri = Uri::parse(text);
        if uri.scheme.is_some() && uri.authority.is_none() && !uri.path.starts_with('/') {
            return Err(PathError::Relative(text.to_owned()));
        }
        Ok(Self::of(uri))
    }

    /// One slash where there are several, and none at the end.
    pub(crate) fn of(uri: Uri) -> Self {
        let is_absolute = uri.path.starts_with('/') || uri.authority().is_some();
        let parts: Vec<_> = uri.path.split('/').filter(|part| !part.is_empty()).collect();
        let path = format!("{}{}", if is_absolute { "/" } else { "" }, parts.join("/"));
        Self(Uri { path, ..uri })
    }

    /// The other path, from this one on unless it says where it is by itself.
    pub(crate) fn join(&self, child: &Self) -> Self {
        let (own, other) = (&self.0, &child.0);
        if other.scheme.is_some() {
            return child.clone();
        }
        let path =
            if other.path.starts_with('/') { other.path.clone() } else { format!("{}/{}", own.path, other.path) };
        let authority = other.authority.clone().or_else(|| own.authority.clone());
        Self::of(Uri { scheme: own.scheme.clone(), authority, path })
    }

    pub(crate) fn name(&self) -> &str {
        self.0.path.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn parent(&self) -> Option<Self> {
        let path = match self.0.path.rsplit_once('/') {
            _ if self.is_root() || self.0.path.is_empty() => return None,
            Some(("", _)) => "/",
            Some((parent, _)) => parent,
            None => ".",
        };
        Some(Self(Uri { path: path.to_owned(), ..self.0.clone() }))
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.path == "/"
    }

    pub(crate) fn is_absolute(&self) -> bool {
        self.0.path.starts_with('/')
    }

    /// How many parts it has.
    pub(crate) fn depth(&self) -> usize {
        self.0.path.split('/').filter(|part| !part.is_empty()).count()
    }
}

impl fmt::Display for HadoopPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.0.scheme {
            write!(f, "{scheme}:")?;
        }
        if let Some(authority) = self.0.authority() {
            write!(f, "//{authority}")?;
        }
        f.write_str(&self.0.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> HadoopPath {
        HadoopPath::parse(text).unwrap()
    }

    #[test]
    fn paths_as_in_hadoop() {
        for (text, shown, name, uri, parent) in [
            ("/a/b", "/a/b", "b", "/a/b", Some("/a")),
            ("a/b/", "a/b", "b", "a/b", Some("a")),
            ("a", "a", "a", "a", Some(".")),
            ("file:///a/b", "file:/a/b", "b", "file:///a/b", Some("file:/a")),
            ("hdfs://h:1/x", "hdfs://h:1/x", "x", "hdfs://h:1/x", Some("hdfs://h:1/")),
            ("/", "/", "", "/", None),
            ("s3a://b/k//j", "s3a://b/k/j", "j", "s3a://b/k/j", Some("s3a://b/k")),
            ("s3a://b", "s3a://b/", "", "s3a://b/", None),
        ] {
            let path = path(text);
            assert_eq!((path.to_string().as_str(), path.name(), path.0.to_string().as_str()), (shown, name, uri));
            assert_eq!(path.parent().map(|parent| parent.to_string()).as_deref(), parent);
        }
        assert_eq!(HadoopPath::parse(""), Err(PathError::Empty));
        assert_eq!(HadoopPath::parse("s3a:x"), Err(PathError::Relative("s3a:x".to_owned())));
        assert_eq!(path("/a").join(&path("b/c")).to_string(), "/a/b/c");
        assert_eq!(path("s3a://b/a").join(&path("/c")).to_string(), "s3a://b/c");
        assert_eq!(path("/a").join(&path("s3a://b/c")).to_string(), "s3a://b/c");
        assert!(path("/a").is_absolute() && !path("a").is_absolute());
        assert_eq!(path("/a/b").depth(), 2);
    }

    #[test]
    fn addresses_as_in_java() {
        let uri = Uri::parse("hdfs://u@h:12/x");
        assert_eq!(
            (uri.scheme.as_deref(), uri.authority(), uri.host(), uri.port()),
            (Some("hdfs"), Some("u@h:12"), Some("h"), 12)
        );
        assert_eq!(Uri::parse("file:///x").to_string(), "file:///x");
        let plain = Uri::parse("/x");
        assert_eq!((plain.scheme.as_deref(), plain.host(), plain.port(), plain.path.as_str()), (None, None, -1, "/x"));
    }
}
