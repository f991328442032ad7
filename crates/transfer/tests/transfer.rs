//! A server and a client over loopback: what is asked for comes, whatever happens to the connection.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use firesteel_local_dirs::LocalDirs;
use firesteel_model::{BlockId, BroadcastId, ByteCount, ExecutorId, MapId, ReduceId, ShuffleId, StorageLevel};
use firesteel_rpc::Secret;
use firesteel_transfer::{
    BlockSource, BlockUpload, Body, ClientOptions, CorruptSegment, CorruptionCause, Fetched, LocalDirsSpool, Payload,
    PeerAddress, Requester, Segment, SegmentId, ServerOptions, TransferClient, TransferError, TransferRuntime,
    TransferServer, Unavailable, UploadSink,
};

/// The segment of reducer R starts at R × 1000 and has R × R bytes: map 0's in memory, map 2's in a file.
struct Source {
    file: Arc<File>,
    stored: Arc<Mutex<HashMap<BlockId, Vec<u8>>>>,
}

fn content(offset: usize, length: usize) -> Vec<u8> {
    (offset..offset + length).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn segment_bytes(reduce_id: u32) -> Vec<u8> {
    content(reduce_id as usize * 1000, (reduce_id * reduce_id) as usize)
}

const FILE_LENGTH: usize = 12 << 20;

impl Source {
    fn new() -> Arc<Self> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content(0, FILE_LENGTH)).unwrap();
        Arc::new(Self { file: Arc::new(file), stored: Arc::default() })
    }
}

impl BlockSource for Source {
    fn segment(&self, _: &Requester, executor_id: &ExecutorId, segment_id: SegmentId) -> Result<Segment, Unavailable> {
        if *executor_id != ExecutorId::from("1") {
            return Err(Unavailable::NotFound(format!("no executor {executor_id}")));
        }
        let reduce_id = segment_id.reduce_start.0;
        if reduce_id > 2800 {
            return Err(Unavailable::NotFound(format!("no reducer {reduce_id}")));
        }
        let bytes = segment_bytes(reduce_id);
        let checksum = Some(crc32fast::hash(&bytes));
        let payload = match segment_id.map_id.0 {
            0 => Payload::Memory(bytes.into()),
            // Longer than the file is: it was truncated behind the source's back.
            1 => Payload::File { file: self.file.clone(), offset: FILE_LENGTH as u64, length: 1 << 20 },
            _ => Payload::File {
                file: self.file.clone(),
                offset: u64::from(reduce_id) * 1000,
                length: bytes.len() as u64,
            },
        };
        Ok(Segment { payload, checksum })
    }

    fn block(&self, _: &Requester, block_id: &BlockId) -> Result<Payload, Unavailable> {
        match self.stored.lock().unwrap().get(block_id) {
            Some(bytes) => Ok(Payload::Memory(Bytes::from(bytes.clone()))),
            None => Err(Unavailable::NotFound(format!("{block_id} is not stored here"))),
        }
    }

    fn upload(&self, _: &Requester, upload: &BlockUpload) -> Result<Box<dyn UploadSink>, Unavailable> {
        if upload.level == StorageLevel::NONE {
            return Err(Unavailable::Refused("not kept at all".to_owned()));
        }
        Ok(Box::new(Sink {
            block_id: upload.block_id,
            level: upload.level,
            bytes: Vec::new(),
            stored: self.stored.clone(),
        }))
    }

    fn diagnose_corruption(&self, _: &Requester, corrupt: &CorruptSegment) -> CorruptionCause {
        let bytes = segment_bytes(corrupt.segment_id.reduce_start.0);
        if crc32fast::hash(&bytes) == corrupt.checksum_by_reader {
            CorruptionCause::Unknown
        } else {
            CorruptionCause::Network
        }
    }
}

