//! What this binary does as an executor: what the configuration that it was told says.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{self, Command, ExitCode},
};

use firesteel_executor_backend::read_launch;

/// Ends by itself with code 7.
pub(crate) const END: &str = "end";
/// Runs until it is told to end.
pub(crate) const WAIT: &str = "wait";
/// Does not end when it is asked to.
pub(crate) const STUBBORN: &str = "stubborn";

/// The key that says which of them.
pub(crate) const ACT: &str = "test.act";

pub(crate) fn run() -> ExitCode {
    let launch = read_launch().unwrap();
    let setting = |name: &str| launch.conf.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let directories = env::var("SPARK_EXECUTOR_DIRS").unwrap();
    for directory in env::split_paths(&directories) {
        fs::write(directory.join("spill"), "x").unwrap();
    }
    println!("application={}", launch.application_id);
    println!("executor={} host={} cores={}", launch.executor_id, launch.host, launch.cores);
    println!("secret={} driver={}", launch.secret, launch.driver_address);
    println!("directories={directories}");
    println!("cache={}", launch.files_cache.unwrap_or_default());
    println!("variable={}", env::var("TEST_VARIABLE").unwrap_or_default());
    println!("private={}", env::var("PATH").unwrap_or_default());
    println!("pid={} group={}", process::id(), process_group());
    println!("all told");
    io::stdout().flush().unwrap();
    eprintln!("a last word");
    match setting(ACT).unwrap() {
        END => ExitCode::from(7),
        WAIT => loop {
            std::thread::park();
        },
        STUBBORN => {
            // The shell cannot be ended by TERM, and has a child.
            let error = Command::new("/bin/sh").args(["-c", "trap '' TERM; sleep 1000; echo woken"]).exec();
            panic!("{error}");
        }
        other => panic!("{other}"),
    }
}

/// The process group, as `/proc` has it: the third number behind the name.
pub(crate) fn process_group() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap().to_owned()
}
