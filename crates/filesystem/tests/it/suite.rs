//! What every file system must do: the same stories for local files, S3 and HDFS.

use std::io::{Read, Seek, SeekFrom, Write};

use firesteel_filesystem::{
    Codec, CommitAlgorithm, CommitError, Existing, FileError, FilePath, FileSystems, InputOptions, LineOptions,
    LineReader, ListInputError, OutputCommitter, OutputSpec, SplitOptions, TaskAttempt, file_splits, list_input,
};

use crate::files::{noise, read, tree, write};

/// The whole suite below a directory that is there.
pub fn check_file_system(systems: &FileSystems, root: &FilePath) {
    files(systems, &root.join("files"));
    directories(systems, &root.join("directories"));
    renaming(systems, &root.join("renaming"));
    globs(systems, &root.join("globs"));
    lines_of_splits(systems, &root.join("lines"));
    for algorithm in [CommitAlgorithm::JobCommit, CommitAlgorithm::TaskCommit] {
        let root = root.join(&format!("{algorithm:?}"));
        committed_output(systems, &root.join("committed"), algorithm);
        aborted_output(systems, &root.join("aborted"), algorithm);
        vanished_output(systems, &root.join("vanished"), algorithm);
        output_beside_other_files(systems, &root.join("beside"), algorithm);
        rival_jobs(systems, &root.join("rivals"), algorithm);
    }
}

fn names(systems: &FileSystems, directory: &FilePath) -> Vec<String> {
    tree(systems, directory).into_keys().collect()
}

fn files(systems: &FileSystems, root: &FilePath) {
    let system = systems.get(root).unwrap();
    let path = root.join("a b+c%20é.txt");
    assert!(!system.exists(&path).unwrap());
    assert!(matches!(system.open(&path), Err(FileError::NotFound { .. })));

    // Dropped unfinished: nothing is there, and nothing is left.
    let mut file = system.create(&path, Existing::Refuse).unwrap();
    file.write_all(&noise(100_000)).unwrap();
    assert!(!system.exists(&path).unwrap(), "an unfinished file must not be visible");
    drop(file);
    assert_eq!(names(systems, root), Vec::<String>::new());

    let content = noise(3_000_000);
    let mut file = system.create(&path, Existing::Refuse).unwrap();
    for piece in content.chunks(70_001) {
        file.write_all(piece).unwrap();
    }
    assert_eq!(file.finish().unwrap(), content.len() as u64);
    let status = system.status(&path).unwrap();
    assert_eq!((status.length, status.is_directory, &status.path), (content.len() as u64, false, &path));
    assert!(status.modification_time > 1_500_000_000_000 && status.block_size >= 1 << 20);
    assert!(read(systems, &path) == content);
    assert_eq!(system.list(&path).unwrap(), [status]);
    assert_eq!(system.block_locations(&system.status(&path).unwrap()).unwrap(), []);

    let mut file = system.open(&path).unwrap();
    assert_eq!(file.length(), content.len() as u64);
    let mut piece = [0; 1000];
    for offset in [2_999_000, 0, 1_234_567] {
        file.read_exact_at(offset as u64, &mut piece).unwrap();
        assert!(piece[..] == content[offset..offset + 1000]);
    }
    assert_eq!(file.seek(SeekFrom::End(-10)).unwrap(), 2_999_990);
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, content[2_999_990..]);
    assert!(file.read_exact_at(2_999_999, &mut piece).is_err(), "there are not that many bytes");

    assert!(matches!(system.create(&path, Existing::Refuse), Err(FileError::AlreadyExists { .. })));
    write(systems, &path, b"");
    assert_eq!(read(systems, &path), b"");

    // Two writers of one name: the second to finish is refused.
    let contended = root.join("contended");
    let mut first = system.create(&contended, Existing::Refuse).unwrap();
    let mut second = system.create(&contended, Existing::Refuse).unwrap();
    first.write_all(b"first").unwrap();
    second.write_all(b"second").unwrap();
    first.finish().unwrap();
    assert!(matches!(second.finish(), Err(FileError::AlreadyExists { .. })));
    assert_eq!(read(systems, &contended), b"first");
    assert_eq!(names(systems, root), ["a b+c%20é.txt", "contended"]);

    assert!(system.delete(&contended, false).unwrap());
    assert!(!system.delete(&contended, false).unwrap());
}

