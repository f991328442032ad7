//! Reading the part of a sequence file that belongs to a split.

use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};

use memchr::memmem;

use super::{
    SYNC_ESCAPE, SYNC_HASH_SIZE, SYNC_SIZE, SequenceFileCompression, SequenceFileDescription,
    block::Block,
    header::{SyncMarker, read_header},
};
use crate::{
    BoxedError, Codec, Decoder, FileIoError, FilePath, FileRead, FileSplit, FileSystems, writable::read_length,
};

/// How much is read of the file at once.
const BUFFER_SIZE: usize = 128 << 10;

/// How much is read at once when searching for a sync marker.
const SEARCH_BUFFER: usize = 64 << 10;

/// Reads the records of a split, as bytes: what they mean, their classes say.
pub struct SequenceFileReader {
    input: BufReader<Box<dyn FileRead>>,
    path: FilePath,
    length: u64,
    description: SequenceFileDescription,
    sync: SyncMarker,
    /// Where `input` stands.
    position: u64,
    /// Runs of records whose sync marker begins here or later belong to another split.
    end: u64,
    block: Option<Block>,
    key: Vec<u8>,
    value: Vec<u8>,
    finished: bool,
}

impl SequenceFileReader {
    /// Opens a split and reads the file's header.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no sequence file of version 6, or is compressed by a codec that is not built in.
    pub fn open(systems: &FileSystems, split: &FileSplit) -> io::Result<Self> {
        let file = systems.get(&split.path).and_then(|system| system.open(&split.path))?;
        let length = file.length();
        let mut input = BufReader::with_capacity(BUFFER_SIZE, file);
        let (description, sync, position) = read_header(&mut input).map_err(|error| damaged(&split.path, 0, error))?;
        let mut reader = Self {
            input,
            path: split.path.clone(),
            length,
            description,
            sync,
            position,
            end: split.end(),
            block: None,
            key: Vec::new(),
            value: Vec::new(),
            finished: false,
        };
        if split.start > 0 {
            reader.find_sync(split.start.max(position))?;
        }
        Ok(reader)
    }

    /// What the header says.
    pub fn description(&self) -> &SequenceFileDescription {
        &self.description
    }

    /// The file.
    pub fn path(&self) -> &FilePath {
        &self.path
    }

    /// How far the file was read, in bytes as they are stored.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The bytes of the next key and its value, or `None` behind the last one.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is damaged; there is nothing to read after that.
    pub fn next_record(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        let (begin, found) = (self.position, self.read_record());
        match found {
            Ok(true) => Ok(Some((&self.key, &self.value))),
            Ok(false) => Ok(None),
            Err(error) => {
                self.finished = true;
                Err(damaged(&self.path, begin, error))
            }
        }
    }

    fn read_record(&mut self) -> io::Result<bool> {
        match self.description.compression {
            _ if self.finished => Ok(false),
            SequenceFileCompression::None => self.read_single(None),
            SequenceFileCompression::Record(codec) => self.read_single(Some(codec)),
            SequenceFileCompression::Block(codec) => self.read_from_block(codec),
        }
    }

    fn read_single(&mut self, codec: Option<Codec>) -> io::Result<bool> {
        let length = loop {
            if self.position == self.length {
                self.finished = true;
                return Ok(false);
            }
            let begin = self.position;
            match self.read_i32()? {
                SYNC_ESCAPE if !self.read_sync(begin)? => return Ok(false),
                SYNC_ESCAPE => {}
                length => break length,
            }
        };
        let key_length = self.read_i32()?;
        let lengths = usize::try_from(key_length).ok().zip(usize::try_from(length).ok());
        let lengths = lengths.and_then(|(key, both)| Some((key, both.checked_sub(key)?)));
        let (key_length, value_length) = lengths
            .ok_or_else(|| invalid(format!("a record is said to have {length} bytes, its key {key_length} of them")))?;
        self.key = self.take(key_length)?;
        let value = self.take(value_length)?;
        self.value = match codec {
            None => value,
            Some(codec) => decompress(codec, value, &self.path)?,
        };
        Ok(true)
    }

