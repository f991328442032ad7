//! Shuffle files that are not what they were.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use firesteel_e2e::Gates;

use crate::{
    CLUSTER,
    application::{Application, Start, files_below},
    events::{logging, sum_of, tasks_of_stage},
};

/// Data files of map outputs that hold something, in the order of their names.
fn data_files(application: &Application) -> Vec<PathBuf> {
    let is_data = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("shuffle_") && name.ends_with(".data")
    };
    let files: Vec<PathBuf> = files_below(&application.scratch()).into_iter().filter(is_data).collect();
    assert_eq!(files.len(), 4, "each map task leaves a data file: {files:?}");
    files
}

/// Where each map task ran: map partition and process, by task id.
fn map_tasks(gates: &Gates) -> BTreeMap<u64, (u32, u32)> {
    let announced = gates.announced().into_iter().filter_map(|name| {
        let (index, task_id) = name.strip_prefix("map-")?.split_once("-task-")?;
        let process = gates.arrived(&name)?;
        Some((task_id.parse().ok()?, (index.parse().ok()?, process)))
    });
    announced.collect()
}

/// Which task wrote a data file: the map id in `shuffle_S_M_0.data`.
fn writer(file: &Path) -> u64 {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('_').nth(2).and_then(|map_id| map_id.parse().ok()).expect("a data file's name has its map id")
}

/// One of four files is harmed between two jobs. All that the same executor has written is taken for lost (RT-35), and
/// nothing else.
fn harmed(harm: impl Fn(&PathBuf)) {
    harmed_and_read(&harm, &[]);
}

fn harmed_and_read(harm: &impl Fn(&PathBuf), settings: &[(&str, &str)]) {
    for read_in_place in ["true", "false"] {
        let start = Start::new("two-jobs-on-a-shuffle", CLUSTER).with("spark.shuffle.readHostLocalDisk", read_in_place);
        harmed_between(harm, settings.iter().fold(start, |start, (key, value)| start.with(key, value)));
    }
}

fn harmed_between(harm: &impl Fn(&PathBuf), start: Start) {
    let mut application = start.start();
    application.wait_for("between");
    let before = map_tasks(application.gates());
    assert_eq!(before.len(), 4, "each map task runs once: {before:?}");
    let file = &data_files(&application)[0];
    let (_, process) = before[&writer(file)];
    harm(file);
    application.gates().open("between");
    let finished = application.finish();
    finished.succeeded_with(&["before 4999950000", "after 4999950000"]);
    let lost = before.values().filter(|&&(_, writer)| writer == process).map(|&(index, _)| index);
    let again = map_tasks(&finished.gates).into_iter().filter(|(task_id, _)| !before.contains_key(task_id));
    let mut again: Vec<u32> = again.map(|(_, (index, _))| index).collect();
    again.sort_unstable();
    let lost: BTreeSet<u32> = lost.collect();
    assert!(lost.len() < 4, "both executors have written: {before:?}");
    assert_eq!(again, Vec::from_iter(lost), "what is computed again, and what was lost\n{finished:?}");
}

#[test]
fn a_deleted_file_is_taken_for_lost_with_its_executors_other_files_only() {
    harmed(|file| fs::remove_file(file).unwrap());
}

#[test]
fn a_flipped_bit_is_noticed_and_its_file_taken_for_lost_with_its_executors_other_files_only() {
    harmed(flip_a_bit);
}

/// Cipher text is checked by the same checksums, and, without those, by itself.
#[test]
fn a_flipped_bit_of_an_encrypted_file_is_noticed_with_checksums_and_without() {
    for checksums in ["true", "false"] {
        let settings = [("spark.io.encryption.enabled", "true"), ("spark.shuffle.checksum.enabled", checksums)];
        harmed_and_read(&flip_a_bit, &settings);
    }
}

fn flip_a_bit(file: &PathBuf) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_file_cut_short_is_noticed_and_taken_for_lost_with_its_executors_other_files_only() {
    harmed(|file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() / 3]).unwrap();
    });
}

#[test]
fn a_file_is_computed_again_in_one_process_too() {
    let mut application = Start::new("two-jobs-on-a-shuffle", "local[2]").start();
    application.wait_for("between");
    fs::remove_file(&data_files(&application)[0]).unwrap();
    application.gates().open("between");
    application.finish().succeeded_with(&["before 4999950000", "after 4999950000"]);
}

/// Four map tasks write and three reducers read in each of two jobs; the second job's reducers know the files already.
#[test]
fn reducers_open_the_files_of_other_executors_on_the_host_and_fetch_them_if_that_is_switched_off() {
    let local = ["Shuffle Read Metrics", "Local Blocks Fetched"];
    let remote = ["Shuffle Read Metrics", "Remote Blocks Fetched"];
    for (in_place, setting) in [(true, "true"), (false, "false")] {
        let start = Start::new("two-jobs-on-a-shuffle", CLUSTER).with("spark.shuffle.readHostLocalDisk", setting);
        let mut application = logging(start).start();
        application.wait_for("between");
        application.gates().open("between");
        let finished = application.finish();
        finished.succeeded_with(&["before 4999950000", "after 4999950000"]);
        // The second job's map stage, 2, is skipped.
        for stage in [1, 3] {
            let tasks = tasks_of_stage(&finished, stage);
            let (local, remote) = (sum_of(&tasks, &local), sum_of(&tasks, &remote));
            assert_eq!(local + remote, 4 * 3, "stage {stage}: {finished:?}");
            assert_eq!(remote == 0, in_place, "stage {stage}: {local} local, {remote} remote\n{finished:?}");
        }
    }
}

/// RT-62. The least size of a message is 1 MiB.
#[test]
fn map_outputs_that_no_message_could_tell_of_are_read() {
    for (from, key, value) in [
        ("a broadcast value", "spark.shuffle.mapOutput.minSizeForBroadcast", "512k"),
        ("a message, as they are few bytes", "spark.shuffle.minNumPartitionsToHighlyCompress", "100"),
    ] {
        let finished = Start::new("many-maps", CLUSTER)
            .with("spark.rpc.message.maxSize", "1")
            .with("spark.rpc.askTimeout", "60s")
            .with(key, value)
            .finish();
        println!("{from}");
        finished.succeeded_with(&["sum 979300", "keys 1400"]);
    }
}

#[test]
fn map_outputs_that_are_to_be_broadcast_only_when_no_message_can_hold_them_are_refused_at_the_start() {
    let finished = Start::new("many-maps", CLUSTER)
        .with("spark.rpc.message.maxSize", "1")
        .with("spark.shuffle.mapOutput.minSizeForBroadcast", "2m")
        .finish();
    finished
        .failed_with(&["spark.shuffle.mapOutput.minSizeForBroadcast (2.0 MiB) must be <= spark.rpc.message.maxSize"]);
}
