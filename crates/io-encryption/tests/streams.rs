//! What is sealed comes back as it was, or not at all.

use std::io::{self, BufRead, Read, Write};

use firesteel_io_encryption::{CHUNK, IoEncryption, KeySize, OpenStreamError, StreamSealer};
use proptest::prelude::*;

const SIZES: [KeySize; 3] = [KeySize::Bits128, KeySize::Bits192, KeySize::Bits256];
const SALT: usize = 16;
/// What a chunk has beside its text.
const AROUND: usize = 4 + 16;

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn sealed(encryption: &IoEncryption, plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    encryption.seal(plain, &mut sealed);
    sealed
}

fn opened(encryption: &IoEncryption, sealed: &[u8]) -> Result<Vec<u8>, OpenStreamError> {
    let mut plain = Vec::new();
    encryption.open(sealed, &mut plain).map(|()| plain)
}

/// Gives a few bytes at a time, and is interrupted in between.
struct Pieces<'a> {
    left: &'a [u8],
    piece: usize,
    interrupt: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.piece.min(buffer.len());
        (&mut self.left).take(most as u64).read(buffer)
    }
}

#[test]
fn what_was_sealed_comes_back_at_every_length_around_a_chunk() {
    for size in SIZES {
        let encryption = IoEncryption::generate(size);
        for length in [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 5 * CHUNK + 4321] {
            let plain = text(length);
            let sealed = sealed(&encryption, &plain);
            let chunks = length.div_ceil(CHUNK).max(1);
            assert_eq!(sealed.len(), SALT + length + chunks * AROUND, "{length}");
            assert_eq!(opened(&encryption, &sealed).unwrap(), plain, "{length}");
            assert!(!sealed.windows(64).any(|window| plain.starts_with(window)), "{length}");
        }
    }
}

#[test]
fn streams_are_written_and_read_in_any_pieces() {
    let encryption = IoEncryption::generate(KeySize::Bits256);
    let plain = text(3 * CHUNK + 17);
    for piece in [1, 1000, CHUNK, CHUNK + 1, plain.len()] {
        let mut writer = encryption.writer(Vec::new());
        plain.chunks(piece).for_each(|piece| writer.write_all(piece).unwrap());
        assert_eq!(writer.plain_length(), plain.len() as u64);
        let sealed = writer.finish().unwrap();
        let source = Pieces { left: &sealed, piece: piece.min(7001), interrupt: false };
        let mut reader = encryption.reader(source);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, plain);
        assert!(reader.fill_buf().unwrap().is_empty(), "the end stays the end");
    }
}

#[test]
fn the_same_text_is_never_sealed_the_same_way() {
    let encryption = IoEncryption::generate(KeySize::Bits128);
    let (one, other) = (sealed(&encryption, &text(100)), sealed(&encryption, &text(100)));
    assert_ne!(one[..SALT], other[..SALT]);
    assert_ne!(one[SALT + 4..], other[SALT + 4..]);
    // By chance one in 256 is equal.
    let same = one[SALT + 4..].iter().zip(&other[SALT + 4..]).filter(|(one, other)| one == other).count();
    assert!(same < 20, "{same} of 116 bytes are equal");
}

