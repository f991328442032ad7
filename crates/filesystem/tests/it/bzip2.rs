//! bzip2 files cut into splits: each line exactly once, and damage is noticed.

use std::io::{self, Write};

use crate::{
    files::write,
    lines::{delimited_by, records_of},
};
use bzip2::{Compression, write::BzEncoder};
use firesteel_filesystem::{FilePath, FileSplit, FileSystems, LineOptions, LineReader};
use proptest::prelude::*;

fn compress(level: u32, content: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A stream of its own for each part, as `pbzip2` writes them. Blocks then begin at whole bytes.
fn streams<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    parts.into_iter().enumerate().flat_map(|(index, part)| compress(1 + index as u32 % 9, part)).collect()
}

fn stored(content: &[u8]) -> (tempfile::TempDir, FilePath) {
    let directory = tempfile::tempdir().unwrap();
    let path = FilePath::local(directory.path()).unwrap().join("text.bz2");
    write(&FileSystems::default(), &path, content);
    (directory, path)
}

/// The lines of all splits of a file with a border at each cut.
fn read_splits(path: &FilePath, length: usize, cuts: &[usize]) -> io::Result<Vec<String>> {
    read_splits_with(path, length, cuts, &LineOptions::default())
}

fn read_splits_with(path: &FilePath, length: usize, cuts: &[usize], options: &LineOptions) -> io::Result<Vec<String>> {
    let borders: Vec<u64> = [&[0], cuts, &[length]].concat().into_iter().map(|border| border as u64).collect();
    let mut lines = Vec::new();
    for border in borders.windows(2) {
        let split = FileSplit { path: path.clone(), start: border[0], length: border[1] - border[0], hosts: vec![] };
        for line in LineReader::open(&FileSystems::default(), &split, options.clone())?.lines() {
            lines.push(line?);
        }
    }
    Ok(lines)
}

#[test]
fn each_line_exactly_once_wherever_small_blocks_are_cut() {
    let texts: [&[&[u8]]; 7] = [
        &[b"one\ntwo\nthree\n", b"four\n", b"five"],
        &[b"on", b"e\ntw", b"o", b"\n", b"\nthree"],
        &[b"one\r", b"\ntwo\r", b"three\r\n"],
        &[b"", b"one\n", b"", b"", b"two\n", b""],
        &[b"\xef\xbb", b"\xbfone\n", b"\xef\xbb\xbftwo"],
        &[b"", b""],
        &[b"one line and no end", b" of it", b" anywhere"],
    ];
    for parts in texts {
        let content = streams(parts.iter().copied());
        let (_directory, path) = stored(&content);
        let whole = read_splits(&path, content.len(), &[]).unwrap();
        for first in 1..content.len() {
            for second in [first + 1, (first + content.len()) / 2] {
                let cuts = if second < content.len() { vec![first, second] } else { vec![first] };
                let lines = read_splits(&path, content.len(), &cuts).unwrap();
                assert_eq!(lines, whole, "{parts:?} cut at {cuts:?}");
            }
        }
    }
}

