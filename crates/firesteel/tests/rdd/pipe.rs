//! Partitions through external commands.

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
