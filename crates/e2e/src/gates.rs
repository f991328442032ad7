//! Meeting points of processes, made of files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// How long anybody waits for a condition before it counts as a failure. A loaded machine of two cores needs seconds.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Returns what `look` finds.
///
/// # Panics
///
/// If it has found nothing after [`PATIENCE`].
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(LOOK_INTERVAL);
    }
}

/// A directory in which processes announce where they are and wait to be let through.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gates {
    directory: PathBuf,
}

impl Gates {
    /// The gates in a directory, which must exist.
    pub fn in_directory(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Announces this process at a gate. True for the first that comes to it.
    ///
    /// # Panics
    ///
    /// If the directory cannot be written.
    pub fn announce(&self, name: &str) -> bool {
        let draft = self.directory.join(format!("{name}.draft-{}-{:?}", process::id(), thread::current().id()));
        fs::write(&draft, process::id().to_string()).expect("the gates' directory can be written");
        // A link appears as a whole, and exactly one succeeds.
        let linked = fs::hard_link(&draft, self.announcement(name));
        let _ = fs::remove_file(&draft);
        match linked {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => panic!("gate {name} cannot be announced: {error}"),
        }
    }

    /// Waits until the gate is open.
    pub fn wait(&self, name: &str) {
        wait_until(&format!("gate {name} to open"), || self.opened(name).exists().then_some(()));
    }

    /// Is the gate open?
    pub fn is_open(&self, name: &str) -> bool {
        self.opened(name).exists()
    }

    /// Takes an announcement back: the next one to come is the first again.
    ///
    /// # Panics
    ///
    /// If nobody has announced itself.
    pub fn withdraw(&self, name: &str) {
        fs::remove_file(self.announcement(name)).expect("an announcement is withdrawn by whoever made it");
    }

    /// The first process that comes here announces itself and waits; all others pass.
    pub fn hold_first(&self, name: &str) {
        if self.announce(name) {
            self.wait(name);
        }
    }

    /// Lets everybody through.
    ///
    /// # Panics
    ///
    /// If the directory cannot be written.
    pub fn open(&self, name: &str) {
        fs::write(self.opened(name), "").expect("the gates' directory can be written");
    }

    /// The process id of the first that came to the gate, once it has come.
    pub fn arrived(&self, name: &str) -> Option<u32> {
        fs::read_to_string(self.announcement(name)).ok()?.parse().ok()
    }

    /// Names of the gates that somebody has come to, sorted.
    pub fn announced(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).expect("the gates' directory can be read");
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".arrived").map(str::to_owned)
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn announcement(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.arrived"))
    }

    fn opened(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.open"))
    }
}
