//! Reduce tasks that fetch from executors over loopback: right, or a failure that says what to do.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use firesteel_io_encryption::{IoEncryption, KeySize};
use firesteel_local_dirs::LocalDirs;
use firesteel_model::{
    ApplicationId, BlockId, BlockManagerId, ByteCount, ExecutorId, MapId, MapIndex, ReduceId, ShuffleId,
    ShuffleReadMetrics,
};
use firesteel_rpc::{Secret, Secrets};
use firesteel_shuffle::{
    BlockToFetch, Codec, Compression, CorruptionCause, FetchError, FetchFailedError, FetchLimits, MapOutputWriter,
    ShuffleBlockResolver, ShuffleFetcher, ShuffleReadContext, ShuffleService, WriterOptions,
};
use firesteel_transfer::{
    ClientOptions, LocalDirsSpool, PeerAddress, ServerOptions, TransferClient, TransferError, TransferRuntime,
    TransferServer,
};

const SHUFFLE: ShuffleId = ShuffleId(2);

/// The records of each map output, by map index.
type Fetched = Result<Vec<(u32, Vec<u8>)>, FetchError>;

fn application() -> ApplicationId {
    ApplicationId::from("app-1")
}

struct Executor {
    id: ExecutorId,
    resolver: Arc<ShuffleBlockResolver>,
    local_dirs: Arc<LocalDirs>,
    server: Option<TransferServer>,
    port: u16,
    _root: tempfile::TempDir,
}

struct Cluster {
    runtime: TransferRuntime,
    secret: Secret,
    executors: Vec<Executor>,
}

fn records(map: usize, reducer: u32, size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 13 + at / 97 + map * 7 + reducer as usize) as u8).collect()
}

impl Cluster {
    fn start(executors: usize) -> Self {
        Self::with_encryption(executors, None)
    }

    /// One whose local files are as they are, and one where they are encrypted.
    fn plain_and_encrypted(executors: usize) -> [Self; 2] {
        [None, Some(IoEncryption::generate(KeySize::Bits128))]
            .map(|encryption| Self::with_encryption(executors, encryption))
    }

    fn with_encryption(executors: usize, encryption: Option<IoEncryption>) -> Self {
        let runtime = TransferRuntime::new(NonZeroUsize::new(2).unwrap()).unwrap();
        let secret = Secret::generate();
        let executors = (0..executors).map(|number| {
            let root = tempfile::tempdir().unwrap();
            let (local_dirs, _) = LocalDirs::create(&[root.path().to_owned()]).unwrap();
            let local_dirs = Arc::new(local_dirs.with_encryption(encryption.clone()));
            let resolver = Arc::new(ShuffleBlockResolver::new(ByteCount::mib(1)));
            let id = ExecutorId::new(number.to_string());
            resolver.register(application(), id.clone(), local_dirs.clone());
            let service = Arc::new(ShuffleService::of_application(resolver.clone(), application()));
            let server =
                TransferServer::start(&runtime, "127.0.0.1", 0, secret.clone(), service, ServerOptions::default())
                    .unwrap();
            Executor { id, resolver, local_dirs, port: server.address().port(), server: Some(server), _root: root }
        });
        let executors = executors.collect();
        Self { runtime, secret, executors }
    }

    /// Map task M runs on executor M modulo their number.
    fn write(&self, maps: usize, reducers: u32, size: usize, options: &WriterOptions) -> Vec<BlockToFetch> {
        let map_outputs = (0..maps).map(|map| {
            let executor = &self.executors[map % self.executors.len()];
            let map_id = MapId(map as u64 + 100);
            let mut writer = MapOutputWriter::create(&executor.local_dirs, SHUFFLE, map_id, reducers, options).unwrap();
            for reducer in 0..reducers {
                writer.append(ReduceId(reducer), &records(map, reducer, size)).unwrap();
            }
            let index = writer.commit().unwrap();
            BlockToFetch {
                block_manager_id: self.block_manager_id(map % self.executors.len(), executor.port),
                map_id,
                map_index: MapIndex(map as u32),
                reduce_start: ReduceId(1),
                reduce_end: ReduceId(2),
                size: index.lengths().nth(1).unwrap(),
            }
        });
        map_outputs.collect()
    }

    fn block_manager_id(&self, executor: usize, port: u16) -> BlockManagerId {
        BlockManagerId { executor_id: self.executors[executor].id.clone(), host: "127.0.0.1".to_owned(), port }
    }

