//! One application after the other in this process, each with scratch directories of its own.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

use firesteel::{SparkConf, SparkContext};
use tempfile::TempDir;

/// A context may run once in a process, and tests are threads of one.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `test` in `local[2]` with these settings; it gets the context and a directory that goes with it.
pub fn with_context(settings: &[(&str, &str)], test: impl FnOnce(&SparkContext, &Path)) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let directory = TempDir::new().unwrap();
    let mut conf = SparkConf::new();
    conf.set("spark.master", "local[2]").set("spark.app.name", "test");
    conf.set("spark.local.dir", directory.path().join("scratch").to_str().unwrap());
    for (key, value) in settings {
        conf.set(*key, *value);
    }
    std::fs::create_dir(directory.path().join("scratch")).unwrap();
    let context = SparkContext::new(&conf).unwrap();
    /// Stops also when the test fails, so that the next one can start.
    struct Stop(SparkContext);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    let stop = Stop(context);
    test(&stop.0, directory.path());
}

#[allow(dead_code, reason = "each test binary uses its part of this")]
/// Every file below a directory whose name begins like this, in order.
pub fn files_named(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        // What is removed meanwhile is not there.
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Lets others work until the condition holds.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "{what} did not come true");
        std::thread::yield_now();
    }
}
