//! Warnings about settings that will not do what their author expects (AS-22, SS-74, DX-16).
//!
//! Spark says nothing about a misspelt key, nor about one that another cluster manager would read. Here each gets one line.
//! Keys of the user's own (`spark.myapp.threshold`) are fine: a program may read them back. They are mentioned in a single
//! line, and not at all after `spark-submit` has mentioned them.

use std::{collections::BTreeSet, fmt, sync::LazyLock};

use firesteel_model::ByteCount;

use crate::{
    AnyKey, Key, Managers, MasterUrl, SchedulingMode, SparkConf, deprecated, hadoop, keys,
    known::{self, Elsewhere},
    nearest,
    substitution::{SYSTEM_PROPERTIES, Substituted},
};

/// One thing to warn about. `Display` is one line for a human.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfWarning {
    /// No such key, though it looks like one of Spark's.
    Unknown {
        /// The key.
        key: String,
        /// A key that it may be a slip of.
        nearest: Option<&'static str>,
    },
    /// Keys that are nobody's but the user's own.
    UsersOwn {
        /// The keys.
        keys: Vec<String>,
    },
    /// An older name, which still works.
    Renamed {
        /// The older name.
        key: String,
        /// The name to use.
        replacement: &'static str,
    },
    /// An older name and the new one are both set; the new one counts.
    Shadowed {
        /// The older name.
        key: String,
        /// The name that counts.
        by: &'static str,
    },
    /// An older name of a key that does nothing either.
    RenamedInVain {
        /// The older name.
        key: String,
        /// What there is to say of the newer one.
        newer: Box<Self>,
    },
    /// A key that does nothing any more.
    Dropped {
        /// The key.
        key: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// A key that means something to other cluster managers only.
    OtherManager {
        /// The key.
        key: String,
        /// The master that the application runs on.
        master: String,
        /// Where it means something.
        managers: Managers,
    },
    /// A key about the JVM.
    NoJvm {
        /// The key.
        key: String,
    },
    /// A key of a part of Spark that is not built in yet.
    NotBuiltIn {
        /// The key.
        key: String,
        /// The part.
        part: &'static str,
    },
    /// A key of Spark's whose matter is done in another way.
    Otherwise {
        /// The key.
        key: String,
        /// In which way.
        how: &'static str,
    },
    /// A key that only `spark-submit` acts on, set by the program that it has started (SS-73).
    TooLate {
        /// The key.
        key: String,
    },
    /// References to Java properties that mean nothing here (SS-76).
    UnknownProperties {
        /// The keys whose values hold them, each with the property's name.
        references: Vec<(String, String)>,
    },
    /// References to environment variables and keys that are not set (SS-76).
    Unset {
        /// The keys whose values hold them, each with `env:` and the variable's name, or the name of the other key.
        references: Vec<(String, String)>,
    },
    /// Text that was not UTF-8 where it came from.
    Replaced {
        /// The keys whose names or values have it.
        keys: Vec<String>,
    },
    /// More keys that would each have got a warning.
    Further {
        /// How many.
        number: usize,
    },
    /// A memory size without unit that is so large that bytes were meant.
    BareMemory {
        /// The key.
        key: &'static str,
        /// The text.
        value: String,
        /// What it was read as.
        size: ByteCount,
    },
}

/// How many keys get a warning of their own, and how many names a line lists: nobody reads more of them.
const MOST_WARNINGS: usize = 50;
const MOST_NAMES: usize = 20;

/// For how many keys a likely name is looked for, which compares each with all that are known.
const MOST_SEARCHES: usize = 1000;

/// Keys of Spark's that nobody but Spark itself can set.
const GIVEN: [(&str, &str); 2] = [
    ("spark.app.id", "the application is given its id when it starts"),
    ("spark.executor.id", "executors are given their ids when they start"),
];

/// What only the launcher acts on. Spark has more of these: those of the JVM, which do nothing here anyhow, and the driver's
/// memory, which here is divided when the context starts.
const ONLY_BEFORE_START: [&str; 2] = ["spark.submit.deployMode", "spark.submit.pyFiles"];

