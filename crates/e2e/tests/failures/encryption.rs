//! Local files that are encrypted (SE-06, SE-49): nothing can be read in them, and everything still works.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    CLUSTER,
    application::{Start, files_below},
};

const WORD: &[u8] = b"swordfish";
const ENABLED: (&str, &str) = ("spark.io.encryption.enabled", "true");

/// How many files of each kind there are, and how many of those have the word in clear. Files come and go.
fn kinds_of_files(scratch: &Path) -> BTreeMap<&'static str, (usize, usize)> {
    let mut kinds = BTreeMap::new();
    for path in files_below(scratch) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let kind = match name {
            _ if name.starts_with("shuffle_") && name.ends_with(".data") => "shuffle",
            _ if name.starts_with("temp_local_") => "spill",
            _ if name.starts_with("rdd_") => "block",
            _ => "other",
        };
        let Ok(bytes) = fs::read(&path) else { continue };
        let (files, clear) = kinds.entry(kind).or_insert((0, 0));
        *files += 1;
        *clear += usize::from(bytes.windows(WORD.len()).any(|window| window == WORD));
    }
    kinds
}

/// What is on the disk while everything is. Without compression, so that the word can be seen where nothing hides it.
fn at_rest(master: &str, settings: &[(&str, &str)]) -> BTreeMap<&'static str, (usize, usize)> {
    let mut start = Start::new("files-at-rest", master)
        .with("spark.shuffle.compress", "false")
        .with("spark.shuffle.spill.compress", "false")
        .with("spark.broadcast.compress", "false")
        .with("spark.shuffle.spill.numElementsForceSpillThreshold", "1000");
    for (key, value) in settings {
        start = start.with(key, value);
    }
    let mut application = start.start();
    application.wait_for("sorted");
    let kinds = kinds_of_files(&application.scratch());
    application.gates().open("sorted");
    application.finish().succeeded_with(&[
        "cached 40000",
        r#"counted [("swordfish 0", 10000), ("swordfish 1", 10000), ("swordfish 2", 10000), ("swordfish 3", 10000)]"#,
        "broadcast [900000, 900000, 900000, 900000]",
        "sorted {true: 40000}",
    ]);
    kinds
}

fn is_in_clear(kinds: &BTreeMap<&'static str, (usize, usize)>) -> [bool; 3] {
    ["shuffle", "spill", "block"].map(|kind| {
        let (files, clear) = kinds.get(kind).copied().unwrap_or_default();
        assert!(files > 0, "no file of the kind {kind}: {kinds:?}");
        clear > 0
    })
}

#[test]
fn what_is_on_disk_can_be_read_unless_it_is_encrypted() {
    assert_eq!(is_in_clear(&at_rest("local[2]", &[])), [true; 3]);
    for bits in ["128", "192", "256"] {
        let kinds = at_rest("local[2]", &[ENABLED, ("spark.io.encryption.keySizeBits", bits)]);
        assert_eq!(is_in_clear(&kinds), [false; 3], "{kinds:?}");
        assert!(kinds.values().all(|(_, clear)| *clear == 0), "{kinds:?}");
    }
}

#[test]
fn executors_that_are_processes_encrypt_with_their_drivers_key() {
    for read_in_place in ["true", "false"] {
        let kinds = at_rest(CLUSTER, &[ENABLED, ("spark.shuffle.readHostLocalDisk", read_in_place)]);
        assert_eq!(is_in_clear(&kinds), [false; 3], "{kinds:?}");
        assert!(kinds.values().all(|(_, clear)| *clear == 0), "{kinds:?}");
    }
}

#[test]
fn large_blocks_are_encrypted_and_decrypted_on_their_way_through_disks() {
    // Whatever is fetched goes through a file.
    let settings = [ENABLED, ("spark.network.maxRemoteBlockSizeFetchToMem", "1k")];
    let kinds = at_rest(CLUSTER, &[&settings[..], &[("spark.shuffle.readHostLocalDisk", "false")]].concat());
    assert_eq!(is_in_clear(&kinds), [false; 3], "{kinds:?}");
}

#[test]
fn encrypted_blocks_have_their_copies_on_other_executors() {
    let (key, value) = ENABLED;
    let finished = Start::new("every-level", "local-cluster[3,1,1024]")
        .complete()
        .with(key, value)
        .with("spark.memory.offHeap.enabled", "true")
        .with("spark.memory.offHeap.size", "64m")
        .finish();
    let lines: Vec<&str> = finished.stdout.lines().filter(|line| line.starts_with("DISK_ONLY")).collect();
    assert_eq!(
        lines,
        [
            "DISK_ONLY: 4 partitions, copies [1, 1, 1, 1], memory false, disk true",
            "DISK_ONLY_2: 4 partitions, copies [2, 2, 2, 2], memory false, disk true",
            "DISK_ONLY_3: 4 partitions, copies [3, 3, 3, 3], memory false, disk true",
        ],
        "{finished:?}"
    );
    assert!(finished.stderr.contains("send one another cached blocks and broadcast values in clear"), "{finished:?}");
}

#[test]
fn a_cache_larger_than_memory_goes_to_encrypted_files_and_comes_back() {
    let sum = 120 * 32_768 + 16 * 16_384;
    let (key, value) = ENABLED;
    Start::new("cache-more-than-memory", "local-cluster[1,1,1024]")
        .with(key, value)
        .with("spark.executor.memory", "450m")
        .finish()
        .succeeded_with(&[
            &format!("memory only: sums [{sum}, {sum}], all stored false, again true"),
            &format!("memory and disk: sums [{sum}, {sum}], stored 16, memory true, disk true, computed 16"),
        ]);
}

#[test]
fn a_key_of_another_length_is_refused() {
    let (key, value) = ENABLED;
    Start::new("idle", "local[2]")
        .with(key, value)
        .with("spark.io.encryption.keySizeBits", "100")
        .finish()
        .failed_with(&["spark.io.encryption.keySizeBits", "128, 192 or 256"]);
}

#[test]
fn the_key_is_in_no_environment_argument_setting_log_or_event() {
    let (key, value) = ENABLED;
    for master in ["local[2]", CLUSTER] {
        let start = Start::new("key-that-is-told-nobody", master).with(key, value);
        let logs = start.directory().join("events");
        fs::create_dir(&logs).unwrap();
        let logs = logs.display().to_string();
        start
            .with("spark.eventLog.enabled", "true")
            .with("spark.eventLog.dir", &logs)
            .with("spark.e2e.logs", &logs)
            .finish()
            .succeeded_with(&["found false"]);
    }
}