struct Sink {
    block_id: BlockId,
    level: StorageLevel,
    bytes: Vec<u8>,
    stored: Arc<Mutex<HashMap<BlockId, Vec<u8>>>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.level == StorageLevel::DISK_ONLY {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl UploadSink for Sink {
    fn finish(self: Box<Self>) -> Result<(), Unavailable> {
        self.stored.lock().unwrap().insert(self.block_id, self.bytes);
        Ok(())
    }
}

struct Cluster {
    runtime: TransferRuntime,
    server: TransferServer,
    secret: Secret,
    local_dirs: Arc<LocalDirs>,
    _root: tempfile::TempDir,
}

impl Cluster {
    fn start(options: ServerOptions) -> Self {
        let runtime = TransferRuntime::new(NonZeroUsize::new(2).unwrap()).unwrap();
        let secret = Secret::generate();
        let server = TransferServer::start(&runtime, "127.0.0.1", 0, secret.clone(), Source::new(), options).unwrap();
        let root = tempfile::tempdir().unwrap();
        let local_dirs = Arc::new(LocalDirs::create(&[root.path().to_owned()]).unwrap().0);
        Self { runtime, server, secret, local_dirs, _root: root }
    }

    fn client(&self, options: ClientOptions) -> TransferClient {
        let spool = Arc::new(LocalDirsSpool::new(self.local_dirs.clone()));
        TransferClient::new(&self.runtime, self.secret.clone(), spool, options)
    }

    fn peer(&self) -> PeerAddress {
        PeerAddress::new("127.0.0.1", self.server.address().port())
    }
}

fn quick() -> ClientOptions {
    ClientOptions { retry_wait: Duration::from_millis(5), ..ClientOptions::default() }
}

fn segment(map_id: u64, reduce_id: u32) -> SegmentId {
    SegmentId::of_reducer(ShuffleId(3), MapId(map_id), ReduceId(reduce_id))
}

/// Waits for all segments, in order.
fn fetch(client: &TransferClient, peer: &PeerAddress, segments: Vec<SegmentId>) -> Vec<Result<Fetched, TransferError>> {
    let (sender, results) = mpsc::channel();
    let count = segments.len();
    let _handle = client.fetch_segments(peer.clone(), ExecutorId::from("1"), segments, move |index, result| {
        sender.send((index, result)).unwrap();
    });
    results
        .iter()
        .take(count)
        .enumerate()
        .map(|(expected, (index, result))| {
            assert_eq!(index, expected);
            result
        })
        .collect()
}

fn bytes(fetched: Fetched) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (length, checksum) = (fetched.body.length(), fetched.checksum);
    fetched.body.into_reader().read_to_end(&mut bytes).unwrap();
    assert_eq!(length, bytes.len() as u64);
    assert_eq!(checksum.unwrap_or_else(|| crc32fast::hash(&bytes)), crc32fast::hash(&bytes));
    bytes
}

const SIZES: [u32; 12] = [0, 1, 5, 100, 180, 181, 182, 400, 724, 725, 1024, 2800];

#[test]
fn segments_of_all_sizes_come_in_order_in_clear_and_encrypted() {
    for (server_encrypts, client_encrypts) in [(false, false), (true, false), (false, true), (true, true)] {
        let cluster = Cluster::start(ServerOptions { encrypt: server_encrypts, ..ServerOptions::default() });
        let client = cluster.client(ClientOptions { encrypt: client_encrypts, connections_per_peer: 2, ..quick() });
        for map_id in [0, 2] {
            let segments = SIZES.map(|reduce_id| segment(map_id, reduce_id)).to_vec();
            let results = fetch(&client, &cluster.peer(), segments);
            for (reduce_id, result) in SIZES.into_iter().zip(results) {
                assert!(bytes(result.unwrap()) == segment_bytes(reduce_id), "reducer {reduce_id} of map {map_id}");
            }
        }
    }
}

#[test]
fn a_missing_segment_fails_alone() {
    let cluster = Cluster::start(ServerOptions::default());
    let results =
        fetch(&cluster.client(quick()), &cluster.peer(), vec![segment(2, 7), segment(2, 5000), segment(2, 9)]);
    let [first, missing, last] = results.try_into().unwrap();
    assert_eq!(bytes(first.unwrap()), segment_bytes(7));
    assert!(matches!(missing, Err(TransferError::NotFound { message, .. }) if message == "no reducer 5000"));
    assert_eq!(bytes(last.unwrap()), segment_bytes(9));
}

#[test]
fn what_is_too_large_for_memory_goes_to_disk_and_leaves_nothing_there() {
    let cluster = Cluster::start(ServerOptions::default());
    let client = cluster.client(ClientOptions { max_size_in_memory: ByteCount(100_000), ..quick() });
    let results = fetch(&client, &cluster.peer(), vec![segment(2, 300), segment(2, 2000), segment(2, 301)]);
    let kinds: Vec<bool> =
        results.iter().map(|result| matches!(result.as_ref().unwrap().body, Body::Memory(_))).collect();
    assert_eq!(kinds, [true, false, true]);
    for (reduce_id, result) in [300, 2000, 301].into_iter().zip(results) {
        assert!(bytes(result.unwrap()) == segment_bytes(reduce_id));
    }
    let directories = cluster.local_dirs.directories().iter().flat_map(|root| std::fs::read_dir(root).unwrap());
    let files = directories.flat_map(|directory| std::fs::read_dir(directory.unwrap().path()).unwrap());
    assert_eq!(files.count(), 0);
}

#[test]
fn a_local_disk_that_takes_nothing_fails_the_large_ones_only() {
    let cluster = Cluster::start(ServerOptions::default());
    let client = cluster.client(ClientOptions { max_size_in_memory: ByteCount(100_000), ..quick() });
    for directory in cluster.local_dirs.directories() {
        std::fs::remove_dir_all(directory).unwrap();
    }
    let results = fetch(&client, &cluster.peer(), vec![segment(2, 2000), segment(2, 300)]);
    assert!(matches!(results[0], Err(TransferError::Spool(_))), "{:?}", results[0]);
    assert!(results[1].is_ok());
}

#[test]
fn blocks_are_stored_and_fetched() {
    let cluster = Cluster::start(ServerOptions::default());
    let client = cluster.client(quick());
    let (small, large) = (BlockId::Broadcast(BroadcastId(1)), BlockId::Broadcast(BroadcastId(2)));
    let data = content(0, 3 << 20);
    client.upload_block(&cluster.peer(), small, StorageLevel::MEMORY_ONLY_2, Bytes::from_static(b"small")).unwrap();
    client.upload_block(&cluster.peer(), large, StorageLevel::MEMORY_ONLY_2, Bytes::from(data.clone())).unwrap();
    assert_eq!(bytes(client.fetch_block(&cluster.peer(), small).unwrap()), b"small");
    assert!(bytes(client.fetch_block(&cluster.peer(), large).unwrap()) == data);
    let missing = client.fetch_block(&cluster.peer(), BlockId::Broadcast(BroadcastId(3)));
    assert!(matches!(missing, Err(TransferError::NotFound { .. })), "{missing:?}");
    // Refused before the data, and failed in the middle of it: the connection goes on.
    let refused = client.upload_block(&cluster.peer(), small, StorageLevel::NONE, Bytes::from(data.clone()));
    assert!(matches!(refused, Err(TransferError::Refused { .. })), "{refused:?}");
    let full = client.upload_block(&cluster.peer(), small, StorageLevel::DISK_ONLY, Bytes::from(data));
    assert!(matches!(full, Err(TransferError::PeerFailed { .. })), "{full:?}");
    assert_eq!(bytes(client.fetch_block(&cluster.peer(), small).unwrap()), b"small");
}

#[test]
fn damage_is_diagnosed_and_registration_is_refused_by_an_executor() {
    let cluster = Cluster::start(ServerOptions::default());
    let client = cluster.client(quick());
    let corrupt =
        CorruptSegment { executor_id: ExecutorId::from("1"), segment_id: segment(2, 9), checksum_by_reader: 1 };
    assert_eq!(client.diagnose_corruption(&cluster.peer(), corrupt).unwrap(), CorruptionCause::Network);
    let registered = client.register_executor(&cluster.peer(), ExecutorId::from("1"), vec!["/tmp".to_owned()]);
    assert!(matches!(registered, Err(TransferError::Refused { .. })), "{registered:?}");
}

#[test]
fn a_wrong_secret_is_refused_without_retries() {
    let cluster = Cluster::start(ServerOptions::default());
    let spool = Arc::new(LocalDirsSpool::new(cluster.local_dirs.clone()));
    // With this wait a retry would never end.
    let options = ClientOptions { retry_wait: Duration::from_secs(1 << 30), ..ClientOptions::default() };
    let client = TransferClient::new(&cluster.runtime, Secret::generate(), spool, options);
    for result in fetch(&client, &cluster.peer(), vec![segment(2, 7), segment(2, 8)]) {
        assert!(matches!(result, Err(TransferError::Refused { .. })), "{result:?}");
    }
}

#[test]
fn a_peer_that_is_not_there_is_tried_as_often_as_was_said() {
    let cluster = Cluster::start(ServerOptions::default());
    // Nobody listens at the near end of a connection, and nobody can.
    let taken = TcpStream::connect(cluster.server.address()).unwrap();
    let peer = PeerAddress::new("127.0.0.1", taken.local_addr().unwrap().port());
    let result = cluster.client(ClientOptions { max_retries: 2, ..quick() }).fetch_block(&peer, BlockId::TempLocal(1));
    assert!(matches!(&result, Err(TransferError::Network { attempts: 3, .. })), "{result:?}");
}

#[test]
fn a_file_that_got_shorter_cuts_the_connection_and_is_a_network_failure() {
    let cluster = Cluster::start(ServerOptions::default());
    let client = cluster.client(ClientOptions { max_retries: 1, ..quick() });
    let results = fetch(&client, &cluster.peer(), vec![segment(2, 7), segment(1, 7)]);
    assert!(results[0].is_ok());
    assert!(matches!(&results[1], Err(TransferError::Network { attempts: 2, .. })), "{:?}", results[1]);
}

/// Passes bytes on, and does to what the server sends what `meddle` says, connection by connection: it gets the number of the
/// connection, the offset and the piece, and says whether to go on.
fn proxy(
    server: u16,
    meddle: impl Fn(usize, usize, &mut Vec<u8>) -> bool + Send + Sync + 'static,
) -> (PeerAddress, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = PeerAddress::new("127.0.0.1", listener.local_addr().unwrap().port());
    let connections = Arc::new(AtomicUsize::new(0));
    let (meddle, counter) = (Arc::new(meddle), connections.clone());
    thread::spawn(move || {
        for near in listener.incoming() {
            let (near, number) = (near.unwrap(), counter.fetch_add(1, Ordering::SeqCst));
            let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut near_read, mut far_write) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut near_read, &mut far_write);
                let _ = far_write.shutdown(Shutdown::Both);
            });
            let meddle = meddle.clone();
            let (mut near, mut far) = (near, far);
            thread::spawn(move || {
                let mut offset = 0;
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = far.read(&mut buffer) {
                    let mut piece = buffer[..read].to_vec();
                    let goes_on = meddle(number, offset, &mut piece);
                    offset += read;
                    if near.write_all(&piece).is_err() || !goes_on {
                        break;
                    }
                }
                let _ = near.shutdown(Shutdown::Both);
                let _ = far.shutdown(Shutdown::Both);
            });
        }
    });
    (peer, connections)
}