#[test]
fn every_flipped_bit_is_noticed() {
    let encryption = IoEncryption::generate(KeySize::Bits192);
    let good = sealed(&encryption, &text(50));
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert!(opened(&encryption, &bad).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn every_end_that_is_missing_is_noticed() {
    let encryption = IoEncryption::generate(KeySize::Bits128);
    for length in [0, 50, 2 * CHUNK, 2 * CHUNK + 50] {
        let good = sealed(&encryption, &text(length));
        let around_chunks = (0..3).flat_map(|chunk| {
            let boundary = SALT + chunk * (CHUNK + AROUND);
            boundary.saturating_sub(2)..boundary + 6
        });
        for cut in around_chunks.chain(0..good.len().min(120)).filter(|cut| *cut < good.len()) {
            let error = opened(&encryption, &good[..cut]).unwrap_err();
            assert!(matches!(error, OpenStreamError::Truncated { .. }), "{length}, {cut}: {error}");
        }
    }
}

#[test]
fn chunks_that_are_moved_left_out_or_added_are_noticed() {
    let encryption = IoEncryption::generate(KeySize::Bits128);
    let good = sealed(&encryption, &text(4 * CHUNK));
    let (salt, chunks) = good.split_at(SALT);
    let chunks: Vec<&[u8]> = chunks.chunks(CHUNK + AROUND).collect();
    let with = |order: &[usize]| {
        let mut bytes = salt.to_vec();
        order.iter().for_each(|chunk| bytes.extend_from_slice(chunks[*chunk]));
        opened(&encryption, &bytes)
    };
    assert_eq!(with(&[0, 1, 2, 3]).unwrap(), text(4 * CHUNK));
    for order in [&[1, 0, 2, 3][..], &[0, 2, 1, 3], &[0, 1, 3], &[0, 0, 1, 2, 3], &[3, 0, 1, 2]] {
        let error = with(order).unwrap_err();
        assert!(matches!(error, OpenStreamError::Changed { .. } | OpenStreamError::Trailing), "{order:?}: {error}");
    }
    assert_eq!(with(&[0, 1, 2]), Err(OpenStreamError::Truncated { chunk: 3 }));
    assert_eq!(with(&[0, 1, 2, 3, 3]), Err(OpenStreamError::Trailing));
    // A chunk of another stream of the same key, in its place.
    let other = sealed(&encryption, &text(4 * CHUNK));
    let mut mixed = good.clone();
    let place = SALT + CHUNK + AROUND..SALT + 2 * (CHUNK + AROUND);
    mixed[place.clone()].copy_from_slice(&other[place]);
    assert_eq!(opened(&encryption, &mixed), Err(OpenStreamError::Changed { chunk: 1 }));
}

#[test]
fn a_chunk_that_is_not_the_last_cannot_be_made_it() {
    let encryption = IoEncryption::generate(KeySize::Bits128);
    let mut bytes = sealed(&encryption, &text(2 * CHUNK));
    bytes[SALT + 3] ^= 0x80;
    bytes.truncate(SALT + CHUNK + AROUND);
    assert_eq!(opened(&encryption, &bytes), Err(OpenStreamError::Changed { chunk: 0 }));
}

#[test]
fn another_key_opens_nothing() {
    let encryption = IoEncryption::generate(KeySize::Bits128);
    let sealed = sealed(&encryption, b"secret");
    assert_eq!(opened(&IoEncryption::from_key(encryption.expose()).unwrap(), &sealed).unwrap(), b"secret");
    for size in SIZES {
        assert_eq!(opened(&IoEncryption::generate(size), &sealed), Err(OpenStreamError::Changed { chunk: 0 }));
    }
}

#[test]
fn what_follows_a_stream_is_an_error_where_there_is_to_be_one() {
    let encryption = IoEncryption::generate(KeySize::Bits128);
    let mut bytes = sealed(&encryption, b"one");
    bytes.push(0);
    assert_eq!(opened(&encryption, &bytes), Err(OpenStreamError::Trailing));
}

#[test]
fn neighbouring_streams_are_read_as_one() {
    let encryption = IoEncryption::generate(KeySize::Bits256);
    let mut sealer = StreamSealer::new(&encryption);
    let (mut bytes, mut plain) = (Vec::new(), Vec::new());
    for length in [1, 0, CHUNK, 70_000, 3] {
        let stream = text(length);
        assert!(!sealer.has_begun());
        sealer.onto(&mut bytes).write_all(&stream).unwrap();
        sealer.finish(&mut bytes).unwrap();
        plain.extend_from_slice(&stream);
    }
    let read = |bytes: &[u8]| {
        let mut read = Vec::new();
        encryption.reader_of_streams(bytes).read_to_end(&mut read).map(|_| read)
    };
    assert_eq!(read(&bytes).unwrap(), plain);
    assert_eq!(read(&[]).unwrap(), [0; 0]);
    let error = read(&bytes[..bytes.len() - 1]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(error.get_ref().unwrap().is::<OpenStreamError>());
    bytes.extend_from_slice(b"no stream of ours, and long enough for a salt and a header");
    assert_eq!(read(&bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_failed_stream_stays_failed_and_a_failed_reader_tells_its_own_error() {
    let encryption = IoEncryption::generate(KeySize::Bits128);
    let mut bytes = sealed(&encryption, &text(CHUNK + 5));
    bytes[100] ^= 1;
    let mut reader = encryption.reader(&bytes[..]);
    for _ in 0..3 {
        let error = reader.read(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(
            *error.get_ref().unwrap().downcast_ref::<OpenStreamError>().unwrap(),
            OpenStreamError::Changed { chunk: 0 }
        );
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let error = encryption.reader(Broken).read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
}

#[test]
fn keys_have_three_lengths_and_are_never_printed() {
    for (size, bits) in SIZES.into_iter().zip([128, 192, 256]) {
        assert_eq!(KeySize::of_bits(bits), Some(size));
        let encryption = IoEncryption::generate(size);
        assert_eq!(encryption.expose().len() as u32 * 8, bits);
        assert_ne!(encryption.expose(), IoEncryption::generate(size).expose());
        assert_eq!(IoEncryption::from_key(encryption.expose()).unwrap().key_size(), size);
        assert_eq!(format!("{encryption:?}"), format!("IoEncryption({size:?}, *********(redacted))"));
    }
    for bits in [0, 64, 127, 512] {
        assert_eq!(KeySize::of_bits(bits), None);
    }
    let error = IoEncryption::from_key(&[0; 17]).unwrap_err();
    assert!(error.to_string().contains("this one 17"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_any_pieces_comes_back_and_any_flip_is_noticed(
        lengths in prop::collection::vec(0..40_000usize, 0..12),
        at: prop::sample::Index,
        bit in 0..8u32,
    ) {
        let encryption = IoEncryption::generate(KeySize::Bits128);
        let mut writer = encryption.writer(Vec::new());
        let plain = text(lengths.iter().sum());
        let mut left = &plain[..];
        for length in lengths {
            let (piece, rest) = left.split_at(length);
            writer.write_all(piece).unwrap();
            left = rest;
        }
        let mut bytes = writer.finish().unwrap();
        prop_assert_eq!(opened(&encryption, &bytes).unwrap(), plain);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(opened(&encryption, &bytes).is_err());
    }
}