fn directories(systems: &FileSystems, root: &FilePath) {
    let system = systems.get(root).unwrap();
    for name in ["x/1", "x/y/2", "x2", ".hidden"] {
        write(systems, &root.join(name), name.as_bytes());
    }
    system.mkdirs(&root.join("x/y")).unwrap();
    assert!(matches!(
        system.mkdirs(&root.join("x2")),
        Err(FileError::NotADirectory { .. } | FileError::AlreadyExists { .. })
    ));
    // A store without directories has no objection.
    let below = root.join("x2/below/it");
    let created = system.create(&below, Existing::Refuse).map(drop);
    for error in [system.mkdirs(&below), system.status(&below).map(drop), created].into_iter().filter_map(Result::err) {
        match error {
            FileError::NotADirectory { path } => assert_eq!(path, root.join("x2")),
            error => assert!(error.is_not_found(), "{error:?}"),
        }
    }
    let listed = system.list(root).unwrap();
    let listed: Vec<_> = listed.iter().map(|entry| (entry.path.name(), entry.is_directory, entry.length)).collect();
    assert_eq!(listed, [(".hidden", false, 7), ("x", true, 0), ("x2", false, 2)]);
    assert!(system.status(&root.join("x")).unwrap().is_directory);
    assert!(matches!(system.open(&root.join("x")), Err(FileError::IsADirectory { .. })));
    assert!(matches!(system.list(&root.join("absent")), Err(FileError::NotFound { .. })));
    let error = system.delete(&root.join("x"), false).unwrap_err();
    assert!(matches!(error, FileError::NotEmpty { .. }) && error.to_string().contains("/x"), "{error:?}");
    assert!(system.delete(&root.join("x"), true).unwrap());
    assert!(!system.delete(&root.join("x"), true).unwrap());
    assert_eq!(names(systems, root), [".hidden", "x2"]);
}

fn renaming(systems: &FileSystems, root: &FilePath) {
    let system = systems.get(root).unwrap();
    for name in ["from/1", "from/d/2", "taken"] {
        write(systems, &root.join(name), name.as_bytes());
    }
    system.rename(&root.join("from"), &root.join("to")).unwrap();
    assert_eq!(names(systems, root), ["taken", "to/1", "to/d/2"]);
    system.rename(&root.join("to/1"), &root.join("to/one")).unwrap();
    assert!(matches!(system.rename(&root.join("to/one"), &root.join("taken")), Err(FileError::AlreadyExists { .. })));
    assert!(matches!(system.rename(&root.join("absent"), &root.join("z")), Err(FileError::NotFound { .. })));
    assert_eq!(read(systems, &root.join("to/one")), b"from/1");
    assert_eq!(names(systems, root), ["taken", "to/d/2", "to/one"]);
}

