//! Every option of `spark-submit`, once (SS-10…34).
//!
//! The table decides what is accepted, what the help says, which key an option sets, which environment variable stands in
//! for it, and where it means something. An option that means nothing for the chosen manager or deploy mode gets a warning
//! and sets nothing (AS-22).

use firesteel_conf::{ClusterManager, Managers};

use ClusterManager::{Kubernetes, Local, LocalCluster, Mesos, Standalone, Yarn};

/// One option.
#[derive(Debug)]
pub struct SubmitOption {
    /// The long form, with its dashes.
    pub name: &'static str,
    /// The short form; only three have one (SS-08).
    pub short: Option<&'static str>,
    /// What the help calls the value; `None`: the option takes none.
    pub value: Option<&'static str>,
    /// The key that it sets.
    pub key: Option<&'static str>,
    /// The environment variable that counts if neither option nor key is given (SS-70).
    pub variable: Option<&'static str>,
    /// What kind of value is accepted.
    pub quantity: Quantity,
    /// Managers for which it means something.
    pub managers: Managers,
    /// Does it mean something only in cluster mode?
    pub cluster_mode_only: bool,
    /// Under which heading the help has it.
    pub group: Group,
    /// One or two sentences.
    pub help: &'static str,
}

/// What kind of value an option takes (SS-65).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantity {
    /// Any text.
    Text,
    /// A size above 0; a bare number means MiB (SS-23, DX-16).
    Memory,
    /// A whole number above 0.
    Count,
}

/// The headings of the help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Where and what.
    Application,
    /// Files that go with it.
    Files,
    /// Settings.
    Configuration,
    /// The driver.
    Driver,
    /// Executors.
    Executors,
    /// Identity.
    Security,
    /// Submissions that exist.
    Submissions,
    /// The launcher itself.
    Launcher,
}

impl Group {
    /// In the order of the help.
    pub const ALL: [Self; 8] = [
        Self::Application,
        Self::Files,
        Self::Configuration,
        Self::Driver,
        Self::Executors,
        Self::Security,
        Self::Submissions,
        Self::Launcher,
    ];

    /// The heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::Files => "Files that go with the application",
            Self::Configuration => "Configuration",
            Self::Driver => "Driver",
            Self::Executors => "Executors",
            Self::Security => "Identity",
            Self::Submissions => "Drivers in a cluster",
            Self::Launcher => "This command",
        }
    }
}

/// The option of this long or short name.
pub fn find(name: &str) -> Option<&'static SubmitOption> {
    ALL.iter().find(|option| option.name == name || option.short == Some(name))
}

const fn option(group: Group, name: &'static str, help: &'static str) -> SubmitOption {
    SubmitOption {
        name,
        short: None,
        value: None,
        key: None,
        variable: None,
        quantity: Quantity::Text,
        managers: Managers::ALL,
        cluster_mode_only: false,
        group,
        help,
    }
}

impl SubmitOption {
    const fn takes(mut self, value: &'static str) -> Self {
        self.value = Some(value);
        self
    }

    const fn short(mut self, short: &'static str) -> Self {
        self.short = Some(short);
        self
    }

