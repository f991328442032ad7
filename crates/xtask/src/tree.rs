//! The files of the repository.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, bail};

/// Path with slashes, relative to the root, to text. Files that are not UTF-8 are not in it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tree {
    /// In the order of their paths.
    pub files: BTreeMap<String, String>,
}

impl Tree {
    /// The files that git tracks, and those that it would add.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let output = Command::new("git")
            // A clone that another user made is read like any other one.
            .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("could not run git, which knows the files of the repository")?;
        if !output.status.success() {
            bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let mut files = BTreeMap::new();
        for path in output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
            let path = std::str::from_utf8(path).context("a path is not UTF-8")?;
            // A file that is deleted but not committed so is not there, and a link to a directory has no text.
            if let Ok(text) = fs::read_to_string(root.join(path)) {
                files.insert(path.to_owned(), text);
            }
        }
        Ok(Self { files })
    }

    /// Rust sources under a directory.
    pub fn rust_sources<'a>(&'a self, directory: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files.filter(move |(path, _)| path.starts_with(directory) && path.ends_with(".rs"))
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }
}