    fn client(&self, options: ClientOptions) -> TransferClient {
        let spool = Arc::new(LocalDirsSpool::new(self.executors[0].local_dirs.clone()));
        TransferClient::new(&self.runtime, self.secret.clone(), spool, options)
    }

    /// Of executor 0.
    fn context(&self, options: ClientOptions) -> ShuffleReadContext {
        ShuffleReadContext {
            application_id: application(),
            executor_id: self.executors[0].id.clone(),
            resolver: self.executors[0].resolver.clone(),
            client: self.client(options),
            encryption: self.executors[0].local_dirs.encryption().cloned(),
        }
    }

    fn fetch(&self, blocks: &[BlockToFetch]) -> (Fetched, ShuffleReadMetrics) {
        fetch(self.context(quick()), blocks, FetchLimits::default())
    }

    fn data_file(&self, map: usize) -> PathBuf {
        let block_id = BlockId::ShuffleData(SHUFFLE, MapId(map as u64 + 100));
        self.executors[map % self.executors.len()].local_dirs.path(&block_id.to_string())
    }
}

fn quick() -> ClientOptions {
    ClientOptions { retry_wait: Duration::from_millis(5), ..ClientOptions::default() }
}

/// All records by map index; an error of a reader is the fetch failure in it.
fn fetch(context: ShuffleReadContext, blocks: &[BlockToFetch], limits: FetchLimits) -> (Fetched, ShuffleReadMetrics) {
    let mut fetcher = ShuffleFetcher::start(context, SHUFFLE, blocks.to_vec(), limits, Arc::default());
    let mut read = || {
        let mut segments = Vec::new();
        for block in fetcher.by_ref() {
            let mut block = block?;
            let mut bytes = Vec::new();
            if let Err(error) = block.reader.read_to_end(&mut bytes) {
                return Err(FetchFailedError::find(&error).expect("readers fail with fetch failures").clone().into());
            }
            segments.push((block.block.map_index.0, bytes));
        }
        segments.sort();
        Ok(segments)
    };
    let result = read();
    assert!(result.is_ok() || fetcher.next().is_none(), "nothing follows an error");
    (result, fetcher.metrics())
}

fn expected(maps: usize, size: usize) -> Vec<(u32, Vec<u8>)> {
    (0..maps).map(|map| (map as u32, records(map, 1, size))).collect()
}

fn failure(result: Fetched) -> FetchFailedError {
    match result {
        Err(FetchError::FetchFailed(failed)) => failed,
        other => panic!("{:?}", other.map(|segments| segments.len())),
    }
}

