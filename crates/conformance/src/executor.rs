//! The executor of the suite: it registers, waits for its end, and does nothing else.

use std::{fs, path::Path, process, process::ExitCode};

use firesteel_executor_backend::read_launch;
use firesteel_io_encryption::IoEncryption;
use firesteel_messages::{DriverMessage, ExecutorLaunch, ExecutorMessage, RegisterExecutor};
use firesteel_rpc::{Address, Options, Secret, connect};
use tokio::runtime::Builder;

/// The key by which a case says what its executors do.
pub(crate) const BEHAVIOUR: &str = "spark.firesteel.conformance.behaviour";
/// The key by which a case says where each executor writes its process id.
pub(crate) const DIRECTORY: &str = "spark.firesteel.conformance.directory";
/// What stands for the hash of the binary.
pub(crate) const BUILD_ID: [u8; 32] = [7; 32];

/// What the executors of a case do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behaviour {
    /// What the driver says.
    Good,
    /// They end at once, without a word.
    EndsAtOnce,
    /// They register, and do not listen when they are told to stop.
    IgnoresStop,
    /// They never come to the driver, and never end.
    NeverRegisters,
}

impl Behaviour {
    const ALL: [(Self, &str); 4] = [
        (Self::Good, "good"),
        (Self::EndsAtOnce, "ends-at-once"),
        (Self::IgnoresStop, "ignores-stop"),
        (Self::NeverRegisters, "never-registers"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(behaviour, _)| *behaviour == self).map_or("", |(_, name)| name)
    }

    fn named(name: &str) -> Self {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.expect("the manager passes on the application's configuration").0
    }
}

/// What an executor registers with.
pub(crate) fn registration(launch_id: &firesteel_model::ExecutorId, build_id: [u8; 32]) -> DriverMessage {
    DriverMessage::Register(RegisterExecutor {
        executor_id: launch_id.clone(),
        host: "127.0.0.1".to_owned(),
        block_port: 1,
        local_directories: Vec::new(),
        cores: 1,
        on_heap_memory: 0,
        off_heap_memory: 0,
        resources: Vec::new(),
        version: firesteel_messages::VERSION.to_owned(),
        build_id,
        pid: process::id(),
    })
}

pub(crate) fn run() -> ExitCode {
    let launch = read_launch().expect("a manager writes launch data to standard input");
    let setting = |key: &str| {
        let found = launch.conf.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone()).expect("the manager passes on the application's configuration")
    };
    let file = Path::new(&setting(DIRECTORY)).join(launch.executor_id.as_str());
    let draft = file.with_extension("draft");
    fs::write(&draft, process::id().to_string()).expect("the case's directory is there");
    fs::rename(&draft, &file).expect("the case's directory is there");
    let behaviour = Behaviour::named(&setting(BEHAVIOUR));
    match behaviour {
        Behaviour::EndsAtOnce => {
            eprintln!("nothing to see here");
            return ExitCode::from(3);
        }
        Behaviour::NeverRegisters => loop {
            std::thread::park();
        },
        Behaviour::Good | Behaviour::IgnoresStop => {}
    }
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(serve(&launch, behaviour))
}

async fn serve(launch: &ExecutorLaunch, behaviour: Behaviour) -> ExitCode {
    let address: Address = launch.driver_address.parse().expect("the driver's address");
    let secret = Secret::parse(&launch.secret).expect("the application's secret");
    let key = launch.io_encryption_key.as_ref().expect("the manager passes on the key of local files");
    assert!(IoEncryption::from_key(key).is_ok(), "the key of local files has {} bytes", key.len());
    let connected = connect::<ExecutorMessage, DriverMessage>(&address, &secret, &Options::default()).await;
    let Ok(connection) = connected else { return ExitCode::FAILURE };
    let (sender, mut receiver) = connection.split();
    if sender.send(&registration(&launch.executor_id, BUILD_ID)).await.is_err() {
        return ExitCode::FAILURE;
    }
    loop {
        match receiver.receive().await {
            Ok(Some(ExecutorMessage::Stop)) if behaviour == Behaviour::Good => return ExitCode::SUCCESS,
            Ok(Some(ExecutorMessage::Refused(_))) => return ExitCode::FAILURE,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) if behaviour == Behaviour::Good => return ExitCode::FAILURE,
            Ok(None) | Err(_) => loop {
                std::thread::park();
            },
        }
    }
}