fn flip(at: usize, offset: usize, piece: &mut [u8]) {
    if let Some(byte) = at.checked_sub(offset).and_then(|at| piece.get_mut(at)) {
        *byte ^= 0x10;
    }
}

/// What the server sends before the first frame: preamble and two messages, the second with one byte and the verdict.
const HANDSHAKE: usize = 15 + (2 + 48) + (2 + 16 + 2);

#[test]
fn a_connection_cut_in_the_middle_goes_on_where_it_stopped() {
    for encrypt in [false, true] {
        let cluster = Cluster::start(ServerOptions { encrypt, ..ServerOptions::default() });
        let (peer, connections) = proxy(cluster.server.address().port(), |number, offset, piece| {
            let cut = 1_000_000 * (number + 1);
            let goes_on = number >= 3 || offset + piece.len() < cut;
            if !goes_on {
                piece.truncate(cut.saturating_sub(offset));
            }
            goes_on
        });
        let delivered =
            fetch(&cluster.client(quick()), &peer, (1400..1412).map(|reduce_id| segment(2, reduce_id)).collect());
        for (reduce_id, result) in (1400..1412).zip(delivered) {
            assert!(bytes(result.unwrap()) == segment_bytes(reduce_id), "reducer {reduce_id}");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 4);
    }
}

