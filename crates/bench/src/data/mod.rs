//! Data that all sides read: made once, the same on every machine, and kept in the cache.

mod random;
pub mod records;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use firesteel_testkit::cache_directory;

pub use random::SplitMix;
pub use records::records;
pub use text::zipf_text;

/// In the user's cache: where data, compiled programs and logs are kept.
pub const CACHE: &str = "firesteel-bench";

/// A directory of the cache, which `make` fills the first time. It gets its name when it is complete, so that what an
/// interrupted run has left is never taken for it.
pub fn once(name: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let cache = cache_directory(CACHE)?;
    let directory = cache.join(name);
    if directory.is_dir() {
        return Ok(directory);
    }
    let unfinished = cache.join(format!("{name}.unfinished-{}", std::process::id()));
    let at = || format!("could not make {}", unfinished.display());
    fs::create_dir_all(&unfinished).with_context(at)?;
    make(&unfinished)?;
    match fs::rename(&unfinished, &directory) {
        // Another run was faster.
        Err(_) if directory.is_dir() => fs::remove_dir_all(&unfinished).with_context(at)?,
        renamed => renamed.with_context(at)?,
    }
    Ok(directory)
}

/// As [`once`], for each version of these named texts: the directory's name begins so, and ends with their checksum.
pub fn once_per_version(
    name: &str,
    texts: &[(&str, &str)],
    make: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let mut hasher = blake3::Hasher::new();
    for (name, text) in texts {
        hasher.update(name.as_bytes()).update(text.as_bytes());
    }
    once(&format!("{name}-{}", &hasher.finalize().to_hex()[..16]), make)
}

/// The files in a directory, by name.
pub fn files_in(directory: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