    fn read_from_block(&mut self, codec: Codec) -> io::Result<bool> {
        loop {
            if let Some(block) = &mut self.block
                && block.next_record(&mut self.key, &mut self.value)?
            {
                return Ok(true);
            }
            self.block = None;
            if self.position == self.length {
                self.finished = true;
                return Ok(false);
            }
            let begin = self.position;
            if self.read_i32()? != SYNC_ESCAPE {
                return Err(invalid("a sync marker is missing"));
            }
            if !self.read_sync(begin)? {
                return Ok(false);
            }
            let records = self.read_vint()?;
            let mut columns = [const { Vec::new() }; 4];
            for column in &mut columns {
                let length = self.read_vint()?;
                *column = self.take(length)?;
            }
            self.block = Some(Block::new(records, columns, codec, &self.path)?);
        }
    }

    /// Reads the marker behind an escape. False if it begins behind the split, which then has ended.
    fn read_sync(&mut self, begin: u64) -> io::Result<bool> {
        let mut sync = [0; SYNC_HASH_SIZE];
        self.read_exact(&mut sync)?;
        if sync != self.sync {
            return Err(invalid("a sync marker is not that of the file"));
        }
        self.finished = begin >= self.end;
        Ok(!self.finished)
    }

    /// Goes to the first sync marker at or behind a position; without one before the split's end, there is nothing to read.
    fn find_sync(&mut self, start: u64) -> io::Result<()> {
        let pattern = [&SYNC_ESCAPE.to_be_bytes()[..], &self.sync].concat();
        let finder = memmem::Finder::new(&pattern);
        let mut window = Vec::with_capacity(SEARCH_BUFFER + SYNC_SIZE);
        self.position = start;
        self.input.seek(SeekFrom::Start(start))?;
        while self.position < self.end {
            let read = (&mut self.input).take(SEARCH_BUFFER as u64).read_to_end(&mut window)?;
            if let Some(index) = finder.find(&window) {
                self.position += index as u64;
                self.input.seek(SeekFrom::Start(self.position))?;
                return Ok(());
            }
            if read == 0 {
                break;
            }
            // A marker may lie across two windows.
            let passed = window.len().saturating_sub(SYNC_SIZE - 1);
            window.drain(..passed);
            self.position += passed as u64;
        }
        self.finished = true;
        Ok(())
    }

    /// Reads so many bytes, for which no room is made unless the file has them.
    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length as u64 > self.length.saturating_sub(self.position) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn read_i32(&mut self) -> io::Result<i32> {
        let mut bytes = [0; 4];
        self.read_exact(&mut bytes)?;
        Ok(i32::from_be_bytes(bytes))
    }

    fn read_vint(&mut self) -> io::Result<usize> {
        let mut counted = Counted { input: &mut self.input, count: 0 };
        let number = read_length(&mut counted)?;
        self.position += counted.count;
        Ok(number)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.input.read_exact(buffer)?;
        self.position += buffer.len() as u64;
        Ok(())
    }
}

/// Counts what is read.
struct Counted<'a, R> {
    input: &'a mut R,
    count: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

/// A record's value. What it may take up is bounded as Hadoop's lengths are.
fn decompress(codec: Codec, stored: Vec<u8>, path: &FilePath) -> io::Result<Vec<u8>> {
    let mut value = Vec::new();
    let limit = i32::MAX as u64;
    Decoder::of_bytes(codec, stored, path)?.take(limit + 1).read_to_end(&mut value)?;
    if value.len() as u64 > limit { Err(invalid("a value has 2 GiB or more")) } else { Ok(value) }
}

fn invalid(reason: impl Into<BoxedError>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

/// An error that tells the file and where the record begins that could not be read.
fn damaged(path: &FilePath, offset: u64, error: io::Error) -> io::Error {
    let from_storage = error.get_ref().and_then(|inner| inner.downcast_ref::<FileIoError>());
    if from_storage.is_some_and(|inner| inner.operation != "decompress") {
        return error;
    }
    let source: BoxedError = match error.kind() {
        ErrorKind::UnexpectedEof => "it was cut off, or a length in it is damaged".into(),
        _ => error.into(),
    };
    FileIoError { operation: "read records from", path: path.clone(), offset, source }.into_io(ErrorKind::InvalidData)
}
