//! Links.

use url::form_urlencoded::Serializer;

/// A link, with its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// What is read.
    pub text: String,
    /// Where it leads; empty if it is only text.
    pub url: String,
}

impl Link {
    /// A link within this server. The query is encoded.
    pub fn here(text: impl Into<String>, path: &str, query: &[(&str, &str)]) -> Self {
        Self { text: text.into(), url: path_and_query(path, query) }
    }

    /// A link to another server that somebody has named. It leads nowhere unless that is a place of the web: `javascript:` is none.
    pub fn elsewhere(text: impl Into<String>, base: &str, path: &str, query: &[(&str, &str)]) -> Self {
        let is_web =
            matches!(url::Url::parse(base), Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.trim_end_matches('/');
        let url = if is_web { format!("{base}{}", path_and_query(path, query)) } else { String::new() };
        Self { text: text.into(), url }
    }
}

pub(crate) fn path_and_query(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_of_the_web_are_linked() {
        let url = |base: &str| Link::elsewhere("x", base, "/a", &[("id", "1&2")]).url;
        assert_eq!(url("http://h:4040/"), "http://h:4040/a?id=1%262");
        assert_eq!(url("https://[::1]:4040"), "https://[::1]:4040/a?id=1%262");
        for other in ["", "javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "//evil", "http://", "h:4040"] {
            assert_eq!(url(other), "", "{other}");
        }
    }
}