#[test]
fn flipped_bits_never_pass_unseen() {
    // In clear: the header's checksum, or the segment's. Encrypted: the AEAD.
    for encrypt in [false, true] {
        let cluster = Cluster::start(ServerOptions { encrypt, ..ServerOptions::default() });
        for at in [0, 3, 11, 23, 24, 28, 1000, 90_000].map(|at| at + HANDSHAKE) {
            let (peer, _) = proxy(cluster.server.address().port(), move |number, offset, piece| {
                if number == 0 {
                    flip(at, offset, piece);
                }
                true
            });
            // A damaged length under the AEAD is only noticed as silence. In clear nothing is, and a time-out would fetch again
            // what must come damaged.
            let options = match encrypt {
                true => ClientOptions { connection_time_out: Duration::from_millis(500), max_retries: 50, ..quick() },
                false => quick(),
            };
            let [result] = fetch(&cluster.client(options), &peer, vec![segment(2, 301)]).try_into().unwrap();
            let fetched = result.unwrap();
            let Body::Memory(body) = &fetched.body else { panic!("90 kB fit in memory") };
            let is_right = body[..] == segment_bytes(301);
            let checksum_fits = fetched.checksum == Some(crc32fast::hash(body));
            assert!(is_right || !checksum_fits, "byte {at}, encrypted: {encrypt}");
            // What can be repaired by the connection is: only a body in clear comes damaged, for the reader to see.
            assert_eq!(checksum_fits, encrypt || at < HANDSHAKE + 24, "byte {at}, encrypted: {encrypt}");
        }
    }
}

