//! Cached partitions in executor processes (RT-10, RT-11, RT-50, RT-52 to RT-54, RT-58).

use std::collections::BTreeMap;

use firesteel_e2e::{Gates, wait_until};
use rustix::process::Signal;

use crate::{
    CLUSTER,
    application::{Start, files_below, is_alive, signal},
    events::{logging, sum_of, tasks_of_stage},
};

const THREE: &str = "local-cluster[3,1,1024]";
/// 90 MiB for execution and storage.
const SMALL: &str = "450m";

/// Which process has computed each partition: by task id, partition and process.
fn computed(gates: &Gates) -> BTreeMap<u64, (u32, u32)> {
    let announced = gates.announced().into_iter().filter_map(|name| {
        let (index, task_id) = name.strip_prefix("compute-")?.split_once("-task-")?;
        Some((task_id.parse().ok()?, (index.parse().ok()?, gates.arrived(&name)?)))
    });
    announced.collect()
}

#[test]
fn every_level_has_its_copies_where_it_says_and_none_after_unpersist() {
    let finished = Start::new("every-level", THREE)
        .complete()
        .with("spark.memory.offHeap.enabled", "true")
        .with("spark.memory.offHeap.size", "64m")
        .finish();
    finished.succeeded_with(&[
        "DISK_ONLY: 4 partitions, copies [1, 1, 1, 1], memory false, disk true",
        "DISK_ONLY_2: 4 partitions, copies [2, 2, 2, 2], memory false, disk true",
        "DISK_ONLY_3: 4 partitions, copies [3, 3, 3, 3], memory false, disk true",
        "MEMORY_ONLY: 4 partitions, copies [1, 1, 1, 1], memory true, disk false",
        "MEMORY_ONLY_2: 4 partitions, copies [2, 2, 2, 2], memory true, disk false",
        "MEMORY_ONLY_SER: 4 partitions, copies [1, 1, 1, 1], memory true, disk false",
        "MEMORY_ONLY_SER_2: 4 partitions, copies [2, 2, 2, 2], memory true, disk false",
        "MEMORY_AND_DISK: 4 partitions, copies [1, 1, 1, 1], memory true, disk false",
        "MEMORY_AND_DISK_2: 4 partitions, copies [2, 2, 2, 2], memory true, disk false",
        "MEMORY_AND_DISK_SER: 4 partitions, copies [1, 1, 1, 1], memory true, disk false",
        "MEMORY_AND_DISK_SER_2: 4 partitions, copies [2, 2, 2, 2], memory true, disk false",
        "OFF_HEAP: 4 partitions, copies [1, 1, 1, 1], memory true, disk false",
    ]);
    // Each partition of each level is computed once.
    let announced = finished.gates.announced();
    let computations = announced.iter().filter(|name| name.contains("-task-")).count();
    assert_eq!(computations, 12 * 4, "{announced:?}");
}

#[test]
fn cached_partitions_are_read_by_tasks_in_their_executors_and_count_as_input() {
    // As long as a slot where the block is may become free, no other one is taken.
    let finished = logging(Start::new("read-twice", CLUSTER).with("spark.locality.wait", "10min")).finish();
    finished.succeeded_with(&["the same processes true"]);
    assert_eq!(computed(&finished.gates).len(), 4);
    let (first, second) = (tasks_of_stage(&finished, 0), tasks_of_stage(&finished, 1));
    let localities: Vec<_> = second.iter().map(|task| task["Task Info"]["Locality"].as_str().unwrap()).collect();
    assert_eq!(localities, ["PROCESS_LOCAL"; 4]);
    assert_eq!(sum_of(&first, &["Input Metrics", "Records Read"]), 0);
    assert_eq!(sum_of(&second, &["Input Metrics", "Records Read"]), 1000);
    assert!(sum_of(&second, &["Input Metrics", "Bytes Read"]) > 0);
}

#[test]
fn second_copies_come_back_when_a_holder_is_killed_and_nothing_is_computed_again() {
    let mut application = Start::new("lose-a-replica", THREE).complete().start();
    application.wait_for("kill");
    let before = computed(application.gates());
    assert_eq!(before.len(), 4);
    // It has stored at least what it has computed.
    let (_, holder) = *before.values().next().unwrap();
    signal(holder, Signal::KILL);
    application.gates().open("kill");
    let finished = application.finish();
    finished.succeeded_with(&["count 1000", "again 1000, stored 4"]);
    assert_eq!(computed(&finished.gates), before);
}

#[test]
fn cached_partitions_that_are_lost_are_computed_again_and_no_others() {
    let mut application = Start::new("lose-cached-blocks", CLUSTER).start();
    application.wait_for("kill");
    let before = computed(application.gates());
    let (_, holder) = *before.values().next().unwrap();
    signal(holder, Signal::KILL);
    wait_until("the holder to be gone", || (!is_alive(holder)).then_some(()));
    application.gates().open("kill");
    let finished = application.finish();
    finished.succeeded_with(&["count 1000", "again 1000"]);
    let mut lost: Vec<u32> =
        before.values().filter(|(_, process)| *process == holder).map(|&(index, _)| index).collect();
    let again = computed(&finished.gates).into_iter().filter(|(task_id, _)| !before.contains_key(task_id));
    let mut again: Vec<u32> = again.map(|(_, (index, _))| index).collect();
    lost.sort_unstable();
    again.sort_unstable();
    assert!(lost.len() < 4, "both executors have computed: {before:?}");
    assert_eq!(again, lost, "what is computed again, and what was lost\n{finished:?}");
}

#[test]
fn a_cache_larger_than_memory_completes_and_goes_to_disk_if_it_may() {
    let sum = 120 * 32_768 + 16 * 16_384;
    Start::new("cache-more-than-memory", "local-cluster[1,1,1024]")
        .with("spark.executor.memory", SMALL)
        .finish()
        .succeeded_with(&[
            &format!("memory only: sums [{sum}, {sum}], all stored false, again true"),
            &format!("memory and disk: sums [{sum}, {sum}], stored 16, memory true, disk true, computed 16"),
        ]);
}

#[test]
fn a_sort_takes_the_cache_down_to_its_half_and_no_further() {
    let sum = 120 * 32_768 + 16 * 16_384;
    Start::new("cache-then-sort", "local-cluster[1,1,1024]")
        .with("spark.executor.memory", SMALL)
        .finish()
        .succeeded_with(&[
            "sorted 4000000, full before true, smaller after true, half kept true",
            &format!("sum {sum}"),
        ]);
}

#[test]
fn blocks_and_shuffle_files_go_with_the_last_handle() {
    let mut application = Start::new("drop-the-last-handle", CLUSTER).start();
    application.wait_for("look");
    let named = |application: &crate::application::Application, prefix: &str| {
        let is_named = |path: &std::path::PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix))
        };
        files_below(&application.scratch()).into_iter().filter(is_named).count()
    };
    assert!(named(&application, "shuffle_") >= 8, "an index and a data file for each map task");
    assert_eq!(named(&application, "rdd_"), 4);
    application.gates().open("look");
    application.wait_for("gone");
    wait_until("the files to be gone", || {
        (named(&application, "shuffle_") == 0 && named(&application, "rdd_") == 0).then_some(())
    });
    application.gates().open("gone");
    application.finish().succeeded_with(&["count 3 1000"]);
}
