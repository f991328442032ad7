//! What takes much memory: large elements, and more data than executors can hold.

use std::fmt::Write as _;

use crate::{assert_ok, installation::Installation};

/// A tenth of 2 GB, and what an executor of 1 GiB cannot hold.
const SIZES: [(&str, &str); 2] = [("200000000", "taken"), ("500000000", "refused")];

#[test]
fn large_elements_arrive_or_are_refused_with_their_length() {
    for (length, expected) in SIZES {
        for master in ["local[2]", "local-cluster[2,1,1024]"] {
            let options = ["--master", master, "--driver-memory", "1g"];
            assert_ok(&Installation::new().submit(&options, "large_elements.py", &[length, expected]));
        }
    }
}

#[test]
fn executors_hold_no_more_than_they_have() {
    const LINES: usize = 700_000;
    let installation = Installation::new();
    let mut lines = String::new();
    for line in 0..LINES {
        writeln!(lines, "word{} another{} and", line % 90_000, line % 7).unwrap();
    }
    let text = installation.write("text.txt", &lines);
    let options = ["--master", "local-cluster[1,2,512]", "--executor-memory", "512m"];
    let workers = ["--conf", "spark.python.worker.memory=48m"];
    let arguments = [text.to_str().unwrap(), "2000000"];
    let ended = installation.submit(&[options.as_slice(), &workers].concat(), "little_memory.py", &arguments);
    assert_ok(&ended);
    let counted = format!("words {} {}", 3 * LINES, 90_000 + 7 + 1);
    assert!(ended.stdout.lines().any(|line| line == counted), "{}", ended.stdout);
    let peaks = ended.stdout.lines().filter_map(|line| line.strip_prefix("peaks "));
    let peaks: Vec<Vec<u32>> = peaks.map(|line| line.split(' ').map(|word| word.parse().unwrap()).collect()).collect();
    // Executor, its peak in MiB, worker, its peak.
    assert!(!peaks.is_empty() && peaks.iter().all(|peak| peak[1] < 512), "{peaks:?}");
    assert!(peaks.iter().all(|peak| peak[0] == peaks[0][0]), "an executor has ended: {peaks:?}");
}

#[test]
fn the_driver_holds_a_collection_once_and_little_for_each_thread() {
    assert_ok(&Installation::new().submit(&["--master", "local[2]"], "driver_memory.py", &[]));
}

#[test]
fn several_large_elements_at_once_take_turns() {
    let options = ["--master", "local-cluster[1,4,512]", "--executor-memory", "512m", "--driver-memory", "2g"];
    // Nearly what a single one may have there, and as many as there are slots.
    assert_ok(&Installation::new().submit(&options, "several_large_elements.py", &["110000000", "4"]));
}
