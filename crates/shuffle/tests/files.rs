//! Files of map outputs: what is written is what is read, or an error.

use std::{
    fs,
    io::{self, BufRead, Read},
    path::PathBuf,
    process::Command,
    sync::Arc,
};

use bytes::Bytes;
use firesteel_local_dirs::LocalDirs;
use firesteel_model::{ApplicationId, BlockId, ByteCount, ExecutorId, MapId, ReduceId, ShuffleId};
use firesteel_shuffle::{
    BlockDecoder, BlockEncoder, Codec, Compression, CorruptionCause, MapOutputWriter, OpenSegmentError, SegmentId,
    ShuffleBlockResolver, ShuffleWriteError, StoredSegment, WriterOptions,
};
use proptest::prelude::*;

const SHUFFLE: ShuffleId = ShuffleId(4);
const MAP: MapId = MapId(17);

struct Host {
    local_dirs: Arc<LocalDirs>,
    resolver: ShuffleBlockResolver,
    root: tempfile::TempDir,
}

fn application() -> ApplicationId {
    ApplicationId::from("app-1")
}

fn executor() -> ExecutorId {
    ExecutorId::from("1")
}

impl Host {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let roots = [root.path().join("a"), root.path().join("b")];
        let local_dirs = Arc::new(LocalDirs::create(&roots).unwrap().0);
        let resolver = ShuffleBlockResolver::new(ByteCount::mib(1));
        resolver.register(application(), executor(), local_dirs.clone());
        Self { local_dirs, resolver, root }
    }

    fn write(&self, map_id: MapId, segments: &[Vec<u8>], options: &WriterOptions) {
        let mut writer =
            MapOutputWriter::create(&self.local_dirs, SHUFFLE, map_id, segments.len() as u32, options).unwrap();
        for (reduce_id, segment) in (0..).map(ReduceId).zip(segments) {
            writer.append(reduce_id, segment).unwrap();
        }
        writer.commit().unwrap();
    }

    fn open(&self, map_id: MapId, start: u32, end: u32) -> Result<StoredSegment, OpenSegmentError> {
        let segment_id =
            SegmentId { shuffle_id: SHUFFLE, map_id, reduce_start: ReduceId(start), reduce_end: ReduceId(end) };
        self.resolver.open_segment(&application(), &executor(), segment_id)
    }

    fn path(&self, block_id: BlockId) -> PathBuf {
        self.local_dirs.path(&block_id.to_string())
    }

    fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut directories = vec![self.root.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else {
                    names.push(entry.file_name().into_string().unwrap());
                }
            }
        }
        names.sort();
        names
    }
}

fn encoded(segment: &StoredSegment) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; segment.length as usize];
    segment.file.read_exact_at(&mut bytes, segment.offset).unwrap();
    bytes
}

fn decode(bytes: Vec<u8>) -> Vec<u8> {
    let (mut from_memory, mut from_stream) = (Vec::new(), Vec::new());
    BlockDecoder::from_bytes(Bytes::from(bytes.clone())).read_to_end(&mut from_memory).unwrap();
    BlockDecoder::from_reader(Box::new(io::Cursor::new(bytes))).read_to_end(&mut from_stream).unwrap();
    assert!(from_memory == from_stream);
    from_memory
}

fn codec() -> impl Strategy<Value = Codec> {
    prop_oneof![
        Just(Codec::None),
        Just(Codec::Lz4),
        Just(Codec::Snappy),
        (1i32..4).prop_map(|level| Codec::Zstd { level })
    ]
}

fn options() -> impl Strategy<Value = WriterOptions> {
    (codec(), 1u64..100_000, any::<bool>()).prop_map(|(codec, block_size, checksums)| WriterOptions {
        compression: Compression { codec, block_size: ByteCount(block_size) },
        checksums,
    })
}

