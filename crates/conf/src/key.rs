//! How a key is declared.
//!
//! A key is a `static` with everything that is known about it; the type parameter is the type that reading it gives. The
//! macro in [`crate::keys`] turns the doc comment of the declaration into the documentation of the key, so that the manual,
//! rustdoc and the source say the same.

use std::fmt;

use crate::{ConfError, ConfValue, Managers, SparkConf, conf_error::Expected};

/// One declared key.
pub struct Key<T: 'static> {
    name: &'static str,
    doc: &'static str,
    section: Section,
    unit: Unit,
    default: Source<T>,
    check: Option<Check<T>>,
    formerly: &'static [&'static str],
    since: &'static str,
    managers: Managers,
}

/// Which values of the type are accepted.
struct Check<T> {
    accepts: fn(&T) -> bool,
    expected: &'static str,
}

/// Where the value comes from when the key is not set.
enum Source<T: 'static> {
    Nothing,
    Text(&'static str),
    Computed(&'static str),
    Key(&'static Key<T>),
}

/// What the manual says about the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultValue {
    /// There is none: reading gives `None` or an empty list.
    Nothing,
    /// This text, read as if it had been set.
    Text(&'static str),
    /// Reading gives `None`; the subsystem computes a value as described.
    Computed(&'static str),
    /// The value of this other key.
    Key(&'static str),
}

/// The unit of a bare number (SS-75).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// The value is no quantity.
    None,
    /// Bytes.
    Bytes,
    /// 1024 bytes.
    KiB,
    /// 1024² bytes.
    MiB,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The suffix that a value would have in this unit.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Bytes => "b",
            Self::KiB => "k",
            Self::MiB => "m",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}

/// The chapters of the manual; one file of [`crate::keys`] each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Section {
    /// The application: name, master, files.
    Application,
    /// Jobs, stages, tasks, locality, pools, barrier.
    Scheduler,
    /// Second copies of slow tasks.
    Speculation,
    /// Executors that come and go with demand.
    DynamicAllocation,
    /// Keeping tasks off executors and nodes that fail.
    ExcludeOnFailure,
    /// Shuffle writers and readers.
    Shuffle,
    /// Execution and storage memory.
    Memory,
    /// Cached blocks, broadcast, checkpoint, compression.
    Storage,
    /// Executors.
    Executor,
    /// Ports, time-outs, RPC.
    Network,
    /// Authentication and redaction.
    Security,
    /// The event log.
    EventLog,
    /// Files and Hadoop settings.
    Files,
    /// Progress and logs.
    Console,
    /// Python programs and workers.
    Python,
    /// Masters and workers of a standalone cluster.
    Standalone,
}

impl Section {
    /// The heading in the manual.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::Scheduler => "Scheduler",
            Self::Speculation => "Speculation",
            Self::DynamicAllocation => "Dynamic allocation",
            Self::ExcludeOnFailure => "Exclude on failure",
            Self::Shuffle => "Shuffle",
            Self::Memory => "Memory",
            Self::Storage => "Storage, broadcast and compression",
            Self::Executor => "Executor",
            Self::Network => "Network",
            Self::Security => "Security",
            Self::EventLog => "Event log",
            Self::Files => "Files and Hadoop",
            Self::Console => "Console and logs",
            Self::Python => "Python",
            Self::Standalone => "Standalone cluster",
        }
    }
}

impl<T: ConfValue> Key<T> {
    /// A key without default, for every manager, of no unit.
    pub(crate) const fn new(section: Section, name: &'static str, doc: &'static str, since: &'static str) -> Self {
        Self {
            name,
            doc,
            section,
            unit: Unit::None,
            default: Source::Nothing,
            check: None,
            formerly: &[],
            since,
            managers: Managers::ALL,
        }
    }

    pub(crate) const fn default(mut self, text: &'static str) -> Self {
        self.default = Source::Text(text);
        self
    }

    /// `words` complete "default: …".
    pub(crate) const fn computed(mut self, words: &'static str) -> Self {
        self.default = Source::Computed(words);
        self
    }

    pub(crate) const fn falls_back_to(mut self, key: &'static Key<T>) -> Self {
        self.default = Source::Key(key);
        self
    }

    pub(crate) const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// `expected` completes "it must be …".
    pub(crate) const fn check(mut self, accepts: fn(&T) -> bool, expected: &'static str) -> Self {
        self.check = Some(Check { accepts, expected });
        self
    }

