//! URLs as people see them: whatever shows a URL, or a text that may hold some, asks here for what may be shown.

use std::borrow::Cow;

/// What is shown in place of a secret; Spark's text, which tools look for.
pub const REDACTED: &str = "*********(redacted)";

/// A URL as messages show it: without user and password, and without the query, which may hold a token.
///
/// ```
/// use firesteel_model::url_without_secrets;
///
/// assert_eq!(url_without_secrets("https://me:word@host/a@b.txt?token=1"), "https://host/a@b.txt");
/// assert_eq!(url_without_secrets("plain/path"), "plain/path");
/// ```
pub fn url_without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let address = &rest[user_info_length(scheme, rest)..];
    format!("{scheme}://{}", address.split(['?', '#']).next().unwrap_or_default())
}

/// Has the URL a user, or a user and a password?
pub fn has_user_info(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, rest)| user_info_length(scheme, rest) > 0)
}

/// Any text, such as a setting, a list or an error, with user and password of each URL in it hidden, and the queries of HTTP,
/// which may be signatures.
///
/// ```
/// use firesteel_model::hide_secrets_of_urls;
///
/// let list = "/a@b,s3a://me:word@bucket/c?.txt";
/// assert_eq!(hide_secrets_of_urls(list), "/a@b,s3a://*********(redacted)@bucket/c?.txt");
/// ```
pub fn hide_secrets_of_urls(text: &str) -> Cow<'_, str> {
    const MARK: &str = "://";
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find(MARK) {
        let (scheme, after) = rest.split_at(position + MARK.len());
        shown.push_str(scheme);
        let scheme = &scheme[..position];
        let secret = user_info_length(scheme, after);
        if secret > 0 {
            shown.push_str(REDACTED);
            shown.push('@');
        }
        rest = &after[secret..];
        if ["http", "https"].iter().any(|known| ends_with_scheme(scheme, known)) {
            let url = &rest[..rest.find(ends_url).unwrap_or(rest.len())];
            let url = &url[..url.find(MARK).unwrap_or(url.len())];
            if let Some(query) = url.find('?') {
                shown.push_str(&rest[..=query]);
                shown.push_str(REDACTED);
                rest = rest[query..].find(|c| c == '#' || ends_url(c)).map_or("", |end| &rest[query + end..]);
            }
        }
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Does the text, which may hold more than a scheme, end with it?
fn ends_with_scheme(text: &str, scheme: &str) -> bool {
    let length = text.len();
    text.get(length.saturating_sub(scheme.len())..).is_some_and(|end| end.eq_ignore_ascii_case(scheme))
}

/// Where a URL in a text is certainly at its end. A comma is not among these: a password may have it.
fn ends_url(c: char) -> bool {
    c.is_whitespace() || c == '"'
}

/// How long user and password are, with their `@`, in what is behind the `://` of a URL; 0 if there are none. Passwords should be
/// percent-encoded, but keys of S3 often have a slash: a "port" that is no number is the beginning of one, and buckets have no port.
fn user_info_length(scheme: &str, rest: &str) -> usize {
    let is_bucket = ["s3", "s3a", "s3n"].iter().any(|known| ends_with_scheme(scheme, known));
    let url = &rest[..rest.find(ends_url).unwrap_or(rest.len())];
    let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
    let user_info = match authority.rfind('@') {
        None if !authority.ends_with(']') => {
            let port = authority.rsplit_once(':').map(|(_, port)| port);
            // Another URL may follow: `mesos://zk://host`.
            let is_scheme = |port: &str| port.is_empty() && url[authority.len()..].starts_with("//");
            let is_number = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let is_port = |port: &str| is_scheme(port) || !is_bucket && is_number(port);
            if port.is_none_or(is_port) { None } else { url.rfind('@') }
        }
        position => position,
    };
    user_info.map_or(0, |position| position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_hidden_wherever_a_url_stands() {
        let cases = [
            ("s3a://AKIA:SECRET@bucket/x", "s3a://R@bucket/x"),
            ("s3a://AKIA:SEC/RET+@bucket/x", "s3a://R@bucket/x"),
            ("s3a://AKIA:/SECRET@bucket/x", "s3a://R@bucket/x"),
            ("x,S3A://AKIA:12/SECRET@bucket/x", "x,S3A://R@bucket/x"),
            ("http://me:/word@h/x", "http://R@h/x"),
            ("s3a://bucket/x@y hdfs://n:8020/x@y", "s3a://bucket/x@y hdfs://n:8020/x@y"),
            ("http://me:w?o#rd@h/x", "http://R@h/x"),
            ("https://token@h", "https://R@h"),
            ("could not look up s3a://a:b@c/d: no", "could not look up s3a://R@c/d: no"),
            ("\"s3a://a:b@c/d\" is x@y", "\"s3a://R@c/d\" is x@y"),
            ("/a@b,hdfs://n:8020/x@y,http://a:b@h/z#n", "/a@b,hdfs://n:8020/x@y,http://R@h/z#n"),
            ("mesos://zk://u:p@h:2181,i:2181/m", "mesos://zk://R@h:2181,i:2181/m"),
            ("http://[::1]:80/a@b http://[::1]/a@b", "http://[::1]:80/a@b http://[::1]/a@b"),
            ("spark://h:7077,i:7077", "spark://h:7077,i:7077"),
            ("--url=https://h/x?X-Amz-Signature=1&y=2#n", "--url=https://h/x?R#n"),
            ("s3a://b/?.txt", "s3a://b/?.txt"),
            ("http://h/a,http://h/b?x=1 c", "http://h/a,http://h/b?R c"),
            ("me:word@host", "me:word@host"),
            ("://", "://"),
        ];
        for (text, shown) in cases {
            assert_eq!(hide_secrets_of_urls(text), shown.replace('R', REDACTED), "{text}");
        }
    }

    #[test]
    fn one_url_is_shown_without_them() {
        let cases = [
            ("https://me:w?o/rd@host/x?t=1#f", "https://host/x"),
            ("s3a://AKIA:SEC/RET@bucket/x", "s3a://bucket/x"),
            ("s3://AKIA:12/SECRET@bucket/x", "s3://bucket/x"),
            ("hdfs://n:8020/a@b", "hdfs://n:8020/a@b"),
        ];
        for (url, shown) in cases {
            assert_eq!(url_without_secrets(url), shown, "{url}");
            assert_eq!(has_user_info(url), !url.starts_with("hdfs"), "{url}");
        }
    }
}
