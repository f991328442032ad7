//! `workers.sh`: a command on every host (SA-06, SA-07).

use crate::cluster::Cluster;

/// What each host says, without the order in which they do.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn every_host_of_the_list_runs_the_command_at_the_same_time() {
    let cluster = Cluster::new();
    cluster.hosts("# our hosts\nfirst\n\n  second  # the old one\n\tthird\n");
    cluster.installation.write("fake/meet", "3");
    let ended =
        cluster.run("sbin/workers.sh", &["bash", "-c", "echo \"it's $HOST_NAME, $1\"", "bash", "two  words; $x"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let expected = [
        "first: it's first, two  words; $x",
        "second: it's second, two  words; $x",
        "third: it's third, two  words; $x",
    ];
    assert_eq!(sorted(&ended.stdout), expected);
    assert!(
        cluster.calls().iter().all(|call| call.starts_with("-o StrictHostKeyChecking=no ")),
        "{:?}",
        cluster.calls()
    );
}

#[test]
fn one_host_that_fails_stops_no_other_and_is_told() {
    let cluster = Cluster::new();
    cluster.hosts("unreachable\nfirst\nsecond\n");
    let ended = cluster.run("sbin/workers.sh", &["bash", "-c", "echo here; [ $HOST_NAME = first ] || exit 7"]);
    assert_eq!(ended.code, Some(1));
    let expected =
        ["first: here", "second: here", "unreachable: ssh: connect to host unreachable port 22: No route to host"];
    assert_eq!(sorted(&ended.stdout), expected);
    assert_eq!(sorted(&ended.stderr), ["second: exit code 7", "unreachable: exit code 255"]);
}

#[test]
fn the_list_is_where_it_was_said_to_be() {
    let cluster = Cluster::new();
    let echo = ["echo", "here"];
    let hosts_of = |ended: crate::installation::Ended| (ended.stdout, ended.stderr);
    let nothing = String::new;
    assert_eq!(hosts_of(cluster.run("sbin/workers.sh", &echo)), ("localhost: here\n".to_owned(), nothing()));
    cluster.installation.write("conf/slaves", "old\n");
    let (stdout, stderr) = hosts_of(cluster.run("sbin/slaves.sh", &echo));
    assert_eq!(stdout, "old: here\n");
    assert!(stderr.contains("slaves.sh is an old name") && stderr.contains("conf/slaves is an old name"), "{stderr}");
    cluster.hosts("new\n");
    assert_eq!(hosts_of(cluster.run("sbin/workers.sh", &echo)), ("new: here\n".to_owned(), nothing()));
    let other = cluster.installation.write("other list", "other\n");
    for (variable, warns) in [("SPARK_SLAVES", true), ("SPARK_WORKERS", false)] {
        let ended = crate::cluster::ended(cluster.command("sbin/workers.sh").env(variable, &other).args(echo));
        assert_eq!((ended.stdout.as_str(), ended.stderr.contains("Warning")), ("other: here\n", warns), "{variable}");
    }
    let gone = crate::cluster::ended(cluster.command("sbin/workers.sh").env("SPARK_WORKERS", "/not/there").args(echo));
    assert_eq!(
        (gone.code, gone.stderr.as_str()),
        (Some(1), "Error: the list of workers, /not/there, cannot be read\n")
    );
}

#[test]
fn options_of_ssh_and_one_after_the_other() {
    let cluster = Cluster::new();
    cluster.hosts("first\nsecond\nthird\n");
    let mut command = cluster.command("sbin/workers.sh");
    command.env("SPARK_SSH_OPTS", "-p 2222 -i key").env("SPARK_SSH_FOREGROUND", "yes").args(["echo", "here"]);
    let ended = crate::cluster::ended(&mut command);
    assert_eq!(ended.stdout, "first: here\nsecond: here\nthird: here\n", "{}", ended.stderr);
    assert_eq!(cluster.calls()[0], "-p 2222 -i key first echo here ");
}

#[test]
fn without_a_command_it_says_how_it_is_used() {
    let cluster = Cluster::new();
    for script in ["sbin/workers.sh", "sbin/spark-daemons.sh", "sbin/spark-daemon.sh"] {
        let ended = cluster.run(script, &[]);
        assert!(ended.code == Some(1) && ended.stderr.starts_with("Usage: "), "{script}: {}", ended.stderr);
    }
}
