//! The options of a daemon's command line.

use std::{collections::BTreeMap, ffi::OsString};

use crate::refusal::Refusal;

/// An option with a value.
pub(crate) struct Option_ {
    /// All of its names; the first is what [`Words::option`] takes.
    pub(crate) names: &'static [&'static str],
}

/// A command line that was understood.
#[derive(Debug, Default)]
pub(crate) struct Words {
    options: BTreeMap<&'static str, String>,
    /// What is no option, in order.
    pub(crate) positional: Vec<String>,
    /// Somebody wants to see the usage.
    pub(crate) help: bool,
}

impl Words {
    /// Reads a command line. `--name value` and `--name=value` are the same; the last of several counts.
    pub(crate) fn parse(words: &[OsString], known: &[Option_]) -> Result<Self, Refusal> {
        let mut parsed = Self::default();
        let mut words = words.iter().map(|word| {
            word.to_str().ok_or_else(|| Refusal::Usage(format!("{} is not UTF-8", word.to_string_lossy())))
        });
        while let Some(word) = words.next() {
            let word = word?;
            if matches!(word, "--help" | "-h" if !known.iter().any(|option| option.names.contains(&word))) {
                parsed.help = true;
                continue;
            }
            if !word.starts_with('-') {
                parsed.positional.push(word.to_owned());
                continue;
            }
            let (name, given) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word, None),
            };
            let Some(option) = known.iter().find(|option| option.names.contains(&name)) else {
                return Err(Refusal::Usage(format!("there is no option {name}")));
            };
            let value = match given {
                Some(value) => value,
                None => {
                    words.next().transpose()?.ok_or_else(|| Refusal::Usage(format!("{name} needs a value")))?.to_owned()
                }
            };
            parsed.options.insert(option.names[0], value);
        }
        Ok(parsed)
    }

    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Option_] = &[Option_ { names: &["--host", "-h"] }, Option_ { names: &["--port", "-p"] }];

    fn parse(line: &str) -> Result<Words, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Words::parse(&words, KNOWN).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn options_are_read_in_both_forms_and_the_last_counts() {
        let words = parse("-h a --port=1 x --host b -p 2 --help").unwrap();
        assert_eq!((words.option("--host"), words.option("--port")), (Some("b"), Some("2")));
        assert_eq!((words.positional.as_slice(), words.help), (&["x".to_owned()][..], true));
        assert_eq!(parse("--bogus").unwrap_err(), "there is no option --bogus");
        assert_eq!(parse("--port").unwrap_err(), "--port needs a value");
    }
}
