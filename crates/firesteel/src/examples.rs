//! What the examples in the documentation begin with.

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

/// An empty directory for an example that needs files: in the system's directory for temporary files, which cleans itself.
///
/// # Panics
///
/// If it cannot be made.
pub fn directory() -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("firesteel-example-{}", std::process::id()));
    // What an earlier process of this number has left.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory for temporary files can be written to");
    directory
}