#[test]
fn encrypted_bodies_are_not_to_be_seen_on_the_wire_and_plain_ones_are() {
    for encrypt in [false, true] {
        let cluster = Cluster::start(ServerOptions { encrypt, ..ServerOptions::default() });
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorded = seen.clone();
        let (peer, _) = proxy(cluster.server.address().port(), move |_, _, piece| {
            recorded.lock().unwrap().extend_from_slice(piece);
            true
        });
        fetch(&cluster.client(quick()), &peer, vec![segment(2, 200)]).pop().unwrap().unwrap();
        let text = &segment_bytes(200)[100..164];
        assert_eq!(seen.lock().unwrap().windows(64).any(|window| window == text), !encrypt);
    }
}

#[test]
fn a_peer_that_falls_silent_is_given_up() {
    let cluster = Cluster::start(ServerOptions::default());
    let (peer, _) = proxy(cluster.server.address().port(), |_, offset, piece| {
        if offset >= HANDSHAKE {
            // Half open: it takes everything and says nothing.
            piece.clear();
        }
        true
    });
    let options = ClientOptions { connection_time_out: Duration::from_millis(100), max_retries: 1, ..quick() };
    let result = cluster.client(options).fetch_block(&peer, BlockId::TempLocal(1));
    let Err(TransferError::Network { attempts: 2, source, .. }) = &result else { panic!("{result:?}") };
    assert_eq!(source.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_cancelled_fetch_delivers_nothing_more_and_leaves_the_connection_usable() {
    let cluster = Cluster::start(ServerOptions::default());
    let client = cluster.client(quick());
    let (sender, results) = mpsc::channel();
    let (dropped, is_dropped) = mpsc::channel::<()>();
    let handle =
        client.fetch_segments(cluster.peer(), ExecutorId::from("1"), vec![segment(2, 200); 1000], move |index, _| {
            sender.send(index).unwrap();
            // Holds the second one up until the handle is gone; never do this outside a test.
            if index == 1 {
                let _ = is_dropped.recv();
            }
        });
    results.recv().unwrap();
    drop(handle);
    drop(dropped);
    // The other end of the channel goes with the fetch. Some more were there already.
    assert!(results.iter().count() < 900);
    assert_eq!(bytes(fetch(&client, &cluster.peer(), vec![segment(2, 7)]).pop().unwrap().unwrap()), segment_bytes(7));
}

#[test]
fn a_server_that_stops_closes_its_connections() {
    let Cluster { runtime, server, secret, local_dirs, _root } = Cluster::start(ServerOptions::default());
    let spool = Arc::new(LocalDirsSpool::new(local_dirs));
    let client = TransferClient::new(&runtime, secret, spool, ClientOptions { max_retries: 0, ..quick() });
    let peer = PeerAddress::new("127.0.0.1", server.address().port());
    assert!(fetch(&client, &peer, vec![segment(2, 7)])[0].is_ok());
    drop(server);
    let result = fetch(&client, &peer, vec![segment(2, 7)]).pop().unwrap();
    // Whether the open connection or a new one fails: nobody answers any more.
    assert!(matches!(result, Err(TransferError::Network { .. })), "{result:?}");
}

#[test]
fn a_data_plane_that_stops_tells_those_who_wait() {
    let cluster = Cluster::start(ServerOptions::default());
    let (peer, _) = proxy(cluster.server.address().port(), |_, offset, piece| {
        if offset >= HANDSHAKE {
            piece.clear();
        }
        true
    });
    let client = cluster.client(quick());
    let waiting = thread::spawn(move || client.fetch_block(&peer, BlockId::TempLocal(1)));
    drop(cluster.runtime);
    assert!(matches!(waiting.join().unwrap(), Err(TransferError::Stopped)));
}

#[test]
fn one_slow_reader_costs_the_server_no_memory_and_others_no_time() {
    let cluster = Cluster::start(ServerOptions::default());
    let (stop, stopped) = mpsc::channel::<()>();
    let stopped = Mutex::new(stopped);
    let (slow_peer, _) = proxy(cluster.server.address().port(), move |_, offset, _| {
        if offset >= HANDSHAKE {
            // Until the test ends.
            let _ = stopped.lock().unwrap().recv();
        }
        true
    });
    let client = cluster.client(quick());
    let segments = vec![segment(0, 2800); 500];
    let _slow = client.fetch_segments(slow_peer, ExecutorId::from("1"), segments, |_, _| {});
    let resident = || -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    for _ in 0..20 {
        assert!(fetch(&client, &cluster.peer(), vec![segment(2, 500)])[0].is_ok());
    }
    // The slow one asked for 3.9 GB.
    assert!(resident() < 1 << 30, "{} bytes", resident());
    drop(stop);
}
