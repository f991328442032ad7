//! Keeps secrets out of the log (SE-08).

use firesteel_model::REDACTED;
use regex::Regex;

/// Decides which values are secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redaction(pub Option<Regex>);

impl Redaction {
    /// The value of a property as it may be written: a secret if the pattern matches its key or itself, as in Spark. What URLs have of
    /// secrets is hidden where texts are written.
    pub(crate) fn apply<'a>(&self, key: &str, value: &'a str) -> &'a str {
        match &self.0 {
            Some(pattern) if pattern.is_match(key) || pattern.is_match(value) => REDACTED,
            _ => value,
        }
    }
}
