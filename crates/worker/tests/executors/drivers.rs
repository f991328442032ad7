//! Drivers, and this binary as what becomes one.

use std::{
    env, fs,
    io::{self, Read, Write},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::Path,
    process::{self, Command, ExitCode, Stdio},
    time::Duration,
};

use firesteel_master_client::{ask, options};
use firesteel_messages::{DriverCommand, DriverLaunch, DriverResource};
use firesteel_model::{ByteCount, SubmissionId};
use firesteel_standalone::{
    DriverDescription, DriverState, LaunchData,
    protocol::{ClientAnswer, ClientRequest, DriverStatus},
};
use firesteel_worker::DriverProgram;

use crate::{
    act::{ACT, END, STUBBORN, WAIT, process_group},
    cluster::{Cluster, block_on, until},
};

/// What this binary is told by its first argument if it is to become a driver.
pub(crate) const DRIVER: &str = "driver";
/// Says why it cannot be a driver.
const REFUSE: &str = "refuse";
/// Fails the first time only.
const ONCE: &str = "once";

pub(crate) fn driver_program() -> DriverProgram {
    DriverProgram { path: env::current_exe().unwrap(), arguments: vec![DRIVER.into()] }
}

pub(crate) fn become_driver() -> ExitCode {
    let mut input = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
    let mut launch = Vec::new();
    input.read_to_end(&mut launch).unwrap();
    let launch = DriverLaunch::open(&launch).unwrap();
    println!("id={} host={} masters={}", env::args().nth(2).unwrap(), launch.host, launch.masters.len());
    println!("secret={}", launch.cluster_secret);
    println!("directory={}", env::current_dir().unwrap().display());
    println!("pid={} group={} private={}", process::id(), process_group(), env::var("PATH").unwrap_or_default());
    println!("all told");
    let (_, act) = launch.command.conf.iter().find(|(key, _)| key == ACT).unwrap();
    let shell = |script: &str| -> ! {
        let error = Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::null()).exec();
        panic!("{error}");
    };
    match act.as_str() {
        END => {
            eprintln!("a last word");
            ExitCode::from(7)
        }
        REFUSE => {
            input.write_all(b"it has no program").unwrap();
            ExitCode::FAILURE
        }
        ONCE if fs::File::create_new("was-here").is_ok() => ExitCode::from(3),
        ONCE => ExitCode::SUCCESS,
        WAIT => shell("exec sleep 1000"),
        // The shell cannot be ended by TERM, and has a child.
        STUBBORN => shell("trap '' TERM; sleep 1000; echo woken"),
        other => panic!("{other}"),
    }
}

async fn asked(cluster: &Cluster, request: ClientRequest) -> ClientAnswer {
    let masters = [cluster.master.address().clone()];
    ask(&masters, &cluster.secret, &options(), &request, Duration::from_secs(20)).await.unwrap()
}

async fn submit(cluster: &Cluster, act: &str, supervise: bool) -> SubmissionId {
    // The worker has to be there: a driver waits otherwise, which is another case.
    let command = DriverCommand {
        resource: DriverResource::Native("/bin/true".to_owned()),
        main_class: None,
        arguments: vec![b"--flag".to_vec()],
        conf: vec![(ACT.to_owned(), act.to_owned()), ("spark.x.password".to_owned(), "swordfish".to_owned())],
        environment: vec![("SPARK_TOKEN".to_owned(), "swordfish".to_owned())],
        files: Vec::new(),
    };
    let description = DriverDescription {
        name: "test".to_owned(),
        user: "user".to_owned(),
        cores: 1,
        memory: ByteCount::gib(1),
        resources: Vec::new(),
        supervise,
        artifacts: None,
        launch: LaunchData(command.seal()),
    };
    match asked(cluster, ClientRequest::SubmitDriver(Box::new(description))).await {
        ClientAnswer::Submitted(Ok(id)) => id,
        other => panic!("{other:?}"),
    }
}

async fn status(cluster: &Cluster, id: &SubmissionId) -> DriverStatus {
    match asked(cluster, ClientRequest::DriverStatus(id.clone())).await {
        ClientAnswer::Status(Some(status)) => status,
        other => panic!("{other:?}"),
    }
}

