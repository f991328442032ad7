//! Setting and reading keys.

use std::time::Duration;

use firesteel_conf::{ConfError, SchedulingMode, SparkConf, Timeout, keys};
use firesteel_model::ByteCount;
use proptest::prelude::*;

fn conf(settings: &[(&str, &str)]) -> SparkConf {
    settings.iter().copied().collect()
}

#[test]
fn defaults_fall_backs_and_older_names() {
    let none = SparkConf::new();
    assert_eq!(none.get(&keys::TASK_MAX_FAILURES), Ok(4));
    assert_eq!(none.get(&keys::EXECUTOR_MEMORY), Ok(ByteCount::gib(1)));
    assert_eq!(none.get(&keys::EXECUTOR_CORES), Ok(None));
    assert_eq!(none.get(&keys::FILES), Ok(vec![]));
    assert_eq!(none.get(&keys::SCHEDULER_MODE), Ok(SchedulingMode::Fifo));
    assert_eq!(none.get(&keys::TASK_REAPER_KILL_TIMEOUT), Ok(Timeout::Never));
    assert_eq!(none.get(&keys::BLOCK_MANAGER_HEARTBEAT_TIMEOUT), Ok(Duration::from_secs(120)));

    // The key that is fallen back to is read with its own unit.
    let conf = conf(&[
        ("spark.network.timeout", "30"),
        ("spark.blacklist.enabled", "true"),
        ("spark.blacklist.timeout", "5m"),
        ("spark.excludeOnFailure.timeout", "7m"),
    ]);
    assert_eq!(conf.get(&keys::BLOCK_MANAGER_HEARTBEAT_TIMEOUT), Ok(Duration::from_secs(30)));
    assert_eq!(conf.get(&keys::RPC_ASK_TIMEOUT), Ok(Duration::from_secs(30)));
    assert_eq!(conf.get(&keys::EXCLUDE_ON_FAILURE_ENABLED), Ok(true));
    assert_eq!(conf.get(&keys::EXCLUDE_TIMEOUT), Ok(Duration::from_secs(420)));
}

#[test]
fn errors_name_key_value_and_what_was_expected() {
    let cases = [
        ("spark.executor.memory", "1.5g", "use 1536m, not 1.5g"),
        ("spark.executor.memory", "0", "it must be more than 0"),
        ("spark.task.maxFailures", "many", "it must be a whole number from 1 to 4294967295"),
        ("spark.scheduler.mode", "LIFO", "it must be one of FIFO FAIR"),
        ("spark.memory.fraction", "1.5", "it must be above 0 and at most 1"),
        ("spark.network.timeout", "2 minutes", "it must be a time such as 100ms or 2min"),
        ("spark.speculation", "on", "it must be true or false"),
        ("spark.shuffle.manager", "hash", "no other shuffle manager can be plugged in"),
        ("spark.master", "local[0]", "the number of threads is \"0\""),
        ("spark.redaction.regex", "(", "it must be a regular expression"),
        ("spark.blacklist.timeout", "soon", "it must be a time"),
    ];
    for (key, value, words) in cases {
        let error = conf(&[(key, value)]).verify().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.key(), key);
        assert!(text.starts_with(&format!("{key} is {value:?}")) && text.contains(words), "{text}");
    }
}

#[test]
fn an_error_does_not_show_a_secret() {
    let error = conf(&[("spark.authenticate.secret", "")]).get(&keys::AUTHENTICATE_SECRET).unwrap_err();
    assert!(matches!(&error, ConfError::Invalid { value, .. } if value.contains("redacted")), "{error}");
    let error = conf(&[("spark.task.cpus", "password=hunter2")]).get(&keys::TASK_CPUS).unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
}

