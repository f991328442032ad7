//! Why nothing is run.

use std::path::PathBuf;

use firesteel_conf::{ClusterManager, ConfConflict, DeployMode, ParseArtifactError, ReadDefaultsError, nearest};
use firesteel_model::{error_chain, url_without_secrets};

use crate::options;

/// One reason to refuse a command, found before anything was done. `Display` is the line for the user.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such option.
    #[error("there is no option {option}{}; see --help", did_you_mean(*.nearest))]
    UnknownOption {
        /// As it was written, without its value.
        option: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// The option is the last word.
    #[error("{option} needs a value: {option} {value}")]
    ValueMissing {
        /// The option.
        option: &'static str,
        /// What the help calls the value.
        value: &'static str,
    },
    /// `--name=`: a variable of a script that is not set, most often.
    #[error(
        "there is no value behind {option}=; if a script gave it, see whether a variable is not set, or write {option} \"\""
    )]
    ValueEmpty {
        /// The option.
        option: &'static str,
    },
    /// `--verbose=true`
    #[error("{option} takes no value")]
    ValueNotTaken {
        /// The option.
        option: &'static str,
    },
    /// `--conf key`
    #[error("--conf {text:?} has no =; write --conf key=value")]
    ConfWithoutValue {
        /// What followed the option.
        text: String,
    },
    /// An option or its value is not text.
    #[error("{word:?} is not valid UTF-8; only the application's own arguments may be other bytes")]
    NotUnicode {
        /// The word, made readable.
        word: String,
    },
    /// The properties file cannot be used.
    #[error("{}", error_chain(.0))]
    Properties(#[from] ReadDefaultsError),
    /// A value is wrong.
    #[error("{source_name} is {value:?}, but it must be {expected}")]
    Value {
        /// The option, key or variable that has it.
        source_name: String,
        /// The text, or a placeholder for a secret.
        value: String,
        /// Completes "it must be …".
        expected: String,
    },
    /// A configured value is wrong, or two contradict each other.
    #[error(transparent)]
    Conf(#[from] ConfConflict),
    /// Two options that exclude each other.
    #[error("{first} and {second} cannot be given together{why}")]
    Together {
        /// One.
        first: String,
        /// The other.
        second: &'static str,
        /// A reason, with its punctuation; may be empty.
        why: &'static str,
    },
    /// The master's name implies another deploy mode (SS-50).
    #[error("--master {master} means deploy mode {implied}, but deploy mode {given} was asked for; use --master yarn")]
    ImpliedMode {
        /// The master as written.
        master: String,
        /// What it implies.
        implied: DeployMode,
        /// What was asked for.
        given: DeployMode,
    },
    /// Nothing to run.
    #[error("nothing to run: name an application after the options; see --help")]
    NoResource,
    /// `spark-submit ""`: a variable of a script that is not set, most often.
    #[error(
        "nothing to run: the name of the application is empty; if a script gave it, see whether a variable is not set"
    )]
    EmptyResource,
    /// `run-example` without a name.
    #[error("run-example needs the name of an example, such as SparkPi")]
    NoExample,
    /// Cluster mode where it cannot be (SS-60…63).
    #[error(
        "deploy mode cluster is not possible for {what}; leave --deploy-mode, spark.submit.deployMode and the variable DEPLOY_MODE out"
    )]
    ClusterMode {
        /// The master or the kind of application.
        what: String,
    },
    /// `--kill` or `--status` for a manager that keeps no drivers (SS-27).
    #[error(
        "{option} needs --master with the cluster manager that runs the driver; there are no submitted drivers on {master}"
    )]
    NoSubmissions {
        /// The option.
        option: &'static str,
        /// The master.
        master: String,
    },
    /// The YARN cluster cannot be found (SS-49).
    #[error(
        "to find the YARN cluster, HADOOP_CONF_DIR or YARN_CONF_DIR must name the directory of its configuration{hint}"
    )]
    NoHadoopConf {
        /// A variable that was probably meant, with its punctuation; may be empty.
        hint: String,
    },
    /// Heap size inside Java options (SS-22).
    #[error("{source_name} must not set the maximum heap ({word}); use {instead}")]
    MaxHeap {
        /// The option or key.
        source_name: String,
        /// The offending word.
        word: String,
        /// What to use.
        instead: &'static str,
    },
    /// A keytab that is not there (SS-31).
    #[error("the keytab {0} does not exist")]
    NoKeytab(PathBuf),
    /// Maven coordinates that are none (SS-18).
    #[error("{coordinate:?} in {source_name} is not a Maven coordinate; write group:artifact:version")]
    Coordinate {
        /// The option or key.
        source_name: String,
        /// The element.
        coordinate: String,
    },
    /// Packages that only a JVM could load.
    #[error(
        "{coordinate} in {source_name} is a JVM package, and JVM classes cannot run here; S3 and HDFS need no package"
    )]
    JvmPackage {
        /// The option or key.
        source_name: String,
        /// The coordinate.
        coordinate: String,
    },
    /// The manager's part of Firesteel does not exist yet.
    #[error("{manager} ({master}) is not built in yet; local[N], local-cluster[n,cores,MiB] and spark://host:port are")]
    ManagerNotBuiltIn {
        /// The kind.
        manager: ClusterManager,
        /// The master URL.
        master: String,
    },
    /// A part of Spark that does not exist yet.
    #[error("{what} is not built in yet; a native application, an executable built on the firesteel crate, can be run")]
    NotBuiltIn {
        /// What was asked for.
        what: String,
    },
    /// A `.jar` (SS-12).
    #[error(
        "{resource} is a JVM application, and JVM classes cannot run here; Python programs (.py) can, and executables built on the firesteel crate"
    )]
    JvmApplication {
        /// As it was named.
        resource: String,
    },
    /// The application is somewhere else, and cannot be had from there (SS-81).
    #[error("could not fetch the application {}: {}", url_without_secrets(url), error_chain(&**source))]
    FetchApplication {
        /// As it was named.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The application cannot be executed.
    #[error("cannot run {}: {why}", path.display())]
    Application {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// There is no examples executable.
    #[error(
        "the examples are not built; run `cargo build --release -p firesteel-examples` in {}{}", spark_home.display(),
        or_use(own_home)
    )]
    ExamplesNotBuilt {
        /// Where they were looked for.
        spark_home: PathBuf,
        /// Where this program is, if that is elsewhere.
        own_home: Option<PathBuf>,
    },
    /// There is no driver of Python programs.
    #[error(
        "the driver of Python programs is not built; run `cargo build --release -p firesteel-pyspark` in {}{}", spark_home.display(),
        or_use(own_home)
    )]
    PythonNotBuilt {
        /// Where it was looked for.
        spark_home: PathBuf,
        /// Where this program is, if that is elsewhere.
        own_home: Option<PathBuf>,
    },
    /// `SPARK_HOME` is unknown, so what it holds cannot be found.
    #[error("SPARK_HOME is not set, so the programs of this installation cannot be found")]
    NoSparkHome,
    /// An element of a list of files names no place.
    #[error("{key}: {source}")]
    Artifact {
        /// The list.
        key: &'static str,
        /// What is wrong.
        source: ParseArtifactError,
    },
    /// A file of a list cannot be used (SS-86).
    #[error("{key}: {element} {why}")]
    File {
        /// The list.
        key: &'static str,
        /// As it was written.
        element: String,
        /// What is wrong.
        why: String,
    },
    /// A file that has to go along to the driver's machine cannot (AS-06).
    #[error("{file} cannot be sent along with the driver: {why}")]
    Upload {
        /// As it was named.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// Two files would have the same name where they are used (SS-80).
    #[error("{key}: {first} and {second} have different contents but the same name, {name}")]
    SameName {
        /// The list.
        key: &'static str,
        /// The name.
        name: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
}

impl Refusal {
    /// The exit code of the command (SS-101).
    pub const fn exit_code(&self) -> u8 {
        1
    }

    pub(crate) fn unknown_option(option: &str) -> Self {
        let nearest = nearest(option, options::ALL.iter().map(|option| option.name));
        Self::UnknownOption { option: option.to_owned(), nearest }
    }

    pub(crate) fn together(first: impl Into<String>, second: &'static str, why: &'static str) -> Self {
        Self::Together { first: first.into(), second, why }
    }
}

/// A hint for whoever has the SPARK_HOME of another Spark.
fn or_use(own_home: &Option<PathBuf>) -> String {
    own_home.as_ref().map_or_else(String::new, |home| {
        format!(", which SPARK_HOME names; this program is of {}: set SPARK_HOME to that, or unset it", home.display())
    })
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}
