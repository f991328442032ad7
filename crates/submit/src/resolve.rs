//! From what was said to what is meant: precedence, defaults, refusals. No files, no clock.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use firesteel_conf::{
    ClusterManager, ConfError, ConfValue, ConfWarning, DeployMode, Key, MasterUrl, SparkConf, Unit, keys, listed,
    spark_env::Environment,
};
use firesteel_model::{ByteCount, url_without_secrets};

use crate::{
    Arguments, Launcher, Origin, Parsed, PrimaryResource, Refusal, Submission,
    options::{self, Quantity, SubmitOption},
    packages,
};

/// The options that decide what other options mean.
const APPLIED_FIRST: [&str; 2] = ["--master", "--deploy-mode"];

/// The settings of the properties files, weakest first.
#[derive(Clone, Default, Debug)]
pub struct Defaults {
    /// Keys and values; the last one of a key counts.
    pub settings: Vec<(String, String)>,
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Print the usage to standard error and exit.
    PrintUsage {
        /// For which command.
        launcher: Launcher,
        /// 0 for `--help`, 255 for no arguments, 1 for `--usage-error` (SS-03, SS-04).
        exit_code: u8,
    },
    /// Print the version and exit with 0.
    PrintVersion,
    /// Run an application.
    Run(Box<Submission>),
    /// Kill a driver in a cluster.
    Kill {
        /// The manager that runs it.
        master: MasterUrl,
        /// The driver.
        submission_id: String,
        /// What is configured, such as the secret of the cluster.
        conf: SparkConf,
    },
    /// Ask for the state of a driver in a cluster.
    Status {
        /// The manager that runs it.
        master: MasterUrl,
        /// The driver.
        submission_id: String,
        /// What is configured, such as the secret of the cluster.
        conf: SparkConf,
    },
}

/// Decides what a command line means. `now_ms` is the time in milliseconds since 1970.
pub fn resolve(
    launcher: Launcher,
    parsed: Parsed,
    environment: &Environment,
    defaults: &Defaults,
    now_ms: u64,
) -> Result<Action, Refusal> {
    let arguments = match parsed {
        Parsed::Help => return Ok(Action::PrintUsage { launcher, exit_code: 0 }),
        Parsed::UsageError => return Ok(Action::PrintUsage { launcher, exit_code: 1 }),
        Parsed::NoArguments => return Ok(Action::PrintUsage { launcher, exit_code: 255 }),
        Parsed::Version => return Ok(Action::PrintVersion),
        Parsed::Arguments(arguments) => arguments,
    };
    Resolution::new(&arguments, environment, defaults).finish(now_ms)
}

/// The work in progress.
struct Resolution<'a> {
    arguments: &'a Arguments,
    environment: &'a Environment,
    conf: SparkConf,
    origins: BTreeMap<String, Origin>,
    warnings: Vec<String>,
}

impl<'a> Resolution<'a> {
    /// The properties file, then `--conf`: options and environment need to know the master first.
    fn new(arguments: &'a Arguments, environment: &'a Environment, defaults: &Defaults) -> Self {
        let mut this =
            Self { arguments, environment, conf: SparkConf::new(), origins: BTreeMap::new(), warnings: Vec::new() };
        for (origin, settings) in [(Origin::PropertiesFile, &defaults.settings), (Origin::Conf, &arguments.conf)] {
            let (sparks, others): (Vec<_>, Vec<_>) = settings.iter().partition(|(key, _)| key.starts_with("spark."));
            sparks.iter().for_each(|(key, value)| this.set(key, value, origin));
            if !others.is_empty() {
                let others: Vec<_> = others.iter().map(|(key, _)| if key.is_empty() { "\"\"" } else { key }).collect();
                this.warnings.push(format!("ignoring {} ({origin}): keys must begin with spark.", listed(&others)));
            }
        }
        this
    }

