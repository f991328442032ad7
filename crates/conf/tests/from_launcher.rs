//! An application takes over the configuration that the launcher left (the contract of `SparkConf::from_launcher`).
//!
//! Each test starts this test program again as the application, since the contract is about a process's beginning.

use std::{
    fs::File,
    io::{Seek, Write},
    os::fd::AsRawFd,
    process::{Command, Output},
};

use firesteel_conf::{CONF_FD_VARIABLE, SparkConf};
use rustix::fs::MemfdFlags;

const AS_APPLICATION: &str = "FIRESTEEL_TEST_AS_APPLICATION";

/// The application: prints what it was given. Does nothing when the test harness runs it.
#[test]
fn application() {
    if std::env::var_os(AS_APPLICATION).is_none() {
        return;
    }
    // The harness may have begun a line of its own.
    println!();
    match SparkConf::from_launcher() {
        Ok(conf) => {
            let again = SparkConf::from_launcher().unwrap();
            assert_eq!(again, conf);
            assert_eq!(std::env::var_os(CONF_FD_VARIABLE), None);
            let open = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
                Some(std::fs::read_link(entry.unwrap().path()).ok()?.to_string_lossy().into_owned())
            });
            assert_eq!(open.filter(|target| target.contains(SparkConf::LAUNCHER_FILE_NAME)).count(), 0);
            for (key, value) in conf.get_all() {
                println!("<{key}>=<{}>", value.escape_debug());
            }
            assert!(conf.review(&"local".parse().unwrap()).is_empty() || std::env::var_os("SPARK_CONF_DIR").is_some());
        }
        Err(error) => println!("<error>=<{error}>"),
    }
}

fn run(configure: impl FnOnce(&mut Command)) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "application", "--nocapture"]);
    command.env_remove("SPARK_CONF_DIR").env_remove("SPARK_HOME").env_remove(CONF_FD_VARIABLE);
    command.env(AS_APPLICATION, "1");
    configure(&mut command);
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().lines().filter(|line| line.starts_with('<')).map(str::to_owned).collect()
}

fn memory_file(name: &str, text: &str) -> File {
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::empty()).unwrap());
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn the_inherited_configuration_is_exact() {
    let settings =
        [("spark.a", " blanks and \n lines "), ("spark.exectuor.x", "=:#é😀\\"), ("spark.secret", "hunter2")];
    let conf: SparkConf = settings.into_iter().collect();
    let file = memory_file(SparkConf::LAUNCHER_FILE_NAME, &conf.to_launcher_text());
    let lines = run(|command| {
        command.env(CONF_FD_VARIABLE, file.as_raw_fd().to_string());
    });
    let expected: Vec<_> = settings.map(|(key, value)| format!("<{key}>=<{}>", value.escape_debug())).into();
    assert_eq!(lines, expected);
}

#[test]
fn a_descriptor_that_is_not_the_launchers_is_left_alone() {
    let other = memory_file("other", "spark.a=b\n");
    for number in ["1", "99999", "-1", "x", "", &other.as_raw_fd().to_string()] {
        let lines = run(|command| {
            command.env(CONF_FD_VARIABLE, number);
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(line.contains(&format!("FIRESTEEL_CONF_FD is {number:?}")) && line.contains("unset"), "{line}");
    }
}

#[test]
fn without_a_launcher_the_defaults_file_counts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("spark-defaults.conf");
    std::fs::write(&file, "spark.a  1\nother 2\nspark.a: 3 \n").unwrap();
    let in_directory = |command: &mut Command| {
        command.env("SPARK_CONF_DIR", directory.path());
    };
    assert_eq!(run(in_directory), ["<spark.a>=<3>"]);
    std::fs::write(&file, "spark.a=\\u12\n").unwrap();
    assert!(run(in_directory)[0].contains("could not understand the properties file"));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(run(in_directory), [""; 0]);
    assert_eq!(run(|_| {}), [""; 0]);
}
