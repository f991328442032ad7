//! From command line, files and environment to a configuration: options by manager and mode, precedence, refusals
//! (SS-10…34, SS-49…77, AS-22).

use std::ffi::OsString;

use firesteel_conf::{ClusterManager, DeployMode, spark_env::Environment};
use firesteel_submit::{
    Action, Arguments, Defaults, Launcher, Origin, Refusal, Submission,
    options::{self, Quantity, SubmitOption},
    resolve,
};

#[derive(Clone, Default)]
struct Case {
    line: Vec<String>,
    file: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

impl Case {
    fn line(line: &[&str]) -> Self {
        Self { line: line.iter().map(|word| (*word).to_owned()).collect(), ..Self::default() }
    }

    fn with_file(mut self, key: &str, value: &str) -> Self {
        self.file.push((key.to_owned(), value.to_owned()));
        self
    }

    fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn resolve(&self) -> Result<Action, Refusal> {
        let words: Vec<OsString> = self.line.iter().map(OsString::from).collect();
        let environment: Environment =
            self.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let defaults = Defaults { settings: self.file.clone() };
        let parsed = Arguments::parse(Launcher::SparkSubmit, &words)?;
        resolve(Launcher::SparkSubmit, parsed, &environment, &defaults, 1_700_000_000_000)
    }

    fn run(&self) -> Submission {
        match self.resolve() {
            Ok(Action::Run(submission)) => *submission,
            other => panic!("{:?}: {other:?}", self.line),
        }
    }

    fn refused(&self) -> String {
        match self.resolve() {
            Err(refusal) => refusal.to_string(),
            Ok(action) => panic!("{:?} was not refused: {action:?}", self.line),
        }
    }
}

/// A master URL of each kind.
const MASTERS: [(&str, ClusterManager); 7] = [
    ("local[2]", ClusterManager::Local),
    ("local-cluster[2,1,4096]", ClusterManager::LocalCluster),
    ("spark://h:7077", ClusterManager::Standalone),
    ("yarn", ClusterManager::Yarn),
    ("mesos://h:5050", ClusterManager::Mesos),
    ("mesos://zk://h:2181/mesos", ClusterManager::Mesos),
    ("k8s://h:443", ClusterManager::Kubernetes),
];

fn on(master: &str, mode: &str, more: &[&str]) -> Case {
    let mut line = vec!["--master", master, "--deploy-mode", mode];
    line.extend(more);
    line.push("app");
    Case::line(&line).with_variable("HADOOP_CONF_DIR", "/etc/hadoop/conf")
}

/// Values that tell the sources of an option's value apart.
fn sample(option: &SubmitOption, which: usize) -> &'static str {
    // Options without a value set what is true or false.
    if option.value.is_none() {
        return ["true", "false"][which % 2];
    }
    match option.quantity {
        Quantity::Memory => ["1g", "2g", "3g", "4g"][which],
        Quantity::Count => ["1", "2", "3", "4"][which],
        Quantity::Text => ["a", "b", "c", "d"][which],
    }
}

/// The application finds its cluster manager by the text, so it must not get what only `spark-submit` could read.
#[test]
fn a_master_by_reference_is_handed_over_as_it_is_meant() {
    let case = Case::line(&["--master", "${spark.my.master}", "-c", "spark.my.master=local[3]", "app"]).run();
    assert_eq!(case.conf.get_raw("spark.master"), Some("local[3]"));
    assert_eq!(case.origins.get("spark.master"), Some(&Origin::Option("--master")));
    let unset = Case::line(&["--master", "${env:FIRESTEEL_TEST_OF_NOTHING}", "app"]).refused();
    assert!(unset.starts_with("--master is \"${env:FIRESTEEL_TEST_OF_NOTHING}\", but it must be"), "{unset}");
}