    const fn sets(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    const fn variable(mut self, variable: &'static str) -> Self {
        self.variable = Some(variable);
        self
    }

    const fn quantity(mut self, quantity: Quantity) -> Self {
        self.quantity = quantity;
        self
    }

    const fn only_on(mut self, managers: &[ClusterManager]) -> Self {
        self.managers = Managers::of(managers);
        self
    }

    const fn cluster_mode_only(mut self) -> Self {
        self.cluster_mode_only = true;
        self
    }
}

/// Every option, in the order of the help.
pub static ALL: &[SubmitOption] = &[
    option(Group::Application, "--master", "The cluster manager: local, local[N], local[*], local[N,F], local-cluster[n,cores,MiB], spark://host:port[,host:port], mesos://host:port, mesos://zk://host:port/path, yarn or k8s://host:port. Default: local[*].")
        .takes("URL").sets("spark.master").variable("MASTER"),
    option(Group::Application, "--deploy-mode", "Where the driver runs: client (here, the default) or cluster.")
        .takes("MODE").sets("spark.submit.deployMode").variable("DEPLOY_MODE"),
    option(Group::Application, "--class", "The entry point: for a native application, the name that it finds in FIRESTEEL_MAIN_CLASS.")
        .takes("NAME"),
    option(Group::Application, "--name", "The name that user interfaces show. Default: the class, else the file name.")
        .takes("NAME").sets("spark.app.name"),
    option(Group::Application, "--remote", "The Spark Connect server to run on; not together with --master or --deploy-mode. Refused, as that is not built in yet.")
        .takes("URL").sets("spark.remote"),
    option(Group::Files, "--files", "Comma list of files for the working directory of every executor; patterns are expanded.")
        .takes("FILES").sets("spark.files"),
    option(Group::Files, "--archives", "Comma list of archives to unpack there; path#name names the directory.")
        .takes("FILES").sets("spark.archives"),
    option(Group::Files, "--jars", "Comma list of libraries that go to driver and executors.")
        .takes("FILES").sets("spark.jars"),
    option(Group::Files, "--py-files", "Comma list of .py, .zip and .egg files for Python's module search path.")
        .takes("FILES").sets("spark.submit.pyFiles"),
    option(Group::Files, "--packages", "Comma list of Maven coordinates group:artifact:version. Only those of connectors that are built in are accepted: JVM packages cannot run here.")
        .takes("COORDINATES").sets("spark.jars.packages"),
    option(Group::Files, "--exclude-packages", "Comma list of group:artifact to leave out of --packages.")
        .takes("COORDINATES").sets("spark.jars.excludes"),
    option(Group::Files, "--repositories", "Comma list of repositories for --packages.")
        .takes("URLS").sets("spark.jars.repositories"),
    option(Group::Configuration, "--conf", "Sets a key; can be repeated. Keys must begin with spark.; a dedicated option beats it.")
        .takes("KEY=VALUE").short("-c"),
    option(Group::Configuration, "--properties-file", "The file to read instead of conf/spark-defaults.conf.")
        .takes("FILE"),
    option(Group::Configuration, "--load-spark-defaults", "Read conf/spark-defaults.conf as well as --properties-file, which counts where both have a key."),
    option(Group::Driver, "--driver-memory", "Memory of the driver, such as 512m or 15g; a number alone means MiB. Default: 1g.")
        .takes("SIZE").sets("spark.driver.memory").variable("SPARK_DRIVER_MEMORY").quantity(Quantity::Memory),
    option(Group::Driver, "--driver-cores", "Cores of the driver in cluster mode. Default: 1.")
        .takes("N").sets("spark.driver.cores").quantity(Quantity::Count)
        .only_on(&[Standalone, Mesos, Yarn, Kubernetes]).cluster_mode_only(),
    option(Group::Driver, "--supervise", "Start the driver again if it fails.")
        .sets("spark.driver.supervise").only_on(&[Standalone, Mesos]).cluster_mode_only(),
    option(Group::Driver, "--driver-java-options", "Options of a driver's JVM; native drivers have none.")
        .takes("WORDS").sets("spark.driver.extraJavaOptions"),
    option(Group::Driver, "--driver-library-path", "Library path of a driver's JVM; native drivers have none.")
        .takes("PATH").sets("spark.driver.extraLibraryPath"),
    option(Group::Driver, "--driver-class-path", "Class path of a driver's JVM; native drivers have none.")
        .takes("PATH").sets("spark.driver.extraClassPath"),
    option(Group::Executors, "--executor-memory", "Memory of each executor, such as 512m or 15g; a number alone means MiB. Default: 1g.")
        .takes("SIZE").sets("spark.executor.memory").variable("SPARK_EXECUTOR_MEMORY").quantity(Quantity::Memory)
        .only_on(&[LocalCluster, Standalone, Yarn, Mesos, Kubernetes]),
    option(Group::Executors, "--executor-cores", "Cores of each executor. Default: 1 on YARN and Kubernetes, else all of the worker's.")
        .takes("N").sets("spark.executor.cores").variable("SPARK_EXECUTOR_CORES").quantity(Quantity::Count)
        .only_on(&[LocalCluster, Standalone, Yarn, Kubernetes]),
    option(Group::Executors, "--total-executor-cores", "Cores of all executors together. Default: no limit.")
        .takes("N").sets("spark.cores.max").quantity(Quantity::Count)
        .only_on(&[LocalCluster, Standalone, Mesos, Kubernetes]),
    option(Group::Executors, "--num-executors", "Number of executors; with dynamic allocation the least number to begin with. Default: 2.")
        .takes("N").sets("spark.executor.instances").quantity(Quantity::Count).only_on(&[Yarn, Kubernetes]),
    option(Group::Executors, "--queue", "The YARN queue. Default: default.")
        .takes("NAME").sets("spark.yarn.queue").only_on(&[Yarn]),
    option(Group::Security, "--principal", "Kerberos principal to log in as. Refused, as Kerberos is not built in yet.")
        .takes("PRINCIPAL").sets("spark.kerberos.principal").only_on(&[Local, LocalCluster, Yarn, Kubernetes]),
    option(Group::Security, "--keytab", "File with the key of the principal. Refused, as Kerberos is not built in yet.")
        .takes("FILE").sets("spark.kerberos.keytab").only_on(&[Local, LocalCluster, Yarn, Kubernetes]),
    option(Group::Security, "--proxy-user", "User to act for; not together with --principal. Refused, as that is not built in yet.")
        .takes("NAME"),
    option(Group::Submissions, "--kill", "Kills a driver that was submitted in cluster mode.")
        .takes("ID").only_on(&[Standalone, Mesos, Kubernetes]),
    option(Group::Submissions, "--status", "Asks for the state of such a driver.")
        .takes("ID").only_on(&[Standalone, Mesos, Kubernetes]),
    option(Group::Launcher, "--help", "Prints this text.").short("-h"),
    option(Group::Launcher, "--verbose", "Prints what was understood before anything is started.").short("-v"),
    option(Group::Launcher, "--version", "Prints the version."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use firesteel_conf::keys;

    use super::*;

    #[test]
    fn names_are_unique_and_short_forms_are_the_three() {
        let names: BTreeSet<_> = ALL.iter().map(|option| option.name).collect();
        assert_eq!(names.len(), ALL.len());
        let short: Vec<_> = ALL.iter().filter_map(|option| option.short).collect();
        assert_eq!(short, ["-c", "-h", "-v"]);
    }

    #[test]
    fn a_declared_key_means_something_wherever_its_option_does() {
        for option in ALL {
            let Some(key) = option.key.and_then(keys::find) else { continue };
            for manager in option.managers.iter() {
                assert!(key.managers().contains(manager), "{} on {manager}", option.name);
            }
        }
    }
}