/// What has become of a driver in the end.
async fn ended(cluster: &Cluster, id: &SubmissionId) -> DriverStatus {
    loop {
        let status = status(cluster, id).await;
        if status.state.is_final() {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn output(cluster: &Cluster, id: &SubmissionId, name: &str) -> String {
    let path = cluster.directory.path().join("work").join(id.as_str()).join(name);
    fs::read_to_string(path).unwrap_or_default()
}

fn told<'a>(output: &'a str, name: &str) -> &'a str {
    let words = output.lines().flat_map(str::split_whitespace);
    words.filter_map(|word| word.strip_prefix(name)?.strip_prefix('=')).next().unwrap_or_default()
}

pub(crate) fn a_driver_is_told_what_it_is() {
    block_on(async {
        let cluster = Cluster::start().await;
        let id = submit(&cluster, END, false).await;
        let status = ended(&cluster, &id).await;
        assert_eq!((status.state, status.exit_code), (DriverState::Failed, Some(7)), "{status:?}");
        assert_eq!(status.message, "exited with code 7; its last words: a last word");
        assert!(status.worker.is_some());
        let stdout = output(&cluster, &id, "stdout");
        assert!(stdout.contains(&format!("id={id} host=127.0.0.1 masters=1\n")), "{stdout}");
        assert_eq!(told(&stdout, "secret"), cluster.secret.expose());
        assert_eq!(told(&stdout, "pid"), told(&stdout, "group"), "a process group of its own");
        assert_eq!(told(&stdout, "private"), "");
        assert!(Path::new(told(&stdout, "directory")).ends_with(id.as_str()), "{stdout}");
        let stderr = output(&cluster, &id, "stderr");
        assert!(stderr.starts_with("Launch Command: \"spark-submit\"") && stderr.contains("\"--flag\""), "{stderr}");
        assert!(stderr.contains("SPARK_TOKEN=") && !stderr.contains("swordfish"), "{stderr}");
        assert_eq!(cluster.worker.stop().await, 0);
    });
}

pub(crate) fn one_that_cannot_be_is_an_error() {
    block_on(async {
        let cluster = Cluster::start().await;
        let id = submit(&cluster, REFUSE, true).await;
        let status = ended(&cluster, &id).await;
        assert_eq!(status.state, DriverState::Error, "however it is supervised: {status:?}");
        assert_eq!((status.exit_code, status.message.as_str()), (None, "it has no program"));
        assert_eq!(cluster.worker.stop().await, 0);
    });
}

pub(crate) fn one_that_is_supervised_is_started_again() {
    block_on(async {
        let cluster = Cluster::start().await;
        let id = submit(&cluster, ONCE, true).await;
        let status = ended(&cluster, &id).await;
        assert_eq!((status.state, status.exit_code), (DriverState::Finished, Some(0)), "{status:?}");
        assert_eq!(cluster.worker.stop().await, 0);
    });
}

pub(crate) fn drivers_are_killed_with_what_they_have_started() {
    block_on(async {
        let cluster = Cluster::start().await;
        for (act, signal) in [(WAIT, 15), (STUBBORN, 9)] {
            let id = submit(&cluster, act, true).await;
            until("what it is told", || output(&cluster, &id, "stdout").contains("all told")).await;
            let pid = told(&output(&cluster, &id, "stdout"), "pid").to_owned();
            let lives = |pid: &str| Path::new("/proc").join(pid).exists();
            let children = || {
                let path = format!("/proc/{pid}/task/{pid}/children");
                fs::read_to_string(path).unwrap_or_default().trim().to_owned()
            };
            if act == STUBBORN {
                until("a child of the shell", || !children().is_empty()).await;
            } else {
                let is_sleep = || fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n");
                until("the program", is_sleep).await;
            }
            let child = children();
            match asked(&cluster, ClientRequest::KillDriver(id.clone())).await {
                ClientAnswer::Killed(Ok(message)) => assert_eq!(message, format!("Kill request for {id} submitted")),
                other => panic!("{other:?}"),
            }
            let status = ended(&cluster, &id).await;
            assert_eq!(status.state, DriverState::Killed);
            assert!(status.message.contains(&format!("signal {signal}")), "{status:?}");
            until("the end of all", || !lives(&pid) && (child.is_empty() || !lives(&child))).await;
            match asked(&cluster, ClientRequest::KillDriver(id.clone())).await {
                ClientAnswer::Killed(Err(reason)) => assert!(reason.contains("already finished"), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(cluster.worker.stop().await, 0);
    });
}
