//! Lines and splits: each line exactly once, wherever the cuts are.

use crate::files::write;
use firesteel_filesystem::{
    Codec, FilePath, FileSplit, FileSystems, HadoopConf, LineOptions, LineReader, RecordDelimiter, decode_utf8,
};
use proptest::prelude::*;

/// The lines of a text by the simplest rule, to compare with.
fn lines_of(text: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        lines.push(rest[..length].to_vec());
        let end = match &rest[length..] {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        rest = &rest[length + end..];
    }
    lines
}

/// The records between delimiters by the simplest rule.
pub fn records_of(text: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = text;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let length = rest.windows(delimiter.len()).position(|window| window == delimiter);
        records.push(rest[..length.unwrap_or(rest.len())].to_vec());
        rest = length.map_or(&[], |length| &rest[length + delimiter.len()..]);
    }
    if let Some(first) = records.first_mut().filter(|first| first.starts_with(b"\xef\xbb\xbf")) {
        first.drain(..3);
        // Nothing but the mark is in the file.
        if text.len() == 3 {
            records.clear();
        }
    }
    records
}

pub fn delimited_by(delimiter: &[u8]) -> LineOptions {
    LineOptions { delimiter: RecordDelimiter::new(delimiter), ..LineOptions::default() }
}

fn read_splits(path: &FilePath, length: u64, cuts: &[u64], options: LineOptions) -> Vec<Vec<u8>> {
    let systems = FileSystems::default();
    let mut borders = vec![0];
    borders.extend_from_slice(cuts);
    borders.push(length);
    let mut lines = Vec::new();
    for border in borders.windows(2) {
        let split = FileSplit { path: path.clone(), start: border[0], length: border[1] - border[0], hosts: vec![] };
        let mut reader = LineReader::open(&systems, &split, options.clone()).unwrap();
        while let Some(line) = reader.next_line().unwrap() {
            lines.push(line.to_vec());
        }
        assert!(reader.next_line().unwrap().is_none(), "the end is the end");
    }
    lines
}

fn file(text: &[u8]) -> (tempfile::TempDir, FilePath) {
    let directory = tempfile::tempdir().unwrap();
    let path = FilePath::local(directory.path()).unwrap().join("text");
    write(&FileSystems::default(), &path, text);
    (directory, path)
}

fn check(text: &[u8], expected: &[&str]) {
    let (_directory, path) = file(text);
    let expected: Vec<_> = expected.iter().map(|line| line.as_bytes().to_vec()).collect();
    assert_eq!(lines_of(text), expected);
    for cut in 1..text.len() as u64 {
        let read = read_splits(&path, text.len() as u64, &[cut], LineOptions::default());
        assert_eq!(read, expected, "{text:?} cut at {cut}");
    }
}