fn flip_byte(path: &PathBuf, from_end: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

#[test]
fn all_segments_come_whatever_the_limits() {
    for cluster in Cluster::plain_and_encrypted(3) {
        let blocks = cluster.write(20, 3, 30_000, &WriterOptions::default());
        for limits in [
            FetchLimits::default(),
            FetchLimits { max_size_in_flight: ByteCount(1), ..FetchLimits::default() },
            FetchLimits { max_requests_in_flight: 1, max_blocks_in_flight_per_address: 2, ..FetchLimits::default() },
        ] {
            let (result, metrics) = fetch(cluster.context(quick()), &blocks, limits);
            assert!(result.unwrap() == expected(20, 30_000), "{limits:?}");
            assert_eq!((metrics.local_blocks_fetched, metrics.remote_blocks_fetched), (7, 13));
            let total: u64 = blocks.iter().map(|block| block.size).sum();
            assert_eq!(metrics.local_bytes_read + metrics.remote_bytes_read, total);
        }
    }
}

#[test]
fn empty_segments_are_not_asked_for() {
    for cluster in Cluster::plain_and_encrypted(2) {
        let mut blocks = cluster.write(4, 2, 0, &WriterOptions::default());
        assert!(blocks.iter().all(|block| block.size == 0));
        // Nobody is there, and nobody is needed.
        for block in &mut blocks {
            block.block_manager_id.port = 1;
        }
        let (result, metrics) = cluster.fetch(&blocks);
        assert_eq!(result.unwrap(), []);
        assert_eq!(metrics, ShuffleReadMetrics::default());
    }
}

#[test]
fn files_of_other_executors_on_this_host_are_read_in_place_or_fetched_after_all() {
    for cluster in Cluster::plain_and_encrypted(2) {
        let blocks = cluster.write(6, 2, 5000, &WriterOptions::default());
        let [reader, neighbour] = &cluster.executors[..] else { panic!("two") };
        reader.resolver.register(application(), neighbour.id.clone(), neighbour.local_dirs.clone());
        let (result, metrics) = cluster.fetch(&blocks);
        assert!(result.unwrap() == expected(6, 5000));
        assert_eq!((metrics.local_blocks_fetched, metrics.remote_blocks_fetched), (6, 0));

        // Its directories turn out not to be readable from here.
        let nowhere = Arc::new(LocalDirs::open(vec!["/nonexistent".into()]));
        reader.resolver.forget_executor(&application(), &neighbour.id);
        reader.resolver.register(application(), neighbour.id.clone(), nowhere);
        let (result, metrics) = cluster.fetch(&blocks);
        assert!(result.unwrap() == expected(6, 5000));
        assert_eq!((metrics.local_blocks_fetched, metrics.remote_blocks_fetched), (3, 3));
    }
}

#[test]
fn large_segments_go_to_disk_and_long_local_ones_are_streamed() {
    for cluster in Cluster::plain_and_encrypted(2) {
        let plain = WriterOptions { compression: Compression::new(Codec::None), ..WriterOptions::default() };
        let blocks = cluster.write(2, 2, 5 << 20, &plain);
        let options = ClientOptions { max_size_in_memory: ByteCount::mib(1), ..quick() };
        let (result, metrics) = fetch(cluster.context(options.clone()), &blocks, FetchLimits::default());
        assert!(result.unwrap() == expected(2, 5 << 20));
        assert_eq!(metrics.remote_bytes_read_to_disk, metrics.remote_bytes_read);
        assert!(metrics.local_bytes_read > 5 << 20);

        // Damage shows at the end of both, as a fetch failure inside the reader's error.
        for map in 0..2 {
            flip_byte(&cluster.data_file(map), 1000);
            let (result, _) = fetch(cluster.context(options.clone()), &blocks[map..=map], FetchLimits::default());
            let failed = failure(result);
            assert_eq!((failed.map_index, failed.corruption), (MapIndex(map as u32), Some(CorruptionCause::Disk)));
        }
    }
}

#[test]
fn a_deleted_file_names_the_map_output_that_must_run_again() {
    let cluster = Cluster::start(2);
    let blocks = cluster.write(4, 2, 5000, &WriterOptions::default());
    for map in [1, 2] {
        fs::remove_file(cluster.data_file(map)).unwrap();
        let (result, _) = cluster.fetch(&blocks[map..=map]);
        let failed = failure(result);
        assert_eq!(failed.block_manager_id, blocks[map].block_manager_id);
        assert_eq!((failed.shuffle_id, failed.map_id), (SHUFFLE, blocks[map].map_id));
        assert_eq!((failed.map_index, failed.reduce_id), (MapIndex(map as u32), ReduceId(1)));
        assert_eq!(failed.corruption, None);
        assert!(failed.message.contains("is not there"), "{}", failed.message);
    }
}

#[test]
fn damage_on_disk_is_told_from_damage_on_the_way() {
    for cluster in Cluster::plain_and_encrypted(2) {
        let blocks = cluster.write(4, 2, 5000, &WriterOptions::default());
        for map in [0, 1] {
            flip_byte(&cluster.data_file(map), 10);
            let failed = failure(cluster.fetch(&blocks[map..=map]).0);
            assert_eq!(failed.corruption, Some(CorruptionCause::Disk), "{failed}");
            let truncated = fs::read(cluster.data_file(map)).unwrap();
            fs::write(cluster.data_file(map), &truncated[..truncated.len() - 1]).unwrap();
            let failed = failure(cluster.fetch(&blocks[map..=map]).0);
            assert!(failed.message.contains("is damaged"), "{failed}");
        }
    }
}

#[test]
fn without_checksums_damage_shows_when_it_cannot_be_decoded() {
    let cluster = Cluster::start(2);
    let blocks = cluster.write(2, 2, 5000, &WriterOptions { checksums: false, ..WriterOptions::default() });
    for map in 0..2 {
        // The header of the second segment's only block: an unknown codec.
        let mut bytes = fs::read(cluster.data_file(map)).unwrap();
        let at = bytes.len() - blocks[map].size as usize;
        bytes[at] = 99;
        fs::write(cluster.data_file(map), bytes).unwrap();
        let failed = failure(cluster.fetch(&blocks[map..=map]).0);
        assert_eq!(failed.corruption, Some(CorruptionCause::Unknown), "{failed}");
    }
}

/// The first reducer's segment is read with its neighbour's: two streams, as they lie in the file.
#[test]
fn encrypted_segments_say_nothing_and_neighbours_are_read_as_one() {
    let stored = WriterOptions { compression: Compression::new(Codec::None), ..WriterOptions::default() };
    for options in [stored, WriterOptions { checksums: false, ..stored }, WriterOptions::default()] {
        let cluster = &Cluster::plain_and_encrypted(2)[1];
        let mut blocks = cluster.write(4, 4, 70_000, &options);
        let file = fs::read(cluster.data_file(1)).unwrap();
        let text = records(1, 1, 70_000);
        assert!(!file.windows(16).any(|window| window == &text[1000..1016]));
        for block in &mut blocks {
            block.reduce_end = ReduceId(3);
        }
        let (result, _) = cluster.fetch(&blocks);
        let both = (0..4).map(|map| (map as u32, [records(map, 1, 70_000), records(map, 2, 70_000)].concat()));
        assert!(result.unwrap() == both.collect::<Vec<_>>());
    }
}

#[test]
fn what_was_changed_in_encrypted_segments_shows_without_checksums() {
    let cluster = &Cluster::plain_and_encrypted(2)[1];
    for map in [0, 1] {
        let blocks = cluster.write(2, 2, 5000, &WriterOptions { checksums: false, ..WriterOptions::default() });
        // The last byte of a tag: every byte of the text is as it was.
        flip_byte(&cluster.data_file(map), 1);
        let failed = failure(cluster.fetch(&blocks[map..=map]).0);
        assert_eq!((failed.map_index, failed.corruption), (MapIndex(map as u32), Some(CorruptionCause::Unknown)));
        assert!(failed.message.contains("was changed"), "{failed}");
    }
}

#[test]
fn another_applications_key_reads_nothing() {
    let cluster = &Cluster::plain_and_encrypted(2)[1];
    let blocks = cluster.write(2, 2, 5000, &WriterOptions::default());
    for encryption in [None, Some(IoEncryption::generate(KeySize::Bits128))] {
        for map in [0, 1] {
            let context = ShuffleReadContext { encryption: encryption.clone(), ..cluster.context(quick()) };
            let failed = failure(fetch(context, &blocks[map..=map], FetchLimits::default()).0);
            assert_eq!(failed.corruption, Some(CorruptionCause::Unknown), "{failed}");
        }
    }
}

/// Passes on, and flips a byte of what the server sends on the first `damaged` segments' bodies of 5 kB and more.
fn damaging_proxy(server: u16, damaged: usize) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
            let (mut near_read, mut far_write) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut near_read, &mut far_write);
                let _ = far_write.shutdown(Shutdown::Both);
            });
            let (mut near, mut far, counter) = (near, far, counter.clone());
            thread::spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = far.read(&mut buffer) {
                    // A small reply comes in one piece, as it is sent in one.
                    if read > 5000 && counter.fetch_add(1, Ordering::SeqCst) < damaged {
                        buffer[read - 100] ^= 1;
                    }
                    if near.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                let _ = near.shutdown(Shutdown::Both);
            });
        }
    });
    (port, count)
}