fn globs(systems: &FileSystems, root: &FilePath) {
    for name in ["a/1.txt", "a/2.txt", "a/_no", "a/.no", "b/1.csv", "b/c/deep", "_tmp/x", "with{brace"] {
        write(systems, &root.join(name), b"x");
    }
    let list = |pattern: &str| {
        let absolute: Vec<_> = pattern.split(' ').map(|part| format!("{root}/{part}")).collect();
        list_input(systems, &absolute.join(","), InputOptions::default()).map(|files| {
            files.into_iter().map(|file| file.path.path()[root.path().len() + 1..].to_owned()).collect::<Vec<_>>()
        })
    };
    let check = |pattern: &str, expected: &[&str]| assert_eq!(list(pattern).unwrap(), expected, "{pattern}");
    check("a", &["a/1.txt", "a/2.txt"]);
    check("a/*", &["a/1.txt", "a/2.txt"]);
    check("a/[2-9].txt", &["a/2.txt"]);
    check("*/?.*", &["a/1.txt", "a/2.txt", "b/1.csv"]);
    check("{a,b}/1.{txt,csv}", &["a/1.txt", "b/1.csv"]);
    check("{b/1.csv,a/2*}", &["a/2.txt", "b/1.csv"]);
    check("b/1.csv a/[^1].txt", &["b/1.csv", "a/2.txt"]);
    check("_tmp/*", &["_tmp/x"]);
    check("with\\{brace", &["with{brace"]);
    let error = list("c/*").unwrap_err();
    assert!(matches!(error, ListInputError::NoMatch { .. }) && error.to_string().contains("c/*"), "{error}");
    assert!(matches!(list("absent"), Err(ListInputError::NotFound { path }) if path.name() == "absent"));
    assert!(matches!(list("a/_no"), Err(ListInputError::Hidden { .. })));
    assert!(matches!(list("b"), Err(ListInputError::SubDirectory { path }) if path.name() == "c"));
    assert!(matches!(list("[a"), Err(ListInputError::Glob(_))));
    let mut conf = systems.conf().clone();
    conf.set("mapreduce.input.fileinputformat.input.dir.recursive", "true");
    let options = InputOptions::from_conf(&conf).unwrap();
    let found = list_input(systems, &root.join("b").to_string(), options).unwrap();
    assert_eq!(found.iter().map(|file| file.path.name()).collect::<Vec<_>>(), ["1.csv", "deep"]);
}

fn lines_of_splits(systems: &FileSystems, root: &FilePath) {
    let lines: Vec<String> = (0..20_000).map(|number| format!("line {number} {}", "x".repeat(number % 97))).collect();
    let text = lines.join("\n");
    write(systems, &root.join("part-00000"), text.as_bytes());
    let mut compressed = firesteel_filesystem::Encoder::new(Codec::Gzip, Vec::new()).unwrap();
    compressed.write_all(text.as_bytes()).unwrap();
    write(systems, &root.join("part-00001.gz"), &compressed.finish().unwrap());
    let files = list_input(systems, &root.to_string(), InputOptions::default()).unwrap();
    let splits = file_splits(systems, &files, 7, &SplitOptions::default()).unwrap();
    assert!(splits.len() >= 7, "{}", splits.len());
    let mut read = Vec::new();
    for split in &splits {
        let reader = LineReader::open(systems, split, LineOptions::default()).unwrap();
        read.extend(reader.lines().map(Result::unwrap));
    }
    assert!(read == [lines.clone(), lines].concat());
}

fn committer(systems: &FileSystems, output: &FilePath, algorithm: CommitAlgorithm) -> OutputCommitter {
    let spec =
        OutputSpec { algorithm, ..OutputSpec::from_conf(output.clone(), "20261121_0001", systems.conf()).unwrap() };
    OutputCommitter::new(systems, spec).unwrap()
}

/// Writes a partition's file in an attempt; the content tells partition and attempt.
fn write_part(committer: &OutputCommitter, task: TaskAttempt, codec: Option<Codec>) {
    let mut part = committer.create_part(task, codec).unwrap();
    writeln!(part, "{}.{}", task.partition, task.attempt).unwrap();
    part.finish().unwrap();
}

const fn task(partition: u32, attempt: u32) -> TaskAttempt {
    TaskAttempt { partition, attempt }
}

