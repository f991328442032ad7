//! Object files: cut anywhere, damaged anywhere.

use crate::files::{noise, read, write};
use firesteel_filesystem::{
    Existing, FilePath, FileSplit, FileSystems, ObjectFileCodec, ObjectFileDescription, ObjectFileReader,
    ObjectFileWriter,
};
use proptest::prelude::*;

const CODECS: [ObjectFileCodec; 3] = [ObjectFileCodec::None, ObjectFileCodec::Lz4, ObjectFileCodec::Zstd];

fn write_objects(path: &FilePath, records: &[Vec<u8>], codec: ObjectFileCodec) -> u64 {
    let systems = FileSystems::default();
    let file = systems.get(path).unwrap().create(path, Existing::Replace).unwrap();
    let description = ObjectFileDescription { type_name: "pair of numbers".to_owned(), codec };
    let mut writer = ObjectFileWriter::new(file, path, &description).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    writer.finish().unwrap()
}

fn read_split(path: &FilePath, start: u64, end: u64) -> std::io::Result<Vec<Vec<u8>>> {
    let split = FileSplit { path: path.clone(), start, length: end - start, hosts: vec![] };
    let mut reader = ObjectFileReader::open(&FileSystems::default(), &split)?;
    assert_eq!(reader.description().type_name, "pair of numbers");
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(record.to_vec());
    }
    Ok(records)
}

fn temporary() -> (tempfile::TempDir, FilePath) {
    let directory = tempfile::tempdir().unwrap();
    let path = FilePath::local(directory.path()).unwrap().join("part-00000");
    (directory, path)
}

fn records() -> Vec<Vec<u8>> {
    let mut records: Vec<_> = (0..3000u32).map(|number| noise(number as usize % 2000)).collect();
    records.push(noise(3_000_000));
    records.push(Vec::new());
    records
}

#[test]
fn whole_files() {
    let (_directory, path) = temporary();
    for codec in CODECS {
        for records in [Vec::new(), vec![Vec::new()], records()] {
            let length = write_objects(&path, &records, codec);
            assert!(read_split(&path, 0, length).unwrap() == records, "{codec:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// Safety: each record is in exactly one split, in order, wherever the cuts are; also within the last bytes.
    #[test]
    fn each_record_exactly_once(
        codec in 0usize..3,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        from_end in 1u64..60,
    ) {
        let (_directory, path) = temporary();
        let records = records();
        let length = write_objects(&path, &records, CODECS[codec]);
        let mut borders: Vec<u64> = cuts.iter().map(|cut| cut.index(length as usize) as u64).collect();
        borders.extend([0, length - from_end, length]);
        borders.sort_unstable();
        borders.dedup();
        let mut read = Vec::new();
        for border in borders.windows(2) {
            read.extend(read_split(&path, border[0], border[1]).unwrap());
        }
        prop_assert!(read == records);
    }

    /// Safety: any changed byte and any cut is an error that names the file, never other data.
    #[test]
    fn damage_is_noticed(codec in 0usize..3, at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let (_directory, path) = temporary();
        write_objects(&path, &records()[..1500], CODECS[codec]);
        let stored = read(&FileSystems::default(), &path);
        let at = at.index(stored.len());
        let mut damaged = stored.clone();
        damaged[at] ^= flip;
        for content in [&damaged[..], &stored[..at]] {
            write(&FileSystems::default(), &path, content);
            let error = read_split(&path, 0, content.len() as u64).unwrap_err().to_string();
            prop_assert!(error.contains("could not read objects from file:/") && error.contains("part-00000"), "{}", error);
        }
    }
}

#[test]
fn a_file_cut_off_between_two_blocks_is_noticed_by_the_last_split() {
    let (_directory, path) = temporary();
    let length = write_objects(&path, &records(), ObjectFileCodec::None);
    let stored = read(&FileSystems::default(), &path);
    let end_block = 40;
    write(&FileSystems::default(), &path, &stored[..(length - end_block) as usize]);
    let length = length - end_block;
    assert!(read_split(&path, 0, length / 2).is_ok());
    let error = read_split(&path, length / 2, length).unwrap_err();
    assert!(std::error::Error::source(error.get_ref().unwrap()).unwrap().to_string().contains("cut off"), "{error:?}");
}

#[test]
fn other_files_are_refused() {
    let (_directory, path) = temporary();
    write(&FileSystems::default(), &path, b"SEQ\x06org.apache.hadoop.io.NullWritable");
    let error = read_split(&path, 0, 10).unwrap_err();
    let source = std::error::Error::source(error.get_ref().unwrap()).unwrap().to_string();
    assert!(source.contains("not a Firesteel object file"), "{source}");
}
