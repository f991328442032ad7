//! Reading the part of an object file that belongs to a split.

use std::io::{self, Read, SeekFrom};

use memchr::memmem;

use super::{BLOCK_HEADER_SIZE, MAGIC, MAX_DESCRIPTION, ObjectFileCodec, ObjectFileDescription, SYNC_SIZE, VERSION};
use crate::{BoxedError, FileIoError, FilePath, FileRead, FileSplit, FileSystems};

/// How much is read at once when searching for a sync marker.
const SEARCH_BUFFER: usize = 64 << 10;

/// Bytes of the end block.
const END_BLOCK_SIZE: u64 = BLOCK_HEADER_SIZE as u64 + 8;

/// Room for a payload is made at once up to this; a longer one grows as it is decompressed, as its length may be damage.
const PAYLOAD_AT_ONCE: usize = 16 << 20;

/// The bytes that one byte of LZ4 stands for at most.
const LZ4_RATIO_MAX: usize = 255;

/// The largest that there is.
const ZSTD_WINDOW_LOG_MAX: u32 = 31;

/// Reads the records of the blocks that begin in a split.
pub struct ObjectFileReader {
    file: Box<dyn FileRead>,
    path: FilePath,
    description: ObjectFileDescription,
    sync: [u8; SYNC_SIZE],
    /// Where the next block begins.
    position: u64,
    /// Blocks that begin here or later belong to another split.
    end: u64,
    stored: Vec<u8>,
    payload: Vec<u8>,
    taken: usize,
    records_left: u32,
    records_before: u64,
    counts_all: bool,
    finished: bool,
}

impl ObjectFileReader {
    /// Opens a split and reads the file's header.
    pub fn open(systems: &FileSystems, split: &FileSplit) -> io::Result<Self> {
        let file = systems.get(&split.path).and_then(|system| system.open(&split.path))?;
        let mut reader = Self {
            file,
            path: split.path.clone(),
            description: ObjectFileDescription::default(),
            sync: [0; SYNC_SIZE],
            position: 0,
            end: split.end(),
            stored: Vec::new(),
            payload: Vec::new(),
            taken: 0,
            records_left: 0,
            records_before: 0,
            counts_all: false,
            finished: false,
        };
        reader.read_header()?;
        if split.start > reader.position {
            reader.find_block(split.start)?;
        } else {
            reader.counts_all = true;
        }
        Ok(reader)
    }

    /// What the header says.
    pub fn description(&self) -> &ObjectFileDescription {
        &self.description
    }

    /// The next record, or `None` behind the last one.
    pub fn next_record(&mut self) -> io::Result<Option<&[u8]>> {
        while self.records_left == 0 {
            if self.taken != self.payload.len() {
                return Err(self.damaged("a block holds more than its records"));
            }
            if !self.next_block()? {
                return Ok(None);
            }
        }
        self.records_left -= 1;
        let rest = &self.payload[self.taken..];
        let Some((length, size)) = read_varint(rest).filter(|(length, size)| rest.len() - size >= *length) else {
            return Err(self.damaged("a record is longer than its block"));
        };
        let begin = self.taken + size;
        self.taken = begin + length;
        Ok(Some(&self.payload[begin..self.taken]))
    }

    fn read_header(&mut self) -> io::Result<()> {
        let mut header = vec![0; MAGIC.len() + 1 + 4];
        self.read_exactly(&mut header)?;
        if !header.starts_with(&MAGIC) {
            return Err(self.damaged("it is not a Firesteel object file"));
        }
        if header[MAGIC.len()] != VERSION {
            return Err(
                self.damaged(format!("its version is {}, and this build reads version {VERSION}", header[MAGIC.len()]))
            );
        }
        let length = number(&header, MAGIC.len() + 1) as usize;
        if length > MAX_DESCRIPTION {
            return Err(self.damaged("its header is damaged"));
        }
        let begin = header.len();
        header.resize(begin + length + SYNC_SIZE + 4, 0);
        self.read_exactly(&mut header[begin..])?;
        let checked = header.len() - 4;
        if crc32fast::hash(&header[..checked]) != number(&header, checked) {
            return Err(self.damaged("the checksum of its header is wrong"));
        }
        self.description = match serde_json::from_slice(&header[begin..begin + length]) {
            Ok(description) => description,
            Err(error) => return Err(self.damaged(error)),
        };
        self.sync.copy_from_slice(&header[begin + length..checked]);
        self.position = header.len() as u64;
        Ok(())
    }