/// Each option with a key × manager × mode × source of the value: given, --conf, both, file only, environment only.
#[test]
fn options_by_manager_mode_and_source() {
    let own_rules = ["--master", "--deploy-mode", "--remote"];
    for option in options::ALL.iter().filter(|option| !own_rules.contains(&option.name)) {
        let Some(key) = option.key else { continue };
        for (master, manager) in MASTERS {
            for mode in ["client", "cluster"] {
                let no_cluster_mode = matches!(manager, ClusterManager::Local | ClusterManager::LocalCluster);
                if mode == "cluster" && no_cluster_mode {
                    continue;
                }
                let applies = option.managers.contains(manager) && (mode == "cluster" || !option.cluster_mode_only);
                check_sources(option, key, master, mode, applies);
            }
        }
    }
}

fn check_sources(option: &SubmitOption, key: &str, master: &str, mode: &str, applies: bool) {
    let place = format!("{} on {master} in {mode} mode", option.name);
    let given: Vec<&str> = match option.value {
        Some(_) => vec![option.name, sample(option, 0)],
        None => vec![option.name],
    };
    let value = if option.value.is_some() { sample(option, 0) } else { "true" };
    let pair = format!("{key}={}", sample(option, 1));
    let both: Vec<&str> = given.iter().copied().chain(["--conf", &pair]).collect();
    let read = |case: Case| {
        let submission = case.run();
        let value = submission.conf.get_raw(key).map(str::to_owned);
        (value, submission.origins.get(key).copied(), submission.warnings)
    };
    let some = |text: &str| Some(text.to_owned());

    let (got, origin, warnings) = read(on(master, mode, &given));
    let does_nothing = warnings.iter().any(|line| line.starts_with(&format!("{} does nothing", option.name)));
    if applies {
        assert_eq!((got, origin), (some(value), Some(Origin::Option(option.name))), "{place}");
    } else {
        assert!(got.is_none() && does_nothing, "{place}: {got:?} {warnings:?}");
    }

    let (got, origin, _) = read(on(master, mode, &["--conf", &pair]));
    assert_eq!((got, origin), (some(sample(option, 1)), Some(Origin::Conf)), "{place}");

    let (got, origin, _) = read(on(master, mode, &both).with_file(key, sample(option, 2)));
    let expected = if applies {
        (some(value), Some(Origin::Option(option.name)))
    } else {
        (some(sample(option, 1)), Some(Origin::Conf))
    };
    assert_eq!((got, origin), expected, "{place}, both");

    let (got, origin, _) = read(on(master, mode, &[]).with_file(key, sample(option, 2)));
    assert_eq!((got, origin), (some(sample(option, 2)), Some(Origin::PropertiesFile)), "{place}");

    if let Some(variable) = option.variable {
        let (got, origin, _) = read(on(master, mode, &[]).with_variable(variable, sample(option, 3)));
        let expected = applies.then(|| sample(option, 3).to_owned());
        assert_eq!((got, origin), (expected, applies.then_some(Origin::Environment(variable))), "{place}");
        let (got, ..) = read(on(master, mode, &[]).with_variable(variable, ""));
        assert_eq!(got, None, "an empty {variable} is no value");
    }
}

/// The five levels of SS-70 below the program itself, for the master.
#[test]
fn precedence_of_the_master() {
    let all = Case::line(&["--conf", "spark.master=local[2]", "--master", "local[1]", "app"])
        .with_file("spark.master", "local[3]")
        .with_variable("MASTER", "local[4]");
    let mut without_option = all.clone();
    without_option.line.drain(2..4);
    let mut without_conf = without_option.clone();
    without_conf.line.drain(0..2);
    let mut without_file = without_conf.clone();
    without_file.file.clear();
    let without_all = Case::line(&["app"]);
    let cases = [
        (all, "local[1]", Origin::Option("--master")),
        (without_option, "local[2]", Origin::Conf),
        (without_conf, "local[3]", Origin::PropertiesFile),
        (without_file, "local[4]", Origin::Environment("MASTER")),
        (without_all, "local[*]", Origin::Default),
    ];
    for (case, master, origin) in cases {
        let submission = case.run();
        assert_eq!(submission.conf.get_raw("spark.master"), Some(master));
        assert_eq!(submission.origins["spark.master"], origin);
    }
}

