//! `spark-daemon.sh`: a daemon in the background (SA-08).

use std::{fs, process::Command};

use firesteel_testkit::free_port;

use crate::cluster::{Cluster, MASTER, ended};

#[test]
fn a_daemon_is_started_once_told_of_and_stopped() {
    let cluster = Cluster::new();
    let status = || cluster.daemon(&["status", MASTER, "1"]);
    assert_eq!((status().code, status().stdout), (Some(2), format!("{MASTER} is not running\n")));
    let started = cluster.daemon(&["start", MASTER, "1"]);
    assert_eq!(started.code, Some(0), "{}{}", started.stdout, started.stderr);
    let log = cluster.log(MASTER, "");
    assert_eq!(started.stdout, format!("starting {MASTER}, logging to {}\n", log.display()));
    assert_eq!((status().code, status().stdout), (Some(0), format!("{MASTER} is running.\n")));
    let pid = cluster.pid(MASTER).unwrap();
    let again = cluster.daemon(&["start", MASTER, "1"]);
    assert_eq!(again.code, Some(1));
    assert_eq!(again.stderr, format!("{MASTER} running as process {pid}.  Stop it first.\n"));
    let stopped = cluster.daemon(&["stop", MASTER, "1"]);
    assert_eq!((stopped.code, stopped.stdout), (Some(0), format!("stopping {MASTER}\n")));
    assert_eq!((status().code, cluster.pid(MASTER)), (Some(2), None));
    let stopped = cluster.daemon(&["stop", MASTER, "1"]);
    assert_eq!((stopped.code, stopped.stdout), (Some(0), format!("no {MASTER} to stop\n")));
}

#[test]
fn one_that_was_killed_left_its_number_behind_and_a_number_of_another_process_is_none() {
    let cluster = Cluster::new();
    assert_eq!(cluster.daemon(&["start", MASTER, "1"]).code, Some(0));
    let pid = cluster.pid(MASTER).unwrap();
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    let status = || {
        let status = cluster.daemon(&["status", MASTER, "1"]);
        (status.code, status.stdout.contains("is there, but"))
    };
    let mut looks = 0;
    while status().0 == Some(0) {
        looks += 1;
        assert!(looks < 1000, "a killed process ends");
    }
    assert_eq!(status(), (Some(1), true));
    // Its number is now that of somebody else, who must not be stopped.
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(cluster.path("pids").join(format!("spark-tester-{MASTER}-1.pid")), other.id().to_string()).unwrap();
    assert_eq!(status(), (Some(1), true));
    assert_eq!(cluster.daemon(&["stop", MASTER, "1"]).stdout, format!("no {MASTER} to stop\n"));
    assert!(other.try_wait().unwrap().is_none(), "it still runs");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn one_that_cannot_start_says_why_and_older_logs_are_kept() {
    let cluster = Cluster::new();
    let start = |number: usize| {
        let mut command = cluster.command("sbin/spark-daemon.sh");
        command.env("SPARK_LOG_MAX_FILES", "2").args(["start", MASTER, "1", &format!("--unknown-{number}")]);
        ended(&mut command)
    };
    for number in 0..4 {
        let failed = start(number);
        assert_eq!(failed.code, Some(1));
        assert!(
            failed.stderr.contains("failed to launch: ") && failed.stderr.contains("full log in "),
            "{}",
            failed.stderr
        );
        assert!(failed.stderr.contains(&format!("--unknown-{number}")), "{}", failed.stderr);
    }
    for (suffix, number) in [("", 3), (".1", 2), (".2", 1)] {
        let log = fs::read_to_string(cluster.log(MASTER, suffix)).unwrap();
        assert!(log.contains(&format!("--unknown-{number}")), "{suffix}: {log}");
    }
    assert_eq!(fs::read_dir(cluster.path("logs")).unwrap().count(), 3);
    let refused =
        ended(cluster.command("sbin/spark-daemon.sh").env("SPARK_LOG_MAX_FILES", "few").args(["start", MASTER, "1"]));
    assert!(refused.code == Some(1) && refused.stderr.contains("SPARK_LOG_MAX_FILES is 'few'"), "{}", refused.stderr);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let cluster = Cluster::new();
    let taken = free_port().unwrap();
    let _listener = std::net::TcpListener::bind(("127.0.0.1", taken)).unwrap();
    cluster.set("SPARK_DAEMON_JAVA_OPTS=-Dspark.port.maxRetries=0");
    let failed = cluster.daemon(&["start", MASTER, "1", "--port", &taken.to_string()]);
    assert!(failed.code == Some(1) && failed.stderr.contains(&taken.to_string()), "{}{}", failed.stdout, failed.stderr);
}

#[test]
fn in_the_foreground_it_is_the_process_itself() {
    let cluster = Cluster::new();
    let ended = ended(
        cluster.command("sbin/spark-daemon.sh").env("SPARK_NO_DAEMONIZE", "1").args(["start", MASTER, "1", "--help"]),
    );
    assert!(
        ended.stdout.contains("--properties-file") || ended.stderr.contains("--properties-file"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    assert!(!cluster.path("pids").join(format!("spark-tester-{MASTER}-1.pid")).exists());
}