    /// Goes to the first sync marker at or behind a position; without one before the split's end, there is nothing to read.
    fn find_block(&mut self, start: u64) -> io::Result<()> {
        let finder = memmem::Finder::new(&self.sync).into_owned();
        let mut window = Vec::with_capacity(SEARCH_BUFFER + SYNC_SIZE);
        self.position = start;
        self.file.seek(SeekFrom::Start(start))?;
        while self.position < self.end {
            let kept = window.len();
            window.resize(kept + SEARCH_BUFFER, 0);
            let read = read_some(&mut *self.file, &mut window[kept..])?;
            window.truncate(kept + read);
            if let Some(index) = finder.find(&window) {
                self.position += index as u64;
                self.file.seek(SeekFrom::Start(self.position))?;
                return Ok(());
            }
            if read == 0 && start + END_BLOCK_SIZE > self.file.length() {
                // The split begins within the end block.
                break;
            }
            if read == 0 {
                return Err(self.damaged("it was cut off: its end block is missing"));
            }
            // A marker may lie across two windows.
            let passed = window.len().saturating_sub(SYNC_SIZE - 1);
            window.drain(..passed);
            self.position += passed as u64;
        }
        self.finished = true;
        Ok(())
    }

    /// Reads the next block of the split; false if there is none.
    fn next_block(&mut self) -> io::Result<bool> {
        // The end block belongs to the last split, which thereby notices that it is missing.
        let is_cut_off = self.position >= self.file.length();
        if self.finished || (self.position >= self.end && !is_cut_off) {
            self.finished = true;
            return Ok(false);
        }
        let mut header = [0; BLOCK_HEADER_SIZE];
        self.read_exactly(&mut header)?;
        if header[..SYNC_SIZE] != self.sync {
            return Err(self.damaged("a sync marker is missing"));
        }
        let [records, payload_length, stored_length, checksum] =
            [0, 4, 8, 12].map(|at| number(&header, SYNC_SIZE + at));
        let left = self.file.length().saturating_sub(self.position + BLOCK_HEADER_SIZE as u64);
        if u64::from(stored_length) > left {
            return Err(self.damaged("a block reaches behind the end of the file"));
        }
        self.stored.resize(stored_length as usize, 0);
        let mut stored = std::mem::take(&mut self.stored);
        let read = self.read_exactly(&mut stored);
        self.stored = stored;
        read?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header[SYNC_SIZE..SYNC_SIZE + 12]);
        hasher.update(&self.stored);
        if hasher.finalize() != checksum {
            return Err(self.damaged("the checksum of a block is wrong"));
        }
        if records == 0 {
            return self.check_end();
        }
        self.decompress(payload_length as usize)?;
        self.position += (BLOCK_HEADER_SIZE + stored_length as usize) as u64;
        (self.taken, self.records_left) = (0, records);
        self.records_before += u64::from(records);
        Ok(true)
    }

    /// Compares the end block with what was read, if that was the whole file.
    fn check_end(&mut self) -> io::Result<bool> {
        let total = <[u8; 8]>::try_from(self.stored.as_slice()).map(u64::from_le_bytes);
        if self.counts_all && total.ok() != Some(self.records_before) {
            return Err(self.damaged("it does not hold as many records as were written"));
        }
        self.finished = true;
        Ok(false)
    }

    fn decompress(&mut self, length: usize) -> io::Result<()> {
        let result: Result<(), BoxedError> = match self.description.codec {
            ObjectFileCodec::None => {
                std::mem::swap(&mut self.payload, &mut self.stored);
                Ok(())
            }
            ObjectFileCodec::Lz4 if length / LZ4_RATIO_MAX > self.stored.len() => {
                Err("a block says that it is longer than it can be".into())
            }
            ObjectFileCodec::Lz4 => {
                self.payload.resize(length, 0);
                lz4_flex::block::decompress_into(&self.stored, &mut self.payload)
                    .map(|length| self.payload.truncate(length))
                    .map_err(BoxedError::from)
            }
            ObjectFileCodec::Zstd if length <= PAYLOAD_AT_ONCE => zstd::bulk::decompress(&self.stored, length)
                .map(|payload| self.payload = payload)
                .map_err(BoxedError::from),
            ObjectFileCodec::Zstd => {
                decompress_in_steps(&self.stored, length, &mut self.payload).map_err(BoxedError::from)
            }
        };
        result.map_err(|error| self.damaged(error))?;
        if self.payload.len() == length { Ok(()) } else { Err(self.damaged("a block has the wrong length")) }
    }

    fn read_exactly(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self.file.read_exact(buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged("it was cut off: its end block is missing"))
            }
            other => other,
        }
    }

    /// An error that tells the file and the block; there is nothing to read after it.
    fn damaged(&mut self, reason: impl Into<BoxedError>) -> io::Error {
        self.finished = true;
        (self.records_left, self.taken) = (0, self.payload.len());
        FileIoError {
            operation: "read objects from",
            path: self.path.clone(),
            offset: self.position,
            source: reason.into(),
        }
        .into_io(io::ErrorKind::InvalidData)
    }
}

