//! The suite on local files, and what only they do.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::files::write;
use crate::suite::check_file_system;
use firesteel_filesystem::{
    Existing, FileError, FilePath, FileSystem, FileSystems, HadoopConf, InputOptions, ListInputError, LocalFileSystem,
    OutputCommitter, OutputSpec, TaskAttempt, list_input,
};

#[test]
fn local_files_pass_the_suite() {
    let root = tempfile::tempdir().unwrap();
    check_file_system(&FileSystems::default(), &FilePath::local(root.path()).unwrap());
}

#[test]
fn an_unreadable_file_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = FilePath::local(root.path()).unwrap().join("secret");
    write(&FileSystems::default(), &path, b"x");
    fs::set_permissions(path.path(), fs::Permissions::from_mode(0o000)).unwrap();
    match LocalFileSystem::default().open(&path) {
        // The superuser may read everything.
        Ok(_) => assert!(fs::read(path.path()).is_ok()),
        Err(error) => {
            assert!(matches!(error, FileError::PermissionDenied { .. }));
            assert!(error.to_string().contains(&path.to_string()), "{error}");
        }
    }
}

#[test]
fn new_files_and_directories_get_what_hadoops_mask_leaves_them() {
    for (key, mask, of_files, of_directories) in [
        ("fs.permissions.umask-mode", "077", 0o600, 0o700),
        ("fs.permissions.umask-mode", "u=rwx,g=rx,o=", 0o640, 0o750),
        // More than the mask of most processes leaves.
        ("fs.permissions.umask-mode", "000", 0o666, 0o777),
        ("dfs.umaskmode", "027", 0o640, 0o750),
    ] {
        let root = tempfile::tempdir().unwrap();
        let before = fs::metadata(root.path()).unwrap().permissions();
        let systems = FileSystems::new(HadoopConf::from_spark([(format!("spark.hadoop.{key}"), mask)]));
        let output = FilePath::local(root.path()).unwrap().join("above/output");
        let job = job(&systems, &output);
        job.setup_job().unwrap();
        commit_part(&job, 0);
        job.commit_job().unwrap();
        let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode() & 0o7777;
        for name in ["above", "above/output"] {
            assert_eq!(mode(name), of_directories, "{mask} {name}");
        }
        for name in ["above/output/_SUCCESS", "above/output/part-00000"] {
            assert_eq!(mode(name), of_files, "{mask} {name}");
        }
        assert_eq!(fs::metadata(root.path()).unwrap().permissions(), before, "what was there stays as it is");
    }
    let systems = FileSystems::new(HadoopConf::from_spark([("spark.hadoop.fs.permissions.umask-mode", "77")]));
    let error = systems.get(&FilePath::parse("/x").unwrap()).err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("umask-mode is \"77\"") && source.contains("027"), "{source}");
}

#[test]
fn a_dangling_link_and_a_bad_name() {
    let root = tempfile::tempdir().unwrap();
    let path = FilePath::local(root.path()).unwrap();
    std::os::unix::fs::symlink("nowhere", root.path().join("link")).unwrap();
    assert_eq!(LocalFileSystem::default().list(&path).unwrap(), []);
    assert!(LocalFileSystem::default().delete(&path.join("link"), false).unwrap());
    use std::os::unix::ffi::OsStrExt;
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff")), b"").unwrap();
    let error = LocalFileSystem::default().list(&path).unwrap_err();
    assert!(format!("{:?}", error).contains("UTF-8"), "{error:?}");
}

#[test]
fn a_link_to_itself_is_no_input_and_is_in_nobodys_way() {
    let root = tempfile::Builder::new().prefix("input").tempdir().unwrap();
    let systems = FileSystems::default();
    let path = FilePath::local(root.path()).unwrap();
    write(&systems, &path.join("file"), b"x");
    for (name, target) in [("loop", "loop"), ("one", "other"), ("other", "one")] {
        std::os::unix::fs::symlink(target, root.path().join(name)).unwrap();
    }
    let list = |pattern: &str| {
        let listed = list_input(&systems, &format!("{}{pattern}", path.path()), InputOptions::default());
        listed.map(|files| files.iter().map(|file| file.path.name().to_owned()).collect::<Vec<_>>())
    };
    for pattern in ["", "/*", "/{file,loop}", "/{file,loop/*}"] {
        assert_eq!(list(pattern).unwrap(), ["file"], "{pattern}");
    }
    for pattern in ["/loop", "/loop/x"] {
        assert!(matches!(list(pattern), Err(ListInputError::NotFound { .. })), "{pattern}");
    }
    let error = LocalFileSystem::default().create(&path.join("loop/x"), Existing::Refuse).err().unwrap();
    assert!(matches!(error, FileError::LinkToNowhere { .. }), "{error:?}");
}

#[test]
fn output_at_a_link_that_leads_nowhere_or_below_it_is_refused_with_the_link() {
    let root = tempfile::tempdir().unwrap();
    let path = FilePath::local(root.path()).unwrap();
    for (name, target) in [("dangling", "nowhere"), ("circle", "circle")] {
        std::os::unix::fs::symlink(target, root.path().join(name)).unwrap();
        for output in [path.join(name), path.join(name).join("below")] {
            let made = LocalFileSystem::default().mkdirs(&output).unwrap_err().to_string();
            let said = format!("{path}/{name} is a symbolic link that leads nowhere (to {target})");
            assert!(made.starts_with(&said), "{output}: {made}");
        }
    }
    let saved = job(&FileSystems::default(), &path.join("dangling")).setup_job().unwrap_err().to_string();
    assert!(saved.starts_with(&format!("{path}/dangling is a symbolic link that leads nowhere")), "{saved}");
}

