//! Partitions through external commands.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use firesteel::PipeCommand;

use crate::common::spark;

fn shell(script: &str) -> PipeCommand {
    PipeCommand::new("sh").argument("-c").argument(script)
}

#[test]
fn each_partition_goes_through_a_process() {
    let numbers = spark().parallelize(1..=1000, 3);
    let through: Vec<String> = numbers.pipe("cat").collect().unwrap();
    assert_eq!(through, (1..=1000).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(numbers.pipe("wc -l").map(|line| line.trim().to_owned()).collect().unwrap(), ["333", "333", "334"]);
}

#[test]
fn commands_have_an_environment() {
    let lines = spark().parallelize([1], 1).pipe(shell("cat >/dev/null; echo $GREETING").env("GREETING", "hello"));
    assert_eq!(lines.collect().unwrap(), ["hello"]);
}

#[test]
fn a_command_that_reads_only_a_part_is_content() {
    let numbers = spark().parallelize(0..1_000_000, 1);
    assert_eq!(numbers.pipe("head -n 1").collect().unwrap(), ["0"]);
}

#[test]
fn what_is_not_wanted_is_not_waited_for() {
    // It would speak for ever.
    assert_eq!(spark().parallelize([1], 1).pipe("yes").take(2).unwrap(), ["y", "y"]);
}

/// Records go to a command through a buffer, so that a broken pipe is met late.
#[test]
fn the_parent_of_a_command_that_is_not_wanted_is_computed_no_further() {
    static COMPUTED: AtomicU32 = AtomicU32::new(0);
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid").display().to_string();
    let command = format!("echo $$ >{pid}.draft; mv {pid}.draft {pid}; echo wanted; exec cat >/dev/null");
    let records = spark().parallelize([pid], 1).flat_map(|pid| {
        let mut command_ended = false;
        std::iter::repeat_with(move || {
            while !command_ended {
                command_ended = fs::read_to_string(&pid).is_ok_and(|pid| !Path::new("/proc").join(pid.trim()).exists());
            }
            COMPUTED.fetch_add(1, Ordering::Relaxed)
        })
    });
    assert_eq!(records.pipe(shell(&command)).take(1).unwrap(), ["wanted"]);
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 1);
}

#[test]
fn a_command_that_has_ended_needs_no_more_records() {
    let endless = spark().parallelize([1], 1).flat_map(std::iter::repeat::<i32>);
    assert_eq!(endless.pipe("true").count().unwrap(), 0);
}

#[test]
fn who_has_left_the_commands_group_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let stay = directory.path().join("stay");
    fs::write(&stay, "").unwrap();
    let background = format!("while [ -e {} ]; do sleep 0.01; done", stay.display());
    let lines = spark().parallelize([1], 1).pipe(shell(&format!("setsid sh -c '{background}' & echo wanted")));
    // It has the output open until the directory goes.
    assert_eq!(lines.take(1).unwrap(), ["wanted"]);
}

#[test]
fn who_holds_the_commands_input_and_does_not_read_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let stay = directory.path().join("stay");
    fs::write(&stay, "").unwrap();
    let holder = format!("while [ -e {} ]; do sleep 0.01; done", stay.display());
    // More records than a pipe holds. The holder has left the group, and stays until the directory goes.
    let numbers = spark().parallelize(0..100_000, 1);
    let lines = numbers.pipe(shell(&format!("setsid --fork sh -c '{holder}' >/dev/null")));
    assert_eq!(lines.count().unwrap(), 0);
}

#[test]
fn failures_name_the_command_and_its_status() {
    let numbers = spark().parallelize(1..=3, 1);
    let error = numbers.pipe(shell("cat; exit 3")).collect().unwrap_err().to_string();
    assert!(error.contains("the command `sh -c cat; exit 3` ended with exit status: 3"), "{error}");
    let error = numbers.pipe("no-such-command --now").collect().unwrap_err().to_string();
    assert!(error.contains("could not start the command `no-such-command --now`"), "{error}");
    let broken = numbers.map(|n| 1 / (n - 2)).pipe("cat").collect().unwrap_err().to_string();
    assert!(broken.contains("divide by zero"), "{broken}");
}
