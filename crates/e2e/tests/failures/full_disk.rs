//! Scratch space without room.

use std::process::Command;

use rustix::process::getuid;

use crate::{CLUSTER, application::Start};

/// Mounts a small file system over the scratch directory, seen by the application alone, and gone with it. What the
/// application leaves on it is written to a file.
const WITH_SMALL_DISK: &str = "mount -t tmpfs -o size=6m tmpfs \"$0\" || exit 99; left=$1; shift; \
     \"$@\"; code=$?; ls -A \"$0\" > \"$left\"; exit $code";

fn with_small_disk(master: &str) -> Start {
    let start = Start::new("write", master);
    let (scratch, left) = (start.scratch(), start.directory().join("left"));
    let mut wrapper = vec!["unshare", "--mount"];
    if !getuid().is_root() {
        wrapper.extend(["--user", "--map-root-user"]);
    }
    let (scratch, left) = (scratch.display().to_string(), left.display().to_string());
    wrapper.extend(["sh", "-c", WITH_SMALL_DISK, &scratch, &left]);
    start.through(&wrapper)
}

#[test]
fn a_full_disk_fails_the_job_with_the_place_and_the_reason() {
    for master in ["local[2]", CLUSTER] {
        let finished = with_small_disk(master).finish();
        finished.failed_with(&["No space left on device", "blockmgr-"]);
        let left = std::fs::read_to_string(finished.directory().join("left")).unwrap();
        assert_eq!(left, "", "{finished:?}");
    }
}

#[test]
fn the_same_job_fits_on_a_large_disk() {
    assert!(Command::new("unshare").arg("--version").output().is_ok(), "unshare(1) is needed for small disks");
    Start::new("write", CLUSTER).finish().succeeded_with(&["count 2000000"]);
}