#[test]
fn each_record_exactly_once_wherever_small_blocks_are_cut() {
    let texts: [(&[&[u8]], &[u8]); 6] = [
        (&[b"one\ntwo|th", b"ree|", b"fo|ur"], b"|"),
        (&[b"one#", b"#two##three", b"##", b"##four"], b"##"),
        (&[b"one#", b"#", b"#", b"#", b"#two#", b"##", b"#three#"], b"##"),
        (&[b"#", b"####", b"", b"#two###", b"#", b"#"], b"###"),
        (&[b"one#+", b"#+", b"#", b"+#+#two"], b"#+#"),
        (&[b"\xef\xbb", b"\xbfone##", b"#\xef\xbb\xbftwo"], b"##"),
    ];
    for (parts, delimiter) in texts {
        let content = streams(parts.iter().copied());
        let (_directory, path) = stored(&content);
        let records = records_of(&parts.concat(), delimiter);
        let expected: Vec<_> = records.into_iter().map(|record| String::from_utf8(record).unwrap()).collect();
        for first in 1..content.len() {
            for second in [first + 1, (first + content.len()) / 2] {
                let cuts = if second < content.len() { vec![first, second] } else { vec![first] };
                let read = read_splits_with(&path, content.len(), &cuts, &delimited_by(delimiter)).unwrap();
                assert_eq!(read, expected, "{parts:?} cut at {cuts:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Safety: the same where blocks begin within bytes, lines are longer than blocks, and splits shorter.
    #[test]
    fn each_line_exactly_once_across_blocks(
        lengths in prop::collection::vec(prop_oneof![9 => 0usize..200, 1 => 100_000usize..250_000], 1..400),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
        seed in any::<u64>(),
    ) {
        let mut random = seed | 1;
        let mut letter = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            b'a' + (random % 23) as u8
        };
        let lines: Vec<String> = lengths
            .iter()
            .map(|length| (0..*length).map(|_| char::from(letter())).collect())
            .collect();
        let text = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
        let content = compress(1, text.as_bytes());
        let (_directory, path) = stored(&content);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| 1 + cut.index(content.len() - 1)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        prop_assert!(read_splits(&path, content.len(), &cuts).unwrap() == lines, "cut at {:?}", cuts);
    }
}

/// Safety: whichever bits are flipped, there is an error, or the lines are those that were written: a checksum of a stream is
/// not looked at where it is read in parts, but each block has its own.
#[test]
fn damage_is_an_error_or_does_no_harm() {
    let content = streams([&b"one\ntwo\n"[..], b"three\n", b"four\nfive\n"]);
    let expected = ["one", "two", "three", "four", "five"];
    let mut errors = 0;
    for at in 0..content.len() {
        for flip in [1, 0x80] {
            let mut damaged = content.clone();
            damaged[at] ^= flip;
            let (_directory, path) = stored(&damaged);
            for cut in [1, content.len() / 2, content.len() - 20] {
                match read_splits(&path, damaged.len(), &[cut]) {
                    Ok(lines) => assert_eq!(lines, expected, "byte {at} by {flip:#x}, cut at {cut}"),
                    Err(error) => {
                        assert!(error.to_string().contains("text.bz2 at byte "), "{error}");
                        errors += 1;
                    }
                }
            }
        }
    }
    assert!(errors > content.len() * 3, "{errors} errors");
}

#[test]
fn a_file_cut_off_is_an_error_unless_a_stream_ended_there() {
    let parts: [&[u8]; 2] = [b"one\ntwo\n", b"three\n"];
    let content = streams(parts);
    let first = streams([parts[0]]).len();
    for length in 8..content.len() {
        let (_directory, path) = stored(&content[..length]);
        let lines = read_splits(&path, length, &[length / 2]);
        if length == first {
            assert_eq!(lines.unwrap(), ["one", "two"]);
        } else {
            let error = lines.expect_err("what is missing is noticed");
            assert!(error.to_string().contains("text.bz2"), "{length}: {error}");
        }
    }
}

#[test]
fn what_is_no_bzip2_file_is_an_error_and_not_an_empty_one() {
    let (_directory, path) = stored(&vec![b'x'; 6 << 20]);
    let error = read_splits(&path, 6 << 20, &[3 << 20]).unwrap_err();
    assert!(format!("{error:?}").contains("no bzip2 header"), "{error:?}");
    let unfinished = [b"BZh9\x31\x41\x59\x26\x53\x59".as_slice(), &vec![b'x'; 6 << 20]].concat();
    let (_directory, path) = stored(&unfinished);
    let error = read_splits(&path, unfinished.len(), &[3 << 20]).unwrap_err();
    assert!(format!("{error:?}").contains("a block has no end"), "{error:?}");
}

/// Each mark could be the end of the block in front of it, and each time all of that would be decompressed anew.
#[test]
fn marks_without_number_are_not_each_tried() {
    let mark = *b"\x31\x41\x59\x26\x53\x59";
    let content = [b"BZh9".as_slice(), &mark, &[0; 20], &mark.repeat(1_400_000)].concat();
    let (_directory, path) = stored(&content);
    let error = read_splits(&path, content.len(), &[content.len() - 1]).unwrap_err();
    assert!(format!("{error:?}").contains("a block has no end"), "{error:?}");
}

/// Parts read a little more than is theirs, as each reads on to the end of its last line.
#[test]
fn bytes_of_a_part_count_as_they_are_stored() {
    let parts: Vec<String> = (0..100).map(|part| format!("{part}\n").repeat(10_000)).collect();
    let content = streams(parts.iter().map(String::as_bytes));
    let (_directory, path) = stored(&content);
    let (half, length) = (content.len() as u64 / 2, content.len() as u64);
    for (start, end) in [(0, half), (half, length)] {
        let split = FileSplit { path: path.clone(), start, length: end - start, hosts: vec![] };
        let mut reader = LineReader::open(&FileSystems::default(), &split, LineOptions::default()).unwrap();
        while reader.next_line().unwrap().is_some() {}
        // A file as small as this is read at once.
        assert_eq!(reader.bytes_read(), length - start, "from {start} of {length}");
    }
}