/// Compressible or not, empty, small and over several blocks.
fn segment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => Just(Vec::new()),
        3 => prop::collection::vec(any::<u8>(), 1..200),
        2 => (any::<u8>(), 1usize..300_000).prop_map(|(byte, length)| vec![byte; length]),
        1 => prop::collection::vec(any::<u8>(), 1..50_000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_range_of_reducers_reads_back(segments in prop::collection::vec(segment(), 1..12), options in options()) {
        let host = Host::new();
        host.write(MAP, &segments, &options);
        let reducers = segments.len() as u32;
        for start in 0..reducers {
            for end in start + 1..=reducers {
                let stored = host.open(MAP, start, end).unwrap();
                let bytes = encoded(&stored);
                prop_assert_eq!(stored.checksum, options.checksums.then(|| crc32fast::hash(&bytes)));
                prop_assert!(decode(bytes) == segments[start as usize..end as usize].concat());
            }
            // Sizes: nothing exactly where nothing was written.
            prop_assert_eq!(host.open(MAP, start, start + 1).unwrap().length == 0, segments[start as usize].is_empty());
        }
    }

    #[test]
    fn damaged_blocks_never_panic(mut bytes in segment(), codec in codec(), flips in prop::collection::vec(any::<(usize, u8)>(), 0..4), cut: usize) {
        let mut blocks = Vec::new();
        let mut encoder = BlockEncoder::new(Compression::new(codec));
        encoder.write(&bytes, &mut blocks).unwrap();
        encoder.finish(&mut blocks).unwrap();
        if !blocks.is_empty() {
            for (at, bits) in flips {
                let at = at % blocks.len();
                blocks[at] ^= bits;
            }
            blocks.truncate(cut % blocks.len() + 1);
        }
        bytes.clear();
        let from_memory = BlockDecoder::from_bytes(Bytes::from(blocks.clone())).read_to_end(&mut bytes).map_err(|error| error.kind());
        let from_stream = BlockDecoder::from_reader(Box::new(io::Cursor::new(blocks))).read_to_end(&mut Vec::new()).map_err(|error| error.kind());
        prop_assert_eq!(from_memory, from_stream);
    }
}

#[test]
fn an_attempt_that_is_aborted_leaves_nothing() {
    let host = Host::new();
    let mut writer = MapOutputWriter::create(&host.local_dirs, SHUFFLE, MAP, 2, &WriterOptions::default()).unwrap();
    writer.append(ReduceId(0), &vec![1; 2_000_000]).unwrap();
    assert_eq!(host.files().len(), 1);
    assert!(matches!(host.open(MAP, 0, 1), Err(OpenSegmentError::NotFound { .. })));
    drop(writer);
    assert_eq!(host.files(), Vec::<String>::new());
}

#[test]
fn files_have_sparks_names_and_indexes_sparks_format() {
    let host = Host::new();
    let plain = WriterOptions { compression: Compression::new(Codec::None), ..WriterOptions::default() };
    host.write(MAP, &[b"abc".to_vec(), Vec::new(), b"de".to_vec()], &plain);
    assert_eq!(host.files(), ["shuffle_4_17_0.checksum", "shuffle_4_17_0.data", "shuffle_4_17_0.index"]);
    let index = fs::read(host.path(BlockId::ShuffleIndex(SHUFFLE, MAP))).unwrap();
    let offsets: Vec<u64> = index.as_chunks::<8>().0.iter().map(|offset| u64::from_be_bytes(*offset)).collect();
    assert_eq!(offsets, [0, 12, 12, 23]);
    let checksums = fs::read(host.path(BlockId::ShuffleChecksum(SHUFFLE, MAP))).unwrap();
    assert!(checksums.starts_with(b"crc32\n"));
    let no_checksums = WriterOptions { checksums: false, ..plain };
    host.write(MapId(18), &[b"abc".to_vec()], &no_checksums);
    assert!(!host.path(BlockId::ShuffleChecksum(SHUFFLE, MapId(18))).exists());
}