    fn finish(mut self, now_ms: u64) -> Result<Action, Refusal> {
        self.refuse_exclusive_options()?;
        for name in APPLIED_FIRST {
            self.set_from_option_or_variable(find(name));
        }
        self.default_to("spark.master", "local[*]");
        let master = self.read(&keys::MASTER)?.unwrap_or(MasterUrl::LOCAL_ALL_CORES);
        // Its references are followed here. The application finds its cluster manager by the text alone, as in Spark.
        if self.conf.get_raw(keys::MASTER.name()).is_some_and(|text| text.contains("${")) {
            self.conf.set(keys::MASTER.name(), master.to_string());
        }
        self.refuse_external(&master)?;
        if let Some(action) = self.about_a_submission(&master)? {
            return Ok(action);
        }
        let deploy_mode = self.deploy_mode(&master)?;
        let resource = self.resource()?;
        let main_class = self.main_class();
        self.refuse_cluster_mode(&master, deploy_mode, &resource, main_class.as_deref())?;
        self.refuse_bad_quantities()?;
        self.apply_options(&master, deploy_mode);
        self.refuse_max_heap()?;
        self.name_the_application(&master, &resource, main_class.as_deref());
        self.default_to("spark.app.submitTime", &now_ms.to_string());
        self.conf.check_conflicts(&master)?;
        self.review(&master, &resource);
        Ok(Action::Run(Box::new(Submission {
            master,
            deploy_mode,
            resource,
            main_class,
            application_arguments: self.arguments.application_arguments.clone(),
            proxy_user: self.arguments.value("--proxy-user").map(str::to_owned),
            verbose: self.arguments.has("--verbose"),
            conf: self.conf,
            origins: self.origins,
            warnings: self.warnings,
        })))
    }

    fn set(&mut self, key: &str, value: &str, origin: Origin) {
        self.conf.set(key, value);
        self.origins.insert(key.to_owned(), origin);
    }

    fn default_to(&mut self, key: &str, value: &str) {
        if !self.conf.contains(key) {
            self.set(key, value, Origin::Default);
        }
    }

