//! What can be wrong with one configured value.

use firesteel_model::REDACTED;

use crate::{SparkConf, keys, redaction::Redactor, substitution::Substituted};

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

/// What would have been accepted; the words complete "it must be …".
pub(crate) enum Expected<'a> {
    /// The same whatever the value is.
    Fixed(&'a str),
    /// It may quote the value, so a hidden value has only the name of the type.
    MayQuote {
        /// What the type said.
        words: &'a str,
        /// The type in words.
        type_name: &'static str,
    },
}

impl ConfError {
    /// A refused value, hidden if key or value look like a secret, or if it came through a reference to one (SE-08). What secrets look
    /// like is none.
    pub(crate) fn invalid(conf: &SparkConf, key: &str, value: &Substituted<'_>, expected: Expected<'_>) -> Self {
        let is_rule = key == keys::REDACTION_REGEX.name();
        // The rule of the configuration cannot be asked about itself.
        let configured = if is_rule { None } else { conf.redactor().ok() };
        let standard = Redactor::standard();
        let hides =
            |text: &str| standard.matches(text) || configured.as_ref().is_some_and(|redactor| redactor.matches(text));
        let came_from_secret = value.followed.iter().any(|reference| hides(reference));
        let shown = match &value.text {
            _ if came_from_secret => REDACTED.to_owned(),
            text if is_rule => text.clone().into_owned(),
            text if hides(text) => REDACTED.to_owned(),
            text => standard.redact(key, text),
        };
        let expected = match expected {
            Expected::MayQuote { type_name, .. } if shown == REDACTED => format!("a value of the type {type_name:?}"),
            Expected::Fixed(words) | Expected::MayQuote { words, .. } => words.to_owned(),
        };
        Self::Invalid { key: key.to_owned(), value: shown, expected }
    }

    /// The key that the error is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Invalid { key, .. } | Self::Cycle { key, .. } | Self::TooManyReferences { key } => key,
            Self::Missing { key } => key,
        }
    }
}