impl fmt::Display for ConfWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { key, nearest: Some(nearest) } => {
                write!(f, "{key} is not a known key and does nothing; did you mean {nearest}?")
            }
            Self::Unknown { key, nearest: None } => write!(f, "{key} is not a known key and does nothing"),
            Self::UsersOwn { keys } => {
                write!(f, "no part of Firesteel reads {}; only the application itself can", listed(keys))
            }
            Self::Renamed { key, replacement } => write!(f, "{key} is an older name; use {replacement}"),
            Self::Shadowed { key, by } => write!(f, "{key} does nothing, because {by}, its newer name, is set too"),
            Self::RenamedInVain { key, newer } => write!(f, "{key} is an older name, and does nothing either: {newer}"),
            Self::Dropped { key, advice } => write!(f, "{key} does nothing any more: {advice}"),
            Self::OtherManager { key, master, managers } => {
                write!(f, "{key} does nothing on {master}; it is for {managers}")
            }
            Self::NoJvm { key } => write!(f, "{key} does nothing: it is for a JVM, and Firesteel has none"),
            Self::Otherwise { key, how } => write!(f, "{key} does nothing: {how}"),
            Self::NotBuiltIn { key, part } => write!(f, "{key} does nothing: {part} is not built in yet"),
            Self::TooLate { key } => write!(
                f,
                "{key} does nothing when the program sets it, as spark-submit acts on it before the program runs; give it to spark-submit"
            ),
            Self::UnknownProperties { references } => {
                references_stay(f, "system:", references)?;
                write!(f, ": of Java's properties, only {} are known here", SYSTEM_PROPERTIES.join(", "))
            }
            Self::Unset { references } => {
                references_stay(f, "", references)?;
                f.write_str(": there is nothing of that name")
            }
            Self::Replaced { keys } => {
                let verb = if keys.len() == 1 { "has" } else { "have" };
                write!(
                    f,
                    "{} {verb} the character U+FFFD, which stands for bytes that are not UTF-8; write the properties file in UTF-8",
                    listed(keys)
                )
            }
            Self::Further { number } => {
                let noun = if *number == 1 { "key" } else { "keys" };
                write!(f, "{number} more {noun} of the configuration would each get a warning such as these")
            }
            Self::BareMemory { key, value, size } => {
                write!(f, "{key} is {value}, which without a unit means MiB ({size}); write {value}b for bytes")
            }
        }
    }
}

/// `${env:A} in spark.x, ${env:B} in spark.y stay as they are`
fn references_stay(f: &mut fmt::Formatter<'_>, kind: &str, references: &[(String, String)]) -> fmt::Result {
    let references: Vec<_> = references.iter().map(|(key, name)| format!("${{{kind}{name}}} in {key}")).collect();
    f.write_str(&listed(&references))?;
    f.write_str(if references.len() == 1 { " stays as it is" } else { " stay as they are" })
}

