//! A driver and executors as processes are, but for the process: a real server on loopback, a directory for each.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read, repeat},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use firesteel_application_files::{
    AddFileError, Added, AddedFiles, ApplicationFiles, ApplicationFilesOptions, BoxedError, DriverFiles, FetchCache,
    PlaceFileError, RemoteEntry, RemoteFiles, ServedFiles, Wanted,
};
use firesteel_messages::ApplicationFile;
use firesteel_model::{BlockId, ExecutorId, error_chain};
use firesteel_rpc::Secret;
use firesteel_transfer::{
    BlockSource, BlockUpload, ClientOptions, CorruptSegment, CorruptionCause, FileRange, Payload, Requester, Segment,
    SegmentId, ServerOptions, Spool, SpoolWriter, TransferClient, TransferRuntime, TransferServer, Unavailable,
    UploadSink,
};
use parking_lot::Mutex;

/// Serves files and nothing else.
struct Source(Arc<ServedFiles>);

impl BlockSource for Source {
    fn segment(&self, _: &Requester, _: &ExecutorId, _: SegmentId) -> Result<Segment, Unavailable> {
        Err(Unavailable::Refused("no segments".to_owned()))
    }

    fn block(&self, _: &Requester, _: &BlockId) -> Result<Payload, Unavailable> {
        Err(Unavailable::Refused("no blocks".to_owned()))
    }

    fn upload(&self, _: &Requester, _: &BlockUpload) -> Result<Box<dyn UploadSink>, Unavailable> {
        Err(Unavailable::Refused("no uploads".to_owned()))
    }

    fn diagnose_corruption(&self, _: &Requester, _: &CorruptSegment) -> CorruptionCause {
        CorruptionCause::Unknown
    }

    fn file(&self, _: &Requester, range: &FileRange) -> Result<Payload, Unavailable> {
        self.0.piece(range)
    }
}

/// Pieces of files are never so large.
struct NoSpool;

impl Spool for NoSpool {
    fn create(&self) -> std::io::Result<Box<dyn SpoolWriter>> {
        panic!("a piece of a file was spooled")
    }
}

/// A store by URL, with a count of how often each was opened.
#[derive(Default)]
struct Remote {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    opened: Mutex<Vec<String>>,
    /// After each file come zeros without end.
    endless: AtomicBool,
}

impl RemoteFiles for Remote {
    fn look(&self, url: &str) -> Result<RemoteEntry, BoxedError> {
        let files = self.files.lock();
        let below: Vec<String> =
            files.keys().filter_map(|path| path.strip_prefix(&format!("{url}/"))).map(str::to_owned).collect();
        match (files.contains_key(url), below.is_empty()) {
            (true, _) => Ok(RemoteEntry::File),
            (false, false) => Ok(RemoteEntry::Directory(below)),
            (false, true) => Err(format!("{url} does not exist").into()),
        }
    }

    fn open(&self, url: &str) -> Result<Box<dyn Read + Send>, BoxedError> {
        self.opened.lock().push(url.to_owned());
        let content = self.files.lock().get(url).cloned().ok_or_else(|| format!("{url} does not exist"))?;
        let zeros = if self.endless.load(Ordering::Relaxed) { u64::MAX } else { 0 };
        Ok(Box::new(Cursor::new(content).chain(repeat(0).take(zeros))))
    }
}

struct Application {
    directory: tempfile::TempDir,
    remote: Arc<Remote>,
    runtime: TransferRuntime,
    secret: Secret,
    driver: AddedFiles,
    overwrite: bool,
    announced: Vec<Arc<ApplicationFile>>,
    _server: Option<TransferServer>,
}

impl Application {
    fn new(cluster: bool, overwrite: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let remote = Arc::<Remote>::default();
        let served = Arc::<ServedFiles>::default();
        let options = ApplicationFilesOptions { root: directory.path().join("driver/files"), overwrite, cache: None };
        let here = DriverFiles::Here(Arc::clone(&served));
        let store = ApplicationFiles::new(options, here, remote.clone()).unwrap();
        let driver = AddedFiles::new(Arc::new(store), Arc::clone(&served));
        let runtime = TransferRuntime::new(NonZeroUsize::MIN).unwrap();
        let secret = Secret::generate();
        let server = cluster.then(|| {
            let source = Arc::new(Source(served));
            let server =
                TransferServer::start(&runtime, "127.0.0.1", 0, secret.clone(), source, ServerOptions::default())
                    .unwrap();
            driver.serve_at("127.0.0.1", server.address().port());
            server
        });
        Self { directory, remote, runtime, secret, driver, overwrite, announced: Vec::new(), _server: server }
    }