    /// Older names that still work, most recent first (SS-74).
    pub(crate) const fn formerly(mut self, names: &'static [&'static str]) -> Self {
        self.formerly = names;
        self
    }

    pub(crate) const fn only_on(mut self, managers: Managers) -> Self {
        self.managers = managers;
        self
    }

    /// The key's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The value in `conf`, or the default.
    pub(crate) fn read(&self, conf: &SparkConf) -> Result<T, ConfError> {
        let given = [self.name].iter().chain(self.formerly).find_map(|name| Some((*name, conf.get_raw(name)?)));
        if let Some((name, text)) = given {
            return self.parse(conf, name, text);
        }
        match self.default {
            Source::Text(text) => self.parse(conf, self.name, text),
            Source::Key(key) => key.read(conf),
            Source::Nothing | Source::Computed(_) => T::unset().ok_or(ConfError::Missing { key: self.name }),
        }
    }

    fn parse(&self, conf: &SparkConf, name: &str, text: &str) -> Result<T, ConfError> {
        let given = conf.substitute(name, text)?;
        let refused = |expected: Expected<'_>| ConfError::invalid(conf, name, &given, expected);
        let value = T::parse(&given.text, self.unit).map_err(|words| {
            let range = self.check.as_ref().and_then(|check| T::range(&|value| (check.accepts)(&value)));
            refused(match &range {
                Some(range) => Expected::Fixed(range),
                None => Expected::MayQuote { words: &words, type_name: T::TYPE },
            })
        })?;
        match &self.check {
            Some(check) if !(check.accepts)(&value) => Err(refused(Expected::Fixed(check.expected))),
            _ => Ok(value),
        }
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}

/// A key of whatever type, for the manual and for checks of everything that is set.
pub trait AnyKey: Sync {
    /// The key's name.
    fn name(&self) -> &'static str;
    /// What it does, in Markdown.
    fn doc(&self) -> &'static str;
    /// The chapter it belongs to.
    fn section(&self) -> Section;
    /// The type in words.
    fn type_name(&self) -> &'static str;
    /// The unit of a bare number.
    fn unit(&self) -> Unit;
    /// The default.
    fn default_value(&self) -> DefaultValue;
    /// What the key's check wants, completing "it must be …".
    fn expected(&self) -> Option<&'static str>;
    /// Older names that still work.
    fn formerly(&self) -> &'static [&'static str];
    /// The release of Spark that brought the key; a Firesteel release for keys of our own.
    fn since(&self) -> &'static str;
    /// The managers on which it does something.
    fn managers(&self) -> Managers;
    /// Can its value be read?
    fn verify(&self, conf: &SparkConf) -> Result<(), ConfError>;
}

impl<T: ConfValue> AnyKey for Key<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn section(&self) -> Section {
        self.section
    }

    fn type_name(&self) -> &'static str {
        T::TYPE
    }

    fn unit(&self) -> Unit {
        self.unit
    }

    fn default_value(&self) -> DefaultValue {
        match self.default {
            Source::Nothing => DefaultValue::Nothing,
            Source::Text(text) => DefaultValue::Text(text),
            Source::Computed(words) => DefaultValue::Computed(words),
            Source::Key(key) => DefaultValue::Key(key.name),
        }
    }

    fn expected(&self) -> Option<&'static str> {
        self.check.as_ref().map(|check| check.expected)
    }

    fn formerly(&self) -> &'static [&'static str] {
        self.formerly
    }

    fn since(&self) -> &'static str {
        self.since
    }

    fn managers(&self) -> Managers {
        self.managers
    }

    fn verify(&self, conf: &SparkConf) -> Result<(), ConfError> {
        self.read(conf).map(drop)
    }
}

/// A family of keys: everything that begins with a prefix, such as `spark.hadoop.*`. The part behind the prefix is the
/// user's.
#[derive(Debug)]
pub struct KeyPrefix {
    /// The common beginning, with its last dot.
    pub prefix: &'static str,
    /// What the family does, in Markdown.
    pub doc: &'static str,
    /// The chapter it belongs to.
    pub section: Section,
    /// The release of Spark that brought the family.
    pub since: &'static str,
    /// The managers on which it does something.
    pub managers: Managers,
}
