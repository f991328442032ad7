//! Hadoop's sequence files, version 6, whose records are a key and a value of one of Hadoop's classes each.
//!
//! All numbers are most significant byte first; a text is its length as a number of variable length and its UTF-8.
//!
//! ```text
//! file     header, then records, or blocks of them
//! header   "SEQ" 06             magic and version
//!          text text            the classes of keys and of values
//!          u8 u8                are values compressed? in blocks?
//!          text                 if so, the class of the codec
//!          i32 (text text)…     how many pairs of what the writer wanted to say, and those
//!          16 bytes             sync marker, random in each file
//! sync     i32 -1, 16 bytes     the sync marker, before a record now and then, and before every block
//! record   i32 i32              bytes of key and value; bytes of the key
//!          key value            the value compressed by itself, if values are
//! block    vint                 how many records
//!          (vint bytes)×4       the lengths of keys, keys, the lengths of values, values: each compressed as a whole
//! ```
//!
//! What follows a sync marker up to the next one belongs to the split in which the marker begins; what follows the header, to the first
//! split. So every record belongs to exactly one split, wherever a file is cut.
//!
//! A sequence file says nowhere how many records it has: one that was cut off exactly between two is not told from a whole one, by
//! Hadoop neither. Every other damage to what holds it together is an error; that of contents is one where their codec has a checksum,
//! or their class does not fit.

mod block;
mod header;
mod reader;
mod writer;

pub use reader::SequenceFileReader;
use serde::{Deserialize, Serialize};
pub use writer::{SequenceFileError, SequenceFileWriter};

use crate::Codec;

const SYNC_ESCAPE: i32 = -1;
const SYNC_HASH_SIZE: usize = 16;

/// What begins every run of records but the first: the escape and the marker.
const SYNC_SIZE: usize = 4 + SYNC_HASH_SIZE;

/// A writer puts a sync marker where so many bytes have gone by. Splits are not smaller (see [`SplitOptions`](crate::SplitOptions)).
pub(crate) const SYNC_INTERVAL: u64 = 5 * 1024 * SYNC_SIZE as u64;

/// How a sequence file is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum SequenceFileCompression {
    /// Not at all.
    #[default]
    None,
    /// Each value by itself.
    Record(Codec),
    /// Many records together.
    Block(Codec),
}

