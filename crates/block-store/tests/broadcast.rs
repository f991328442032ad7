//! Broadcast values: who sends the pieces, what is shared, what goes when.

mod cluster;

use std::sync::{
    Arc, Barrier,
    atomic::{AtomicU32, Ordering},
};

use cluster::{Cluster, rdd};
use firesteel_block_store::{
    BroadcastManager, BroadcastOptions, CodecError, CompressionCodec, PostcardCodec, ReadBroadcastError, RecordCodec,
};
use firesteel_model::{BlockId, BroadcastId, BroadcastInfo, ByteCount, StorageLevel};

const PIECE: u64 = 512 << 10;

#[test]
fn twenty_mebibytes_to_eight_executors_leave_the_driver_about_once() {
    let names = ["driver", "a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1"];
    let cluster = Cluster::new(&names, 100 << 20);
    let managers = managers(&cluster, options(PIECE, false));
    let value: Arc<Vec<u8>> = Arc::new(noise(20 << 20));
    let info = managers[0].write(BroadcastId(0), &value, &codec()).unwrap();
    assert_eq!(info.pieces(), 41, "twenty mebibytes, and the length in front");
    let (start, read) = (Barrier::new(8), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for manager in &managers[1..] {
            let (info, value, start, read) = (&info, &value, &start, &read);
            scope.spawn(move || {
                start.wait();
                let got = manager.read(info, &codec()).unwrap();
                assert!(got == *value && !Arc::ptr_eq(&got, value));
                read.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(read.into_inner(), 8);
    let served = |name: &str| cluster.transfer.bytes_served(&name.into());
    let total: u64 = names.iter().map(|name| served(name)).sum();
    let size = info.size;
    assert!((8 * size..8 * size + 8 * 41 * 5 + 1).contains(&total), "each executor fetched each piece once: {total}");
    assert!(served("driver") < 3 * size, "the driver sent {} of {size} bytes", served("driver"));
    for piece in 0..info.pieces() {
        assert_eq!(cluster.holders(BlockId::BroadcastPiece(BroadcastId(0), piece)).len(), 9);
    }
}

#[test]
fn a_process_fetches_and_decodes_a_value_once() {
    let cluster = Cluster::new(&["driver", "a1"], 10 << 20);
    let managers = managers(&cluster, options(1000, true));
    let value: Arc<Vec<u8>> = Arc::new(noise(50_000));
    let info = managers[0].write(BroadcastId(3), &value, &codec()).unwrap();
    let counting = CountingCodec::default();
    let start = Barrier::new(6);
    let values: Vec<Arc<Vec<u8>>> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    managers[1].read(&info, &counting).unwrap()
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    assert!(values.iter().all(|value| Arc::ptr_eq(value, &values[0])));
    assert_eq!(counting.decoded.load(Ordering::Relaxed), 1);
    let driver = managers[0].read(&info, &counting).unwrap();
    assert!(Arc::ptr_eq(&driver, &value), "the driver's own value");
    // Nobody reads it: it is still in memory, and not decoded again.
    drop(values);
    managers[1].read(&info, &counting).unwrap();
    assert_eq!(counting.decoded.load(Ordering::Relaxed), 1);
    assert!(cluster.transfer.bytes_served(&"driver".into()) < 60_000);
}

#[test]
fn an_evicted_value_is_decoded_again_from_local_pieces() {
    let cluster = Cluster::new(&["driver", "a1"], 40_000);
    let managers = managers(&cluster, options(1000, false));
    let info = managers[0].write(BroadcastId(0), &Arc::new(noise(10_000)), &codec()).unwrap();
    let counting = CountingCodec::default();
    managers[1].read(&info, &counting).unwrap();
    let served = cluster.transfer.bytes_served(&"driver".into());
    // Filling the cache evicts the value, and then pieces, which go to disk.
    for rdd_id in 0..6 {
        cluster.executors[1].read(rdd(rdd_id, 0), StorageLevel::MEMORY_ONLY, 2000);
    }
    let statistics = cluster.executors[1].blocks.statistics();
    assert!(statistics.evicted_to_disk > 0, "{statistics:?}");
    assert_eq!(*managers[1].read(&info, &counting).unwrap(), noise(10_000));
    assert_eq!(counting.decoded.load(Ordering::Relaxed), 2);
    assert_eq!(cluster.transfer.bytes_served(&"driver".into()), served, "nothing was fetched again");
    cluster.assert_invariants();
}

#[test]
fn a_value_larger_than_memory_is_shared_while_it_is_used() {
    let cluster = Cluster::new(&["driver", "a1"], 5000);
    let managers = managers(&cluster, options(1000, false));
    let info = managers[0].write(BroadcastId(0), &Arc::new(noise(20_000)), &codec()).unwrap();
    let counting = CountingCodec::default();
    let first = managers[1].read(&info, &counting).unwrap();
    assert!(Arc::ptr_eq(&first, &managers[1].read(&info, &counting).unwrap()));
    drop(first);
    assert_eq!(*managers[1].read(&info, &counting).unwrap(), noise(20_000));
    assert_eq!(counting.decoded.load(Ordering::Relaxed), 2);
    cluster.assert_invariants();
}

#[test]
fn unpersist_drops_the_executors_copies_and_destroy_the_drivers_too() {
    let cluster = Cluster::new(&["driver", "a1"], 10 << 20);
    let managers = managers(&cluster, options(1000, true));
    let id = BroadcastId(5);
    let info = managers[0].write(id, &Arc::new(noise(10_000)), &codec()).unwrap();
    managers[1].read(&info, &codec()).unwrap();
    let forget = |from_driver| {
        cluster.perform(&cluster.master.with(|registry, _| registry.remove_broadcast(id, from_driver)));
    };
    forget(false);
    assert!(cluster.executors[1].blocks.block_ids().is_empty());
    assert_eq!(*managers[1].read(&info, &codec()).unwrap(), noise(10_000), "it is fetched again");
    forget(true);
    for (executor, manager) in cluster.executors.iter().zip(&managers) {
        assert!(executor.blocks.block_ids().is_empty());
        let error = manager.read::<Vec<u8>>(&info, &codec()).unwrap_err();
        assert!(matches!(error, ReadBroadcastError::PieceNotFound { .. }), "{error:?}");
        assert!(error.to_string().contains("destroyed"));
    }
    cluster.assert_invariants();
}

#[test]
fn a_damaged_piece_is_fetched_again_and_at_last_given_up() {
    let cluster = Cluster::new(&["driver", "a1", "b1"], 10 << 20);
    let managers = managers(&cluster, options(1000, true));
    let info = managers[0].write(BroadcastId(0), &Arc::new(noise(10_000)), &codec()).unwrap();
    cluster.transfer.corrupt(&"driver".into(), 2);
    assert_eq!(*managers[1].read(&info, &codec()).unwrap(), noise(10_000));
    cluster.transfer.corrupt(&"driver".into(), 1000);
    cluster.transfer.corrupt(&"a1".into(), 1000);
    let error = managers[2].read::<Vec<u8>>(&info, &codec()).unwrap_err();
    assert!(
        matches!(error, ReadBroadcastError::PieceCorrupt { copies: 6, .. }),
        "two holders, three rounds: {error:?}"
    );
    // Nothing damaged was kept, so the value can be had once the network is well.
    cluster.transfer.corrupt(&"driver".into(), 0);
    assert_eq!(*managers[2].read(&info, &codec()).unwrap(), noise(10_000));
}

#[test]
fn pieces_are_cut_compressed_and_verified_as_the_options_say() {
    let cluster = Cluster::new(&["driver", "a1"], 10 << 20);
    let repetitive = Arc::new(vec![7u8; 100_000]);
    let write = |number, options: BroadcastOptions| {
        let managers = managers(&cluster, options);
        let info = managers[0].write(BroadcastId(number), &repetitive, &codec()).unwrap();
        assert_eq!(managers[1].read(&info, &codec()).unwrap(), repetitive);
        let pieces = (0..info.pieces()).map(|piece| BlockId::BroadcastPiece(BroadcastId(number), piece));
        let stored: u64 = pieces.map(|block_id| cluster.executors[0].status(block_id).1).sum();
        (info.pieces(), stored, info.checksums.len())
    };
    let plain = BroadcastOptions { block_size: ByteCount(30_000), compress: false, checksum: false };
    assert_eq!(write(1, plain.clone()), (4, 100_003 + 4 * 5, 0));
    let (pieces, stored, checksums) = write(2, BroadcastOptions { compress: true, checksum: true, ..plain });
    assert!(pieces == 4 && checksums == 4 && stored < 2000, "{stored}");
}

#[test]
fn another_type_and_an_empty_value() {
    let cluster = Cluster::new(&["driver", "a1"], 10 << 20);
    let managers = managers(&cluster, options(1000, true));
    let info = managers[0].write(BroadcastId(0), &Arc::new(noise(100)), &codec()).unwrap();
    let error = managers[0].read::<String>(&info, &PostcardCodec::new()).unwrap_err();
    assert!(matches!(error, ReadBroadcastError::OtherType { .. }));
    let error = managers[1].read::<String>(&info, &PostcardCodec::new()).unwrap_err();
    assert!(matches!(error, ReadBroadcastError::Decode { .. }));
    let info: BroadcastInfo = managers[0].write(BroadcastId(1), &Arc::new(()), &PostcardCodec::new()).unwrap();
    assert_eq!(info.pieces(), 0);
    managers[1].read::<()>(&info, &PostcardCodec::new()).unwrap();
}

fn options(piece: u64, compress: bool) -> BroadcastOptions {
    BroadcastOptions { block_size: ByteCount(piece), compress, checksum: true }
}

fn managers(cluster: &Cluster, options: BroadcastOptions) -> Vec<Arc<BroadcastManager>> {
    let seeds = 1..;
    let with_seed = cluster.executors.iter().zip(seeds);
    with_seed
        .map(|(executor, seed)| {
            BroadcastManager::new(Arc::clone(&executor.blocks), options.clone(), CompressionCodec::Lz4, seed)
        })
        .collect()
}

/// Bytes that no codec makes shorter.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    });
    words.flat_map(u64::to_le_bytes).take(length).collect()
}

/// Byte strings as they are: postcard would go byte by byte.
struct BytesCodec;

fn codec() -> BytesCodec {
    BytesCodec
}

impl RecordCodec<Vec<u8>> for BytesCodec {
    fn memory_size(&self, records: &[Vec<u8>]) -> u64 {
        records.iter().map(|record| record.len() as u64).sum()
    }

    fn encode(&self, record: &Vec<u8>, output: &mut Vec<u8>) -> Result<(), CodecError> {
        output.extend_from_slice(b"len");
        output.extend_from_slice(record);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
        Ok(bytes.strip_prefix(b"len").ok_or("no byte string")?.to_vec())
    }
}

#[derive(Default)]
struct CountingCodec {
    decoded: AtomicU32,
}

impl RecordCodec<Vec<u8>> for CountingCodec {
    fn memory_size(&self, records: &[Vec<u8>]) -> u64 {
        BytesCodec.memory_size(records)
    }

    fn encode(&self, record: &Vec<u8>, output: &mut Vec<u8>) -> Result<(), CodecError> {
        BytesCodec.encode(record, output)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
        self.decoded.fetch_add(1, Ordering::Relaxed);
        BytesCodec.decode(bytes)
    }
}