    fn cluster() -> Self {
        Self::new(true, false)
    }

    /// A file of the driver's machine.
    fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join("user").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn add(&mut self, place: impl AsRef<Path>, wanted: Wanted) -> Result<Added, AddFileError> {
        let added = self.driver.add(&place.as_ref().to_str().unwrap().parse().unwrap(), wanted)?;
        if let Added::New(file) = &added {
            self.announced.push(Arc::clone(file));
        }
        Ok(added)
    }

    /// An executor that knows what was added up to now.
    fn executor(&self, name: &str, cache: bool) -> ApplicationFiles {
        let options = ClientOptions { max_retries: 0, ..ClientOptions::default() };
        let client = TransferClient::new(&self.runtime, self.secret.clone(), Arc::new(NoSpool), options);
        let cache =
            cache.then(|| FetchCache::new(self.directory.path().join("cache"), Duration::from_secs(600)).unwrap());
        let options = ApplicationFilesOptions {
            root: self.directory.path().join(name).join("files"),
            overwrite: self.overwrite,
            cache,
        };
        let executor = ApplicationFiles::new(options, DriverFiles::There(client), self.remote.clone()).unwrap();
        executor.announce(self.announced.clone());
        executor
    }

    fn in_driver(&self, name: &str) -> String {
        read(self.driver.store(), name)
    }
}

fn read(files: &ApplicationFiles, name: &str) -> String {
    fs::read_to_string(files.root_directory().join(name)).unwrap()
}

fn place(executor: &ApplicationFiles) -> Result<(), PlaceFileError> {
    executor.place(executor.announced(), &|| false)
}

#[test]
fn a_file_goes_from_the_driver_to_executors() {
    let mut application = Application::cluster();
    let path = application.write("a.txt", "hello");
    application.add(&path, Wanted::File).unwrap();
    assert_eq!(application.in_driver("a.txt"), "hello");
    for cache in [false, true] {
        let executor = application.executor(&format!("executor-{cache}"), cache);
        place(&executor).unwrap();
        assert_eq!(read(&executor, "a.txt"), "hello");
    }
    let (_, listed) = &application.driver.list()[0];
    assert!(listed.starts_with("spark://127.0.0.1:") && listed.ends_with("/files/a.txt"), "{listed}");
}

#[test]
fn large_and_empty_files_arrive_whole() {
    let mut application = Application::cluster();
    // Some pieces and a part of one.
    let large: Vec<u8> = (0..(9 << 20) + 17u32).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    let path = application.write("large", &large);
    application.add(&path, Wanted::File).unwrap();
    let path = application.write("empty", "");
    application.add(&path, Wanted::File).unwrap();
    let executor = application.executor("executor", true);
    place(&executor).unwrap();
    assert!(fs::read(executor.root_directory().join("large")).unwrap() == large);
    assert_eq!(read(&executor, "empty"), "");
}

#[test]
fn executors_of_one_machine_fetch_once_and_do_not_share_what_they_write() {
    let mut application = Application::cluster();
    application.remote.files.lock().insert("s3a://b/a.txt".to_owned(), b"hello".to_vec());
    application.add("s3a://b/a.txt", Wanted::File).unwrap();
    let executors = ["1", "2", "3"].map(|name| application.executor(name, true));
    executors.iter().for_each(|executor| place(executor).unwrap());
    assert_eq!(application.remote.opened.lock().len(), 2, "once by the driver, once by executors");
    fs::write(executors[0].root_directory().join("a.txt"), "changed").unwrap();
    assert_eq!(read(&executors[1], "a.txt"), "hello");
    assert_eq!(read(&application.executor("4", true), "../../3/files/a.txt"), "hello");
}

#[test]
fn an_executor_without_the_cache_fetches_by_itself() {
    let mut application = Application::cluster();
    application.remote.files.lock().insert("s3a://b/a.txt".to_owned(), b"hello".to_vec());
    application.add("s3a://b/a.txt", Wanted::File).unwrap();
    for name in ["1", "2"] {
        place(&application.executor(name, false)).unwrap();
    }
    assert_eq!(application.remote.opened.lock().len(), 3);
}