    fn variable(&self, name: &str) -> Option<&'a str> {
        self.environment.get(OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// The option beats everything; the variable counts if nothing else is there (SS-70).
    fn set_from_option_or_variable(&mut self, option: &'static SubmitOption) {
        let Some(key) = option.key else { return };
        if let Some(value) = self.arguments.value(option.name) {
            let value = if option.value.is_some() { value } else { "true" };
            self.set(key, value, Origin::Option(option.name));
        } else if let Some(variable) = option.variable.filter(|_| !self.conf.contains(key))
            && let Some(value) = self.variable(variable)
        {
            self.set(key, value, Origin::Environment(variable));
        }
    }

    /// Reads a key; an error names the option or variable that the value came by.
    fn read<T: ConfValue>(&self, key: &'static Key<T>) -> Result<T, Refusal> {
        self.conf.get(key).map_err(|error| match (self.origins.get(key.name()), error) {
            (Some(Origin::Option(name) | Origin::Environment(name)), ConfError::Invalid { value, expected, .. }) => {
                Refusal::Value { source_name: (*name).to_owned(), value, expected }
            }
            (_, error) => Refusal::Conf(error.into()),
        })
    }

    fn refuse_exclusive_options(&self) -> Result<(), Refusal> {
        let has = |option| self.arguments.has(option);
        if has("--kill") && has("--status") {
            return Err(Refusal::together("--kill", "--status", ""));
        }
        if has("--proxy-user") && has("--principal") {
            let why = ": acting for another user and logging in as one are different things";
            return Err(Refusal::together("--proxy-user", "--principal", why));
        }
        if has("--remote") {
            let why = ": a Connect server has a master of its own";
            if let Some(option) = ["--master", "--deploy-mode"].into_iter().find(|option| has(option)) {
                return Err(Refusal::together("--remote", option, why));
            }
            return Err(Refusal::NotBuiltIn { what: "running on a Spark Connect server (--remote)".to_owned() });
        }
        Ok(())
    }

    /// What cluster managers an application brings along is known only when it runs; a misspelt scheme is more likely. Spark's
    /// own `spark-submit` takes none but its own schemes either.
    fn refuse_external(&self, master: &MasterUrl) -> Result<(), Refusal> {
        let MasterUrl::External { url } = master else { return Ok(()) };
        let source_name = match self.origins.get(keys::MASTER.name()) {
            Some(Origin::Option(name) | Origin::Environment(name)) => (*name).to_owned(),
            _ => keys::MASTER.name().to_owned(),
        };
        let reason = url.parse::<MasterUrl>().err().map(|error| error.reason().to_owned()).unwrap_or_default();
        Err(Refusal::Value { source_name, value: master.redacted(), expected: format!("a master URL: {reason}") })
    }

    /// `--kill` and `--status` (SS-27).
    fn about_a_submission(&self, master: &MasterUrl) -> Result<Option<Action>, Refusal> {
        let asked = ["--kill", "--status"].into_iter().find_map(|name| Some((name, self.arguments.value(name)?)));
        let Some((option, submission_id)) = asked else { return Ok(None) };
        if !find(option).managers.contains(master.manager()) {
            return Err(Refusal::NoSubmissions { option, master: master.redacted() });
        }
        let (master, submission_id, conf) = (master.clone(), submission_id.to_owned(), self.conf.clone());
        Ok(Some(match option {
            "--kill" => Action::Kill { master, submission_id, conf },
            _ => Action::Status { master, submission_id, conf },
        }))
    }

    /// The mode that was asked for, or the one that an older master name implies (SS-11, SS-50).
    fn deploy_mode(&mut self, master: &MasterUrl) -> Result<DeployMode, Refusal> {
        if let MasterUrl::Yarn { implied_mode: Some(implied) } = *master {
            let text = self.conf.get_raw("spark.master").unwrap_or_default().to_owned();
            if self.conf.contains(keys::DEPLOY_MODE.name()) {
                let given = self.read(&keys::DEPLOY_MODE)?;
                if given != implied {
                    return Err(Refusal::ImpliedMode { master: text, implied, given });
                }
            }
            self.warnings.push(format!("--master {text} is an older name; use --master yarn --deploy-mode {implied}"));
            self.conf.set("spark.master", "yarn");
            self.default_to("spark.submit.deployMode", &implied.to_string());
        }
        self.default_to("spark.submit.deployMode", "client");
        self.read(&keys::DEPLOY_MODE)
    }

    fn resource(&self) -> Result<PrimaryResource, Refusal> {
        match (&self.arguments.resource, self.arguments.launcher) {
            (None, Launcher::SparkSubmit) => Err(Refusal::NoResource),
            (None, Launcher::RunExample) => Err(Refusal::NoExample),
            (Some(text), _) if text.is_empty() => Err(Refusal::EmptyResource),
            (Some(text), Launcher::SparkSubmit) => Ok(PrimaryResource::of(text)),
            (Some(name), Launcher::RunExample) if name.ends_with(".py") => Ok(PrimaryResource::Python(name.clone())),
            (Some(_), Launcher::RunExample) => Ok(PrimaryResource::Examples),
        }
    }

    fn main_class(&self) -> Option<String> {
        let example = self.arguments.resource.as_ref().filter(|_| self.arguments.launcher == Launcher::RunExample);
        if let Some(name) = example {
            const PACKAGE: &str = "org.apache.spark.examples.";
            return Some(if name.starts_with(PACKAGE) { name.clone() } else { format!("{PACKAGE}{name}") });
        }
        self.arguments.value("--class").filter(|class| !class.is_empty()).map(str::to_owned)
    }

    /// SS-60…63. Python on standalone is allowed here: users ask for it (AS-05).
    fn refuse_cluster_mode(
        &self,
        master: &MasterUrl,
        deploy_mode: DeployMode,
        resource: &PrimaryResource,
        main_class: Option<&str>,
    ) -> Result<(), Refusal> {
        if deploy_mode == DeployMode::Client {
            return Ok(());
        }
        let what = match master.manager() {
            ClusterManager::Local | ClusterManager::LocalCluster => Some(format!("master {}", master.redacted())),
            ClusterManager::Standalone if resource.is_r() => Some("R on a standalone cluster".to_owned()),
            _ => resource.interactive(main_class).map(str::to_owned),
        };
        what.map_or(Ok(()), |what| Err(Refusal::ClusterMode { what }))
    }

    /// SS-65, for whatever place the value came from and whatever the manager.
    fn refuse_bad_quantities(&self) -> Result<(), Refusal> {
        for option in options::ALL.iter().filter(|option| option.quantity != Quantity::Text) {
            let Some((source_name, value)) = self.value_and_source(option) else { continue };
            let dynamic = option.name == "--num-executors"
                && self
                    .conf
                    .get_raw("spark.dynamicAllocation.enabled")
                    .is_some_and(|value| bool::parse(value, Unit::None) == Ok(true));
            let checked = match option.quantity {
                Quantity::Text => continue,
                Quantity::Memory => ByteCount::parse(value, Unit::MiB).map(ByteCount::bytes),
                // With dynamic allocation there may be none to begin with.
                Quantity::Count => u32::parse(value, Unit::None)
                    .map(u64::from)
                    .map_err(|expected| u32::range(&|number| number > 0 || dynamic).unwrap_or(expected)),
            };
            let checked =
                checked.and_then(|number| if number > 0 || dynamic { Ok(()) } else { Err("more than 0".to_owned()) });
            checked.map_err(|expected| Refusal::Value {
                source_name: source_name.to_owned(),
                value: value.to_owned(),
                expected,
            })?;
        }
        Ok(())
    }

    fn value_and_source(&self, option: &'static SubmitOption) -> Option<(&'static str, &str)> {
        let key = option.key?;
        if let Some(value) = self.arguments.value(option.name) {
            return Some((option.name, value));
        }
        if let Some(value) = self.conf.get_raw(key) {
            // A reference is checked where it is read.
            return Some((key, value)).filter(|_| !value.contains("${"));
        }
        let variable = option.variable?;
        Some((variable, self.variable(variable)?))
    }

    fn apply_options(&mut self, master: &MasterUrl, deploy_mode: DeployMode) {
        for option in options::ALL.iter().filter(|option| !APPLIED_FIRST.contains(&option.name)) {
            let for_manager = option.managers.contains(master.manager());
            let for_mode = !option.cluster_mode_only || deploy_mode == DeployMode::Cluster;
            if for_manager && for_mode {
                self.set_from_option_or_variable(option);
            } else if self.arguments.has(option.name) {
                self.warnings.push(if for_manager {
                    format!("{} does nothing in client mode", option.name)
                } else {
                    format!("{} does nothing on {}; it is for {}", option.name, master.redacted(), option.managers)
                });
            }
        }
    }

    /// SS-22. There is no heap here, but whoever writes this expects a limit and must learn that there is none by it.
    fn refuse_max_heap(&self) -> Result<(), Refusal> {
        let keys = [
            ("spark.driver.extraJavaOptions", "--driver-memory"),
            ("spark.executor.extraJavaOptions", "--executor-memory"),
        ];
        for (key, instead) in keys {
            let words = self.conf.get_raw(key).unwrap_or_default();
            if let Some(word) = words.split_whitespace().find(|word| word.starts_with("-Xmx")) {
                let source_name = match self.origins.get(key) {
                    Some(Origin::Option(name)) => *name,
                    _ => key,
                };
                return Err(Refusal::MaxHeap { source_name: source_name.to_owned(), word: word.to_owned(), instead });
            }
        }
        Ok(())
    }

    /// SS-13.
    fn name_the_application(&mut self, master: &MasterUrl, resource: &PrimaryResource, main_class: Option<&str>) {
        const KEY: &str = "spark.app.name";
        if self.conf.contains(KEY) {
            return;
        }
        let variable = "SPARK_YARN_APP_NAME";
        if let Some(name) = self.variable(variable).filter(|_| master.manager() == ClusterManager::Yarn) {
            return self.set(KEY, name, Origin::Environment(variable));
        }
        let file_name = || {
            let text = url_without_secrets(resource.text());
            Path::new(text.split(['#', '?']).next().unwrap_or_default())
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let name = main_class.map_or_else(file_name, str::to_owned);
        self.set(KEY, &name, Origin::Default);
    }

    /// Keys that do nothing. A properties file is shared by applications on several managers, so what it has for others is
    /// one line, not one for each key.
    fn review(&mut self, master: &MasterUrl, resource: &PrimaryResource) {
        let is_python = matches!(resource, PrimaryResource::Python(_) | PrimaryResource::PySparkShell);
        let mut from_file = Vec::new();
        for warning in self.conf.review(master) {
            match &warning {
                // What becomes of packages depends on which they are, and is said when they are looked at.
                ConfWarning::NoJvm { key } if key == packages::KEY => {}
                // Python's workers have these variables where there are no executors, too.
                ConfWarning::OtherManager { key, .. } if is_python && key.starts_with(keys::EXECUTOR_ENV.prefix) => {}
                ConfWarning::OtherManager { key, .. }
                    if self.origins.get(key.as_str()) == Some(&Origin::PropertiesFile) =>
                {
                    from_file.push(key.clone());
                }
                // An option whose key is only for a JVM is better called by its own name.
                ConfWarning::NoJvm { key } => match self.origins.get(key.as_str()) {
                    Some(Origin::Option(option)) => {
                        self.warnings.push(warning.to_string().replacen(key.as_str(), option, 1));
                    }
                    _ => self.warnings.push(warning.to_string()),
                },
                _ => self.warnings.push(warning.to_string()),
            }
        }
        if !from_file.is_empty() {
            let verb = if from_file.len() == 1 { "does" } else { "do" };
            self.warnings.push(format!(
                "in the properties file, {} {verb} nothing on {}",
                listed(&from_file),
                master.redacted()
            ));
        }
    }
}

fn find(name: &'static str) -> &'static SubmitOption {
    options::find(name).expect("the table has the option")
}
