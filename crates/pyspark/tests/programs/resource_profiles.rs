//! Resource profiles of tasks, on Spark's own executors that are processes and on ours.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::installation::{Ended, Installation};

/// What executors have, and what Spark's workers, from which its executors get it.
fn arguments(installation: &Installation, master: &str, settings: &[&str]) -> String {
    let script = installation.write("gpus", "#!/bin/sh\necho '{\"name\": \"gpu\", \"addresses\": [\"a\", \"b\"]}'\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    // An argument with a blank is quoted, as a shell would read it.
    let script = script.display();
    let gpus = ["executor", "worker"].map(|whose| {
        let resource = format!("spark.{whose}.resource.gpu");
        format!("--conf '{resource}.amount=2' --conf '{resource}.discoveryScript={script}'")
    });
    let settings: String = settings.iter().map(|setting| format!(" --conf {setting}")).collect();
    let quiet = "--conf spark.ui.enabled=false --conf spark.log.level=ERROR";
    format!("--master {master} {} {quiet}{settings} pyspark-shell", gpus.join(" "))
}

/// Runs the script on both, and compares what it prints.
#[track_caller]
fn compare(master: &str, settings: &[&str], what: &str) {
    let installation = Installation::new();
    let arguments = arguments(&installation, master, settings);
    let run = |mut command: Command| -> Ended {
        let ended: Ended = command.env("PYSPARK_SUBMIT_ARGS", &arguments).output().unwrap().into();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        ended
    };
    let here = run(installation.python_command("resource_profiles.py", &[what]));
    let mut spark = installation.real_spark_command("resource_profiles.py", &[what]);
    // Its workers write below its home, which is none of this test's.
    spark.env("SPARK_HOME", installation.home_of_real_spark());
    let spark = run(spark);
    assert_eq!(here.stdout, spark.stdout, "{}", here.stderr);
}

#[test]
fn tasks_take_what_their_profile_says_as_on_spark() {
    compare("local-cluster[2,2,1024]", &[], "conflicts");
}

#[test]
fn profiles_are_merged_as_on_spark() {
    let settings = ["spark.scheduler.resource.profileMergeConflicts=true", "spark.executor.cores=2"];
    compare("local-cluster[1,2,1024]", &settings, "merges");
}

#[test]
fn parts_of_cores_are_refused_in_words() {
    let installation = Installation::new();
    let text = "from pyspark import SparkContext
from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests
sc = SparkContext()
profile = ResourceProfileBuilder().require(TaskResourceRequests().cpus(0.5)).build
numbers = sc.parallelize([1, 2], 2)
try:
    numbers.withResources(profile)
except Exception as error:
    print(type(error).__name__, error)
print(numbers.getResourceProfile(), numbers.sum())
";
    let program = installation.write("parts.py", text);
    let ended = installation.submit_path(&["--master", "local-cluster[1,2,1024]"], &program, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("Py4JError "), "{}", ended.stdout);
    assert!(ended.stdout.contains("tasks that take 0.5 cpus are not built into Firesteel"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("None 3\n"), "{}", ended.stdout);
}