#[test]
fn a_directory_that_cannot_be_made_is_not_said_to_be_missing() {
    let path = FilePath::local(std::path::Path::new("/proc/firesteel/below")).unwrap();
    let made = LocalFileSystem::default().mkdirs(&path).unwrap_err();
    let created = LocalFileSystem::default().create(&path.join("file"), Existing::Refuse).err().unwrap();
    for error in [made, created] {
        assert!(!error.is_not_found(), "{error}");
        assert_eq!(error.to_string(), format!("could not make directory {path}"));
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("No such file"), "{error:?}");
    }
}

#[test]
fn a_file_in_place_of_a_directory() {
    let root = tempfile::tempdir().unwrap();
    let path = FilePath::local(root.path()).unwrap();
    write(&FileSystems::default(), &path.join("file"), b"x");
    let error = LocalFileSystem::default()
        .create(&path.join("file/below"), firesteel_filesystem::Existing::Replace)
        .err()
        .unwrap();
    assert!(matches!(error, FileError::NotADirectory { .. }), "{error:?}");
    for below in ["file/below", "file/below/it"] {
        let output = path.join(below);
        let refused = [
            LocalFileSystem::default().status(&output).err().map(|error| error.to_string()),
            LocalFileSystem::default().open(&output).err().map(|error| error.to_string()),
            LocalFileSystem::default().mkdirs(&output).err().map(|error| error.to_string()),
            job(&FileSystems::default(), &output).setup_job().err().map(|error| error.to_string()),
        ];
        for error in refused {
            assert_eq!(error, Some(format!("{path}/file is a file, not a directory")), "{below}");
        }
    }
    let error = LocalFileSystem::default().rename(&path.join("file"), &path.join("absent/file")).unwrap_err();
    assert!(matches!(&error, FileError::NotFound { path } if path.name() == "absent"), "{error:?}");
}

/// A driver that dies while it makes output visible leaves no mark of success, and aborting removes what it had moved.
#[test]
fn a_crash_during_the_commit_of_a_job() {
    let root = tempfile::tempdir().unwrap();
    let systems = FileSystems::default();
    let output = FilePath::local(root.path()).unwrap().join("output");
    let job = job(&systems, &output);
    job.setup_job().unwrap();
    for partition in 0..2 {
        commit_part(&job, partition);
    }
    let committed = output.join("_temporary/0/task_1_m_000000/part-00000");
    LocalFileSystem::default().rename(&committed, &output.join("part-00000")).unwrap();
    assert!(!LocalFileSystem::default().exists(&output.join("_SUCCESS")).unwrap());
    job.abort_job().unwrap();
    assert!(!LocalFileSystem::default().exists(&output).unwrap());
}

/// Between removing the earlier attempt's files and moving its own, an executor dies: the next attempt still commits.
#[test]
fn a_crash_during_the_commit_of_a_task() {
    let root = tempfile::tempdir().unwrap();
    let systems = FileSystems::default();
    let output = FilePath::local(root.path()).unwrap().join("output");
    let job = job(&systems, &output);
    job.setup_job().unwrap();
    commit_part(&job, 0);
    let second = TaskAttempt { partition: 0, attempt: 1 };
    job.create_part(second, None).unwrap().finish().unwrap();
    assert!(LocalFileSystem::default().delete(&output.join("_temporary/0/task_1_m_000000"), true).unwrap());
    job.commit_task(second).unwrap();
    job.commit_job().unwrap();
    let names: Vec<_> =
        LocalFileSystem::default().list(&output).unwrap().iter().map(|entry| entry.path.name().to_owned()).collect();
    assert_eq!(names, ["_SUCCESS", "part-00000"]);
}

#[test]
fn hadoops_directories_are_used() {
    let root = tempfile::tempdir().unwrap();
    let systems = FileSystems::default();
    let output = FilePath::local(root.path()).unwrap().join("output");
    let job = job(&systems, &output);
    job.setup_job().unwrap();
    let task = TaskAttempt { partition: 7, attempt: 3 };
    job.create_part(task, None).unwrap().finish().unwrap();
    let is_there = |path: &str| LocalFileSystem::default().exists(&output.join(path)).unwrap();
    assert!(is_there("_temporary/0/_temporary/attempt_1_m_000007_3/part-00007"));
    job.commit_task(task).unwrap();
    assert!(is_there("_temporary/0/task_1_m_000007/part-00007"));
}

fn job(systems: &FileSystems, output: &FilePath) -> OutputCommitter {
    OutputCommitter::new(systems, OutputSpec::from_conf(output.clone(), "1", systems.conf()).unwrap()).unwrap()
}

fn commit_part(job: &OutputCommitter, partition: u32) {
    let task = TaskAttempt { partition, attempt: 0 };
    job.create_part(task, None).unwrap().finish().unwrap();
    job.commit_task(task).unwrap();
}
