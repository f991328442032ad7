//! What was configured.

use std::{collections::BTreeMap, fmt};

use crate::{
    ConfError, ConfValue, Key, KeyPrefix, Redactor,
    substitution::{self, Substituted},
};

/// A configuration: text by key, as it was set. Typed reading goes through [`SparkConf::get`].
///
/// Keys keep the order of their names, so that everything printed from a configuration is the same each time. `Debug`
/// hides secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SparkConf {
    settings: BTreeMap<String, String>,
    /// What the launcher has handed over, and has warned about already.
    pub(crate) handed_over: BTreeMap<String, String>,
}

impl SparkConf {
    /// Nothing set. Applications begin with [`SparkConf::from_launcher`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key, replacing what it had.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.settings.insert(key.into(), value.into());
        self
    }

    /// Sets a key unless it, or an older name of it, is set.
    pub fn set_if_missing(&mut self, key: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let key = key.into();
        if !self.contains(&key) {
            self.set(key, value);
        }
        self
    }

    /// Sets many keys.
    pub fn set_all<K: Into<String>, V: Into<String>>(
        &mut self,
        settings: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Self {
        for (key, value) in settings {
            self.set(key, value);
        }
        self
    }

    /// Forgets a key; `None` if it was not set.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.settings.remove(key)
    }

    /// Is the key set, by this name or an older one?
    pub fn contains(&self, key: &str) -> bool {
        self.settings.contains_key(key)
            || crate::keys::find(key)
                .is_some_and(|found| found.formerly().iter().any(|older| self.settings.contains_key(*older)))
    }

    /// The text of exactly this key, as it was set: no older names, no default, no substitution.
    pub fn get_raw(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// The value of a declared key: what was set by its name or an older one, with `${…}` replaced, else its default.
    ///
    /// # Errors
    ///
    /// If the text is not of the key's type or its check refuses it. The error names key, value and what was expected.
    pub fn get<T: ConfValue>(&self, key: &'static Key<T>) -> Result<T, ConfError> {
        key.read(self)
    }

    /// Everything set, by name.
    pub fn get_all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Everything set under a prefix: what follows the prefix, and the value as it was set.
    pub fn get_prefix<'a>(&'a self, prefix: &'static KeyPrefix) -> impl Iterator<Item = (&'a str, &'a str)> {
        let start = std::ops::Bound::Included(prefix.prefix);
        self.settings
            .range::<str, _>((start, std::ops::Bound::Unbounded))
            .map_while(|(key, value)| Some((key.strip_prefix(prefix.prefix)?, value.as_str())))
    }

    /// How many keys are set.
    pub fn len(&self) -> usize {
        self.settings.len()
    }

    /// Is nothing set?
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// What hides secrets when this configuration is shown: `spark.redaction.regex`, or the standard rule.
    pub fn redactor(&self) -> Result<Redactor, ConfError> {
        Redactor::of(self)
    }

    pub(crate) fn substitute<'a>(&self, key: &str, text: &'a str) -> Result<Substituted<'a>, ConfError> {
        substitution::substitute(self, &substitution::process_environment, key, text)
    }
}

impl fmt::Debug for SparkConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redactor = self.redactor().unwrap_or_else(|_| Redactor::standard());
        f.debug_map().entries(self.get_all().map(|(key, value)| (key, redactor.redact(key, value)))).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for SparkConf {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(settings: I) -> Self {
        let mut conf = Self::new();
        conf.set_all(settings);
        conf
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for SparkConf {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, settings: I) {
        self.set_all(settings);
    }
}