fn committed_output(systems: &FileSystems, output: &FilePath, algorithm: CommitAlgorithm) {
    let job = committer(systems, output, algorithm);
    job.setup_job().unwrap();
    // An executor makes its own from what it is sent.
    let executor = OutputCommitter::new(systems, job.spec().clone()).unwrap();

    executor.setup_task(task(0, 0)).unwrap();
    assert!(!executor.needs_commit(task(0, 0)).unwrap());
    write_part(&executor, task(0, 0), None);
    assert!(executor.needs_commit(task(0, 0)).unwrap());
    // A speculative copy writes the same partition and loses.
    executor.setup_task(task(0, 1)).unwrap();
    write_part(&executor, task(0, 1), None);
    executor.commit_task(task(0, 0)).unwrap();
    executor.abort_task(task(0, 1)).unwrap();

    // An executor dies in the middle of a file; the next attempt commits.
    executor.setup_task(task(1, 0)).unwrap();
    let mut unfinished = executor.create_part(task(1, 0), Some(Codec::Gzip)).unwrap();
    unfinished.write_all(&noise(100_000)).unwrap();
    std::mem::forget(unfinished);
    executor.setup_task(task(1, 1)).unwrap();
    write_part(&executor, task(1, 1), Some(Codec::Gzip));
    executor.commit_task(task(1, 1)).unwrap();

    // Two attempts commit because the answer to the first was lost: the later one stands, whole.
    for attempt in 0..2 {
        executor.setup_task(task(2, attempt)).unwrap();
        write_part(&executor, task(2, attempt), None);
        executor.create_file(task(2, attempt), "extra/more").unwrap().finish().unwrap();
        executor.commit_task(task(2, attempt)).unwrap();
    }
    // A partition without files, and one that finishes behind the commit of its job's last task.
    executor.setup_task(task(3, 0)).unwrap();
    executor.commit_task(task(3, 0)).unwrap();
    executor.setup_task(task(0, 2)).unwrap();
    write_part(&executor, task(0, 2), None);

    if algorithm == CommitAlgorithm::JobCommit || systems.get(output).unwrap().pending_uploads().is_some() {
        let visible: Vec<_> =
            names(systems, output).into_iter().filter(|name| !name.starts_with("_temporary/")).collect();
        assert_eq!(visible, Vec::<String>::new(), "nothing is visible before the job commits");
    }
    assert!(!systems.get(output).unwrap().exists(&output.join("_SUCCESS")).unwrap());
    job.commit_job().unwrap();
    let files = tree(systems, output);
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        ["_SUCCESS", "extra/more", "part-00000", "part-00001.gz", "part-00002"]
    );
    assert_eq!(files["part-00000"], b"0.0\n");
    assert_eq!(files["part-00002"], b"2.1\n");
    let parts = format!("{output}/part-*");
    let parts = list_input(systems, &parts, InputOptions::default()).unwrap();
    let splits = file_splits(systems, &parts, 1, &SplitOptions::default()).unwrap();
    let read =
        splits.iter().flat_map(|split| LineReader::open(systems, split, LineOptions::default()).unwrap().lines());
    assert_eq!(read.map(Result::unwrap).collect::<Vec<_>>(), ["0.0", "1.1", "2.1"]);

    let again = committer(systems, output, algorithm);
    let error = again.setup_job().unwrap_err();
    assert!(error.to_string().contains(&output.to_string()) && error.to_string().contains("already exists"), "{error}");
    assert_eq!(tree(systems, output), files, "a refused job changes nothing");
}

fn aborted_output(systems: &FileSystems, output: &FilePath, algorithm: CommitAlgorithm) {
    let job = committer(systems, output, algorithm);
    job.setup_job().unwrap();
    write_part(&job, task(0, 0), None);
    job.commit_task(task(0, 0)).unwrap();
    write_part(&job, task(1, 0), None);
    let mut unfinished = job.create_part(task(2, 0), None).unwrap();
    unfinished.write_all(b"x").unwrap();
    std::mem::forget(unfinished);
    job.abort_job().unwrap();
    assert_eq!(names(systems, output), Vec::<String>::new());
    assert!(!systems.get(output).unwrap().exists(output).unwrap(), "the next run must not be refused");
    job.abort_job().unwrap();
    let again = committer(systems, output, algorithm);
    again.setup_job().unwrap();
    again.commit_job().unwrap();
    assert_eq!(names(systems, output), ["_SUCCESS"]);
}

