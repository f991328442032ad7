//! Records as a stream of bytes: what a cached partition looks like in serialized memory, on disk and on the wire.
//!
//! The stream is a row of chunks, each with whole records, so that a reader holds one chunk at a time and checks it before
//! it decodes anything:
//!
//! ```text
//!  crc32 (u32) | stored as (u8) | records (u32) | raw length (u32) | payload length (u32) | payload
//! ```
//!
//! all little-endian; the checksum covers everything after itself. Inside the raw payload each record has its length
//! (u32) in front. A chunk without records ends the stream, with the number of all records as payload: what merely stops
//! was cut off.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use crate::{
    CodecError, CompressionCodec, RecordCodec,
    compression::{self, Stored},
};

/// A chunk ends with the record that takes it beyond this: large enough that codecs work well, small enough that reading
/// a block needs hardly any memory.
const CHUNK_SIZE: usize = 64 << 10;

const HEADER_SIZE: usize = 17;

/// Records could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadRecordsError {
    /// The bytes are not what was written: a disk or a network damaged them.
    #[error("the block is damaged at byte {offset}: {what}")]
    Corrupt {
        /// Where the bad chunk begins.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The bytes end before the stream does.
    #[error("the block is cut off at byte {offset}")]
    Truncated {
        /// Where the incomplete chunk begins.
        offset: u64,
    },
    /// The bytes are what was written, but the codec cannot read them.
    #[error("record {index} could not be decoded")]
    Decode {
        /// Which record, from 0.
        index: u64,
        /// What the codec says.
        #[source]
        source: CodecError,
    },
    /// The file could not be read.
    #[error("could not read the block's file")]
    Io(#[source] io::Error),
}

impl ReadRecordsError {
    /// Is this copy of the block bad, so that another copy may be good?
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Decode { .. })
    }
}

/// Records could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteRecordsError {
    #[error("a record could not be encoded")]
    Encode(#[source] CodecError),
    #[error("the bytes could not be written")]
    Io(#[source] io::Error),
}

/// Writes records to a sink.
pub(crate) struct RecordWriter<T, W> {
    codec: Arc<dyn RecordCodec<T>>,
    compression: Option<CompressionCodec>,
    sink: W,
    chunk: Vec<u8>,
    chunk_records: u32,
    records: u64,
}

impl<T: 'static, W: Write> RecordWriter<T, W> {
    pub(crate) fn new(codec: Arc<dyn RecordCodec<T>>, compression: Option<CompressionCodec>, sink: W) -> Self {
        Self { codec, compression, sink, chunk: Vec::new(), chunk_records: 0, records: 0 }
    }

    pub(crate) fn write(&mut self, record: &T) -> Result<(), WriteRecordsError> {
        let start = self.chunk.len();
        self.chunk.extend_from_slice(&[0; 4]);
        let encoded = self.codec.encode(record, &mut self.chunk).and_then(|()| {
            let length = self.chunk.len() - start - 4;
            u32::try_from(length)
                .map_err(|_| format!("a record of {length} bytes is too large, the limit is 4 GiB").into())
        });
        let length = match encoded {
            Ok(length) => length,
            Err(error) => {
                self.chunk.truncate(start);
                return Err(WriteRecordsError::Encode(error));
            }
        };
        self.chunk[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.chunk_records += 1;
        self.records += 1;
        if self.chunk.len() >= CHUNK_SIZE {
            self.flush_chunk()?;
        }
        Ok(())
    }

    /// Ends the stream. Nothing is written after it.
    pub(crate) fn finish(&mut self) -> Result<(), WriteRecordsError> {
        self.flush_chunk()?;
        let records = self.records.to_le_bytes();
        write_chunk(&mut self.sink, Stored::Plain, 0, records.len(), &records).map_err(WriteRecordsError::Io)
    }

    /// Where the records went.
    pub(crate) fn sink(&self) -> &W {
        &self.sink
    }

    /// Where the records went; the stream should have been ended.
    pub(crate) fn into_sink(self) -> W {
        self.sink
    }

    /// Goes on into another sink, which `open` makes from the one that holds everything written up to now.
    pub(crate) fn continue_into<V, E>(self, open: impl FnOnce(W) -> Result<V, E>) -> Result<RecordWriter<T, V>, E> {
        let Self { codec, compression, sink, chunk, chunk_records, records } = self;
        Ok(RecordWriter { codec, compression, sink: open(sink)?, chunk, chunk_records, records })
    }

    fn flush_chunk(&mut self) -> Result<(), WriteRecordsError> {
        if self.chunk_records == 0 {
            return Ok(());
        }
        let too_large = || WriteRecordsError::Encode("a chunk of records is too large, the limit is 4 GiB".into());
        u32::try_from(self.chunk.len()).map_err(|_| too_large())?;
        let (stored, packed) = compression::compress(self.compression, &self.chunk);
        let payload = packed.as_deref().unwrap_or(&self.chunk);
        write_chunk(&mut self.sink, stored, self.chunk_records, self.chunk.len(), payload)
            .map_err(WriteRecordsError::Io)?;
        self.chunk.clear();
        self.chunk_records = 0;
        Ok(())
    }
}

impl<T> RecordWriter<T, Vec<u8>> {
    /// How many bytes are held in memory.
    pub(crate) fn len(&self) -> usize {
        self.sink.len() + self.chunk.len()
    }
}

fn write_chunk(sink: &mut impl Write, stored: Stored, records: u32, raw_len: usize, payload: &[u8]) -> io::Result<()> {
    let mut header = [0; HEADER_SIZE];
    header[4] = stored as u8;
    header[5..9].copy_from_slice(&records.to_le_bytes());
    header[9..13].copy_from_slice(&(raw_len as u32).to_le_bytes());
    header[13..17].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    let checksum = checksum(&header, payload);
    header[..4].copy_from_slice(&checksum.to_le_bytes());
    sink.write_all(&header)?;
    sink.write_all(payload)
}

fn checksum(header: &[u8; HEADER_SIZE], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[4..]);
    hasher.update(payload);
    hasher.finalize()
}