/// The names with commas, or the first of them and how many there are besides.
pub fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_NAMES).map(AsRef::as_ref).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl SparkConf {
    /// What to warn about when the application runs on this master: one warning for each key that does nothing or has a new
    /// name, in the order of the keys, as far as anybody would read them. Keys that `spark-submit` handed over as they are have been
    /// reviewed by it.
    pub fn review(&self, master: &MasterUrl) -> Vec<ConfWarning> {
        let mut warnings = Vec::new();
        let mut users_own = Vec::new();
        let mut further = 0;
        let mut guesses = Guesses { left: MOST_SEARCHES };
        for (key, _) in self.get_all().filter(|(key, _)| key.starts_with("spark.") && !self.is_reviewed(key)) {
            match self.review_key(key, master, &mut guesses) {
                Verdict::Fine => {}
                Verdict::UsersOwn => users_own.push(key.to_owned()),
                Verdict::Warn(_) if warnings.len() == MOST_WARNINGS => further += 1,
                Verdict::Warn(warning) => warnings.push(warning),
            }
        }
        if further > 0 {
            warnings.push(ConfWarning::Further { number: further });
        }
        for key in [&keys::DRIVER_MEMORY, &keys::EXECUTOR_MEMORY] {
            warnings.extend(self.bare_memory(key));
        }
        let references = self.unresolved(|value| value.unknown_properties);
        if !references.is_empty() {
            warnings.push(ConfWarning::UnknownProperties { references });
        }
        let references = self.unresolved(|value| value.unset);
        if !references.is_empty() {
            warnings.push(ConfWarning::Unset { references });
        }
        let replaced = |(key, value): &(&str, &str)| {
            [key, value].into_iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER)) && !self.is_reviewed(key)
        };
        let replaced: Vec<_> = self.get_all().filter(replaced).map(|(key, _)| key.to_owned()).collect();
        if !replaced.is_empty() {
            warnings.push(ConfWarning::Replaced { keys: replaced });
        }
        if !users_own.is_empty() {
            warnings.push(ConfWarning::UsersOwn { keys: users_own });
        }
        warnings
    }

    /// Is it as the launcher has handed it over?
    fn is_reviewed(&self, key: &str) -> bool {
        self.handed_over.get(key).is_some_and(|value| self.get_raw(key) == Some(value))
    }

    fn review_key(&self, key: &str, master: &MasterUrl, guesses: &mut Guesses) -> Verdict {
        let owned = || key.to_owned();
        if ONLY_BEFORE_START.contains(&key) && !self.handed_over.is_empty() {
            return Verdict::Warn(ConfWarning::TooLate { key: owned() });
        }
        if let Some((_, how)) = GIVEN.iter().find(|(given, _)| *given == key) {
            return Verdict::Warn(ConfWarning::Otherwise { key: owned(), how });
        }
        let is_fifo = || self.get(&keys::SCHEDULER_MODE).is_ok_and(|mode| mode == SchedulingMode::Fifo);
        if key == keys::SCHEDULER_ALLOCATION_FILE.name() && is_fifo() {
            return Verdict::Warn(ConfWarning::Otherwise { key: owned(), how: "spark.scheduler.mode is not FAIR" });
        }
        let manager = master.manager();
        let is_dynamic = || self.get(&keys::DYNAMIC_ALLOCATION_ENABLED).is_ok_and(|enabled| enabled);
        if key == keys::EXECUTOR_INSTANCES.name() && manager != crate::ClusterManager::Yarn && !is_dynamic() {
            let how = "spark.dynamicAllocation.enabled is not set, and spark.cores.max limits executors";
            return Verdict::Warn(ConfWarning::Otherwise { key: owned(), how });
        }
        if let Some(declared) = keys::find(key) {
            return Verdict::on(declared.managers(), key, master);
        }
        if let Some(replacement) = keys::find_by_older_name(key).map(AnyKey::name) {
            return Verdict::Warn(match self.get_raw(replacement) {
                Some(_) => ConfWarning::Shadowed { key: owned(), by: replacement },
                None => self.renamed(key, replacement, master, guesses),
            });
        }
        if key.starts_with(hadoop::PREFIX) && known::find(key).is_none() {
            return self.review_hadoop(key, master, guesses);
        }
        let family = keys::prefixes().find(|prefix| key.starts_with(prefix.prefix));
        // Some of Spark's own keys are named as if they were of a family.
        if let Some(prefix) = family.filter(|_| !known::names().any(|name| name == key)) {
            return Verdict::on(prefix.managers, key, master);
        }
        if let Some(replacement) = deprecated::renamed(key) {
            return Verdict::Warn(self.renamed(key, replacement, master, guesses));
        }
        if let Some(advice) = deprecated::advice(key) {
            return Verdict::Warn(ConfWarning::Dropped { key: owned(), advice });
        }
        match known::find(key) {
            // What is built in of this manager is declared.
            Some(Elsewhere::Managers(managers))
                if managers.contains(manager) && manager == crate::ClusterManager::Standalone =>
            {
                let part = "this part of standalone clusters";
                Verdict::Warn(ConfWarning::NotBuiltIn { key: owned(), part })
            }
            Some(Elsewhere::Managers(managers)) if managers.contains(manager) => Verdict::Fine,
            Some(Elsewhere::Managers(managers)) => Verdict::on(managers, key, master),
            Some(Elsewhere::Jvm) => Verdict::Warn(ConfWarning::NoJvm { key: owned() }),
            Some(Elsewhere::Otherwise(how)) => Verdict::Warn(ConfWarning::Otherwise { key: owned(), how }),
            Some(Elsewhere::Harmless) if known::names().any(|name| name == key) => Verdict::Fine,
            Some(Elsewhere::Harmless) => match guesses.nearest(key, declared_names()) {
                Some(nearest) => Verdict::Warn(ConfWarning::Unknown { key: owned(), nearest: Some(nearest) }),
                None => Verdict::Fine,
            },
            Some(Elsewhere::NotBuiltIn(part)) if known::names().any(|name| name == key) => {
                Verdict::Warn(ConfWarning::NotBuiltIn { key: owned(), part })
            }
            // A slip in a key that is honoured can fall under the family of keys that are not.
            Some(Elsewhere::NotBuiltIn(part)) => Verdict::Warn(match guesses.nearest(key, declared_names()) {
                Some(nearest) => ConfWarning::Unknown { key: owned(), nearest: Some(nearest) },
                None => ConfWarning::NotBuiltIn { key: owned(), part },
            }),
            None => {
                match guesses.nearest(key, declared_names().chain(known::names().filter(|name| !name.ends_with('.')))) {
                    None if !is_in_a_namespace_of_sparks(key) => match guesses.nearest_prefix(key) {
                        Some(nearest) => Verdict::Warn(ConfWarning::Unknown { key: owned(), nearest: Some(nearest) }),
                        None => Verdict::UsersOwn,
                    },
                    nearest => Verdict::Warn(ConfWarning::Unknown { key: owned(), nearest }),
                }
            }
        }
    }

    /// A key that gives one of Hadoop's properties.
    fn review_hadoop(&self, key: &str, master: &MasterUrl, guesses: &mut Guesses) -> Verdict {
        if let Some(newer) = hadoop::newer_name(key) {
            return Verdict::Warn(match self.get_raw(newer) {
                Some(_) => ConfWarning::Shadowed { key: key.to_owned(), by: newer },
                None => self.renamed(key, newer, master, guesses),
            });
        }
        if hadoop::is_honoured(key) {
            return Verdict::Fine;
        }
        let names = hadoop::properties().map(|property| property.name);
        // A slip in a property that is honoured is mostly of a family whose others do nothing.
        let nearest =
            guesses.nearest(key, names.chain(declared_names()).filter(|name| name.starts_with(hadoop::PREFIX)));
        let key = key.to_owned();
        Verdict::Warn(match hadoop::does_nothing(&key).filter(|_| nearest.is_none()) {
            Some(how) => ConfWarning::Otherwise { key, how },
            None => ConfWarning::Unknown { key, nearest },
        })
    }

    /// An older name, of which the newer one does something or does not.
    fn renamed(&self, key: &str, newer: &'static str, master: &MasterUrl, guesses: &mut Guesses) -> ConfWarning {
        match self.review_key(newer, master, guesses) {
            Verdict::Warn(warning) => ConfWarning::RenamedInVain { key: key.to_owned(), newer: Box::new(warning) },
            _ => ConfWarning::Renamed { key: key.to_owned(), replacement: newer },
        }
    }

    /// References that will stay as they are, in values that are substituted: those of declared keys. A value that cannot be
    /// substituted at all is an error elsewhere.
    fn unresolved(&self, names: fn(Substituted<'_>) -> Vec<String>) -> Vec<(String, String)> {
        let declared = |key: &str| keys::find(key).or_else(|| keys::find_by_older_name(key)).is_some();
        let values =
            self.get_all().filter(|(key, value)| value.contains("${") && !self.is_reviewed(key) && declared(key));
        let found = values.filter_map(|(key, value)| Some((key, names(self.substitute(key, value).ok()?))));
        found.flat_map(|(key, names)| names.into_iter().map(|name| (key.to_owned(), name))).collect()
    }

    /// A bare number that means more than 1 TiB was meant as bytes (DX-16).
    fn bare_memory(&self, key: &'static Key<ByteCount>) -> Option<ConfWarning> {
        let value = self.get_raw(key.name()).filter(|_| !self.is_reviewed(key.name()))?.trim();
        let bare = value.bytes().all(|byte| byte.is_ascii_digit());
        let size = self.get(key).ok().filter(|size| bare && *size > ByteCount::gib(1024))?;
        Some(ConfWarning::BareMemory { key: key.name(), value: value.to_owned(), size })
    }
}