/// An attempt that was given up removes what counts, to put its own there: the job must not succeed without that partition.
fn vanished_output(systems: &FileSystems, output: &FilePath, algorithm: CommitAlgorithm) {
    let system = systems.get(output).unwrap();
    let job = committer(systems, output, algorithm);
    job.setup_job().unwrap();
    for partition in 0..3 {
        write_part(&job, task(partition, 0), None);
        job.commit_task(task(partition, 0)).unwrap();
    }
    let removed = system
        .list(&output.join("_temporary/0"))
        .unwrap()
        .into_iter()
        .find(|entry| entry.path.name().starts_with("task_") && entry.path.name().contains("_m_000001"));
    // With the other algorithm, tasks have moved their files to where they belong.
    if let Some(entry) = removed {
        let aside = output.join("_temporary/0/aside");
        system.rename(&entry.path, &aside).unwrap();
        let error = job.commit_partitions(3).unwrap_err();
        assert!(matches!(error, CommitError::PartitionMissing { partition: 1, .. }), "{error:?}");
        assert!(!names(systems, output).iter().any(|name| name == "_SUCCESS" || name.starts_with("part-")));
        system.rename(&aside, &entry.path).unwrap();
    }
    job.commit_partitions(3).unwrap();
    assert_eq!(names(systems, output), ["_SUCCESS", "part-00000", "part-00001", "part-00002"]);
}

/// Jobs that begin at the same time: one gets the directory, and the others neither write to it nor remove anything.
fn rival_jobs(systems: &FileSystems, output: &FilePath, algorithm: CommitAlgorithm) {
    let rival = |number: u32| {
        let spec = OutputSpec::from_conf(output.clone(), &format!("20261121_{number:04}"), systems.conf()).unwrap();
        OutputCommitter::new(systems, OutputSpec { algorithm, ..spec }).unwrap()
    };
    let start = std::sync::Barrier::new(8);
    let won: Vec<OutputCommitter> = std::thread::scope(|scope| {
        let (start, rival) = (&start, &rival);
        let jobs: Vec<_> = (0..8)
            .map(|number| {
                scope.spawn(move || {
                    let job = rival(number);
                    start.wait();
                    job.setup_job().is_ok().then_some(job)
                })
            })
            .collect();
        jobs.into_iter().filter_map(|job| job.join().unwrap()).collect()
    });
    assert_eq!(won.len(), 1, "one job gets the directory");
    write_part(&won[0], task(0, 0), None);
    won[0].commit_task(task(0, 0)).unwrap();
    // Who was refused and gives up all the same harms nobody.
    rival(100).setup_job().unwrap_err();
    rival(100).abort_job().unwrap();
    won[0].commit_job().unwrap();
    assert_eq!(names(systems, output), ["_SUCCESS", "part-00000"]);

    // Jobs that may write into a directory that exists each remove and commit their own only.
    let beside = |number: u32| {
        let spec = OutputSpec { validate: false, ..rival(number).spec().clone() };
        OutputCommitter::new(systems, spec).unwrap()
    };
    let (first, second) = (beside(20), beside(21));
    for (job, partition) in [(&first, 1), (&second, 2)] {
        job.setup_job().unwrap();
        write_part(job, task(partition, 0), None);
    }
    second.commit_task(task(2, 0)).unwrap();
    first.abort_job().unwrap();
    second.commit_job().unwrap();
    assert_eq!(names(systems, output), ["_SUCCESS", "part-00000", "part-00002"]);
}

fn output_beside_other_files(systems: &FileSystems, output: &FilePath, algorithm: CommitAlgorithm) {
    write(systems, &output.join("part-00000"), b"old");
    write(systems, &output.join("other"), b"other");
    let mut conf = systems.conf().clone();
    conf.set("validateOutputSpecs", "false");
    conf.set("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false");
    let spec = OutputSpec { algorithm, ..OutputSpec::from_conf(output.clone(), "20261121_0002", &conf).unwrap() };
    let job = OutputCommitter::new(systems, spec.clone()).unwrap();
    job.setup_job().unwrap();
    write_part(&job, task(1, 0), None);
    job.abort_job().unwrap();
    assert_eq!(names(systems, output), ["other", "part-00000"], "what was there stays");
    let job = OutputCommitter::new(systems, spec).unwrap();
    job.setup_job().unwrap();
    write_part(&job, task(0, 0), None);
    job.commit_task(task(0, 0)).unwrap();
    job.commit_job().unwrap();
    let files = tree(systems, output);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["other", "part-00000"]);
    assert_eq!(files["part-00000"], b"0.0\n");
}
