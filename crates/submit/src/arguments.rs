//! Reading the command line.

use std::{collections::BTreeMap, ffi::OsString};

use crate::{Refusal, options};

/// By which command the arguments came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Launcher {
    /// `spark-submit`
    SparkSubmit,
    /// `run-example`: the first word that is no option names an example (SS-34).
    RunExample,
}

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parsed {
    /// `--help` (SS-04).
    Help,
    /// No arguments at all (SS-03).
    NoArguments,
    /// `--usage-error`: how scripts around this command say that they were misused.
    UsageError,
    /// `--version` (SS-05).
    Version,
    /// Anything else.
    Arguments(Arguments),
}

/// The command line, read but not judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arguments {
    pub(crate) launcher: Launcher,
    /// Values by long name; the last one counts. Options without value have an empty one.
    values: BTreeMap<&'static str, String>,
    /// `--conf`, in order.
    pub(crate) conf: Vec<(String, String)>,
    /// The application, or the example's name.
    pub(crate) resource: Option<String>,
    /// Everything after it, whatever it looks like (SS-01).
    pub(crate) application_arguments: Vec<OsString>,
}

impl Arguments {
    /// Reads what follows the command's name.
    pub fn parse(launcher: Launcher, words: &[OsString]) -> Result<Parsed, Refusal> {
        let (launcher, words) = match words.split_first() {
            Some((first, rest)) if first == "run-example" && launcher == Launcher::SparkSubmit => {
                (Launcher::RunExample, rest)
            }
            _ => (launcher, words),
        };
        if words.is_empty() {
            return Ok(Parsed::NoArguments);
        }
        let mut arguments = Self {
            launcher,
            values: BTreeMap::new(),
            conf: Vec::new(),
            resource: None,
            application_arguments: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let word = utf8(word)?;
            if !word.starts_with('-') {
                arguments.resource = Some(word.to_owned());
                arguments.application_arguments = words.cloned().collect();
                break;
            }
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (word, None),
            };
            if word == "--usage-error" {
                return Ok(Parsed::UsageError);
            }
            let option = options::find(name).ok_or_else(|| Refusal::unknown_option(name))?;
            let value = match (option.value, attached) {
                (None, Some(_)) => return Err(Refusal::ValueNotTaken { option: option.name }),
                (None, None) => String::new(),
                // Spark knows no such option either; an empty word of its own is a value.
                (Some(_), Some("")) => return Err(Refusal::ValueEmpty { option: option.name }),
                (Some(_), Some(attached)) => attached.to_owned(),
                (Some(placeholder), None) => {
                    let value =
                        words.next().ok_or(Refusal::ValueMissing { option: option.name, value: placeholder })?;
                    utf8(value)?.to_owned()
                }
            };
            match option.name {
                "--help" => return Ok(Parsed::Help),
                "--version" => return Ok(Parsed::Version),
                "--conf" => arguments.add_conf(&value)?,
                name => {
                    arguments.values.insert(name, value);
                }
            }
        }
        Ok(Parsed::Arguments(arguments))
    }

    fn add_conf(&mut self, pair: &str) -> Result<(), Refusal> {
        let (key, value) = pair.split_once('=').ok_or_else(|| Refusal::ConfWithoutValue { text: pair.to_owned() })?;
        self.conf.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// The value of an option, if it was given.
    pub fn value(&self, option: &str) -> Option<&str> {
        self.values.get(option).map(String::as_str)
    }

    /// Was the option given?
    pub fn has(&self, option: &str) -> bool {
        self.values.contains_key(option)
    }
}

fn utf8(word: &OsString) -> Result<&str, Refusal> {
    word.to_str().ok_or_else(|| Refusal::NotUnicode { word: word.to_string_lossy().into_owned() })
}