/// Decompresses one more byte than it should be at most, so that what is too long is noticed too.
fn decompress_in_steps(stored: &[u8], length: usize, payload: &mut Vec<u8>) -> io::Result<()> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
    // The writer compresses a block as a whole, however large it is.
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    payload.clear();
    decoder.take(length as u64 + 1).read_to_end(payload).map(drop)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn read_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

fn read_some(file: &mut dyn FileRead, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Existing, ObjectFileWriter};

    /// The record of a file of one, and the room that its reader has made; `claim` is the length that the block says it has.
    fn read_one(record: &[u8], codec: ObjectFileCodec, claim: Option<u32>) -> (io::Result<Vec<u8>>, usize) {
        let directory = tempfile::tempdir().unwrap();
        let systems = FileSystems::default();
        let path = FilePath::local(directory.path()).unwrap().join("part-00000");
        let file = systems.get(&path).unwrap().create(&path, Existing::Refuse).unwrap();
        let description = ObjectFileDescription { type_name: "bytes".to_owned(), codec };
        let mut writer = ObjectFileWriter::new(file, &path, &description).unwrap();
        writer.write(record).unwrap();
        writer.finish().unwrap();
        if let Some(claim) = claim {
            let mut bytes = std::fs::read(path.path()).unwrap();
            let header = MAGIC.len() + 1 + 4 + number(&bytes, MAGIC.len() + 1) as usize + SYNC_SIZE + 4;
            let (numbers, stored) = (header + SYNC_SIZE, header + BLOCK_HEADER_SIZE);
            bytes[numbers + 4..numbers + 8].copy_from_slice(&claim.to_le_bytes());
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(&bytes[numbers..numbers + 12]);
            hasher.update(&bytes[stored..stored + number(&bytes, numbers + 8) as usize]);
            bytes[numbers + 12..stored].copy_from_slice(&hasher.finalize().to_le_bytes());
            std::fs::write(path.path(), bytes).unwrap();
        }
        let status = systems.get(&path).unwrap().status(&path).unwrap();
        let split = FileSplit::whole(&status);
        let mut reader = ObjectFileReader::open(&systems, &split).unwrap();
        let read = reader.next_record().map(|record| record.expect("there is one").to_vec());
        (read, reader.payload.capacity())
    }

    #[test]
    fn a_block_that_says_it_is_long_gets_no_more_room_than_its_bytes_need() {
        for codec in [ObjectFileCodec::None, ObjectFileCodec::Lz4, ObjectFileCodec::Zstd] {
            let (read, room) = read_one(b"short", codec, Some(u32::MAX));
            let error = read.unwrap_err().to_string();
            assert!(error.contains("part-00000") && room <= PAYLOAD_AT_ONCE, "{codec:?}: {room} bytes, {error}");
        }
    }

    #[test]
    fn a_record_longer_than_what_is_made_room_for_at_once_is_read_whole() {
        // The longest one is more than the window that decompression in steps allows where nobody says otherwise.
        for length in [PAYLOAD_AT_ONCE - 8, PAYLOAD_AT_ONCE + 1, 130 << 20] {
            for codec in [ObjectFileCodec::Lz4, ObjectFileCodec::Zstd] {
                let mut record = vec![7; length];
                record[length - 1] = 8;
                let (read, _) = read_one(&record, codec, None);
                assert!(read.unwrap() == record, "{length} {codec:?}");
            }
        }
    }
}