#[test]
fn line_ends_and_borders() {
    check(b"", &[]);
    check(b"a", &["a"]);
    check(b"\n", &[""]);
    check(b"a\nb\n", &["a", "b"]);
    check(b"a\r\nb\rc\n\rd", &["a", "b", "c", "", "d"]);
    check(b"\r\r\n\n\r\n", &["", "", "", ""]);
    check(b"\xef\xbb\xbfa\nb", &["a", "b"]);
    check(b"a\n\xef\xbb\xbfb", &["a", "\u{feff}b"]);
    check(b"\xef\xbb\xbf", &[]);
    check(b"\xef\xbb\xbf\n", &[""]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Safety: for any text and any cuts, the lines of the splits are the lines of the whole.
    #[test]
    fn each_line_exactly_once(
        text in prop::collection::vec(prop::sample::select(b"ab\n\r\n\r\xef\xbb\xbf\x00".to_vec()), 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (_directory, path) = file(&text);
        let mut cuts: Vec<u64> = cuts.iter().map(|cut| cut.index(text.len() + 1) as u64).filter(|cut| *cut > 0).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts.retain(|cut| *cut < text.len() as u64);
        prop_assert_eq!(read_splits(&path, text.len() as u64, &cuts, LineOptions::default()), lines_of(&text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Safety: the same where lines and splits are larger than the reader's buffers.
    #[test]
    fn each_line_exactly_once_across_buffers(
        lengths in prop::collection::vec((0usize..400_000, 0usize..4), 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut text = Vec::new();
        for (length, end) in lengths {
            text.extend(std::iter::repeat_n(b'x', length));
            text.extend_from_slice([&b"\n"[..], b"\r\n", b"\r", b"\r\n\n\n"][end]);
        }
        let (_directory, path) = file(&text);
        let mut cuts: Vec<u64> = cuts.iter().map(|cut| cut.index(text.len()) as u64).filter(|cut| *cut > 0).collect();
        cuts.sort_unstable();
        cuts.dedup();
        prop_assert!(read_splits(&path, text.len() as u64, &cuts, LineOptions::default()) == lines_of(&text));
    }
}

#[test]
fn records_between_delimiters() {
    let check = |text: &[u8], delimiter: &[u8], expected: &[&[u8]]| {
        let (_directory, path) = file(text);
        assert_eq!(records_of(text, delimiter), expected);
        for cut in 1..text.len() as u64 {
            let read = read_splits(&path, text.len() as u64, &[cut], delimited_by(delimiter));
            assert_eq!(read, expected, "{text:?} cut at {cut}");
        }
    };
    check(b"a|b\r\nc||d|", b"|", &[b"a", b"b\r\nc", b"", b"d"]);
    check(b"a|b\r\nc||d|", b"||", &[b"a|b\r\nc", b"d|"]);
    check(b"xaaayaaaaz", b"aa", &[b"x", b"ay", b"", b"z"]);
    check(b"one\ntwo\n\n\nthree\n\n", b"\n\n", &[b"one\ntwo", b"\nthree"]);
    check(b"\xef\xbb\xbfa|\xef\xbb\xbfb", b"|", &[b"a", b"\xef\xbb\xbfb"]);
    check(b"\xef\xbb\xbfa|b", b"\xef\xbb\xbf", &[b"", b"a|b"]);
    check(b"\xef\xbb\xbfa|b", b"\xbfa", &[b"\xef\xbb", b"|b"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Safety: for any text, any delimiter and any cuts, the records of the splits are the records of the whole. A delimiter of few
    /// letters overlaps itself often.
    #[test]
    fn each_record_exactly_once(
        text in prop::collection::vec(prop::sample::select(b"aaab\n\xef\xbb\xbf".to_vec()), 0..60),
        marked in any::<bool>(),
        delimiter in prop::collection::vec(prop::sample::select(b"aab\n\xef\xbf".to_vec()), 1..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = if marked { [b"\xef\xbb\xbf", text.as_slice()].concat() } else { text };
        let (_directory, path) = file(&text);
        let mut cuts: Vec<u64> = cuts.iter().map(|cut| cut.index(text.len() + 1) as u64).filter(|cut| *cut > 0).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts.retain(|cut| *cut < text.len() as u64);
        prop_assert_eq!(
            read_splits(&path, text.len() as u64, &cuts, delimited_by(&delimiter)),
            records_of(&text, &delimiter)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Safety: the same where records and runs of delimiters are longer than any buffer, and than what is looked back at first.
    #[test]
    fn each_record_exactly_once_across_buffers(
        lengths in prop::collection::vec((0usize..300_000, 0usize..20_000), 1..6),
        delimiter in prop::sample::select(vec![&b"aa"[..], b"aaaaaaa", b"xa", b"aax", b"ax"]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut text = Vec::new();
        for (length, run) in lengths {
            text.extend(std::iter::repeat_n(b'x', length));
            text.extend(std::iter::repeat_n(b'a', run));
        }
        let (_directory, path) = file(&text);
        let mut cuts: Vec<u64> =
            cuts.iter().map(|cut| cut.index(text.len() + 1) as u64).filter(|cut| *cut > 0).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts.retain(|cut| *cut < text.len() as u64);
        let read = read_splits(&path, text.len() as u64, &cuts, delimited_by(delimiter));
        prop_assert!(read == records_of(&text, delimiter), "cut at {:?}", cuts);
    }
}

#[test]
fn the_delimiter_is_what_hadoops_property_says_with_its_blanks() {
    let options = |value: &str| {
        LineOptions::from_conf(&HadoopConf::from_spark([("spark.hadoop.textinputformat.record.delimiter", value)]))
    };
    assert_eq!(LineOptions::from_conf(&HadoopConf::default()).unwrap().delimiter, None);
    for delimiter in ["|", " ; ", "\n\n", "é"] {
        assert_eq!(options(delimiter).unwrap(), delimited_by(delimiter.as_bytes()), "{delimiter:?}");
    }
    // Spark's tasks fail.
    let error = options("").unwrap_err().to_string();
    assert!(error.contains("record.delimiter") && error.contains("leave it unset"), "{error}");
}

#[test]
fn a_carriage_return_at_the_very_end_of_a_buffer() {
    const BUFFER: usize = 256 << 10;
    for before in [BUFFER - 2, BUFFER - 1, BUFFER, 16 << 10, (16 << 10) - 1] {
        for end in ["\r\n", "\r", "\n"] {
            let text = format!("{}{end}next{end}", "x".repeat(before));
            let (_directory, path) = file(text.as_bytes());
            let lines = read_splits(&path, text.len() as u64, &[1, before as u64], LineOptions::default());
            assert!(lines == lines_of(text.as_bytes()), "{before} {end:?}");
        }
    }
}

#[test]
fn lines_over_the_limit_are_left_out() {
    let mut conf = HadoopConf::default();
    // As in Hadoop the end of a line counts, and the limit itself is too much.
    conf.set("mapreduce.input.linerecordreader.line.maxlength", "12");
    let options = LineOptions::from_conf(&conf).unwrap();
    let huge = "y".repeat(3_000_000);
    let text = format!("0123456789\n0123456789x\r\n{huge}\nshort\n{huge}");
    let (_directory, path) = file(text.as_bytes());
    let split = FileSplit { path, start: 0, length: text.len() as u64, hosts: vec![] };
    let mut reader = LineReader::open(&FileSystems::default(), &split, options).unwrap();
    assert_eq!(reader.next_line().unwrap(), Some(&b"0123456789"[..]));
    assert_eq!(reader.next_line().unwrap(), Some(&b"short"[..]));
    assert_eq!(reader.next_line().unwrap(), None);
    assert_eq!(reader.skipped_lines(), 3);
    assert_eq!(reader.bytes_read(), text.len() as u64);

    let options = LineOptions { delimiter: RecordDelimiter::new("\n0"), max_length: 13 };
    let (_directory, path) = file(format!("0123456789\n0123456789x\n0{huge}\n0short\n0{huge}").as_bytes());
    let length = FileSystems::default().get(&path).unwrap().status(&path).unwrap().length;
    let lines = read_splits(&path, length, &[1], options);
    assert_eq!(lines, [&b"0123456789"[..], b"123456789x", b"short"]);
}

#[test]
fn texts_are_decoded_as_java_does_and_bytes_are_left_alone() {
    let text = b"caf\xc3\xa9\n\xff\xed\xa0\x80\n";
    let (_directory, path) = file(text);
    let split = FileSplit { path, start: 0, length: text.len() as u64, hosts: vec![] };
    let reader = LineReader::open(&FileSystems::default(), &split, LineOptions::default()).unwrap();
    let lines: Vec<_> = reader.lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["café", "\u{fffd}\u{fffd}"]);
    assert_eq!(lines[1], decode_utf8(b"\xff\xed\xa0\x80"));
    assert_eq!(lines_of(text)[1], b"\xff\xed\xa0\x80");
}

#[test]
fn a_compressed_file_is_one_split_and_damage_ends_the_lines() {
    use std::io::Write;
    let systems = FileSystems::default();
    let directory = tempfile::tempdir().unwrap();
    let path = FilePath::local(directory.path()).unwrap().join("text.gz");
    let mut encoder = firesteel_filesystem::Encoder::new(Codec::Gzip, Vec::new()).unwrap();
    for number in 0..100_000 {
        writeln!(encoder, "line {number}").unwrap();
    }
    let mut content = encoder.finish().unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 0x55;
    content[middle + 1] ^= 0x55;
    write(&systems, &path, &content);
    let part = FileSplit { path: path.clone(), start: 10, length: 10, hosts: vec![] };
    let error = LineReader::open(&systems, &part, LineOptions::default()).err().unwrap();
    assert!(error.to_string().contains("text.gz"), "{error}");
    let whole = FileSplit { start: 0, length: content.len() as u64, ..part };
    let mut lines = LineReader::open(&systems, &whole, LineOptions::default()).unwrap().lines();
    let error = lines.by_ref().find_map(Result::err).expect("the damage is noticed");
    assert!(error.to_string().contains("text.gz at byte "), "{error}");
    assert!(lines.next().is_none());
}
