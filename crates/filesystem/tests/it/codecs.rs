//! Codecs against themselves, against the command line tools, and against damage.

use std::{
    fs,
    io::{Read, Write},
    process::Command,
};

use crate::files::{noise, write};
use firesteel_filesystem::{
    Codec, Encoder, FilePath, FileSplit, FileSystems, LineOptions, LineReader, open_input, read_whole_file,
};
use proptest::prelude::*;

fn compress(codec: Codec, content: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(codec, Vec::new()).unwrap();
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Reads bytes as a file with the codec's suffix.
fn decompress(codec: Codec, stored: &[u8]) -> std::io::Result<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let path = FilePath::local(directory.path()).unwrap().join(&format!("file{}", codec.suffix()));
    write(&FileSystems::default(), &path, stored);
    let mut content = Vec::new();
    open_input(&FileSystems::default(), &path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Text that compresses, and is larger than any buffer.
fn text() -> Vec<u8> {
    (0..200_000).flat_map(|number| format!("{number} the quick brown fox\n").into_bytes()).collect()
}

#[test]
fn every_codec_gives_back_what_it_took() {
    for codec in Codec::ALL {
        for content in [Vec::new(), b"x".to_vec(), noise(1_000_000), text()] {
            let stored = compress(codec, &content);
            assert!(decompress(codec, &stored).unwrap() == content, "{codec} {}", content.len());
        }
        assert!(compress(codec, &text()).len() < text().len() / 2, "{codec} compresses");
        assert_eq!(decompress(codec, b"").unwrap(), b"", "{codec}: an empty file holds nothing");
    }
}

/// What the metrics of a task say is what storage gave, as in Spark.
#[test]
fn bytes_of_a_compressed_file_count_as_they_are_stored() {
    for codec in Codec::ALL {
        let stored = compress(codec, &text());
        let directory = tempfile::tempdir().unwrap();
        let path = FilePath::local(directory.path()).unwrap().join(&format!("file{}", codec.suffix()));
        write(&FileSystems::default(), &path, &stored);
        let split = FileSplit { path, start: 0, length: stored.len() as u64, hosts: vec![] };
        let mut reader = LineReader::open(&FileSystems::default(), &split, LineOptions::default()).unwrap();
        while reader.next_line().unwrap().is_some() {}
        assert_eq!(reader.bytes_read(), stored.len() as u64, "{codec}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Safety: damage of any kind gives an error or other data, but no panic; files cut off are always noticed.
    #[test]
    fn damage_is_an_error(which in 0usize..6, at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let codec = Codec::ALL[which];
        let content: Vec<u8> = text().into_iter().take(300_000).collect();
        let stored = compress(codec, &content);
        let at = at.index(stored.len());
        let mut damaged = stored.clone();
        damaged[at] ^= flip;
        if let Ok(read) = decompress(codec, &damaged) {
            // Hadoop's framings have no checksum; in the others only header fields that do not matter may change.
            let unchecked = matches!(codec, Codec::Lz4 | Codec::Snappy | Codec::Zstandard);
            prop_assert!(unchecked || read == content, "{}", codec);
        }
        if at > 0 {
            match decompress(codec, &stored[..at]) {
                // A cut between two blocks of Hadoop's framings cannot be told from the end.
                Ok(read) => prop_assert!(matches!(codec, Codec::Lz4 | Codec::Snappy) && content.starts_with(&read)),
                Err(error) => {
                    let text = error.to_string();
                    prop_assert!(text.contains("could not decompress file:/") && text.contains("at byte"), "{}", text);
                }
            }
        }
    }
}

/// The same at every byte of a short file, where headers and trailers are most of it.
#[test]
fn a_short_file_cut_off_anywhere() {
    for codec in Codec::ALL {
        let stored = compress(codec, b"a short content");
        for length in 1..stored.len() {
            let error = decompress(codec, &stored[..length]).expect_err("a file that is cut off");
            assert!(error.to_string().contains("could not decompress"), "{codec} {length}: {error}");
        }
        for at in 0..stored.len() {
            for bit in 0..8 {
                let mut damaged = stored.clone();
                damaged[at] ^= 1 << bit;
                let unchecked = matches!(codec, Codec::Lz4 | Codec::Snappy | Codec::Zstandard);
                if let Ok(read) = decompress(codec, &damaged) {
                    assert!(unchecked || read == b"a short content", "{codec} {at} {bit}");
                }
            }
        }
    }
}

/// Frames as the command `lz4` writes them, one with every field that a frame may have and one with few.
fn lz4_frames() -> Vec<u8> {
    use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
    let noise = noise(200_000);
    [(true, &b"one frame\n"[..]), (false, &noise)]
        .into_iter()
        .flat_map(|(checksums, content)| {
            let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_checksums(checksums);
            let info = info.content_checksum(checksums).content_size(checksums.then_some(content.len() as u64));
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        })
        .collect()
}

#[test]
fn lz4_frames_that_are_cut_off_or_followed_by_something_else_are_errors() {
    let stored = lz4_frames();
    let content = [&b"one frame\n"[..], &noise(200_000)].concat();
    assert!(decompress(Codec::Lz4, &stored).unwrap() == content);
    let magic = &stored[..4];
    let first = 4 + stored[4..].windows(4).position(|bytes| bytes == magic).unwrap();
    // All lengths of the first frames and of the end, and some of the middle, which has borders of blocks.
    let lengths =
        (5..first + 60).chain((first + 60..stored.len() - 10).step_by(97)).chain(stored.len() - 10..stored.len());
    let blocks = (0..4).map(|block| first + 7 + block * (4 + (64 << 10))).filter(|length| *length < stored.len());
    for length in lengths.chain(blocks) {
        let outcome = decompress(Codec::Lz4, &stored[..length]);
        assert_eq!(outcome.is_ok(), length == first, "{length} of {}", stored.len());
    }
    for junk in 1..12 {
        assert!(decompress(Codec::Lz4, &[&stored[..], &vec![b'j'; junk]].concat()).is_err(), "{junk} bytes behind");
    }
}

#[test]
fn several_members_are_read_as_one() {
    for codec in Codec::ALL {
        let stored = [compress(codec, b"one\n"), compress(codec, &text()), compress(codec, b"three\n")].concat();
        let expected = [&b"one\n"[..], &text(), b"three\n"].concat();
        assert!(decompress(codec, &stored).unwrap() == expected, "{codec}");
    }
}

/// Runs a filter program over a file.
fn filter(program: &[&str], input: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("input");
    fs::write(&path, input).unwrap();
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).stdin(fs::File::open(&path).unwrap());
    let output = command.output().unwrap_or_else(|error| panic!("{program:?} is needed for this test: {error}"));
    assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_command_line_tools_agree() {
    for (codec, program) in [(Codec::Gzip, "gzip"), (Codec::Bzip2, "bzip2"), (Codec::Zstandard, "zstd")] {
        for content in [b"".to_vec(), text(), noise(500_000)] {
            assert!(filter(&[program, "-dc"], &compress(codec, &content)) == content, "{program} reads ours");
            assert!(decompress(codec, &filter(&[program, "-c"], &content)).unwrap() == content, "we read {program}'s");
        }
    }
    // The lz4 command writes frames, which Hadoop does not; both are read under the one suffix.
    let frames = [filter(&["lz4", "-c"], &text()), filter(&["lz4", "-c", "-9"], b"more")].concat();
    assert!(decompress(Codec::Lz4, &frames).unwrap() == [text(), b"more".to_vec()].concat());
}

#[test]
fn hadoops_framings_byte_for_byte() {
    // Written by hand from the format: a block of 5 + 5 bytes in two chunks, then one of 3.
    let lz4 = [
        &[0, 0, 0, 10, 0, 0, 0, 6, 0x50][..],
        b"hello",
        &[0, 0, 0, 6, 0x50],
        b"world",
        &[0, 0, 0, 3, 0, 0, 0, 4, 0x30],
        b"end",
    ]
    .concat();
    assert_eq!(decompress(Codec::Lz4, &lz4).unwrap(), b"helloworldend");
    let snappy = [&[0, 0, 0, 5, 0, 0, 0, 7, 5, 16][..], b"hello"].concat();
    assert_eq!(decompress(Codec::Snappy, &snappy).unwrap(), b"hello");
    assert_eq!(compress(Codec::Snappy, b"hello"), snappy);
    assert_eq!(compress(Codec::Lz4, b""), [0, 0, 0, 0]);
    let huge = [0, 0, 0, 10, 0x7f, 0xff, 0xff, 0xff];
    assert!(decompress(Codec::Lz4, &huge).is_err(), "a length decides over no memory");
}

#[test]
fn names() {
    for codec in Codec::ALL {
        let simple = codec.class_name().rsplit('.').next().unwrap();
        for name in [codec.name(), codec.class_name(), simple] {
            assert_eq!(name.parse::<Codec>().unwrap(), codec);
        }
        assert_eq!(Codec::of_path(&FilePath::parse(&format!("/x{}", codec.suffix())).unwrap()), Some(codec));
    }
    assert_eq!(Codec::of_path(&FilePath::parse("/x.txt").unwrap()), None);
    for (name, codec) in [("T.TXT.GZ", Codec::Gzip), ("t.Bz2", Codec::Bzip2), ("t.SNAPPY", Codec::Snappy)] {
        assert_eq!(Codec::of_path(&FilePath::parse(&format!("/{name}")).unwrap()), Some(codec), "{name}");
    }
    let error = "org.example.Codec".parse::<Codec>().unwrap_err().to_string();
    assert!(error.contains("org.example.Codec") && error.contains("GzipCodec"), "{error}");
}

#[test]
fn whole_files_with_and_without_decompression() {
    let systems = FileSystems::default();
    let directory = tempfile::tempdir().unwrap();
    let path = FilePath::local(directory.path()).unwrap().join("x.gz");
    let stored = compress(Codec::Gzip, b"content");
    write(&systems, &path, &stored);
    assert_eq!(read_whole_file(&systems, &path, true).unwrap(), b"content");
    assert_eq!(read_whole_file(&systems, &path, false).unwrap(), stored);
}
