//! The cases.

use std::{fs, path::Path, sync::Arc};

use firesteel_messages::{Executable, FileSource};
use firesteel_model::{BlockId, ExecutorId};
use firesteel_rpc::Secret;
use firesteel_standalone::{ExecutorState, protocol::FromApplication};
use firesteel_transfer::{
    BlockSource, BlockUpload, CorruptSegment, CorruptionCause, FileRange, Payload, Requester, Segment, SegmentId,
    ServerOptions, TransferRuntime, TransferServer, Unavailable, UploadSink,
};
use firesteel_worker::Worker;

use crate::{
    act,
    cluster::{Application, Cluster, block_on, this_binary, until, worker_options},
    drivers,
};

/// A case and its name.
type Case = (&'static str, fn());

pub(crate) const ALL: &[Case] = &[
    ("an_executor_is_told_what_it_is_and_its_output_is_kept", an_executor_is_told_what_it_is),
    ("one_that_does_not_end_when_asked_is_killed_with_what_it_has_started", stubborn_executors_are_killed),
    ("a_program_that_is_not_here_is_fetched_once", a_program_is_fetched_once),
    ("a_program_that_cannot_be_had_is_told", a_program_that_cannot_be_had),
    ("a_worker_that_is_told_to_end_takes_its_executors_along", a_worker_ends),
    ("a_worker_with_another_secret_ends", a_worker_with_another_secret_ends),
    ("a_worker_that_leaves_ends_after_its_last_executor", a_worker_leaves),
    ("a_driver_is_told_what_it_is_and_its_end_is_told", drivers::a_driver_is_told_what_it_is),
    ("a_driver_that_cannot_be_is_an_error_with_its_reason", drivers::one_that_cannot_be_is_an_error),
    ("a_supervised_driver_is_started_again", drivers::one_that_is_supervised_is_started_again),
    ("drivers_are_killed_with_what_they_have_started", drivers::drivers_are_killed_with_what_they_have_started),
];

fn lives(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

/// The value of `name=` in what an executor has written.
fn told<'a>(output: &'a str, name: &str) -> &'a str {
    let lines = output.lines().flat_map(str::split_whitespace);
    lines.filter_map(|word| word.strip_prefix(name)?.strip_prefix('=')).next().unwrap_or_default()
}

fn an_executor_is_told_what_it_is() {
    block_on(async {
        let cluster = Cluster::start().await;
        let secret = Secret::generate();
        let mut application = Application::start(&cluster, act::END, this_binary(), &secret).await;
        let update = application.update().await;
        assert_eq!((update.executor, update.state), (0, ExecutorState::Running));
        let update = application.update().await;
        assert_eq!(update.state, ExecutorState::Exited, "{update:?}");
        assert!(update.reason.starts_with("exited with code 7; it held at most "), "{}", update.reason);
        assert!(update.reason.ends_with("; its last words: a last word"), "{}", update.reason);

        let output = cluster.output(&application, 0, "stdout");
        assert_eq!(told(&output, "application"), application.id.as_str());
        assert!(output.contains("executor=0 host=127.0.0.1 cores=1\n"), "{output}");
        assert_eq!(told(&output, "secret"), secret.expose());
        assert!(output.contains("variable=as it was set\nprivate=\n"), "{output}");
        assert_eq!(told(&output, "pid"), told(&output, "group"), "a process group of its own");
        let scratch = Path::new(told(&output, "directories"));
        assert!(scratch.starts_with(cluster.directory.path().join("local")), "{scratch:?}");
        assert!(!scratch.exists(), "it goes with the executor");
        assert_eq!(Path::new(told(&output, "cache")).parent(), scratch.parent());

        let stderr = cluster.output(&application, 0, "stderr");
        assert!(stderr.starts_with("Firesteel Executor Command: \""), "{stderr}");
        assert!(stderr.contains(application.id.as_str()) && stderr.contains("TEST_TOKEN="), "{stderr}");
        assert!(!stderr.contains("swordfish") && !stderr.contains(secret.expose()), "{stderr}");
        assert_eq!(cluster.worker.stop().await, 0);
    });
}

fn stubborn_executors_are_killed() {
    block_on(async {
        let cluster = Cluster::start().await;
        let secret = Secret::generate();
        let mut application = Application::start(&cluster, act::STUBBORN, this_binary(), &secret).await;
        assert_eq!(application.update().await.state, ExecutorState::Running);
        until("its last word", || cluster.output(&application, 0, "stderr").contains("a last word")).await;
        let pid = told(&cluster.output(&application, 0, "stdout"), "pid").to_owned();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let child = || fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
        until("a child of the shell", || !child().is_empty()).await;
        let child = child();
        application.say(FromApplication::KillExecutors { executors: vec![0] }).await;
        // The master has given it up by then, and its worker ends it.
        until("the end of both", || !lives(&pid) && !lives(&child)).await;
        assert!(!cluster.output(&application, 0, "stdout").contains("woken"));
        application.say(FromApplication::Unregister).await;
        until("the end of the application's directories", || cluster.scratch(&application).is_empty()).await;
        assert_eq!(cluster.worker.stop().await, 0);
    });
}

/// A driver that serves this binary as its file 5.
struct Driver(Arc<fs::File>);

impl BlockSource for Driver {
    fn segment(&self, _: &Requester, _: &ExecutorId, _: SegmentId) -> Result<Segment, Unavailable> {
        Err(Unavailable::Refused("files only".to_owned()))
    }

    fn block(&self, _: &Requester, _: &BlockId) -> Result<Payload, Unavailable> {
        Err(Unavailable::Refused("files only".to_owned()))
    }

    fn upload(&self, _: &Requester, _: &BlockUpload) -> Result<Box<dyn UploadSink>, Unavailable> {
        Err(Unavailable::Refused("files only".to_owned()))
    }