/// Reads records back, one chunk at a time. Ends after the first error.
pub(crate) struct RecordReader<T, R> {
    codec: Arc<dyn RecordCodec<T>>,
    source: R,
    /// Of the chunk that comes next.
    offset: u64,
    raw: Vec<u8>,
    position: usize,
    /// Of the chunk at hand.
    records_left: u32,
    records: u64,
    ended: bool,
}

impl<T: 'static, R: Read> RecordReader<T, R> {
    pub(crate) fn new(codec: Arc<dyn RecordCodec<T>>, source: R) -> Self {
        Self { codec, source, offset: 0, raw: Vec::new(), position: 0, records_left: 0, records: 0, ended: false }
    }

    fn next_record(&mut self) -> Result<Option<T>, ReadRecordsError> {
        if self.records_left == 0 && !self.next_chunk()? {
            return Ok(None);
        }
        let corrupt = ReadRecordsError::Corrupt { offset: self.offset, what: "its records do not fill it" };
        let rest = &self.raw[self.position..];
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Err(corrupt) };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(encoded) = rest.get(..length) else { return Err(corrupt) };
        let index = self.records;
        let record = self.codec.decode(encoded).map_err(|source| ReadRecordsError::Decode { index, source })?;
        self.position += 4 + length;
        self.records_left -= 1;
        self.records += 1;
        Ok(Some(record))
    }

    /// Loads the next chunk. False at the end of the stream.
    fn next_chunk(&mut self) -> Result<bool, ReadRecordsError> {
        let offset = self.offset;
        let corrupt = |what| ReadRecordsError::Corrupt { offset, what };
        let chunk = read_chunk(&mut self.source, offset)?;
        self.offset += chunk.length();
        if chunk.records == 0 {
            return if chunk.ends(self.records) { Ok(false) } else { Err(corrupt(RECORDS_MISSING)) };
        }
        let stored = Stored::from_byte(chunk.stored).ok_or_else(|| corrupt("it is compressed in an unknown way"))?;
        self.raw.clear();
        self.position = 0;
        compression::decompress(stored, &chunk.payload, chunk.raw_len as usize, &mut self.raw)
            .map_err(|_| corrupt("it could not be decompressed"))?;
        self.records_left = chunk.records;
        Ok(true)
    }
}

const RECORDS_MISSING: &str = "records are missing before it";

/// Is this a whole, undamaged stream? Says how many records it has.
pub(crate) fn verify(mut bytes: &[u8]) -> Result<u64, ReadRecordsError> {
    let (mut offset, mut records) = (0, 0);
    loop {
        let chunk = read_chunk(&mut bytes, offset)?;
        if chunk.records == 0 {
            let whole = chunk.ends(records) && bytes.is_empty();
            return if whole { Ok(records) } else { Err(ReadRecordsError::Corrupt { offset, what: RECORDS_MISSING }) };
        }
        records += u64::from(chunk.records);
        offset += chunk.length();
    }
}

