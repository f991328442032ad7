//! What all sides of a measure are told: sizes, paths and `spark.*` keys, as words of a command line.

use std::{collections::BTreeMap, fmt, str::FromStr};

use anyhow::{Context, anyhow, ensure};
use firesteel::SparkConf;

/// How large the work is, relative to the full size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale(f64);

impl Scale {
    /// The sizes that targets are about.
    pub const FULL: Self = Self(1.0);

    /// A size, scaled; at least 1.
    pub fn of(self, full: u64) -> u64 {
        ((full as f64 * self.0).round() as u64).max(1)
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Scale {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let factor = text.parse::<f64>().ok().filter(|factor| factor.is_finite() && *factor > 0.0);
        factor.map(Self).ok_or_else(|| anyhow!("the scale must be a number above 0, not {text}"))
    }
}

/// Names and values. A name that starts with `spark.` is a setting of the application, the same on Firesteel and on Spark.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// The `spark.*` keys that most measures have: two task slots in one process.
    pub fn local() -> Self {
        Self::on("local[2]").with("spark.driver.memory", "4g")
    }

    /// On this master.
    pub fn on(master: &str) -> Self {
        Self::default().with("spark.master", master)
    }

    /// With one more.
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    /// From words `name=value`.
    pub fn parse(words: &[String]) -> anyhow::Result<Self> {
        let pair = |word: &String| {
            let (name, value) = word.split_once('=').with_context(|| format!("{word} is not name=value"))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        words.iter().map(pair).collect::<anyhow::Result<_>>().map(Self)
    }

    /// As words `name=value`.
    pub fn words(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}"))
    }

    /// The `spark.*` keys.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| name.starts_with("spark."))
    }

    /// The configuration of a Firesteel application.
    pub fn spark_conf(&self) -> SparkConf {
        let mut conf = SparkConf::new();
        for (key, value) in self.settings() {
            conf.set(key, value);
        }
        conf
    }

    /// A value as text.
    pub fn text(&self, name: &str) -> anyhow::Result<&str> {
        self.0.get(name).map(String::as_str).with_context(|| format!("the parameter {name} is missing"))
    }

    /// A value as a number.
    pub fn number(&self, name: &str) -> anyhow::Result<u64> {
        let text = self.text(name)?;
        let number = text.parse();
        ensure!(number.is_ok(), "the parameter {name} is no number: {text}");
        Ok(number?)
    }

    /// A number of partitions or tasks.
    pub fn partitions(&self, name: &str) -> anyhow::Result<u32> {
        Ok(u32::try_from(self.number(name)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_the_command_line() {
        let parameters = Parameters::local().with("tasks", 12).with("text", "/data/a=b");
        let words: Vec<String> = parameters.words().collect();
        let parsed = Parameters::parse(&words).unwrap();
        assert_eq!(parsed, parameters);
        assert_eq!(parsed.number("tasks").unwrap(), 12);
        assert_eq!(parsed.text("text").unwrap(), "/data/a=b");
        assert_eq!(parsed.spark_conf().get_raw("spark.master"), Some("local[2]"));
        assert_eq!(parsed.settings().count(), 2);
        assert_eq!(parsed.number("records").unwrap_err().to_string(), "the parameter records is missing");
    }
}