#[test]
fn a_name_behind_the_number_sign_is_the_name() {
    let mut application = Application::cluster();
    let path = application.write("a.txt", "hello");
    application.add(format!("{}#b.txt", path.display()), Wanted::File).unwrap();
    let executor = application.executor("1", false);
    place(&executor).unwrap();
    assert_eq!(read(&executor, "b.txt"), "hello");
    assert!(!executor.root_directory().join("a.txt").exists());
    let (_, listed) = &application.driver.list()[0];
    assert!(listed.ends_with("/files/a.txt#b.txt"), "{listed}");
}

#[test]
fn archives_are_unpacked_under_their_names() {
    let mut application = Application::cluster();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    builder.append_data(&mut header, "d/a.txt", &b"hello"[..]).unwrap();
    let packed = builder.into_inner().unwrap();
    let path = application.write("env.tar", &packed);
    application.add(&path, Wanted::Archive).unwrap();
    application.add(format!("{}#env", path.display()), Wanted::Archive).unwrap();
    let other = application.write("no-archive.txt", "text");
    application.add(&other, Wanted::Archive).unwrap();
    application.remote.files.lock().insert("hdfs://n/x.tar".to_owned(), packed);
    application.add("hdfs://n/x.tar#remote", Wanted::Archive).unwrap();
    for cache in [false, true] {
        let executor = application.executor(&format!("executor-{cache}"), cache);
        place(&executor).unwrap();
        for name in ["env.tar/d/a.txt", "env/d/a.txt", "remote/d/a.txt"] {
            assert_eq!(read(&executor, name), "hello", "{name}");
            assert_eq!(application.in_driver(name), "hello", "{name}");
        }
        assert_eq!(read(&executor, "no-archive.txt"), "text");
    }
}

