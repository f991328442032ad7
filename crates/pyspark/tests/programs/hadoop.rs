//! Files of Hadoop's formats, and what programs reach for in Hadoop's own classes.

use std::fs;

use crate::{assert_ok, installation::Installation};

#[test]
fn files_of_hadoops_formats_are_written_and_read() {
    assert_ok(&Installation::new().python("hadoop_files.py", &["local[2]"]));
}

#[test]
fn executors_that_are_processes_write_and_read_hadoops_formats() {
    assert_ok(&Installation::new().submit(&["--master", "local-cluster[2,1,1024]"], "hadoop_files.py", &[]));
}

#[test]
fn the_configuration_file_systems_and_levels_of_the_log_are_there() {
    let ended = Installation::new().submit(&["--master", "local[2]"], "hadoop_fs.py", &[]);
    assert_ok(&ended);
    for number in 1..=3 {
        let seen = ended.stderr.matches(&format!("this is seen: {number}")).count();
        assert_eq!(seen, 1, "{number}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("this is hidden"), "{}", ended.stderr);
}

#[test]
fn the_examples_of_pyspark_s_documentation_are_true() {
    assert_ok(&Installation::new().python("hadoop_doctests.py", &[]));
}

#[test]
fn spark_reads_what_we_write_and_we_read_what_spark_writes() {
    let installation = Installation::new();
    let [ours, theirs] = ["ours", "theirs"].map(|name| installation.path(name).to_string_lossy().into_owned());
    for directory in [&ours, &theirs] {
        fs::create_dir(directory).unwrap();
    }
    assert_ok(&installation.python("formats.py", &["write", &ours]));
    assert_ok(&installation.real_spark("formats.py", &["write", &theirs]));
    assert_ok(&installation.python("formats.py", &["read", &theirs]));
    assert_ok(&installation.real_spark("formats.py", &["read", &ours]));
}