#[test]
fn the_last_entry_of_a_file_counts_and_foreign_keys_are_mentioned() {
    let case = Case::line(&["app"]).with_file("spark.a.b", "1").with_file("other", "x").with_file("spark.a.b", "2");
    let submission = case.run();
    assert_eq!(submission.conf.get_raw("spark.a.b"), Some("2"));
    assert_eq!(submission.conf.get_raw("other"), None);
    assert!(submission.warnings.iter().any(|line| line.contains("ignoring other (properties file)")));
}

#[test]
fn what_is_always_set() {
    let submission = Case::line(&["/opt/my apps/count", "x"]).run();
    let set: Vec<_> = submission.conf.get_all().collect();
    let expected = [
        ("spark.app.name", "count"),
        ("spark.app.submitTime", "1700000000000"),
        ("spark.master", "local[*]"),
        ("spark.submit.deployMode", "client"),
    ];
    assert_eq!(set, expected);
    assert!(submission.warnings.is_empty());
}

#[test]
fn the_name() {
    let name = |case: Case| case.run().conf.get_raw("spark.app.name").unwrap().to_owned();
    assert_eq!(name(Case::line(&["--name", "n", "--class", "a.B", "app"])), "n");
    assert_eq!(name(Case::line(&["--class", "a.B", "app"])), "a.B");
    assert_eq!(name(Case::line(&["hdfs://h/x/app.py?v=1"])), "app.py");
    assert_eq!(name(Case::line(&["run-example", "SparkPi"])), "org.apache.spark.examples.SparkPi");
    let on_yarn = on("yarn", "client", &[]).with_variable("SPARK_YARN_APP_NAME", "y");
    assert_eq!(name(on_yarn.clone()), "y");
    assert_eq!(name(on_yarn.with_file("spark.app.name", "f")), "f");
    assert_eq!(name(Case::line(&["app"]).with_variable("SPARK_YARN_APP_NAME", "y")), "app");
}

#[test]
fn older_master_names() {
    let case = |master: &str, more: &[&str]| {
        let mut line = vec!["--master", master];
        line.extend(more);
        line.push("app");
        Case::line(&line).with_variable("YARN_CONF_DIR", "/c")
    };
    for (master, mode) in [
        ("yarn-client", DeployMode::Client),
        ("yarn-cluster", DeployMode::Cluster),
        ("yarn-standalone", DeployMode::Cluster),
    ] {
        let submission = case(master, &[]).run();
        assert_eq!(submission.deploy_mode, mode);
        assert_eq!(submission.conf.get_raw("spark.master"), Some("yarn"));
        assert_eq!(submission.conf.get_raw("spark.submit.deployMode"), Some(mode.to_string().as_str()));
        assert!(submission.warnings[0].contains("older name"), "{:?}", submission.warnings);
        assert_eq!(case(master, &["--deploy-mode", &mode.to_string()]).run().deploy_mode, mode);
    }
    let refused = case("yarn-client", &["--deploy-mode", "cluster"]).refused();
    assert!(refused.contains("--master yarn-client means deploy mode client"), "{refused}");
}

#[test]
fn kill_and_status_name_the_manager() {
    for option in ["--kill", "--status"] {
        match (option, Case::line(&[option, "driver-1", "--master", "spark://h:7077"]).resolve()) {
            ("--kill", Ok(Action::Kill { master, submission_id, .. }))
            | ("--status", Ok(Action::Status { master, submission_id, .. })) => {
                assert_eq!((master.to_string().as_str(), submission_id.as_str()), ("spark://h:7077", "driver-1"));
            }
            other => panic!("{other:?}"),
        }
        for line in [vec![option, "driver-1"], vec![option, "driver-1", "--master", "yarn"]] {
            assert!(Case::line(&line).refused().starts_with(&format!("{option} needs --master")));
        }
    }
}

