//! Strangers at the door, and secrets that must stay inside.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::Path,
};

use firesteel_e2e::PATIENCE;
use firesteel_messages::{DriverMessage, ExecutorMessage};
use firesteel_rpc::{Address, Options, Secret, connect, handshake::Protocol};

use crate::{
    CLUSTER,
    application::{Start, signal},
};

/// The loopback ports that a process listens on.
fn listening_ports(pid: u32) -> Vec<u16> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("our own process");
    let sockets: BTreeSet<String> = descriptors
        .filter_map(|descriptor| {
            let target = fs::read_link(descriptor.ok()?.path()).ok()?.into_os_string().into_string().ok()?;
            target.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
        })
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").expect("the kernel's table of connections");
    let ports = table.lines().skip(1).filter_map(|line| {
        const LISTEN: &str = "0A";
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = fields[1].split_once(':')?;
        (fields[3] == LISTEN && sockets.contains(fields[9])).then(|| u16::from_str_radix(port, 16).ok())?
    });
    ports.collect()
}

fn open(port: u16) -> TcpStream {
    let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads until the other side closes; fails if it never does.
fn expect_closed(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the connection stays open"),
    }
}

#[test]
fn strangers_at_every_port_change_nothing() {
    let mut application = Start::new("idle", CLUSTER).start();
    application.wait_for("driver");
    let mut processes = application.executors();
    processes.push(application.driver());
    let mut half_open = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for pid in processes {
        let ports = listening_ports(pid);
        assert!(!ports.is_empty(), "process {pid} serves at least its blocks");
        for port in ports {
            // Nothing, and then silence.
            half_open.push(open(port));
            for garbage in [&b"GET / HTTP/1.1\r\nHost: driver\r\n\r\n"[..], &[0xFF; 4096], &[0; 64]] {
                let mut stream = open(port);
                // It may be closed before all is taken.
                let _ = stream.write_all(garbage);
                let _ = stream.shutdown(Shutdown::Write);
                expect_closed(stream);
            }
            // Half a hello, and then silence.
            let mut stream = open(port);
            stream.write_all(&Protocol::RPC.name[..4]).unwrap();
            half_open.push(stream);
            // The right words with a secret of one's own.
            let address = Address::tcp("127.0.0.1".to_owned(), port);
            let options = Options { connect_time_out: PATIENCE, handshake_time_out: PATIENCE, ..Options::default() };
            let secret = Secret::generate();
            let connected = runtime.block_on(connect::<ExecutorMessage, DriverMessage>(&address, &secret, &options));
            assert!(connected.is_err(), "a stranger is let in at port {port} of process {pid}");
        }
    }
    application.gates().open("driver");
    application.finish().succeeded_with(&["before 100", "after 200"]);
    drop(half_open);
}

#[test]
fn a_crowd_of_silent_strangers_does_not_keep_an_executor_out() {
    let mut application = Start::new("idle", CLUSTER).start();
    application.wait_for("driver");
    let ports = listening_ports(application.driver());
    let crowd: Vec<TcpStream> = ports.iter().flat_map(|&port| (0..300).map(move |_| open(port))).collect();
    for executor in application.executors() {
        signal(executor, rustix::process::Signal::KILL);
    }
    application.gates().open("driver");
    application.finish().succeeded_with(&["before 100", "after 200"]);
    drop(crowd);
}

/// Runs of 32 or more hexadecimal digits: the shape of a generated secret.
fn secret_like(bytes: &[u8]) -> Vec<String> {
    let runs = bytes.split(|byte| !byte.is_ascii_hexdigit());
    runs.filter(|run| run.len() >= 32).map(|run| String::from_utf8_lossy(run).into_owned()).collect()
}

/// Directories' own random names are of that shape too.
fn without_directory_names(found: Vec<String>, root: &Path) -> Vec<String> {
    let names: Vec<String> = walk(root);
    found.into_iter().filter(|found| !names.iter().any(|name| name.contains(found.as_str()))).collect()
}

fn walk(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            names.push(entry.file_name().to_string_lossy().into_owned());
            if entry.path().is_dir() {
                directories.push(entry.path());
            }
        }
    }
    names
}

#[test]
fn the_secret_is_in_no_command_line_environment_or_log() {
    let mut application = Start::new("idle", CLUSTER).with("spark.log.level", "TRACE").start();
    application.wait_for("driver");
    let mut processes = application.executors();
    assert_eq!(processes.len(), 2);
    processes.push(application.driver());
    let scratch = application.scratch();
    for pid in processes {
        for place in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{pid}/{place}")).unwrap();
            let found = without_directory_names(secret_like(&bytes), &scratch);
            assert_eq!(found, [] as [String; 0], "{place} of process {pid}");
        }
    }
    let directories = walk(&scratch);
    application.gates().open("driver");
    let finished = application.finish();
    finished.succeeded_with(&["before 100", "after 200"]);
    let logs = finished.executor_logs();
    assert!(logs.contains("TRACE") || logs.contains("DEBUG"), "the logs say much: {logs}");
    for text in [&finished.stdout, &finished.stderr, &logs] {
        let mut found = secret_like(text.as_bytes());
        found.retain(|found| !directories.iter().any(|name| name.contains(found.as_str())));
        assert_eq!(found, [] as [String; 0]);
    }
}

#[test]
fn executors_run_the_driver_s_build_though_its_file_was_replaced_or_removed() {
    for replaced in [true, false] {
        let start = Start::new("idle", CLUSTER);
        let binary = start.directory().join("application");
        fs::copy(env!("CARGO_BIN_EXE_e2e-application"), &binary).unwrap();
        let mut application = start.binary(binary.clone()).start();
        application.wait_for("driver");
        if replaced {
            // Somebody deploys another build while the application runs.
            let other = binary.with_extension("new");
            fs::copy(&binary, &other).unwrap();
            fs::OpenOptions::new().append(true).open(&other).unwrap().write_all(b"another build").unwrap();
            fs::rename(&other, &binary).unwrap();
        } else {
            fs::remove_file(&binary).unwrap();
        }
        for executor in application.executors() {
            signal(executor, rustix::process::Signal::KILL);
        }
        application.gates().open("driver");
        application.finish().succeeded_with(&["before 100", "after 200"]);
    }
}
