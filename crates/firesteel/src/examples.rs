//! What the examples in the documentation begin with.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
};

use crate::{SparkConf, context::SparkContext};

/// A context with two threads in this process and nothing on the console.
///
/// # Panics
///
/// If it cannot start.
pub fn context() -> SparkContext {
    let mut conf = SparkConf::new();
    for (key, value) in
        [("spark.master", "local[2]"), ("spark.app.name", "example"), ("spark.ui.showConsoleProgress", "false")]
    {
        conf.set(key, value);
    }
    SparkContext::new(&conf).expect("a context of two local threads starts")
}

/// A directory of an example, which goes with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Deref for Directory {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed the system removes some day, as it does with all that is in the same place.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An empty directory for an example that needs files: in the system's directory for temporary files.
///
/// # Panics
///
/// If it cannot be made.
pub fn directory() -> Directory {
    let directory = std::env::temp_dir().join(format!("firesteel-example-{}", std::process::id()));
    // What an earlier process of this number has left, if it was killed.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory for temporary files can be written to");
    Directory(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_leaves_nothing_behind() {
        let directory = directory();
        let path = directory.to_path_buf();
        fs::create_dir(path.join("output")).unwrap();
        fs::write(path.join("output/part-00000"), "x").unwrap();
        drop(directory);
        assert!(!path.exists());
    }
}