#[test]
fn refused_before_any_work() {
    let cases: &[(&[&str], &str)] = &[
        // SS-11
        (&["--deploy-mode", "remote", "app"], "--deploy-mode is \"remote\", but it must be client or cluster"),
        (
            &["-c", "spark.submit.deployMode=x", "app"],
            "spark.submit.deployMode is \"x\", but it must be client or cluster",
        ),
        // SS-40…52
        (
            &["--master", "local[0]", "app"],
            "--master is \"local[0]\", but it must be a master URL: the number of threads",
        ),
        (&["--master", "loca", "app"], "it must be local, local[N], local[*]"),
        // SS-60…63
        (
            &["--master", "local[2]", "--deploy-mode", "cluster", "app"],
            "deploy mode cluster is not possible for master local[2]",
        ),
        (
            &["--master", "local-cluster[1,1,1024]", "--deploy-mode", "cluster", "app"],
            "not possible for master local-cluster",
        ),
        (&["--master", "spark://h:1", "--deploy-mode", "cluster", "a.R"], "not possible for R on a standalone cluster"),
        (&["--master", "yarn", "--deploy-mode", "cluster", "pyspark-shell"], "not possible for the Python shell"),
        (&["--master", "yarn-cluster", "spark-shell"], "not possible for the Spark shell"),
        (&["--master", "yarn-cluster", "sparkr-shell"], "not possible for the R shell"),
        (&["--master", "yarn-cluster", "--class", "org.apache.spark.repl.Main", "x.jar"], "the Spark shell"),
        (
            &[
                "--master",
                "yarn-cluster",
                "--class",
                "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
                "spark-internal",
            ],
            "the Thrift server",
        ),
        (
            &[
                "--master",
                "yarn-cluster",
                "--class",
                "org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver",
                "spark-internal",
            ],
            "the SQL shell",
        ),
        (
            &[
                "--master",
                "yarn-cluster",
                "--class",
                "org.apache.spark.sql.connect.service.SparkConnectServer",
                "spark-internal",
            ],
            "the Connect server",
        ),
        // SS-33, SS-64
        (&["--proxy-user", "u", "--principal", "p", "app"], "--proxy-user and --principal cannot be given together"),
        (&["--remote", "sc://h", "--master", "local", "app"], "--remote and --master cannot be given together"),
        (
            &["--remote", "sc://h", "--deploy-mode", "client", "app"],
            "--remote and --deploy-mode cannot be given together",
        ),
        (&["--remote", "sc://h", "app"], "running on a Spark Connect server (--remote) is not built in yet"),
        // SS-22
        (
            &["--driver-java-options", "-Da=b -Xmx2g", "app"],
            "--driver-java-options must not set the maximum heap (-Xmx2g); use --driver-memory",
        ),
        (
            &["-c", "spark.executor.extraJavaOptions=-Xmx2g", "app"],
            "spark.executor.extraJavaOptions must not set the maximum heap",
        ),
        // SS-65
        (&["--driver-memory", "0", "app"], "--driver-memory is \"0\", but it must be more than 0"),
        (&["--driver-memory", "-1g", "app"], "--driver-memory is \"-1g\", but it must be a size such as 512m"),
        (&["--driver-memory", "1.5g", "app"], "use 1536m, not 1.5g"),
        (&["--executor-memory", "x", "app"], "--executor-memory is \"x\", but it must be a size"),
        (&["--executor-cores", "0", "app"], "--executor-cores is \"0\", but it must be more than 0"),
        (&["--driver-cores", "two", "app"], "--driver-cores is \"two\", but it must be a whole number from 1 to"),
        (
            &["--total-executor-cores", "-2", "app"],
            "--total-executor-cores is \"-2\", but it must be a whole number from 1 to 4294967295",
        ),
        (
            &["-c", "spark.dynamicAllocation.enabled=true", "--num-executors", "x", "app"],
            "--num-executors is \"x\", but it must be a whole number from 0 to 4294967295",
        ),
        (&[""], "nothing to run: the name of the application is empty"),
        (&["", "argument"], "nothing to run: the name of the application is empty"),
        (&["--num-executors", "0", "app"], "--num-executors is \"0\", but it must be more than 0"),
        (&["-c", "spark.executor.instances=0", "app"], "spark.executor.instances is \"0\", but it must be more than 0"),
        // Any declared key, and keys that contradict each other.
        (&["-c", "spark.task.maxFailures=many", "app"], "spark.task.maxFailures is \"many\""),
        (&["-c", "spark.blacklist.timeout=soon", "app"], "spark.blacklist.timeout is \"soon\""),
        (
            &["--master", "local-cluster[1,1,1024]", "-c", "spark.executor.heartbeatInterval=10m", "app"],
            "spark.executor.heartbeatInterval (600s) must be less than",
        ),
        (
            &["--master", "local-cluster[1,1,512]", "app"],
            "spark.executor.memory (1024.0 MiB) is more than a worker of local-cluster[1,1,512] has",
        ),
    ];
    for (line, words) in cases {
        let refused = Case::line(line).refused();
        assert!(refused.contains(words), "{line:?}: {refused}");
    }
}