enum Verdict {
    Fine,
    UsersOwn,
    Warn(ConfWarning),
}

impl Verdict {
    fn on(managers: Managers, key: &str, master: &MasterUrl) -> Self {
        if managers.contains(master.manager()) {
            return Self::Fine;
        }
        Self::Warn(ConfWarning::OtherManager { key: key.to_owned(), master: master.redacted(), managers })
    }
}

/// Looks for names that may have been meant, until it has looked often enough.
struct Guesses {
    left: usize,
}

impl Guesses {
    fn nearest(&mut self, key: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
        self.left = self.left.checked_sub(1)?;
        nearest(key, names)
    }

    /// A family of keys that this one may have been meant for, such as `spark.hadoop.` for `spark.hadop.fs.x`.
    fn nearest_prefix(&self, key: &str) -> Option<&'static str> {
        keys::prefixes().map(|family| family.prefix).filter(|_| self.left > 0).find(|prefix| {
            let words = prefix.matches('.').count();
            let end = key.match_indices('.').nth(words - 1).map(|(index, _)| index + 1);
            end.is_some_and(|end| nearest(&key[..end], [*prefix]).is_some())
        })
    }
}

fn declared_names() -> impl Iterator<Item = &'static str> {
    keys::all().map(AnyKey::name)
}

