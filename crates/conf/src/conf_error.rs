//! What can be wrong with one configured value.

use crate::{keys, redaction::Redactor};

/// A key's value cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfError {
    /// The text is not of the key's type, or the key's check refuses the value.
    #[error("{key} is {value:?}, but it must be {expected}")]
    Invalid {
        /// The key as it was set: an older name, if the value came by one.
        key: String,
        /// The text, or a placeholder if it could be a secret.
        value: String,
        /// What would have been accepted; ends "it must be …".
        expected: String,
    },
    /// The key has no default and was not set.
    #[error("{key} is not set, and it has no default")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// `${…}` references lead back to themselves (SS-76).
    #[error("{key} refers to itself through ${{{reference}}}")]
    Cycle {
        /// The key whose value was read.
        key: String,
        /// The reference that closes the circle.
        reference: String,
    },
    /// `${…}` references lead on and on (SS-76).
    #[error(
        "{key} leads through more than {} references, or {} of them one inside the other",
        MAX_REFERENCES,
        MAX_DEPTH
    )]
    TooManyReferences {
        /// The key whose value was read.
        key: String,
    },
}

/// How many references the value of one key may lead through.
pub(crate) const MAX_REFERENCES: usize = 10_000;
/// How many references may stand one inside the other.
pub(crate) const MAX_DEPTH: usize = 100;

impl ConfError {
    /// A refused value, hidden if key or value look like a secret (SE-08). What secrets look like is none.
    pub(crate) fn invalid(key: &str, value: &str, expected: impl Into<String>) -> Self {
        let is_rule = key == keys::REDACTION_REGEX.name();
        let value = if is_rule { value.to_owned() } else { Redactor::standard().redact(key, value) };
        Self::Invalid { key: key.to_owned(), value, expected: expected.into() }
    }

    /// The key that the error is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Invalid { key, .. } | Self::Cycle { key, .. } | Self::TooManyReferences { key } => key,
            Self::Missing { key } => key,
        }
    }
}
