//! Where this installation is.

use std::{env, path::PathBuf};

/// The directory that holds `bin/firesteel`, or the development tree whose `target/` holds this binary.
pub fn of_this_binary() -> Option<PathBuf> {
    let binary = env::current_exe().ok()?;
    let directory = binary.parent()?;
    let parent = directory.parent()?;
    if directory.ends_with("bin") {
        return Some(parent.to_owned());
    }
    parent.ends_with("target").then(|| parent.parent().map(PathBuf::from)).flatten()
}