struct Chunk {
    stored: u8,
    records: u32,
    raw_len: u32,
    payload: Vec<u8>,
}

impl Chunk {
    fn length(&self) -> u64 {
        (HEADER_SIZE + self.payload.len()) as u64
    }

    /// Is this the end of a stream of so many records?
    fn ends(&self, records: u64) -> bool {
        self.payload == records.to_le_bytes()
    }
}

/// Reads one chunk and verifies it.
fn read_chunk(source: &mut impl Read, offset: u64) -> Result<Chunk, ReadRecordsError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadRecordsError::Truncated { offset },
        _ => ReadRecordsError::Io(error),
    };
    let mut header = [0; HEADER_SIZE];
    source.read_exact(&mut header).map_err(failed)?;
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut payload = Vec::new();
    // A damaged length must not make us reserve gigabytes: the buffer grows with what is really there.
    source.take(u64::from(number(13))).read_to_end(&mut payload).map_err(failed)?;
    if payload.len() < number(13) as usize {
        return Err(ReadRecordsError::Truncated { offset });
    }
    if checksum(&header, &payload) != number(0) {
        return Err(ReadRecordsError::Corrupt { offset, what: "its checksum does not match" });
    }
    Ok(Chunk { stored: header[4], records: number(5), raw_len: number(9), payload })
}

impl<T: 'static, R: Read> Iterator for RecordReader<T, R> {
    type Item = Result<T, ReadRecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_record().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PostcardCodec;

    fn encode(records: &[String], compression: Option<CompressionCodec>) -> Vec<u8> {
        let mut writer = RecordWriter::new(Arc::new(PostcardCodec::<String>::new()), compression, Vec::new());
        records.iter().for_each(|record| writer.write(record).unwrap());
        writer.finish().unwrap();
        writer.into_sink()
    }

    fn decode(bytes: &[u8]) -> Result<Vec<String>, ReadRecordsError> {
        RecordReader::new(Arc::new(PostcardCodec::<String>::new()), bytes).collect()
    }

    fn codec() -> impl Strategy<Value = Option<CompressionCodec>> {
        prop::sample::select(vec![
            None,
            Some(CompressionCodec::Lz4),
            Some(CompressionCodec::Zstd { level: 1 }),
            Some(CompressionCodec::Snappy),
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn records_come_back(codec in codec(), lengths in prop::collection::vec(0..3000usize, 0..120)) {
            let records: Vec<String> = lengths.iter().map(|length| "ab".repeat(*length)).collect();
            prop_assert_eq!(decode(&encode(&records, codec)).unwrap(), records);
        }

        #[test]
        fn one_flipped_bit_is_always_noticed(codec in codec(), count in 0..200usize, at: prop::sample::Index, bit in 0..8u32) {
            let records: Vec<String> = (0..count).map(|number| format!("record {number}")).collect();
            let mut bytes = encode(&records, codec);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let error = decode(&bytes).unwrap_err();
            prop_assert!(error.is_damage(), "{error}");
        }

        #[test]
        fn a_missing_end_is_always_noticed(codec in codec(), count in 0..200usize, at: prop::sample::Index) {
            let records: Vec<String> = (0..count).map(|number| format!("record {number}")).collect();
            let bytes = encode(&records, codec);
            let cut = &bytes[..at.index(bytes.len())];
            let noticed = matches!(decode(cut), Err(ReadRecordsError::Truncated { .. }));
            prop_assert!(noticed);
        }
    }

    #[test]
    fn a_writer_goes_on_in_another_sink() {
        let records: Vec<String> = (0..30_000).map(|number| format!("record {number}")).collect();
        let mut writer = RecordWriter::new(Arc::new(PostcardCodec::<String>::new()), None, Vec::new());
        records[..20_000].iter().for_each(|record| writer.write(record).unwrap());
        let mut writer = writer.continue_into(|written| Ok::<_, ()>(io::Cursor::new(written))).unwrap();
        let end = writer.sink.get_ref().len() as u64;
        writer.sink.set_position(end);
        records[20_000..].iter().for_each(|record| writer.write(record).unwrap());
        writer.finish().unwrap();
        assert_eq!(decode(writer.sink().get_ref()).unwrap(), records);
        assert_eq!(verify(writer.sink().get_ref()).unwrap(), 30_000);
    }
}