/// What is in a sequence file, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SequenceFileDescription {
    /// The class of keys, by its full name.
    pub key_class: String,
    /// The class of values.
    pub value_class: String,
    /// How it is compressed.
    pub compression: SequenceFileCompression,
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::*;
    use crate::{Existing, FileSplit, FileSystems, HadoopConf, Writable, WritableClass};

    type Record = (Vec<u8>, Vec<u8>);

    fn description(compression: SequenceFileCompression) -> SequenceFileDescription {
        let (key_class, value_class) = (WritableClass::Int.name().to_owned(), WritableClass::Bytes.name().to_owned());
        SequenceFileDescription { key_class, value_class, compression }
    }

    /// Writes with markers close together, so that small files have many. Returns the file's length.
    fn write(path: &Path, compression: SequenceFileCompression, records: &[Record]) -> u64 {
        write_with(path, compression, records, 40)
    }

    fn write_with(path: &Path, compression: SequenceFileCompression, records: &[Record], sync_interval: u64) -> u64 {
        let systems = FileSystems::default();
        let path = systems.path(path.to_str().unwrap()).unwrap();
        let file = systems.get(&path).unwrap().create(&path, Existing::Replace).unwrap();
        let mut writer =
            SequenceFileWriter::with_sizes(file, &path, &description(compression), sync_interval, 30).unwrap();
        records.iter().for_each(|(key, value)| writer.write(key, value).unwrap());
        writer.finish().unwrap()
    }

    fn read(path: &Path, start: u64, length: u64) -> std::io::Result<Vec<Record>> {
        let systems = FileSystems::default();
        let path = systems.path(path.to_str().unwrap()).unwrap();
        let mut reader = SequenceFileReader::open(&systems, &FileSplit { path, start, length, hosts: Vec::new() })?;
        let mut records = Vec::new();
        while let Some((key, value)) = reader.next_record()? {
            records.push((key.to_vec(), value.to_vec()));
        }
        Ok(records)
    }

    fn every_compression() -> Vec<SequenceFileCompression> {
        let with = |codec| [SequenceFileCompression::Record(codec), SequenceFileCompression::Block(codec)];
        [SequenceFileCompression::None].into_iter().chain(Codec::ALL.into_iter().flat_map(with)).collect()
    }

    fn some_records() -> Vec<Record> {
        let value = |index: u32| index.to_string().into_bytes().repeat(index as usize % 7);
        (0..50).map(|index: u32| (index.to_be_bytes().to_vec(), value(index))).collect()
    }

    #[test]
    fn records_come_back_with_every_codec() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        for compression in every_compression() {
            for records in [Vec::new(), vec![(Vec::new(), Vec::new())], some_records()] {
                let length = write(&path, compression, &records);
                assert_eq!(length, fs::metadata(&path).unwrap().len());
                assert_eq!(read(&path, 0, length).unwrap(), records, "{compression:?}");
            }
        }
    }

    #[test]
    fn bytes_as_hadoop_writes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        write_with(&path, SequenceFileCompression::None, &[(vec![0, 0, 0, 1], b"\0\0\0\x01x".to_vec())], SYNC_INTERVAL);
        let written = fs::read(&path).unwrap();
        let header = b"SEQ\x06\x20org.apache.hadoop.io.IntWritable\x22org.apache.hadoop.io.BytesWritable\0\0\0\0\0\0";
        assert_eq!(&written[..header.len()], header);
        assert_eq!(&written[header.len() + SYNC_HASH_SIZE..], b"\0\0\0\x09\0\0\0\x04\0\0\0\x01\0\0\0\x01x");
        write(&path, SequenceFileCompression::Block(Codec::Deflate), &[(vec![1], vec![2])]);
        let written = fs::read(&path).unwrap();
        let header =
            [&header[..header.len() - 6], b"\x01\x01\x2aorg.apache.hadoop.io.compress.DefaultCodec\0\0\0\0"].concat();
        assert_eq!(&written[..header.len()], header);
        let sync = &written[header.len()..header.len() + SYNC_HASH_SIZE];
        let block = &written[header.len() + SYNC_HASH_SIZE..];
        assert_eq!(&block[..SYNC_SIZE], [&[0xff; 4], sync].concat());
        assert_eq!(&block[SYNC_SIZE..][..4], [1, 9, 0x78, 0x9c], "one record; zlib streams");
    }

    #[test]
    fn other_files_and_versions_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let unknown_codec =
            b"SEQ\x06\x01a\x01b\x01\x01\x0ccom.example.Lzo".map(|byte| if byte == 0x0c { 15 } else { byte });
        for (content, message) in [
            (&b""[..], "it is not a sequence file"),
            (b"hello world", "it is not a sequence file"),
            (b"SEQ\x05", "its version is 5"),
            (b"SEQ\x06\x01a\x01b\x02\x00", "cut off"),
            (b"SEQ\x06\x8c\x7f\xff\xff\xffab", "cut off"),
            (b"SEQ\x06\x01a\x01b\0\0\x7f\xff\xff\xff", "cut off"),
            (&unknown_codec, "com.example.Lzo"),
        ] {
            fs::write(&path, content).unwrap();
            let error = read(&path, 0, 1000).unwrap_err();
            let text = firesteel_model::error_chain(&error);
            assert!(text.contains(message) && text.contains("could not read records from"), "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_is_noticed_unless_between_records() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        for compression in [
            SequenceFileCompression::None,
            SequenceFileCompression::Record(Codec::Gzip),
            SequenceFileCompression::Block(Codec::Zstandard),
        ] {
            let records = some_records();
            write(&path, compression, &records);
            let whole = fs::read(&path).unwrap();
            // Every length costs as many decoders as there are records.
            for length in (0..whole.len()).step_by(7) {
                fs::write(&path, &whole[..length]).unwrap();
                match read(&path, 0, u64::MAX) {
                    Ok(read) => assert_eq!(read, records[..read.len()], "{compression:?} {length}"),
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}"),
                }
            }
        }
    }

    #[test]
    fn a_length_that_is_damaged_takes_no_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        write_with(&path, SequenceFileCompression::None, &[(vec![1; 4], vec![2; 4])], SYNC_INTERVAL);
        let whole = fs::read(&path).unwrap();
        let record = whole.len() - 16;
        for (at, bytes, message) in [
            (record, [0x7f, 0xff, 0xff, 0xff], "cut off, or a length in it is damaged"),
            (record, [0xff, 0xff, 0xff, 0xfe], "a record is said to have -2 bytes"),
            (record, [0xff, 0xff, 0xff, 0xff], "cut off"),
            (record + 4, [0, 0, 0, 9], "a record is said to have 8 bytes, its key 9 of them"),
            (record + 4, [0xff, 0, 0, 0], "its key -16777216 of them"),
        ] {
            let mut damaged = whole.clone();
            damaged[at..at + 4].copy_from_slice(&bytes);
            fs::write(&path, &damaged).unwrap();
            let text = firesteel_model::error_chain(&read(&path, 0, 1000).unwrap_err());
            assert!(text.contains(message) && text.contains(&format!("at byte {record}")), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Every record is in exactly one split, wherever the file is cut.
        #[test]
        fn every_record_once(
            records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..60)), 0..30),
            cuts in prop::collection::vec(0u64..4000, 0..8),
            compression in prop::sample::select(every_compression()),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("f");
            let length = write(&path, compression, &records);
            let mut cuts: Vec<u64> = cuts.into_iter().map(|cut| cut % length).chain([0, length]).collect();
            cuts.sort_unstable();
            cuts.dedup();
            let parts = cuts.windows(2).map(|cut| read(&path, cut[0], cut[1] - cut[0]).unwrap());
            prop_assert_eq!(parts.flatten().collect::<Vec<_>>(), records);
        }

        /// A file with any byte changed gives an error or records, and never more than it could hold.
        #[test]
        fn any_damage_is_survived(at in 0usize..4000, bit in 0u8..8, compression in prop::sample::select(every_compression())) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("f");
            write(&path, compression, &some_records());
            let mut damaged = fs::read(&path).unwrap();
            let at = at % damaged.len();
            damaged[at] ^= 1 << bit;
            fs::write(&path, &damaged).unwrap();
            if let Ok(read) = read(&path, 0, u64::MAX) {
                prop_assert!(read.len() <= damaged.len());
            }
        }
    }

    #[test]
    fn cuts_between_every_two_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        for compression in [SequenceFileCompression::None, SequenceFileCompression::Block(Codec::Deflate)] {
            let records = some_records();
            let length = write(&path, compression, &records);
            for cut in (1..length).step_by(3) {
                let parts = [read(&path, 0, cut).unwrap(), read(&path, cut, length - cut).unwrap()];
                assert_eq!(parts.concat(), records, "{compression:?} {cut}");
            }
            let bytes = (0..length).map(|start| read(&path, start, 1).unwrap());
            assert_eq!(bytes.flatten().collect::<Vec<_>>(), records, "{compression:?}");
        }
    }

    #[test]
    fn values_of_classes_go_through_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let mut key = Vec::new();
        Writable::Text("k".into()).encode(&mut key).unwrap();
        let systems = FileSystems::default();
        let place = systems.path(path.to_str().unwrap()).unwrap();
        let file = systems.get(&place).unwrap().create(&place, Existing::Refuse).unwrap();
        let mut conf = HadoopConf::default();
        conf.set("io.seqfile.compress.blocksize", "x");
        let description = description(SequenceFileCompression::None);
        assert!(SequenceFileWriter::new(file, &place, &description, &conf).is_err());
        let file = systems.get(&place).unwrap().create(&place, Existing::Refuse).unwrap();
        let mut writer = SequenceFileWriter::new(file, &place, &description, &HadoopConf::default()).unwrap();
        writer.write(&key, &key).unwrap();
        let length = writer.finish().unwrap();
        let split = FileSplit { path: place, start: 0, length, hosts: Vec::new() };
        let mut reader = SequenceFileReader::open(&systems, &split).unwrap();
        assert_eq!(reader.description(), &description);
        let (read, _) = reader.next_record().unwrap().unwrap();
        assert_eq!(Writable::decode(WritableClass::Text, read).unwrap(), Writable::Text("k".into()));
        assert!(reader.next_record().unwrap().is_none());
        assert_eq!(reader.position(), length);
    }
}
