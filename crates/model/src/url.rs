//! URLs as people see them.

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
    let plain = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = plain.split_at(plain.find('/').unwrap_or(plain.len()));
    format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
}
