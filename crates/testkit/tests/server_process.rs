//! No server outlives its test.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use firesteel_testkit::{ServerProcess, StartError};

/// A server with a child of its own, whose ids it prints.
const SERVER: &str = "sleep 1000 & echo $$ $!; wait";

fn server(directory: &Path) -> (ServerProcess, Vec<u32>) {
    let mut command = Command::new("sh");
    command.args(["-c", SERVER]);
    let mut server = ServerProcess::spawn("server", &command, directory).unwrap();
    let mut ids = Vec::new();
    let log = directory.join("server.log");
    server
        .wait_until(|| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            ids = log.split_whitespace().map(|id| id.parse().unwrap()).collect();
            log.ends_with('\n')
        })
        .unwrap();
    (server, ids)
}

fn is_alive(id: &u32) -> bool {
    // A process that has ended and is not yet waited for is a zombie.
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn dropping_ends_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let (server, ids) = server(directory.path());
    assert!(ids.len() == 2 && ids.iter().all(is_alive) && ids[0] == server.id());
    drop(server);
    wait_until(|| !ids.iter().any(is_alive));
}

#[test]
fn the_end_of_the_test_process_ends_the_group() {
    const MARK: &str = "FIRESTEEL_TESTKIT_VICTIM";
    if let Ok(directory) = std::env::var(MARK) {
        let (server, ids) = server(Path::new(&directory));
        fs::write(Path::new(&directory).join("ids"), format!("{} {}", ids[0], ids[1])).unwrap();
        // As if the process were killed: no destructor runs.
        std::mem::forget(server);
        std::process::exit(0);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "the_end_of_the_test_process_ends_the_group"]).env(MARK, directory.path());
    assert!(victim.stdout(Stdio::null()).status().unwrap().success());
    let ids = fs::read_to_string(directory.path().join("ids")).unwrap();
    let ids: Vec<u32> = ids.split(' ').map(|id| id.parse().unwrap()).collect();
    wait_until(|| !ids.iter().any(is_alive));
}

#[test]
fn a_server_that_ends_early_shows_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "echo no such luck; exit 3"]);
    let mut server = ServerProcess::spawn("luckless", &command, directory.path()).unwrap();
    let error = server.wait_until(|| false).unwrap_err();
    assert!(matches!(error, StartError::Ended { status, .. } if status.code() == Some(3)));
    assert!(error.to_string().contains("no such luck"), "{error}");
}

fn wait_until(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(60), "the condition never held");
        thread::sleep(Duration::from_millis(10));
    }
}
