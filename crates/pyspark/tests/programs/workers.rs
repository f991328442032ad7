//! Python workers: how they end, how they are set up, and of which releases they are.

use std::{fs, path::Path, sync::LazyLock};

use super::{
    assert_ok,
    installation::{Ended, Installation},
    wait_for_end_of_workers,
};

/// Runs a part of `worker_settings.py` on `local[2]`.
fn with_settings(installation: &Installation, settings: &[&str], part: &str) -> Ended {
    let mut options = vec!["--master", "local[2]"];
    settings.iter().for_each(|setting| options.extend(["--conf", setting]));
    installation.submit(&options, "worker_settings.py", &[part])
}

#[test]
fn whatever_a_function_does_its_executor_and_other_workers_live() {
    for master in ["local[2]", "local-cluster[2,1,1024]"] {
        let installation = Installation::new();
        let scratch = installation.path("");
        let ended = installation.submit(&["--master", master], "endings.py", &[&scratch.to_string_lossy()]);
        assert_ok(&ended);
        wait_for_end_of_workers(ended.stdout.lines().filter_map(|line| line.parse().ok()));
        assert_eq!(installation.left_in_scratch(), Vec::<String>::new());
    }
}

#[test]
fn workers_share_a_limit_of_memory() {
    assert_ok(&with_settings(&Installation::new(), &["spark.executor.pyspark.memory=1g"], "memory"));
}

#[test]
fn less_than_a_mebibyte_for_each_worker_is_refused() {
    let ended = with_settings(&Installation::new(), &["spark.executor.pyspark.memory=1m"], "memory");
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("split across 2 concurrent task slots"), "{}", ended.stderr);
}

#[test]
fn a_crashed_worker_says_where_it_was() {
    let enabled = "spark.python.worker.faulthandler.enabled=true";
    assert_ok(&with_settings(&Installation::new(), &[enabled], "faulthandler"));
}

#[test]
fn workers_are_used_again_unless_they_must_not() {
    assert_ok(&with_settings(&Installation::new(), &[], "reuse"));
    assert_ok(&with_settings(&Installation::new(), &["spark.python.worker.reuse=false"], "no_reuse"));
}

#[test]
fn workers_need_no_daemon() {
    let settings = ["spark.python.use.daemon=false"];
    assert_ok(&with_settings(&Installation::new(), &settings, "no_daemon"));
}

#[test]
fn modules_of_daemon_and_workers_are_the_user_s_choice() {
    let installation = Installation::new();
    let worker = "import os\nos.environ['OUR_WORKER'] = '2'\nfrom pyspark.worker import main\n\
        if __name__ == '__main__':\n    import runpy\n    runpy.run_module('pyspark.worker', run_name='__main__')\n";
    installation.write("modules/our_worker.py", worker);
    let daemon = "import os\nos.environ['OUR_DAEMON'] = '1'\nfrom pyspark.daemon import manager\nmanager()\n";
    installation.write("modules/our_daemon.py", daemon);
    let path = format!("spark.executorEnv.PYTHONPATH={}", installation.path("modules").display());
    let worker = "spark.python.worker.module=our_worker";
    let settings = [path.as_str(), worker, "spark.python.daemon.module=our_daemon"];
    assert_ok(&with_settings(&installation, &settings, "modules"));
    let settings = [path.as_str(), worker, "spark.python.use.daemon=false"];
    assert_ok(&with_settings(&installation, &settings, "worker_module"));
}

#[test]
fn an_idle_worker_is_ended_if_that_is_wanted() {
    let settings = ["spark.python.worker.idleTimeoutSeconds=1", "spark.python.worker.killOnIdleTimeout=true"];
    assert_ok(&with_settings(&Installation::new(), &settings, "idle"));
}

#[test]
fn workers_are_told_how_often_to_say_where_they_are() {
    let settings = ["spark.python.worker.tracebackDumpIntervalSeconds=7"];
    assert_ok(&with_settings(&Installation::new(), &settings, "dump"));
}

#[test]
fn a_killed_task_s_function_may_come_to_its_end_if_that_is_wanted() {
    assert_ok(&with_settings(&Installation::new(), &["spark.python.task.killTimeout=10m"], "kill_timeout"));
}