#[test]
fn files_that_do_not_fit_one_another_are_damaged_or_missing() {
    let segments = [vec![1; 100], vec![2; 100_000]];
    let damage = |block_id: BlockId, change: fn(&mut Vec<u8>)| {
        let host = Host::new();
        host.write(MAP, &segments, &WriterOptions::default());
        let path = host.path(block_id);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        host.open(MAP, 1, 2).map(|_| ())
    };
    let (data, index, checksum) = (
        BlockId::ShuffleData(SHUFFLE, MAP),
        BlockId::ShuffleIndex(SHUFFLE, MAP),
        BlockId::ShuffleChecksum(SHUFFLE, MAP),
    );
    type Change = fn(&mut Vec<u8>);
    let changes: [(BlockId, Change); 6] = [
        (data, |bytes| bytes.truncate(bytes.len() - 1)),
        (data, |bytes| bytes.push(0)),
        (index, |bytes| bytes.truncate(bytes.len() - 1)),
        (index, Vec::clear),
        (index, |bytes| bytes[8] ^= 1),
        (checksum, |bytes| bytes.truncate(bytes.len() - 1)),
    ];
    for (block_id, change) in changes {
        let result = damage(block_id, change);
        assert!(matches!(&result, Err(OpenSegmentError::Damaged { .. })), "{block_id}: {result:?}");
    }
    for block_id in [data, index] {
        let host = Host::new();
        host.write(MAP, &segments, &WriterOptions::default());
        fs::remove_file(host.path(block_id)).unwrap();
        let result = host.open(MAP, 1, 2);
        assert!(matches!(&result, Err(OpenSegmentError::NotFound { .. })), "{block_id}: {result:?}");
    }
    let host = Host::new();
    host.write(MAP, &segments, &WriterOptions::default());
    for (start, end) in [(0, 3), (2, 3), (1, 1), (2, 1)] {
        assert!(matches!(host.open(MAP, start, end), Err(OpenSegmentError::NoSuchReducer { .. })), "{start} to {end}");
    }
}

#[test]
fn a_flipped_byte_is_the_disks_and_otherwise_the_networks() {
    let host = Host::new();
    host.write(MAP, &[vec![1; 100], vec![2; 100]], &WriterOptions::default());
    let segment_id = SegmentId::of_reducer(SHUFFLE, MAP, ReduceId(1));
    let diagnose = |checksum| host.resolver.diagnose_corruption(&application(), &executor(), segment_id, checksum);
    let right = host.open(MAP, 1, 2).unwrap().checksum.unwrap();
    assert_eq!(diagnose(right), CorruptionCause::Unknown);
    assert_eq!(diagnose(right ^ 1), CorruptionCause::Network);
    let path = host.path(BlockId::ShuffleData(SHUFFLE, MAP));
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(diagnose(right ^ 1), CorruptionCause::Disk);
    fs::remove_file(path).unwrap();
    assert_eq!(diagnose(right ^ 1), CorruptionCause::Unknown);
}

#[test]
fn removing_a_shuffle_removes_its_files_only() {
    let host = Host::new();
    for map_id in [1, 2, 3] {
        host.write(MapId(map_id), &[vec![1; 100]], &WriterOptions::default());
    }
    let mut other =
        MapOutputWriter::create(&host.local_dirs, ShuffleId(40), MAP, 1, &WriterOptions::default()).unwrap();
    other.append(ReduceId(0), b"x").unwrap();
    other.commit().unwrap();
    host.open(MapId(1), 0, 1).unwrap();
    let unfinished =
        MapOutputWriter::create(&host.local_dirs, SHUFFLE, MapId(9), 1, &WriterOptions::default()).unwrap();
    assert_eq!(host.resolver.remove_shuffle(&application(), &executor(), SHUFFLE).unwrap(), 10);
    drop(unfinished);
    assert_eq!(host.files(), ["shuffle_40_17_0.checksum", "shuffle_40_17_0.data", "shuffle_40_17_0.index"]);
    // Its index was in the cache.
    assert!(matches!(host.open(MapId(1), 0, 1), Err(OpenSegmentError::NotFound { .. })));
}

