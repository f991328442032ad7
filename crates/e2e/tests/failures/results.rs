//! Large results and large closures.

use crate::{CLUSTER, application::Start};

#[test]
fn results_too_large_for_a_message_come_through_the_block_manager() {
    for master in [CLUSTER, "local[2]"] {
        Start::new("large-results", master).finish().succeeded_with(&["results 9437184 right true", "then 100"]);
    }
}

#[test]
fn results_larger_than_the_driver_takes_fail_the_job_and_nothing_else() {
    for master in [CLUSTER, "local[2]"] {
        let finished = Start::new("large-results", master).with("spark.driver.maxResultSize", "1m").finish();
        let [failed, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
        assert!(failed.starts_with("failed: ") && failed.contains("spark.driver.maxResultSize"), "{finished:?}");
        assert_eq!(then, "then 100");
    }
}

#[test]
fn two_gigabytes_are_collected_if_the_driver_takes_them() {
    let total: usize = (0..32).map(|n: usize| (64 << 20) + n.to_string().len()).sum();
    Start::new("collect-two-gigabytes", "local-cluster[2,1,2048]")
        .with("spark.executor.memory", "2g")
        .with("spark.driver.maxResultSize", "3g")
        .finish()
        .succeeded_with(&[&format!("collected {total} in order true"), "then 100"]);
}

#[test]
fn two_gigabytes_are_refused_by_default() {
    let finished = Start::new("collect-two-gigabytes", CLUSTER).finish();
    let [failed, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
    assert!(failed.starts_with("failed: ") && failed.contains("spark.driver.maxResultSize"), "{finished:?}");
    assert_eq!(then, "then 100");
}

#[test]
fn a_closure_larger_than_a_message_fails_the_job_and_the_message_says_what_to_do() {
    let finished = Start::new("closure-of-130-mib", CLUSTER).finish();
    let [failed, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
    assert!(failed.contains("130.0 MiB") && failed.contains("spark.rpc.message.maxSize"), "{finished:?}");
    assert!(failed.contains("broadcast"), "{finished:?}");
    assert_eq!(then, "then 100");
}

/// RT-08: one warning, though two executors get it.
#[test]
fn a_closure_that_fits_into_a_message_arrives_and_is_warned_of_once() {
    let finished = Start::new("closure-of-100-mib", CLUSTER).finish();
    finished.succeeded_with(&["lengths [104857600, 104857601]", "then 100"]);
    let warnings: Vec<&str> = finished.stderr.lines().filter(|line| line.contains("recommended maximum")).collect();
    let [warning] = warnings[..] else { panic!("one warning: {finished:?}") };
    assert!(warning.contains("100.0 MiB") && warning.contains("broadcast"), "{warning}");
}
