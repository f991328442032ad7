//! Hiding secrets wherever a configuration is shown (SE-08).

pub use firesteel_model::REDACTED;
use firesteel_model::hide_secrets_of_urls;
use regex::Regex;

use crate::{ConfError, SparkConf, keys};

/// Decides which values are shown. A value is hidden if its key or the value itself looks like a secret, and so is what a URL in it
/// has of secrets, whatever `spark.redaction.regex` is. The event log has the same rule, as `firesteel-event-log` gets its options
/// and no configuration.
#[derive(Clone, Debug)]
pub struct Redactor {
    /// `None`: the standard rule, which needs no expression to be compiled at start-up.
    pattern: Option<Regex>,
}

impl Redactor {
    /// The rule of the default of `spark.redaction.regex`: secret, password, token or access key, in either case.
    pub const fn standard() -> Self {
        Self { pattern: None }
    }

    /// The rule that a configuration asks for.
    pub(crate) fn of(conf: &SparkConf) -> Result<Self, ConfError> {
        if !conf.contains(keys::REDACTION_REGEX.name()) {
            return Ok(Self::standard());
        }
        Ok(Self { pattern: Some(conf.get(&keys::REDACTION_REGEX)?) })
    }

    /// Does the text look like a secret, or like the name of one?
    pub fn matches(&self, text: &str) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.is_match(text),
            None => {
                let text = text.to_ascii_lowercase();
                ["secret", "password", "token", "accesskey", "access.key"].iter().any(|word| text.contains(word))
            }
        }
    }

    /// The value without the secrets of URLs, or [`REDACTED`].
    pub fn redact(&self, key: &str, value: &str) -> String {
        if self.matches(key) || self.matches(value) {
            return REDACTED.to_owned();
        }
        hide_secrets_of_urls(value).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORPUS: [&str; 12] = [
        "spark.authenticate.secret",
        "spark.hadoop.fs.s3a.secret.key",
        "spark.hadoop.fs.s3a.ACCESS.KEY",
        "spark.hadoop.fs.s3a.accessKey",
        "spark.ssl.keyPassword",
        "my.Token",
        "spark.executor.memory",
        "spark.hadoop.fs.s3a.access_key",
        "pass word",
        "",
        "accesskey",
        "spark.access.keys",
    ];

    #[test]
    fn the_standard_rule_is_the_default_expression() {
        let expression = Redactor { pattern: Some(SparkConf::new().get(&keys::REDACTION_REGEX).unwrap()) };
        for text in CORPUS {
            assert_eq!(Redactor::standard().matches(text), expression.matches(text), "{text}");
        }
    }

    #[test]
    fn key_or_value_is_enough_and_debug_hides_both() {
        let mut conf = SparkConf::new();
        conf.set("spark.authenticate.secret", "hunter2").set("spark.my.opts", "-Dpassword=hunter2").set("spark.x", "y");
        let shown = format!("{conf:?}");
        assert!(!shown.contains("hunter2") && shown.contains("spark.my.opts") && shown.contains(r#""y""#), "{shown}");
    }

    #[test]
    fn a_configured_expression_replaces_the_rule() {
        let mut conf = SparkConf::new();
        conf.set("spark.redaction.regex", "(?i)hush");
        let redactor = conf.redactor().unwrap();
        assert_eq!(redactor.redact("spark.Hush", "v"), REDACTED);
        assert_eq!(redactor.redact("spark.password", "v"), "v");
        let files = redactor.redact("spark.files", "s3a://AKIA:KEY@bucket/x,https://h/y?sig=1");
        assert_eq!(files, format!("s3a://{REDACTED}@bucket/x,https://h/y?{REDACTED}"));
        conf.set("spark.redaction.regex", "(");
        assert!(conf.redactor().is_err());
    }

    #[test]
    fn a_refused_expression_is_shown_once() {
        let mut conf = SparkConf::new();
        conf.set("spark.redaction.regex", "(?!x)secret");
        assert_eq!(
            conf.redactor().unwrap_err().to_string(),
            "spark.redaction.regex is \"(?!x)secret\", but it must be a regular expression: look-around, including look-ahead \
             and look-behind, is not supported"
        );
    }
}
