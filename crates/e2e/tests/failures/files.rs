//! Files, archives and libraries of the application, and what can be wrong with them (SS-14, SS-15, SS-17, SS-80…88).

use std::fs;

use firesteel_e2e::wait_until;
use flate2::{Compression, write::GzEncoder};
use rustix::process::Signal;
use tar::{Builder, Header};

use crate::{
    CLUSTER,
    application::{Start, is_alive, signal},
};

/// A tar with one member, whatever its path is.
fn tar_with(member: &str, content: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..member.len()].copy_from_slice(member.as_bytes());
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, content.as_bytes()).unwrap();
    builder.into_inner().unwrap()
}

/// An application with files beside it.
fn start(scenario: &str, master: &str) -> Start {
    let start = Start::new(scenario, master);
    let directory = start.directory().join("files");
    for below in ["other", "tables/x"] {
        fs::create_dir_all(directory.join(below)).unwrap();
    }
    for (path, content) in [
        ("a.txt", "first"),
        ("b.txt", "renamed"),
        ("library.jar", "library"),
        ("other/a.txt", "second"),
        ("tables/x/y.txt", "table"),
    ] {
        fs::write(directory.join(path), content).unwrap();
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut packed, &tar_with("d/a.txt", "packed")).unwrap();
    fs::write(directory.join("env.tar.gz"), packed.finish().unwrap()).unwrap();
    fs::write(directory.join("evil.tar"), tar_with("../evil", "evil")).unwrap();
    let text = directory.display().to_string();
    start.with("spark.e2e.directory", &text).with("spark.scheduler.minRegisteredResourcesRatio", "1")
}

fn with_configured_files(start: Start) -> Start {
    let directory = start.directory().join("files").display().to_string();
    start
        .with("spark.files", &format!("{directory}/a.txt,file://{directory}/b.txt#renamed"))
        .with("spark.archives", &format!("{directory}/env.tar.gz#env"))
        .with("spark.jars", &format!("{directory}/library.jar,{directory}/missing.jar"))
}

#[test]
fn configured_files_are_where_tasks_look_for_them() {
    for cache in ["true", "false"] {
        let mut application =
            with_configured_files(start("configured-files", CLUSTER)).with("spark.files.useFetchCache", cache).start();
        application.wait_for("driver");
        // Executors that come later get what was added before them.
        let old = application.executors();
        for &executor in &old {
            signal(executor, Signal::KILL);
        }
        wait_until("the killed executors to be gone", || old.iter().all(|&pid| !is_alive(pid)).then_some(()));
        application.gates().open("driver");
        let finished = application.finish();
        finished.succeeded_with(&[
            "a.txt: first in 2, driver first",
            "renamed: renamed in 2, driver renamed",
            "env/d/a.txt: packed in 2, driver packed",
            "library.jar: library in 2, driver library",
            "in the working directory [true]",
            "then first",
            "2 files, 1 archives",
        ]);
        assert!(finished.stderr.contains("missing.jar"), "a warning for the missing library: {finished:?}");
    }
}

#[test]
fn configured_files_are_there_in_local_mode_too() {
    let mut application = with_configured_files(start("configured-files", "local[2]")).start();
    application.wait_for("driver");
    application.gates().open("driver");
    application.finish().succeeded_with(&[
        "a.txt: first in 1, driver first",
        "renamed: renamed in 1, driver renamed",
        "env/d/a.txt: packed in 1, driver packed",
        "library.jar: library in 1, driver library",
        // The working directory of local mode is the user's own.
        "in the working directory [false]",
        "then first",
        "2 files, 1 archives",
    ]);
}

#[test]
fn what_is_added_between_jobs_is_there_for_the_next_job() {
    for master in [CLUSTER, "local[2]"] {
        start("files-added-between-jobs", master)
            .finish()
            .succeeded_with(&[r#"before ("NotFound", "NotFound") after ("first", "packed")"#, "directory table"]);
    }
}

#[test]
fn another_content_under_the_same_name_is_refused() {
    for master in [CLUSTER, "local[2]"] {
        let finished = start("files-of-one-name", master).finish();
        let [first, refused, then] = finished.lines()[..] else { panic!("three lines: {finished:?}") };
        assert_eq!((first, then), ("first first", "then first"));
        assert!(refused.starts_with("refused: ") && refused.contains("other/a.txt has another content"), "{refused}");
        assert!(refused.contains("spark.files.overwrite"), "{refused}");
    }
}

#[test]
fn another_content_under_the_same_name_replaces_the_first_if_that_is_wanted() {
    for master in [CLUSTER, "local[2]"] {
        let finished = start("files-of-one-name", master).with("spark.files.overwrite", "true").finish();
        finished.succeeded_with(&["first first", "taken", "then second"]);
    }
}

#[test]
fn a_file_deleted_before_an_executor_has_it_fails_the_job_and_the_message_names_it() {
    let finished = start("file-deleted", CLUSTER).finish();
    let [failed, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
    assert!(failed.starts_with("failed: ") && failed.contains("could not fetch spark://"), "{finished:?}");
    assert!(failed.contains("files/a.txt is gone"), "{finished:?}");
    assert_eq!(then, "then first");
}

#[test]
fn an_archive_that_would_write_elsewhere_is_refused() {
    for master in [CLUSTER, "local[2]"] {
        let finished = start("evil-archive", master).finish();
        let [refused, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
        assert!(refused.contains("evil.tar") && refused.contains("\"../evil\" would be written outside"), "{refused}");
        assert_eq!(then, "then 100");
        let evil = ["evil", "files/evil", "scratch/evil"].map(|path| finished.directory().join(path).exists());
        assert_eq!(evil, [false; 3]);
    }
}

#[test]
fn what_cannot_be_added_ends_the_start() {
    for master in [CLUSTER, "local[2]"] {
        for (key, place, words) in [
            ("spark.files", "gone.txt", "spark.files: "),
            ("spark.files", "tables", "is a directory"),
            ("spark.archives", "evil.tar#x", "would be written outside"),
            ("spark.files", "a.txt,DIRECTORY/other/a.txt", "the name a.txt is taken by"),
        ] {
            let start = start("configured-files", master);
            let directory = start.directory().join("files").display().to_string();
            let place = format!("{directory}/{}", place.replace("DIRECTORY", &directory));
            let finished = start.with(key, &place).finish();
            finished.failed_with(&[key, words]);
        }
        let ftp = start("configured-files", master).with("spark.files", "ftp://host/a.txt").finish();
        ftp.failed_with(&["ftp://host/a.txt cannot be added", "cannot be fetched by ftp:"]);
    }
}
