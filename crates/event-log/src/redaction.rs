//! Keeps secrets out of the log (SE-08).

use std::borrow::Cow;

use firesteel_model::{REDACTED, hide_secrets_of_urls};
use regex::Regex;

/// Decides which values are secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redaction(pub Option<Regex>);

impl Redaction {
    /// The value as it may be written: a secret if the pattern matches its key or itself, as in Spark. Users and passwords in URLs
    /// are secrets in any case, which Spark writes.
    pub(crate) fn apply<'a>(&self, key: &str, value: &'a str) -> Cow<'a, str> {
        match &self.0 {
            Some(pattern) if pattern.is_match(key) || pattern.is_match(value) => REDACTED.into(),
            _ => hide_secrets_of_urls(value),
        }
    }
}