#[test]
fn refused_by_file_or_environment() {
    let refused = Case::line(&["app"]).with_variable("MASTER", "nonsense").refused();
    assert!(refused.starts_with("MASTER is \"nonsense\""), "{refused}");
    let refused = Case::line(&["app"]).with_variable("SPARK_DRIVER_MEMORY", "lots").refused();
    assert!(refused.starts_with("SPARK_DRIVER_MEMORY is \"lots\""), "{refused}");
    let refused = Case::line(&["app"]).with_file("spark.driver.memory", "0").refused();
    assert!(refused.starts_with("spark.driver.memory is \"0\""), "{refused}");
    let refused = Case::line(&["app"]).with_file("spark.local.dir", "${spark.local.dir}").refused();
    assert!(refused.contains("refers to itself"), "{refused}");
}

#[test]
fn no_executors_are_fine_with_dynamic_allocation() {
    let case = on("yarn", "client", &["--num-executors", "0", "-c", "spark.dynamicAllocation.enabled= TRUE"]);
    assert_eq!(case.run().conf.get_raw("spark.executor.instances"), Some("0"));
}

#[test]
fn python_in_cluster_mode_on_standalone_is_not_refused() {
    assert_eq!(on("spark://h:7077", "cluster", &[]).run().deploy_mode, DeployMode::Cluster);
    let case = Case::line(&["--master", "spark://h:7077", "--deploy-mode", "cluster", "app.py"]);
    assert_eq!(case.run().deploy_mode, DeployMode::Cluster);
}

#[test]
fn yarn_needs_its_configuration() {
    let on_yarn = Case::line(&["--master", "yarn", "app"]).run();
    assert_eq!(on_yarn.warnings, [""; 0]);
    let refused = |variables: &[(&str, &str)]| {
        let environment: Environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        on_yarn.require_hadoop_conf(&environment).err().map(|refusal| refusal.to_string())
    };
    for variables in [[("OTHER", "x")], [("HADOOP_CONF_DIR", "")]] {
        let refused = refused(&variables).unwrap();
        assert!(refused.contains("HADOOP_CONF_DIR or YARN_CONF_DIR must name"), "{refused}");
    }
    let near = refused(&[("HADOP_CONF_DIR", "/c")]).unwrap();
    assert!(near.ends_with("; HADOP_CONF_DIR is set, was HADOOP_CONF_DIR meant?"), "{near}");
    assert_eq!(refused(&[("YARN_CONF_DIR", "/c")]), None);
    assert!(Case::line(&["app"]).run().require_hadoop_conf(&Environment::new()).is_ok());
}