/// Is the word behind `spark.` one that Spark's own keys have there?
fn is_in_a_namespace_of_sparks(key: &str) -> bool {
    static NAMESPACES: LazyLock<BTreeSet<&str>> =
        LazyLock::new(|| declared_names().chain(known::names()).filter_map(|name| name.split('.').nth(1)).collect());
    key.split('.').nth(1).is_some_and(|word| NAMESPACES.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(master: &str, settings: &[(&str, &str)]) -> Vec<String> {
        let conf: SparkConf = settings.iter().copied().collect();
        conf.review(&master.parse().unwrap()).iter().map(ConfWarning::to_string).collect()
    }

    #[test]
    fn replaced_bytes_are_told_by_their_keys() {
        let settings = [("spark.app.name", "M\u{fffd}ller"), ("spark.default.parallelism", "4")];
        assert_eq!(
            warnings("local", &settings),
            [
                "spark.app.name has the character U+FFFD, which stands for bytes that are not UTF-8; write the properties file in \
              UTF-8"
            ]
        );
    }

    #[test]
    fn one_line_for_each_kind() {
        let cases = [
            (
                "spark.exectuor.memory",
                "spark.exectuor.memory is not a known key and does nothing; did you mean spark.executor.memory?",
            ),
            ("spark.executor.fastness", "spark.executor.fastness is not a known key and does nothing"),
            (
                "spark.task.maxFailurs",
                "spark.task.maxFailurs is not a known key and does nothing; did you mean spark.task.maxFailures?",
            ),
            (
                "spark.hadop.fs.s3a.endpoint",
                "spark.hadop.fs.s3a.endpoint is not a known key and does nothing; did you mean spark.hadoop.?",
            ),
            (
                "spark.hadoop.fs.s3a.endpiont",
                "spark.hadoop.fs.s3a.endpiont is not a known key and does nothing; did you mean spark.hadoop.fs.s3a.endpoint?",
            ),
            (
                "spark.hadoop.validateOutputSpec",
                "spark.hadoop.validateOutputSpec is not a known key and does nothing; did you mean \
                 spark.hadoop.validateOutputSpecs?",
            ),
            ("spark.hadoop.anything", "spark.hadoop.anything is not a known key and does nothing"),
            (
                "spark.hadoop.mapred.min.split.size",
                "spark.hadoop.mapred.min.split.size is an older name; use \
                 spark.hadoop.mapreduce.input.fileinputformat.split.minsize",
            ),
            (
                "spark.hadoop.fs.s3a.connection.maximum",
                "spark.hadoop.fs.s3a.connection.maximum does nothing: Firesteel's S3 client has no such setting",
            ),
            (
                "spark.hadoop.mapred.output.dir",
                "spark.hadoop.mapred.output.dir is an older name, and does nothing either: \
                 spark.hadoop.mapreduce.output.fileoutputformat.outputdir does nothing: nothing of MapReduce runs here but its \
                 files are read and written",
            ),
            (
                "spark.hadoop.fs.s3a.committer.name",
                "spark.hadoop.fs.s3a.committer.name does nothing: output becomes visible in one way on each file system: by \
                 renaming, and on S3 by completing uploads",
            ),
            (
                "spark.files.maxPartitionBytes",
                "spark.files.maxPartitionBytes does nothing: this part of reading files is not built in yet",
            ),
            (
                "spark.hadoopRDD.ignoreEmptySplits",
                "spark.hadoopRDD.ignoreEmptySplits does nothing: this part of reading files is not built in yet",
            ),
            (
                "spark.files.io.connectionTimeout",
                "spark.files.io.connectionTimeout does nothing: files of the application travel over the data plane; \
                 spark.files.fetchTimeout is how long it may be silent",
            ),
            (
                "spark.submit.deploymode",
                "spark.submit.deploymode is not a known key and does nothing; did you mean spark.submit.deployMode?",
            ),
            ("spark.yarn.queue", "spark.yarn.queue does nothing on local[*]; it is for YARN"),
            (
                "spark.speculation",
                "spark.speculation does nothing on local[*]; it is for local-cluster, standalone, YARN, Mesos and Kubernetes",
            ),
            ("spark.authenticate", "spark.authenticate does nothing: every connection is authenticated"),
            (
                "spark.port.maxRetries",
                "spark.port.maxRetries does nothing on local[*]; it is for local-cluster, standalone, YARN, Mesos and Kubernetes",
            ),
            (
                "spark.storage.blockManagerHeartbeatTimeoutMs",
                "spark.storage.blockManagerHeartbeatTimeoutMs does nothing on local[*]; it is for local-cluster, standalone, \
                 YARN, Mesos and Kubernetes",
            ),
            (
                "spark.executor.memory",
                "spark.executor.memory does nothing on local[*]; it is for local-cluster, standalone, YARN, Mesos and Kubernetes",
            ),
            ("spark.unsafe.offHeap", "spark.unsafe.offHeap is an older name; use spark.memory.offHeap.enabled"),
            (
                "spark.blacklist.enabled",
                "spark.blacklist.enabled is an older name, and does nothing either: spark.excludeOnFailure.enabled does \
                 nothing on local[*]; it is for local-cluster, standalone, YARN, Mesos and Kubernetes",
            ),
            (
                "spark.yarn.executor.memoryOverhead",
                "spark.yarn.executor.memoryOverhead is an older name, and does nothing either: \
                 spark.executor.memoryOverhead does nothing on local[*]; it is for YARN, Mesos and Kubernetes",
            ),
            (
                "spark.yarn.principal",
                "spark.yarn.principal is an older name, and does nothing either: spark.kerberos.principal does nothing: \
                 Kerberos is not built in yet",
            ),
            ("spark.app.id", "spark.app.id does nothing: the application is given its id when it starts"),
            ("spark.executor.id", "spark.executor.id does nothing: executors are given their ids when they start"),
            ("spark.hadoop.cloneConf", "spark.hadoop.cloneConf does nothing: it is for a JVM, and Firesteel has none"),
            (
                "spark.scheduler.allocation.file",
                "spark.scheduler.allocation.file does nothing: spark.scheduler.mode is not FAIR",
            ),
            (
                "spark.authenticate.secret",
                "spark.authenticate.secret does nothing on local[*]; it is for local-cluster, standalone, YARN, Mesos and \
                 Kubernetes",
            ),
            (
                "spark.storage.memoryFraction",
                "spark.storage.memoryFraction does nothing any more: spark.memory.fraction and spark.memory.storageFraction govern it",
            ),
            (
                "spark.kryoserializer.buffer.max",
                "spark.kryoserializer.buffer.max does nothing: it is for a JVM, and Firesteel has none",
            ),
            (
                "spark.executor.heartbeat.maxFailures",
                "spark.executor.heartbeat.maxFailures does nothing: an executor ends as soon as its connection to the driver does",
            ),
            (
                "spark.io.encryption.keygen.algorithm",
                "spark.io.encryption.keygen.algorithm does nothing: keys of local files are random bytes, and their cipher is \
                 AES in Galois/counter mode",
            ),
            (
                "spark.io.encryption.commons.config.secure.random.classes",
                "spark.io.encryption.commons.config.secure.random.classes does nothing: keys of local files are random bytes, \
                 and their cipher is AES in Galois/counter mode",
            ),
            (
                "spark.shuffle.checksum.algorithm",
                "spark.shuffle.checksum.algorithm does nothing: checksums of shuffle files are CRC-32",
            ),
            (
                "spark.myapp.threshold",
                "no part of Firesteel reads spark.myapp.threshold; only the application itself can",
            ),
        ];
        for (key, warning) in cases {
            assert_eq!(warnings("local[*]", &[(key, "1")]), [warning]);
        }
    }

    #[test]
    fn what_is_honoured_or_harmless_gets_no_line() {
        let fine = [
            ("spark.task.cpus", "1"),
            ("spark.executor.heartbeatInterval", "1s"),
            ("spark.app.startTime", "1"),
            ("spark.submit.isThriftServer", "x"),
            ("spark.job.description", "x"),
            ("spark.hadoop.fs.s3a.endpoint", "http://x"),
            ("spark.hadoop.fs.s3a.bucket.my.data.endpoint", "http://x"),
            ("spark.hadoop.dfs.ha.namenodes.service", "a,b"),
            ("spark.hadoop.validateOutputSpecs", "false"),
            ("spark.app.name", "x"),
            ("spark.submit.pyFiles", ""),
            ("spark.task.resource.gpu.amount", "1"),
            ("spark.scheduler.mode", "FAIR"),
            ("spark.scheduler.allocation.file", "pools.xml"),
            ("not.spark", "x"),
        ];
        assert_eq!(warnings("local[*]", &fine), [""; 0]);
        assert_eq!(warnings("yarn", &[("spark.yarn.queue", "q"), ("spark.executor.memory", "1g")]), [""; 0]);
        let cluster = [("spark.executor.memory", "1g"), ("spark.task.maxFailures", "8"), ("spark.driver.port", "7001")];
        assert_eq!(warnings("local-cluster[1,1,1024]", &cluster), [""; 0]);
    }

    #[test]
    fn keys_of_the_users_own_share_a_line() {
        let lines = warnings("local", &[("spark.myapp.a", "1"), ("spark.other", "2")]);
        assert_eq!(lines, ["no part of Firesteel reads spark.myapp.a, spark.other; only the application itself can"]);
    }

    /// Three hundred thousand keys are one of a program's mistakes, and not to be answered by as many lines.
    #[test]
    fn what_nobody_would_read_is_counted() {
        let conf: SparkConf = (0..300_000)
            .flat_map(|number| [(format!("spark.my{number}.x"), "1"), (format!("spark.executor.x{number}"), "1")])
            .collect();
        let warnings = conf.review(&MasterUrl::LOCAL_ALL_CORES);
        assert_eq!(warnings.len(), MOST_WARNINGS + 2);
        let [.., further, own] = &warnings[..] else { panic!("{warnings:?}") };
        assert_eq!(*further, ConfWarning::Further { number: 300_000 - MOST_WARNINGS });
        assert!(further.to_string().starts_with("299950 more keys of the configuration"), "{further}");
        assert!(own.to_string().ends_with(" and 299980 more; only the application itself can"), "{own}");
        assert!(own.to_string().len() < 1000, "{own}");
    }

    #[test]
    fn an_older_name_beside_the_new_one_is_said_to_be_lost() {
        let lines = warnings("local", &[("spark.blacklist.timeout", "2h"), ("spark.excludeOnFailure.timeout", "1h")]);
        assert_eq!(
            lines,
            [
                "spark.blacklist.timeout does nothing, because spark.excludeOnFailure.timeout, its newer name, is set too"
            ]
        );
    }

    /// SS-73.
    #[test]
    fn what_standalone_clusters_lack_is_no_silent_wish() {
        let conf: SparkConf =
            [("spark.decommission.enabled", "true"), ("spark.shuffle.service.enabled", "true")].into_iter().collect();
        let warnings: Vec<String> =
            conf.review(&"spark://h:1".parse().unwrap()).iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("is not built in yet")), "{warnings:?}");
    }

    #[test]
    fn what_the_program_sets_too_late_is_mentioned() {
        let mut conf: SparkConf =
            [("spark.submit.deployMode", "client"), ("spark.driver.extraClassPath", "/a")].into_iter().collect();
        conf.handed_over = conf.get_all().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let lines = |conf: &SparkConf| -> Vec<String> {
            conf.review(&"local".parse().unwrap()).iter().map(ConfWarning::to_string).collect()
        };
        assert_eq!(lines(&conf), [""; 0], "the launcher has warned");
        // The same value again changes nothing.
        conf.set("spark.submit.deployMode", "client");
        assert_eq!(lines(&conf), [""; 0]);
        conf.set("spark.submit.deployMode", "cluster").set("spark.submit.pyFiles", "a.py");
        conf.set("spark.driver.extraClassPath", "/b").set("spark.driver.memory", "2g");
        let [jvm, mode, files] = &lines(&conf)[..] else { panic!("three lines: {:?}", lines(&conf)) };
        assert!(jvm.starts_with("spark.driver.extraClassPath does nothing: it is for a JVM"), "{jvm}");
        assert!(mode.starts_with("spark.submit.deployMode does nothing when the program sets it"), "{mode}");
        assert!(files.starts_with("spark.submit.pyFiles does nothing when the program sets it"), "{files}");
        // A program that was started without the launcher.
        let alone: SparkConf = [("spark.submit.deployMode", "client")].into_iter().collect();
        assert_eq!(lines(&alone), [""; 0]);
    }

    /// SS-76.
    #[test]
    fn java_properties_that_mean_nothing_share_a_line() {
        let known = "of Java's properties, only user.name, user.home, user.dir, java.io.tmpdir, os.name, os.arch, \
                     file.separator, path.separator, line.separator are known here";
        let one = ("spark.local.dir", "/scratch/${system:java.vendor}/${system:user.name}");
        let expected = format!("${{system:java.vendor}} in spark.local.dir stays as it is: {known}");
        assert_eq!(warnings("local", &[one]), [expected]);
        let two = ("spark.app.name", "${system:java.home}");
        let expected = format!(
            "${{system:java.home}} in spark.app.name, ${{system:java.vendor}} in spark.local.dir stay as they are: {known}"
        );
        assert_eq!(warnings("local", &[one, two]), [expected]);
        // Values that are handed on as they are may mean somebody else's properties.
        assert_eq!(warnings("local", &[("spark.hadoop.fs.defaultFS", "${system:java.home}")]), [""; 0]);
        // The launcher has warned.
        let mut conf: SparkConf = [two].into_iter().collect();
        conf.handed_over = conf.get_all().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(conf.review(&MasterUrl::LOCAL_ALL_CORES), []);
    }

    /// SS-76.
    #[test]
    fn references_to_nothing_share_a_line() {
        let unset = ("spark.local.dir", "${env:FIRESTEEL_TEST_NO_SUCH_VARIABLE}/x");
        let variable = "${env:FIRESTEEL_TEST_NO_SUCH_VARIABLE} in spark.local.dir";
        let expected = format!("{variable} stays as it is: there is nothing of that name");
        assert_eq!(warnings("local", &[unset, ("spark.app.name", "${env:PATH}")]), [expected]);
        let expected =
            format!("${{spark.nope}} in spark.app.name, {variable} stay as they are: there is nothing of that name");
        assert_eq!(warnings("local", &[unset, ("spark.app.name", "${spark.nope}")]), [expected]);
    }

    #[test]
    fn a_memory_size_in_bytes_is_noticed() {
        let lines = warnings("yarn", &[("spark.executor.memory", "536870912")]);
        assert_eq!(
            lines,
            [
                "spark.executor.memory is 536870912, which without a unit means MiB (512.0 TiB); write 536870912b for bytes"
            ]
        );
        assert_eq!(warnings("yarn", &[("spark.executor.memory", "4096")]), [""; 0]);
    }

    #[test]
    fn no_known_key_is_also_declared() {
        for name in known::names().filter(|name| !name.ends_with('.')) {
            assert!(keys::find(name).is_none(), "{name} is declared and known");
        }
    }

    #[test]
    fn a_declared_key_is_never_called_a_slip_of_another() {
        let yarn = MasterUrl::Yarn { implied_mode: None };
        for key in keys::all() {
            let conf: SparkConf = [(key.name(), "1")].into_iter().collect();
            for warning in conf.review(&yarn) {
                let expected = matches!(warning, ConfWarning::OtherManager { .. } | ConfWarning::Otherwise { .. });
                assert!(expected, "{warning}");
            }
        }
    }
}
