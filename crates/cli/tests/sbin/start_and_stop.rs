//! A cluster is started and stopped as a whole (SA-04, SA-05, SA-09), and has a secret from then on.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use crate::cluster::{Cluster, MASTER, WORKER};

/// Waits until a log says something.
fn wait_for(cluster: &Cluster, class: &str, text: &str) {
    let log = cluster.log(class, "");
    for _ in 0..6000 {
        if fs::read_to_string(&log).unwrap().contains(text) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{class} has not said {text:?}:\n{}", fs::read_to_string(&log).unwrap());
}

#[test]
fn all_is_started_from_the_machine_of_the_master_and_stopped_from_there() {
    let cluster = Cluster::new();
    cluster.hosts("127.0.0.1\n");
    let started = cluster.run("sbin/start-all.sh", &[]);
    assert_eq!(started.code, Some(0), "{}{}", started.stdout, started.stderr);
    assert!(started.stdout.contains(&format!("starting {MASTER}, logging to ")), "{}", started.stdout);
    assert!(started.stdout.contains(&format!("127.0.0.1: starting {WORKER}, logging to ")), "{}", started.stdout);
    let secret = fs::metadata(cluster.path("conf/cluster-secret")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    wait_for(&cluster, WORKER, &format!("spark://127.0.0.1:{}", cluster.port));
    wait_for(&cluster, MASTER, "2 cores");
    let looked = cluster.run("bin/spark-class", &["doctor", &format!("spark://127.0.0.1:{}", cluster.port)]);
    assert_eq!(looked.code, Some(0), "{}{}", looked.stdout, looked.stderr);
    for text in ["is ALIVE, ", "1 with 2 cores", "the cluster's secret is known"] {
        assert!(looked.stdout.contains(text), "no {text} in {}", looked.stdout);
    }
    let stopped = cluster.run("bin/stop-all.sh", &["--wait"]);
    assert_eq!(stopped.code, Some(0), "{}{}", stopped.stdout, stopped.stderr);
    for line in [format!("127.0.0.1: stopping {WORKER}"), format!("stopping {MASTER}")] {
        assert!(stopped.stdout.contains(&line), "no {line} in {}", stopped.stdout);
    }
    assert_eq!((cluster.pid(MASTER), cluster.pid(WORKER)), (None, None));
    let looked = cluster.run("bin/spark-class", &["doctor", &format!("spark://127.0.0.1:{}", cluster.port)]);
    assert_eq!(looked.code, Some(1));
    assert!(looked.stdout.contains("PROBLEM  master "), "{}{}", looked.stdout, looked.stderr);
}

#[test]
fn several_workers_of_a_host_have_ports_that_count_up_and_old_names_still_work() {
    let cluster = Cluster::new();
    let first = firesteel_testkit::free_port().unwrap();
    cluster.set(&format!("SPARK_WORKER_INSTANCES=2\nSPARK_WORKER_PORT={first}"));
    assert_eq!(cluster.run("sbin/start-master.sh", &[]).code, Some(0));
    let master = format!("spark://127.0.0.1:{}", cluster.port);
    let started = cluster.run("sbin/start-slave.sh", &[&master]);
    assert_eq!(started.code, Some(0), "{}{}", started.stdout, started.stderr);
    assert!(started.stderr.contains("start-slave.sh is an old name"), "{}", started.stderr);
    assert_eq!(started.stdout.matches("starting ").count(), 2, "{}", started.stdout);
    for port in [first, first + 1] {
        wait_for(&cluster, MASTER, &format!(":{port}"));
    }
    let stopped = cluster.run("sbin/stop-slave.sh", &[]);
    assert_eq!(stopped.stdout.matches("stopping ").count(), 2, "{}", stopped.stdout);
    assert_eq!(cluster.run("sbin/stop-master.sh", &[]).code, Some(0));
}

/// Each host has a directory of its own here, as if it were another machine.
#[test]
fn hosts_get_the_secret_once_and_keep_another_one() {
    let cluster = Cluster::new();
    cluster.hosts("new\nsame\nforeign\n");
    cluster.installation.write("conf/cluster-secret", "a secret of this cluster\n");
    cluster.installation.write("fake/hosts/same/conf/cluster-secret", "a secret of this cluster\n");
    cluster.installation.write("fake/hosts/foreign/conf/cluster-secret", "of another one\n");
    let ended = cluster.run("sbin/distribute-secret.sh", &[]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("foreign: the secret in ") && ended.stdout.contains("is that of another cluster"),
        "{}",
        ended.stdout
    );
    let of = |host: &str| cluster.path(&format!("fake/hosts/{host}/conf/cluster-secret"));
    assert_eq!(fs::read_to_string(of("new")).unwrap(), "a secret of this cluster\n");
    assert_eq!(fs::metadata(of("new")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(of("foreign")).unwrap(), "of another one\n");
    assert!(cluster.calls().iter().all(|call| !call.contains("a secret of")), "{:?}", cluster.calls());
}

#[test]
fn help_is_usage_and_exit_code_1() {
    let cluster = Cluster::new();
    for script in ["sbin/start-master.sh", "sbin/start-worker.sh"] {
        let help = cluster.run(script, &["--help"]);
        assert!(help.code == Some(1) && help.stderr.contains("Usage: ./sbin/start-"), "{script}: {}", help.stderr);
        assert!(help.stderr.contains("--properties-file"), "{script}: {}", help.stderr);
    }
    assert_eq!(cluster.run("sbin/start-worker.sh", &[]).code, Some(1));
}