#[test]
fn a_segment_damaged_on_the_way_is_fetched_again_and_given_up_the_second_time() {
    let cluster = Cluster::start(2);
    let plain = WriterOptions { compression: Compression::new(Codec::None), ..WriterOptions::default() };
    let blocks = cluster.write(2, 2, 6000, &plain);
    for (damaged, fails) in [(1, false), (2, true)] {
        let (port, count) = damaging_proxy(cluster.executors[1].port, damaged);
        let mut block = blocks[1].clone();
        block.block_manager_id.port = port;
        let (result, _) = cluster.fetch(&[block]);
        if fails {
            assert_eq!(failure(result).corruption, Some(CorruptionCause::Network));
        } else {
            assert!(result.unwrap() == expected(2, 6000)[1..]);
        }
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_server_killed_in_the_middle_is_a_fetch_failure() {
    let mut cluster = Cluster::start(2);
    // More than can be on their way when the server goes.
    let blocks = cluster.write(60, 2, 30_000, &WriterOptions::default());
    let remote: Vec<_> =
        blocks.iter().filter(|block| block.block_manager_id.executor_id == cluster.executors[1].id).cloned().collect();
    let limits = FetchLimits { max_size_in_flight: ByteCount(1), ..FetchLimits::default() };
    let context = cluster.context(ClientOptions { max_retries: 1, ..quick() });
    let mut fetcher = ShuffleFetcher::start(context, SHUFFLE, remote, limits, Arc::default());
    fetcher.next().unwrap().unwrap();
    cluster.executors[1].server = None;
    let failed = fetcher.find_map(Result::err).expect("the rest cannot come");
    let FetchError::FetchFailed(failed) = failed else { panic!("{failed}") };
    assert_eq!(failed.block_manager_id.executor_id, cluster.executors[1].id);
    assert!(failed.message.contains("spark.shuffle.io.maxRetries"), "{}", failed.message);
}

#[test]
fn a_killed_task_stops_waiting() {
    let cluster = Cluster::start(2);
    let mut blocks = cluster.write(2, 2, 5000, &WriterOptions::default());
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    blocks[1].block_manager_id.port = silent.local_addr().unwrap().port();
    let killed = Arc::new(AtomicBool::new(false));
    let mut fetcher = ShuffleFetcher::start(
        cluster.context(quick()),
        SHUFFLE,
        blocks[1..].to_vec(),
        FetchLimits::default(),
        killed.clone(),
    );
    let (waiting, waits) = mpsc::channel();
    let task = thread::spawn(move || {
        waiting.send(()).unwrap();
        fetcher.next()
    });
    waits.recv().unwrap();
    killed.store(true, Ordering::Relaxed);
    assert!(matches!(task.join().unwrap(), Some(Err(FetchError::Killed))));
}

#[test]
fn a_data_plane_that_stops_is_no_map_tasks_fault() {
    let cluster = Cluster::start(2);
    let blocks = cluster.write(2, 2, 5000, &WriterOptions::default());
    let context = cluster.context(quick());
    drop(cluster.runtime);
    let (result, _) = fetch(context, &blocks[1..], FetchLimits::default());
    assert!(matches!(result, Err(FetchError::Stopped)));
}

/// The directories as another executor on the host tells them.
fn told(local_dirs: &LocalDirs) -> Vec<String> {
    local_dirs.directories().iter().map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn files_of_another_executor_on_the_host_are_read_in_place() {
    let mut cluster = Cluster::start(2);
    let blocks = cluster.write(4, 2, 5000, &WriterOptions::default());
    let [reader, writer] = &cluster.executors[..] else { panic!("two executors") };
    let allowed = [writer._root.path().to_owned()];
    let told = told(&writer.local_dirs);
    reader.resolver.register_host_local(application(), writer.id.clone(), &told, &allowed).unwrap();
    // Nobody could be asked.
    cluster.executors[1].server = None;
    let (result, metrics) = cluster.fetch(&blocks);
    assert!(result.unwrap() == expected(4, 5000));
    assert_eq!((metrics.local_blocks_fetched, metrics.remote_blocks_fetched), (4, 0));
    assert_eq!(metrics.remote_bytes_read, 0);

    // The checks are the same as for one's own.
    let file = cluster.data_file(1);
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (result, _) = cluster.fetch(&blocks);
    let failed = failure(result);
    assert_eq!(failed.corruption, Some(CorruptionCause::Disk));
    assert_eq!(failed.block_manager_id.executor_id, cluster.executors[1].id);
}

#[test]
fn what_cannot_be_opened_in_place_is_fetched() {
    let cluster = Cluster::start(2);
    let blocks = cluster.write(4, 2, 5000, &WriterOptions::default());
    let [reader, writer] = &cluster.executors[..] else { panic!("two executors") };
    // As in a container of its own: the path is there and means something else.
    let elsewhere = tempfile::tempdir().unwrap();
    let told = [elsewhere.path().to_str().unwrap().to_owned()];
    let allowed = [elsewhere.path().to_owned()];
    reader.resolver.register_host_local(application(), writer.id.clone(), &told, &allowed).unwrap();
    let (result, metrics) = cluster.fetch(&blocks);
    assert!(result.unwrap() == expected(4, 5000));
    assert_eq!((metrics.local_blocks_fetched, metrics.remote_blocks_fetched), (2, 2));
}

#[test]
fn directories_of_others_are_not_taken() {
    let cluster = Cluster::start(2);
    let [reader, writer] = &cluster.executors[..] else { panic!("two executors") };
    let refused = |directory: &Path, allowed: &Path| {
        let directories = [directory.to_str().unwrap().to_owned()];
        let allowed = [allowed.to_owned()];
        let refused = reader.resolver.register_host_local(application(), writer.id.clone(), &directories, &allowed);
        assert!(!reader.resolver.is_registered(&application(), &writer.id));
        refused.unwrap_err().to_string()
    };
    let theirs = &writer.local_dirs.directories()[0];
    let message = refused(theirs, reader._root.path());
    assert!(message.contains("outside the local directories"), "{message}");
    // A link out of the allowed place is followed before it is judged.
    let link = reader._root.path().join("link");
    std::os::unix::fs::symlink(theirs, &link).unwrap();
    let message = refused(&link, reader._root.path());
    assert!(message.contains("outside the local directories"), "{message}");
    let message = refused(Path::new("blockmgr"), reader._root.path());
    assert!(message.contains("not absolute"), "{message}");
    // The system's directories are root's; root itself gives one of its own away.
    let message = if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(theirs, Some(65534), None).unwrap();
        refused(theirs, writer._root.path())
    } else {
        refused(Path::new("/usr"), Path::new("/"))
    };
    assert!(message.contains("belongs to the user"), "{message}");
}

struct Applications([(ApplicationId, Secret); 2]);

impl Secrets for Applications {
    fn secret(&self, key_id: &str) -> Option<Secret> {
        self.0.iter().find(|(id, _)| id.as_str() == key_id).map(|(_, secret)| secret.clone())
    }
}

#[test]
fn an_external_service_serves_each_application_its_own_after_its_executors_are_gone() {
    let mut cluster = Cluster::start(2);
    let mut blocks = cluster.write(4, 2, 5000, &WriterOptions::default());
    let (own, other) = (cluster.secret.clone(), Secret::generate());
    let applications = Applications([(application(), own), (ApplicationId::from("app-2"), other.clone())]);
    let resolver = Arc::new(ShuffleBlockResolver::new(ByteCount::mib(1)));
    let service = Arc::new(ShuffleService::external(resolver.clone(), Vec::new()));
    let server =
        TransferServer::start(&cluster.runtime, "127.0.0.1", 0, applications, service, ServerOptions::default())
            .unwrap();
    let peer = PeerAddress::new("127.0.0.1", server.address().port());
    let options = ClientOptions { key_id: "app-1".to_owned(), ..quick() };
    for executor in &mut cluster.executors {
        let directories = executor.local_dirs.directories().iter().map(|path| path.to_str().unwrap().to_owned());
        let directories = directories.collect();
        let executor_id = executor.id.clone();
        let spool = Arc::new(LocalDirsSpool::new(executor.local_dirs.clone()));
        let client = TransferClient::new(&cluster.runtime, cluster.secret.clone(), spool, options.clone());
        client.register_executor(&peer, executor_id, directories).unwrap();
        executor.server = None;
    }
    for block in &mut blocks {
        block.block_manager_id.port = peer.port;
    }
    let (result, metrics) = fetch(cluster.context(options), &blocks, FetchLimits::default());
    assert!(result.unwrap() == expected(4, 5000));
    assert_eq!(metrics.remote_blocks_fetched, 2);

    // Another application proves its own secret, asks for the same segment, and does not get it.
    let spool = Arc::new(LocalDirsSpool::new(cluster.executors[0].local_dirs.clone()));
    let options = ClientOptions { key_id: "app-2".to_owned(), ..quick() };
    let stranger = TransferClient::new(&cluster.runtime, other, spool, options);
    let (sender, results) = mpsc::channel();
    let segment_id = firesteel_shuffle::SegmentId::of_reducer(SHUFFLE, blocks[1].map_id, ReduceId(1));
    let _handle =
        stranger.fetch_segments(peer.clone(), cluster.executors[1].id.clone(), vec![segment_id], move |_, result| {
            sender.send(result).unwrap();
        });
    let result = results.recv().unwrap();
    assert!(matches!(result, Err(TransferError::NotFound { .. })), "{result:?}");
    let refused = stranger.fetch_block(&peer, BlockId::ShuffleData(SHUFFLE, blocks[1].map_id));
    assert!(matches!(refused, Err(TransferError::Refused { .. })), "{refused:?}");
}