/// SE-08, SS-76.
#[test]
fn an_error_does_not_show_what_a_reference_to_a_secret_has_brought() {
    let secrets = [("spark.my.secret", "1.5hunter2"), ("spark.step", "${spark.my.secret}"), ("spark.quiet", "hunter2")];
    let refused = |key: &str, value: &str, rule: Option<&str>| {
        let mut conf = conf(&secrets);
        conf.set(key, value);
        if let Some(rule) = rule {
            conf.set("spark.redaction.regex", rule);
        }
        conf.verify().unwrap_err().to_string()
    };
    let cases = [
        ("spark.executor.memory", "${spark.my.secret}", "a value of the type \"size\""),
        ("spark.executor.memory", "1${spark.step}", "a value of the type \"size\""),
        ("spark.master", "local[${spark.step}]", "a value of the type \"master URL\""),
        ("spark.task.maxFailures", "${spark.my.secret}", "a whole number from 1 to 4294967295"),
        ("spark.redaction.regex", "(${spark.my.secret}", "a value of the type \"regular expression\""),
    ];
    for (key, value, expected) in cases {
        let text = refused(key, value, None);
        assert_eq!(text, format!("{key} is \"*********(redacted)\", but it must be {expected}"));
    }
    let shown = refused("spark.executor.memory", "${spark.quiet}", None);
    assert!(shown.starts_with("spark.executor.memory is \"hunter2\""), "{shown}");
    for (value, rule) in [("${spark.quiet}", "(?i)quiet"), ("hunter2", "hunter")] {
        let text = refused("spark.executor.memory", value, Some(rule));
        assert!(text.contains("redacted") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn values_are_substituted_when_they_are_read_typed() {
    let conf =
        conf(&[("spark.base", "2"), ("spark.task.cpus", "${spark.base}"), ("spark.local.dir", "${spark.local.dir}")]);
    assert_eq!(conf.get(&keys::TASK_CPUS), Ok(2));
    assert_eq!(conf.get_raw("spark.task.cpus"), Some("${spark.base}"));
    assert!(matches!(conf.get(&keys::LOCAL_DIR), Err(ConfError::Cycle { .. })));
}

#[test]
fn setting() {
    let mut conf = SparkConf::new();
    conf.set("spark.a", "1").set("spark.a", "2").set_if_missing("spark.a", "3").set_if_missing("spark.b", "4");
    assert_eq!(conf.get_all().collect::<Vec<_>>(), [("spark.a", "2"), ("spark.b", "4")]);
    assert_eq!(conf.remove("spark.a").as_deref(), Some("2"));
    assert!(!conf.contains("spark.a") && conf.contains("spark.b") && conf.len() == 1);

    // Set by its older name is set.
    conf.set("spark.blacklist.timeout", "5m").set_if_missing("spark.excludeOnFailure.timeout", "9m");
    assert_eq!(conf.get(&keys::EXCLUDE_TIMEOUT), Ok(Duration::from_secs(300)));
}

#[test]
fn families() {
    let conf =
        conf(&[("spark.hadoop.fs.a", "1"), ("spark.hadoop.fs.b", "2"), ("spark.hadoopx", "3"), ("spark.h", "4")]);
    assert_eq!(conf.get_prefix(&keys::HADOOP).collect::<Vec<_>>(), [("fs.a", "1"), ("fs.b", "2")]);
}

#[test]
fn what_submit_sets_is_read_back() {
    let conf = conf(&[("spark.submit.deployMode", "cluster"), ("spark.app.submitTime", "1700000000000")]);
    assert_eq!(conf.get(&keys::DEPLOY_MODE), Ok(firesteel_conf::DeployMode::Cluster));
    assert_eq!(conf.get(&keys::APP_SUBMIT_TIME), Ok(Some(1_700_000_000_000)));
    assert_eq!(conf.get(&keys::MASTER), Ok(None));
}

proptest! {
    #[test]
    fn no_value_of_any_key_panics(value in "\\PC{0,20}") {
        let all: SparkConf = keys::all().map(|key| (key.name(), value.clone())).collect();
        for key in keys::all() {
            let _ = key.verify(&all);
        }
        let _ = all.review(&firesteel_conf::MasterUrl::LOCAL_ALL_CORES);
    }
}