#[test]
fn an_archive_that_would_write_elsewhere_is_refused_by_the_driver() {
    let mut application = Application::cluster();
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..7].copy_from_slice(b"../evil");
    header.set_size(1);
    header.set_mode(0o644);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, &b"x"[..]).unwrap();
    let path = application.write("evil.tar", builder.into_inner().unwrap());
    let refused = error_chain(&application.add(&path, Wanted::Archive).unwrap_err());
    assert!(refused.contains("evil.tar") && refused.contains("\"../evil\" would be written outside"), "{refused}");
    assert!(application.driver.list().is_empty());
    let left: Vec<_> = fs::read_dir(application.directory.path().join("driver/files")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn directories_are_added_with_all_that_is_below_them() {
    let mut application = Application::cluster();
    for (path, text) in [("d/a.txt", "a"), ("d/e/b.txt", "b"), ("d/e/f/empty", "")] {
        application.write(path, text);
    }
    let directory = application.directory.path().join("user/d");
    let refused = application.add(&directory, Wanted::File).unwrap_err().to_string();
    assert!(refused.contains("is a directory; only SparkContext::add_file_recursive"), "{refused}");
    application.add(&directory, Wanted::FileOrDirectory).unwrap();
    application.remote.files.lock().insert("s3a://b/x/y/z.txt".to_owned(), b"z".to_vec());
    assert!(application.add("s3a://b/x", Wanted::File).is_err());
    application.add("s3a://b/x", Wanted::FileOrDirectory).unwrap();
    let executor = application.executor("1", true);
    place(&executor).unwrap();
    for (name, text) in [("d/a.txt", "a"), ("d/e/b.txt", "b"), ("d/e/f/empty", ""), ("x/y/z.txt", "z")] {
        assert_eq!(read(&executor, name), text, "{name}");
        assert_eq!(application.in_driver(name), text, "{name}");
    }
    std::os::unix::fs::symlink("..", directory.join("loop")).unwrap();
    fs::rename(&directory, directory.with_file_name("d2")).unwrap();
    let refused = application.add(directory.with_file_name("d2"), Wanted::FileOrDirectory).unwrap_err().to_string();
    assert!(refused.contains("loop is a link to a directory"), "{refused}");
}

#[test]
fn one_name_is_one_content() {
    let mut application = Application::cluster();
    let (first, second) = (application.write("a.txt", "a"), application.write("b/a.txt", "b"));
    let copy = application.write("c/a.txt", "a");
    assert!(matches!(application.add(&first, Wanted::File), Ok(Added::New(_))));
    assert!(matches!(application.add(&first, Wanted::File), Ok(Added::Before)));
    assert!(matches!(application.add(&copy, Wanted::File), Ok(Added::SameContent)));
    assert_eq!(application.driver.list().len(), 1);
    for jar in [&first, &copy] {
        let added = application.add(jar, Wanted::Jar);
        assert!(matches!(added, Ok(Added::SameContent)), "a jar is placed as a file is");
        let listed = application.driver.list();
        assert_eq!(listed.iter().map(|(wanted, _)| *wanted).collect::<Vec<_>>(), [Wanted::File, Wanted::Jar]);
        assert_eq!(listed[0].1, listed[1].1, "one file is served");
    }
    let refused = application.add(&second, Wanted::File).unwrap_err().to_string();
    assert!(refused.contains("b/a.txt has another content"), "{refused}");
    assert!(refused.contains("the name a.txt is taken by") && refused.contains("spark.files.overwrite"), "{refused}");
    assert_eq!(application.in_driver("a.txt"), "a");
    assert_eq!(application.driver.list().len(), 2);
}

#[test]
fn with_overwrite_the_later_content_counts_everywhere() {
    let mut application = Application::new(true, true);
    let first = application.write("a.txt", "first");
    application.add(&first, Wanted::File).unwrap();
    let early = application.executor("early", true);
    place(&early).unwrap();
    assert_eq!(read(&early, "a.txt"), "first");
    let second = application.write("b/a.txt", "second");
    application.add(&second, Wanted::File).unwrap();
    // What was overwritten is needed no more.
    fs::remove_file(first).unwrap();
    early.announce(vec![Arc::clone(&application.announced[1])]);
    let late = application.executor("late", true);
    for executor in [&early, &late] {
        place(executor).unwrap();
        assert_eq!(read(executor, "a.txt"), "second");
    }
    assert_eq!(application.in_driver("a.txt"), "second");
}

#[test]
fn a_file_that_a_task_has_made_is_not_written_over() {
    let mut application = Application::cluster();
    let path = application.write("a.txt", "added");
    application.add(&path, Wanted::File).unwrap();
    let executor = application.executor("1", false);
    fs::write(executor.root_directory().join("a.txt"), "made by a task").unwrap();
    let refused = place(&executor).unwrap_err().to_string();
    assert!(refused.contains("exists and has other content"), "{refused}");
    assert_eq!(read(&executor, "a.txt"), "made by a task");
}

#[test]
fn a_file_that_is_gone_or_changed_is_a_clear_failure_and_tried_again() {
    let mut application = Application::cluster();
    let path = application.write("a.txt", "hello");
    application.add(&path, Wanted::File).unwrap();
    let executor = application.executor("1", true);
    fs::remove_file(&path).unwrap();
    let failed = error_chain(&place(&executor).unwrap_err());
    assert!(failed.contains("could not fetch spark://") && failed.contains("user/a.txt is gone"), "{failed}");
    fs::write(&path, "longer than before").unwrap();
    let failed = error_chain(&place(&executor).unwrap_err());
    assert!(failed.contains("has changed since it was added"), "{failed}");
    fs::write(&path, "olleh").unwrap();
    let failed = error_chain(&place(&executor).unwrap_err());
    assert!(failed.contains("to the application: as many bytes came, 5, but their digest differs; add a"), "{failed}");
    assert!(!executor.root_directory().join("a.txt").exists());
    fs::write(&path, "hello").unwrap();
    place(&executor).unwrap();
    assert_eq!(read(&executor, "a.txt"), "hello");
}

#[test]
fn a_remote_file_that_has_changed_is_noticed() {
    let mut application = Application::cluster();
    application.remote.files.lock().insert("s3a://b/a.txt".to_owned(), b"hello".to_vec());
    application.add("s3a://b/a.txt", Wanted::File).unwrap();
    for (content, words) in [
        ("other", "as many bytes came, 5, but their digest differs"),
        ("hell", "4 bytes came instead of 5"),
        ("hello!", "more than 5 bytes came"),
    ] {
        application.remote.files.lock().insert("s3a://b/a.txt".to_owned(), content.into());
        let failed = place(&application.executor(content, false)).unwrap_err().to_string();
        assert!(failed.contains("s3a://b/a.txt has changed since it was added"), "{failed}");
        assert!(failed.contains(words), "{failed}");
    }
}

#[test]
fn no_more_is_fetched_than_was_added() {
    let mut application = Application::cluster();
    application.remote.files.lock().insert("s3a://b/a.txt".to_owned(), b"hello".to_vec());
    application.add("s3a://b/a.txt", Wanted::File).unwrap();
    application.remote.endless.store(true, Ordering::Relaxed);
    let failed = place(&application.executor("1", true)).unwrap_err().to_string();
    assert!(failed.contains("more than 5 bytes came"), "{failed}");
}

#[test]
fn files_of_every_machine_are_not_copied() {
    let mut application = Application::cluster();
    let path = application.write("a.txt", "hello");
    application.add(format!("local:{}", path.display()), Wanted::File).unwrap();
    let executor = application.executor("1", true);
    place(&executor).unwrap();
    assert_eq!(fs::read_link(executor.root_directory().join("a.txt")).unwrap(), path);
    application.add("local:/nowhere/b.txt", Wanted::File).unwrap();
    let executor = application.executor("2", true);
    let failed = place(&executor).unwrap_err().to_string();
    assert!(failed.contains("/nowhere/b.txt is not on this machine"), "{failed}");
}

#[test]
fn local_mode_places_files_when_they_are_added() {
    let mut application = Application::new(false, false);
    let path = application.write("a.txt", "hello");
    application.add(&path, Wanted::File).unwrap();
    assert_eq!(application.in_driver("a.txt"), "hello");
    assert_eq!(application.driver.list(), [(Wanted::File, format!("file:{}", path.display()))]);
    assert!(application.add("local:/nowhere/b.txt", Wanted::File).is_err());
    assert!(application.driver.served().piece(&FileRange { number: 0, part: 0, offset: 0, length: 1 }).is_err());
}

#[test]
fn an_archive_that_is_refused_in_local_mode_is_called_by_its_name() {
    let mut application = Application::new(false, false);
    let path = application.write("damaged.zip", "no archive");
    let refused = error_chain(&application.add(&path, Wanted::Archive).unwrap_err());
    assert!(refused.contains("could not unpack damaged.zip: the archive cannot be read"), "{refused}");
}

#[test]
fn what_is_not_there_is_refused() {
    let mut application = Application::cluster();
    for (place, words) in [
        ("/nowhere/a.txt", "/nowhere/a.txt cannot be added to the application: No such file"),
        ("s3a://b/gone", "s3a://b/gone cannot be added to the application: s3a://b/gone does not exist"),
        ("/", "would be called \"\""),
        ("s3a://b", "does not exist"),
    ] {
        let refused = error_chain(&application.add(place, Wanted::File).unwrap_err());
        assert!(refused.contains(words), "{place}: {refused}");
    }
}

#[test]
fn a_killed_task_waits_no_longer() {
    let mut application = Application::cluster();
    let path = application.write("a.txt", "hello");
    application.add(&path, Wanted::File).unwrap();
    let executor = application.executor("1", true);
    let killed = executor.place(1, &|| true);
    assert!(matches!(killed, Err(PlaceFileError::Killed)), "{killed:?}");
    place(&executor).unwrap();
}

#[test]
fn only_what_was_announced_to_a_task_is_waited_for() {
    let mut application = Application::cluster();
    let path = application.write("a.txt", "hello");
    application.add(&path, Wanted::File).unwrap();
    let executor = application.executor("1", true);
    executor.place(0, &|| false).unwrap();
    assert!(!executor.root_directory().join("a.txt").exists());
}

#[test]
fn pieces_outside_of_a_file_are_refused() {
    let mut application = Application::cluster();
    let path = application.write("a.txt", "hello");
    application.add(&path, Wanted::File).unwrap();
    let piece = |number, part, offset, length| {
        application.driver.served().piece(&FileRange { number, part, offset, length }).map(|payload| payload.length())
    };
    assert_eq!(piece(0, 0, 1, 4), Ok(4));
    for (number, part, offset, length) in [(0, 0, 1, 5), (0, 0, u64::MAX, 2), (0, 1, 0, 1), (1, 0, 0, 1)] {
        assert!(piece(number, part, offset, length).is_err(), "{number} {part} {offset} {length}");
    }
}