#[test]
fn a_foreign_executor_cannot_lead_out_of_its_directories() {
    let host = Host::new();
    host.write(MAP, &[b"mine".to_vec()], &WriterOptions::default());
    let directories: Vec<String> =
        host.local_dirs.directories().iter().map(|path| path.to_str().unwrap().to_owned()).collect();
    let service = ShuffleBlockResolver::new(ByteCount::mib(1));
    let register = |directories: &[String], allowed: &[PathBuf]| {
        service.register_foreign(application(), executor(), directories, allowed)
    };
    let root = host.root.path().to_owned();
    assert!(register(&[], &[]).is_err());
    assert!(register(&["relative".to_owned()], &[]).is_err());
    assert!(register(&[root.join("missing").to_str().unwrap().to_owned()], &[]).is_err());
    assert!(register(&directories, &[root.join("a")]).is_err());
    let outside = [root.join("a/../b").to_str().unwrap().to_owned()];
    assert!(register(&outside, &[root.join("a")]).is_err());
    register(&directories, std::slice::from_ref(&root)).unwrap();
    let segment_id = SegmentId::of_reducer(SHUFFLE, MAP, ReduceId(0));
    service.open_segment(&application(), &executor(), segment_id).unwrap();
    let stranger = ApplicationId::from("app-2");
    let error = service.open_segment(&stranger, &executor(), segment_id).unwrap_err();
    assert!(matches!(error, OpenSegmentError::UnknownExecutor { .. }), "{error}");

    // The same bytes through a link are not served.
    let data = host.path(BlockId::ShuffleData(SHUFFLE, MAP));
    let elsewhere = root.join("elsewhere");
    fs::rename(&data, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &data).unwrap();
    host.open(MAP, 0, 1).unwrap();
    let error = service.open_segment(&application(), &executor(), segment_id).unwrap_err();
    assert!(matches!(error, OpenSegmentError::Io { .. }), "{error}");
    assert_eq!(service.forget_application(&application()).len(), 2);
    assert!(!service.is_registered(&application(), &executor()));
}

/// The second half runs in a process of its own, as the limit on file sizes is one of the process.
#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    const MARK: &str = "SHUFFLE_TEST_FULL_DISK";
    if std::env::var_os(MARK).is_none() {
        let script =
            "trap '' XFSZ; ulimit -f 128; exec \"$0\" --exact a_full_disk_is_said_and_leaves_nothing --nocapture";
        let test = std::env::current_exe().unwrap();
        let output = Command::new("sh").arg("-c").arg(script).arg(test).env(MARK, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("the disk was full"), "the test did not run");
        return;
    }
    let host = Host::new();
    let options = WriterOptions { compression: Compression::new(Codec::None), ..WriterOptions::default() };
    let mut writer = MapOutputWriter::create(&host.local_dirs, SHUFFLE, MAP, 2, &options).unwrap();
    let error = loop {
        if let Err(error) = writer.append(ReduceId(0), &[0; 100_000]) {
            break error;
        }
    };
    assert!(matches!(error, ShuffleWriteError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("spark.local.dir"));
    drop(writer);
    assert_eq!(host.files(), Vec::<String>::new());
    println!("the disk was full");
}

#[test]
fn blocks_are_handed_out_without_copying() {
    let mut blocks = Vec::new();
    let mut encoder = BlockEncoder::new(Compression { codec: Codec::None, block_size: ByteCount(10) });
    encoder.write(b"0123456789abcde", &mut blocks).unwrap();
    encoder.finish(&mut blocks).unwrap();
    let blocks = Bytes::from(blocks);
    let mut decoder = BlockDecoder::from_bytes(blocks.clone());
    let block = decoder.fill_buf().unwrap();
    assert_eq!(block, b"0123456789");
    assert!(blocks.as_ptr_range().contains(&block.as_ptr()));
}