#[test]
fn warnings() {
    let lines = |case: Case| case.run().warnings;
    let case = Case::line(&["--master", "local[*]", "--num-executors", "4", "--conf", "spark.yarn.queue=q", "app"]);
    let expected = [
        "--num-executors does nothing on local[*]; it is for YARN and Kubernetes",
        "spark.yarn.queue does nothing on local[*]; it is for YARN",
    ];
    assert_eq!(lines(case), expected);
    assert_eq!(lines(on("yarn", "client", &["--driver-cores", "2"])), ["--driver-cores does nothing in client mode"]);
    assert_eq!(
        lines(Case::line(&["--driver-class-path", "/x", "app"])),
        ["--driver-class-path does nothing: it is for a JVM, and Firesteel has none"]
    );
    // Variables of executors are those of Python's workers, which a local master has too.
    let with_variable = |program| lines(Case::line(&["--conf", "spark.executorEnv.A=b", program]));
    assert_eq!(with_variable("app.py"), [""; 0]);
    let expected =
        "spark.executorEnv.A does nothing on local[*]; it is for local-cluster, standalone, YARN, Mesos and Kubernetes";
    assert_eq!(with_variable("app"), [expected]);
    // What becomes of packages is said when they are looked at, once.
    let case = Case::line(&["--packages", "org.apache.hadoop:hadoop-aws:3.4.0", "app"]);
    assert_eq!(lines(case), [""; 0]);
    // A properties file serves several managers, so it gets one line.
    let case = Case::line(&["app"]).with_file("spark.executor.memory", "2g").with_file("spark.yarn.queue", "q");
    assert_eq!(lines(case), ["in the properties file, spark.executor.memory, spark.yarn.queue do nothing on local[*]"]);
    let case = Case::line(&["app"]).with_file("spark.exectuor.memory", "2g");
    assert_eq!(
        lines(case),
        ["spark.exectuor.memory is not a known key and does nothing; did you mean spark.executor.memory?"]
    );
}

#[test]
fn a_description_shows_origins_and_no_secrets() {
    let line = [
        "--verbose",
        "--master",
        "mesos://zk://user:hunter2@h:2181/m",
        "-c",
        "spark.authenticate.secret=hunter2",
        "-c",
        "spark.my.url=jdbc:x?password=hunter2",
        "--executor-memory",
        "2g",
        "--num-executors",
        "2",
        "app",
        "--token=hunter2",
        "plain",
    ];
    let submission =
        Case::line(&line).with_file("spark.task.cpus", "2").with_variable("SPARK_DRIVER_MEMORY", "3g").run();
    assert!(submission.verbose);
    let text = submission.describe();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!submission.warnings.concat().contains("hunter2"), "{:?}", submission.warnings);
    for line in [
        "spark.authenticate.secret=*********(redacted) (--conf)",
        "spark.executor.memory=2g (--executor-memory)",
        "spark.task.cpus=2 (properties file)",
        "spark.driver.memory=3g (environment variable SPARK_DRIVER_MEMORY)",
        "spark.submit.deployMode=client (default)",
        "mesos://zk://*********(redacted)@h:2181/m",
        "  plain",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

/// Only the application knows what managers it brings along (RT-03).
#[test]
fn schemes_that_are_not_sparks_are_refused_by_the_launcher() {
    let refused = Case::line(&["--master", "foo://me:word@host", "app"]).refused();
    assert!(
        refused.starts_with("--master is \"foo://host\", but it must be a master URL: it must be local"),
        "{refused}"
    );
    let refused = Case::line(&["app"]).with_file("spark.master", "foo://host").refused();
    assert!(refused.starts_with("spark.master is \"foo://host\""), "{refused}");
}