    fn diagnose_corruption(&self, _: &Requester, _: &CorruptSegment) -> CorruptionCause {
        CorruptionCause::Unknown
    }

    fn file(&self, _: &Requester, range: &FileRange) -> Result<Payload, Unavailable> {
        assert_eq!((range.number, range.part), (5, 0));
        Ok(Payload::File { file: Arc::clone(&self.0), offset: range.offset, length: range.length })
    }
}

fn serve(secret: &Secret, runtime: &TransferRuntime, file: fs::File) -> TransferServer {
    let source = Arc::new(Driver(Arc::new(file)));
    TransferServer::start(runtime, "127.0.0.1", 0, secret.clone(), source, ServerOptions::default()).unwrap()
}

fn a_program_is_fetched_once() {
    let runtime = TransferRuntime::new(std::num::NonZeroUsize::MIN).unwrap();
    block_on(async {
        let cluster = Cluster::start().await;
        let secret = Secret::generate();
        let here = this_binary();
        let server = serve(&secret, &runtime, fs::File::open(&here.path).unwrap());
        let source = FileSource::Driver { host: "127.0.0.1".to_owned(), port: server.address().port(), number: 5 };
        // Another file is at the path here.
        let other = cluster.directory.path().join("program");
        fs::write(&other, "#!/bin/sh\n").unwrap();
        let executable = Executable { path: other.display().to_string(), source, ..here };
        for _ in 0..2 {
            let mut application = Application::start(&cluster, act::END, executable.clone(), &secret).await;
            assert_eq!(application.update().await.state, ExecutorState::Running);
            let update = application.update().await;
            assert!(update.reason.starts_with("exited with code 7"), "{update:?}");
            let kept = cluster.directory.path().join("work/executables");
            let files = fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path());
            assert_eq!(files.filter(|path| path.extension().is_none()).count(), 1);
            // The second one finds it here.
            drop(application);
        }
        drop(server);
        let mut application = Application::start(&cluster, act::END, executable, &secret).await;
        assert_eq!(application.update().await.state, ExecutorState::Running, "without the driver's server");
        assert_eq!(cluster.worker.stop().await, 0);
    });
}

fn a_program_that_cannot_be_had() {
    let runtime = TransferRuntime::new(std::num::NonZeroUsize::MIN).unwrap();
    block_on(async {
        let cluster = Cluster::start().await;
        let secret = Secret::generate();
        let nowhere = Executable { path: "/nowhere/program".to_owned(), ..this_binary() };
        let mut application = Application::start(&cluster, act::END, nowhere.clone(), &secret).await;
        let update = application.update().await;
        assert_eq!(update.state, ExecutorState::Failed);
        assert!(update.reason.contains("/nowhere/program is not on this machine with the same content"), "{update:?}");

        let other = cluster.directory.path().join("other");
        fs::write(&other, vec![1; nowhere.length as usize]).unwrap();
        let server = serve(&secret, &runtime, fs::File::open(&other).unwrap());
        let source = FileSource::Driver { host: "127.0.0.1".to_owned(), port: server.address().port(), number: 5 };
        let mut application = Application::start(&cluster, act::END, Executable { source, ..nowhere }, &secret).await;
        let update = application.update().await;
        assert_eq!(update.state, ExecutorState::Failed);
        assert!(update.reason.contains("has sent something else than the application's program"), "{update:?}");
        let kept = fs::read_dir(cluster.directory.path().join("work/executables")).unwrap();
        let names: Vec<_> = kept.map(|entry| entry.unwrap().path()).collect();
        assert!(names.iter().all(|path| path.extension().is_some_and(|extension| extension == "lock")), "{names:?}");
        assert_eq!(cluster.worker.stop().await, 0);
    });
}

fn a_worker_ends() {
    block_on(async {
        let cluster = Cluster::start().await;
        let secret = Secret::generate();
        let mut application = Application::start(&cluster, act::WAIT, this_binary(), &secret).await;
        assert_eq!(application.update().await.state, ExecutorState::Running);
        until("its last word", || cluster.output(&application, 0, "stderr").contains("a last word")).await;
        let pid = told(&cluster.output(&application, 0, "stdout"), "pid").to_owned();
        assert!(lives(&pid));
        assert_eq!(cluster.worker.stop().await, 0);
        assert!(!lives(&pid));
        let update = application.update().await;
        assert_eq!(update.state, ExecutorState::Killed);
        assert!(update.reason.contains("worker lost: it was told to end"), "{update:?}");
        until("the end of the scratch space", || {
            fs::read_dir(cluster.directory.path().join("local")).unwrap().next().is_none()
        })
        .await;
    });
}

fn a_worker_with_another_secret_ends() {
    block_on(async {
        let cluster = Cluster::start().await;
        let masters = vec![cluster.master.address().clone()];
        let options = worker_options(cluster.directory.path(), masters, &Secret::generate());
        let mut worker = Worker::start(options).await.unwrap();
        assert_eq!(worker.wait().await, 1);
        assert_eq!(cluster.worker.stop().await, 0);
    });
}

fn a_worker_leaves() {
    block_on(async {
        let mut cluster = Cluster::start().await;
        let secret = Secret::generate();
        let mut application = Application::start(&cluster, act::WAIT, this_binary(), &secret).await;
        assert_eq!(application.update().await.state, ExecutorState::Running);
        cluster.worker.decommission();
        let used = cluster.worker.look(|worker| (worker.is_decommissioning(), worker.used().cores)).await;
        assert_eq!(used, Some((true, 1)), "what runs stays");
        application.say(FromApplication::Unregister).await;
        assert_eq!(cluster.worker.wait().await, 0);
    });
}
