//! `spark-submit` and `run-example`: reads the files that the library asks for, prints, and becomes the application.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt::Display,
    os::unix::process::CommandExt,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use firesteel_conf::{
    ClusterManager, DeployMode, MasterUrl, defaults_file_path, read_properties_file, read_properties_file_if_there,
    spark_env::{self, CONF_DIR_VARIABLE, Environment, SparkEnv},
};
use firesteel_console::say;
use firesteel_submit::{
    Action, Application, Arguments, ClusterApplication, Defaults, Launcher, Parsed, Refusal, resolve, usage,
};

use crate::{download::download, spark_home};

/// Runs the command; the result is its exit code. Does not return if an application is started.
pub fn run(launcher: Launcher, words: &[OsString]) -> u8 {
    let parsed = match Arguments::parse(launcher, words) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    match act(launcher, parsed) {
        Ok(code) => code,
        Err(error) => refuse_any(&error),
    }
}

/// Says why the command did nothing.
pub fn refuse_any(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) => refuse(refusal),
        None => {
            say(format_args!("Error: {error:#}"));
            1
        }
    }
}

/// Prints the version (SS-05).
pub fn print_version() -> u8 {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    say(format_args!(
        "Firesteel version {}\nBranch {}\nRevision {}\nBuilt for {}-{} ({profile})",
        env!("CARGO_PKG_VERSION"),
        option_env!("FIRESTEEL_BUILD_BRANCH").unwrap_or("unknown"),
        option_env!("FIRESTEEL_BUILD_REVISION").unwrap_or("unknown"),
        env::consts::ARCH,
        env::consts::OS
    ));
    0
}

pub fn refuse(refusal: &Refusal) -> u8 {
    say(format_args!("Error: {refusal}"));
    refusal.exit_code()
}

fn act(launcher: Launcher, parsed: Parsed) -> anyhow::Result<u8> {
    let (environment, defaults) = match &parsed {
        Parsed::Arguments(arguments) => {
            let environment = load_spark_env()?;
            let defaults = read_defaults(arguments, &environment)?;
            (environment, defaults)
        }
        _ => (Environment::new(), Defaults::default()),
    };
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    match resolve(launcher, parsed, &environment, &defaults, now_ms)? {
        Action::PrintUsage { launcher, exit_code } => {
            let first_line = env::var("_SPARK_CMD_USAGE").ok().filter(|line| !line.is_empty());
            say(usage(launcher, first_line.as_deref()));
            Ok(exit_code)
        }
        Action::PrintVersion => Ok(print_version()),
        Action::Kill { master, submission_id, conf } => {
            require_standalone("--kill", &master)?;
            Ok(firesteel_deploy::kill(&master, &submission_id, &conf, &environment))
        }
        Action::Status { master, submission_id, conf } => {
            require_standalone("--status", &master)?;
            Ok(firesteel_deploy::status(&master, &submission_id, &conf, &environment))
        }
        Action::Run(submission) => {
            submission.warnings.iter().for_each(warn);
            if submission.verbose {
                say(submission.describe());
            }
            let directory = env::current_dir().context("could not find out the working directory")?;
            if (submission.master.manager(), submission.deploy_mode)
                == (ClusterManager::Standalone, DeployMode::Cluster)
            {
                let master = submission.master.clone();
                let (application, warnings) = ClusterApplication::prepare(*submission, &environment, &directory)?;
                warnings.iter().for_each(warn);
                return Ok(firesteel_deploy::submit(application, &master, &environment));
            }
            let (application, warnings) = Application::prepare(*submission, environment, &directory, &download)?;
            warnings.iter().for_each(warn);
            let error = application.launch();
            let code = error.exit_code();
            say(format_args!("Error: {:#}", anyhow::Error::new(error)));
            Ok(code)
        }
    }
}

/// The manager of `--kill` and `--status` keeps drivers; this is the one that is built in.
fn require_standalone(option: &str, master: &MasterUrl) -> Result<(), Refusal> {
    match master.manager() {
        ClusterManager::Standalone => Ok(()),
        manager => Err(Refusal::NotBuiltIn { what: format!("{option} on {manager} ({})", master.redacted()) }),
    }
}

fn warn(line: impl Display) {
    say(format_args!("Warning: {line}"));
}

/// The environment after `spark-env.sh`. Does not return if that is to be read: then this process begins anew behind it.
pub fn load_spark_env() -> anyhow::Result<Environment> {
    let program = env::current_exe().context("could not find out where this program is")?.into_os_string();
    let program: Vec<OsString> = [program].into_iter().chain(env::args_os().skip(1)).collect();
    match spark_env::load(environment_with_home(), &program)? {
        SparkEnv::Loaded(environment) => Ok(environment),
        SparkEnv::ToRead(mut shell) => {
            let error = shell.exec();
            let shell = shell.get_program().to_string_lossy().into_owned();
            Err(error).with_context(|| format!("could not start {shell} to read spark-env.sh"))
        }
    }
}

fn environment_with_home() -> Environment {
    let mut environment: Environment = env::vars_os().collect();
    let is_set = environment.get(OsStr::new("SPARK_HOME")).is_some_and(|home| !home.is_empty());
    if let Some(home) = Some(()).filter(|()| !is_set).and_then(|()| spark_home::of_this_binary()) {
        environment.insert("SPARK_HOME".into(), home.into());
    }
    environment
}

/// The properties files that count: the given one, which must be there, else the defaults file; both if asked for (SS-20,
/// AS-23).
pub fn read_defaults(arguments: &Arguments, environment: &Environment) -> Result<Defaults, Refusal> {
    let variable = |name: &str| environment.get(OsStr::new(name)).cloned();
    let given = arguments.value("--properties-file").map(PathBuf::from);
    let mut settings = Vec::new();
    if given.is_none() || arguments.has("--load-spark-defaults") {
        let path = defaults_file_path(variable(CONF_DIR_VARIABLE), variable("SPARK_HOME"));
        if let Some(path) = path {
            settings.extend(read_properties_file_if_there(&path)?);
        }
    }
    if let Some(path) = given {
        settings.extend(read_properties_file(&path)?);
    }
    Ok(Defaults { settings })
}