#[test]
fn how_long_there_is_to_connect_is_told_to_the_program_and_workers() {
    let settings = ["spark.python.authenticate.socketTimeout=20"];
    assert_ok(&with_settings(&Installation::new(), &settings, "time_to_connect"));
}

#[test]
fn programs_and_workers_are_talked_to_on_sockets_of_the_file_system() {
    // Names of sockets are short, so their directory is near the root.
    let directory = tempfile::Builder::new().prefix("fs").rand_bytes(4).tempdir_in("/tmp").unwrap();
    let place = format!("spark.python.unix.domain.socket.dir={}", directory.path().display());
    let enabled = "spark.python.unix.domain.socket.enabled=true";
    for (master, daemon) in [("local[2]", "true"), ("local-cluster[2,1,1024]", "true"), ("local[2]", "false")] {
        let daemon = format!("spark.python.use.daemon={daemon}");
        let options = ["--master", master, "--conf", &place, "--conf", enabled, "--conf", &daemon];
        let script = if daemon.ends_with("true") { "rdd.py" } else { "one_job.py" };
        let ended = Installation::new().submit(&options, script, &[]);
        assert_eq!(ended.code, Some(0), "{master}: {}{}", ended.stdout, ended.stderr);
        // The program's own server of accumulators is left by PySpark, also with real Spark.
        assert!(left_sockets(directory.path()) <= 1, "{master}");
        left_sockets_removed(directory.path());
    }
}

fn left_sockets(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

fn left_sockets_removed(directory: &Path) {
    fs::read_dir(directory).unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
}

/// The releases of which programs and workers can be, with the py4j of each.
const RELEASES: [(&str, &str); 4] =
    [("3.5.9", "0.10.9.7"), ("4.0.5", "0.10.9.9"), ("4.1.4", "0.10.9.9"), ("4.2.1", "0.10.9.9")];

static ENVIRONMENTS: LazyLock<Vec<std::path::PathBuf>> = LazyLock::new(|| {
    let environment = |(pyspark, py4j)| firesteel_testkit::pyspark_without_jars(pyspark, py4j).unwrap();
    RELEASES.into_iter().map(environment).collect()
});

/// The interpreters of all releases.
pub(super) fn interpreters() -> Vec<std::path::PathBuf> {
    let others = ENVIRONMENTS.iter().map(|environment| environment.join("bin/python"));
    others.chain([Installation::new().interpreter()]).collect()
}

#[test]
fn programs_of_other_releases_run_with_their_own_workers() {
    for ((release, _), environment) in RELEASES.iter().zip(&*ENVIRONMENTS) {
        let installation = Installation::with_interpreter(environment.join("bin/python"));
        for master in ["local[2]", "local-cluster[2,1,1024]"] {
            for encrypted in ["false", "true"] {
                let encrypted = format!("spark.io.encryption.enabled={encrypted}");
                let ended = installation.submit(&["--master", master, "--conf", &encrypted], "release.py", &[release]);
                assert_ok(&ended);
            }
        }
        assert_ok(&installation.python("release.py", &[release, "local[2]"]));
    }
}

#[test]
fn workers_of_another_python_are_refused_with_both_versions() {
    let installation = Installation::new();
    let pretend = "import collections, sys\nfields = 'major minor micro releaselevel serial'\n\
        sys.version_info = collections.namedtuple('V', fields)(3, 99, 1, 'final', 0)\n";
    installation.write("other/sitecustomize.py", pretend);
    let other = format!("spark.executorEnv.PYTHONPATH={}", installation.path("other").display());
    let ended = installation.submit(&["--master", "local[1]", "--conf", &other], "one_job.py", &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    for version in ["is Python 3.99", "the program's own is 3."] {
        assert!(ended.stderr.contains(version), "{version}: {}", ended.stderr);
    }
}

#[test]
fn workers_of_another_release_than_the_program_s_are_refused() {
    let installation = Installation::new();
    let old = format!("spark.pyspark.python={}", ENVIRONMENTS[3].join("bin/python").display());
    let driver = format!("spark.pyspark.driver.python={}", installation.interpreter().display());
    let options = ["--master", "local[1]", "--conf", &old, "--conf", &driver];
    let ended = installation.submit(&options, "one_job.py", &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("is 4.2.1, and the program's own is 4.3.0"), "{}", ended.stderr);
}
