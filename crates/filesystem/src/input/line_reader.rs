//! The lines of a split: Hadoop's `TextInputFormat`.
//!
//! A split that does not begin the file leaves its first line to the split before it, whether or not it begins in the middle of
//! one; in return a split reads on until it has passed its end, including the line that begins exactly there. So each line
//! belongs to exactly one split, and no task needs to look before its own split. A line ends with `\n`, `\r\n` or `\r`.
//!
//! Where the user gives a delimiter, lines are what is between any two of it. A line then belongs to the split in which the
//! delimiter before it begins.
//!
//! The reader looks at bytes once, with `memchr`, in one buffer into which the file is read in large pieces.

use std::io::{self, Read, SeekFrom};

use memchr::memchr2;

use serde::{Deserialize, Serialize};

use super::{FileSplit, delimiter::Delimiter, utf8::decode_utf8};
use crate::{Codec, Decoder, FileError, FilePath, FileSystems, HadoopConf, HadoopPropertyError, codec::Bzip2Blocks};

/// How much of a file is read at once: large enough that system calls do not count, small enough to stay in the second-level cache.
const BUFFER_SIZE: usize = 256 << 10;

/// How much is read at once behind the end of the split, where only the rest of one line is wanted.
const READ_BEHIND_END: usize = 16 << 10;

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// How lines are read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LineOptions {
    /// Lines that with their end have so many bytes or more are left out (`mapreduce.input.linerecordreader.line.maxlength`).
    /// It also bounds the reader's memory; without it, the longest line does.
    pub max_length: usize,
    /// What is between two lines in place of line ends (`textinputformat.record.delimiter`).
    pub delimiter: Option<RecordDelimiter>,
}

/// At least one byte.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordDelimiter(Vec<u8>);

impl RecordDelimiter {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.0.len() as u64
    }

    /// None if there are no bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        Some(Self(bytes.into())).filter(|delimiter| !delimiter.0.is_empty())
    }
}

impl Default for LineOptions {
    fn default() -> Self {
        Self { max_length: i32::MAX as usize, delimiter: None }
    }
}

impl LineOptions {
    /// From Hadoop's properties.
    pub fn from_conf(conf: &HadoopConf) -> Result<Self, HadoopPropertyError> {
        let default = Self::default().max_length as u64;
        let max_length = conf.get_bytes("mapreduce.input.linerecordreader.line.maxlength", default)?;
        let key = "textinputformat.record.delimiter";
        let delimiter = conf.get_raw(key).map(|value| {
            RecordDelimiter::new(value).ok_or_else(|| HadoopPropertyError {
                key: key.to_owned(),
                value: value.to_owned(),
                // Hadoop's tasks fail with an index out of bounds.
                wanted: "a text that is not empty (for the usual line ends, leave it unset)",
            })
        });
        Ok(Self { max_length: usize::try_from(max_length).unwrap_or(usize::MAX), delimiter: delimiter.transpose()? })
    }
}

/// Where a split's bytes come from.
enum Input {
    Bytes(Box<dyn Read + Send>),
    Decoder(Decoder),
    /// A part of a file of which only reading shows where, decompressed, it ends.
    Bzip2Blocks(Box<Bzip2Blocks>),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(buffer),
            Self::Decoder(decoder) => decoder.read(buffer),
            Self::Bzip2Blocks(blocks) => blocks.read(buffer),
        }
    }
}

/// Reads the lines of one split.
pub struct LineReader {
    input: Input,
    path: FilePath,
    max_length: usize,
    /// None for line ends.
    delimiter: Option<Delimiter>,
    /// `buffer[begin..filled]` has been read and not given out.
    buffer: Vec<u8>,
    begin: usize,
    filled: usize,
    /// Where the split begins.
    start: u64,
    /// Where `buffer[begin]` is, in bytes of the decompressed file; if only a part of that is decompressed, as though it
    /// began at `start`.
    position: u64,
    /// Where the line that was given out last begins.
    line_start: u64,
    /// Lines that begin behind this position belong to another split: the split's end, or what a delimiter that begins before
    /// that can reach.
    last_begin: u64,
    /// The first line of a file belongs to the first split, even if that ends within the byte order mark.
    owes_first_line: bool,
    at_end_of_file: bool,
    skipped: u64,
}

impl LineReader {
    /// Opens a split. If the file is compressed, and its codec cannot be split, the split must be the whole file, as
    /// [`file_splits`](crate::file_splits) makes it.
    pub fn open(systems: &FileSystems, split: &FileSplit, options: LineOptions) -> io::Result<Self> {
        let mut file = systems.get(&split.path).and_then(|system| system.open(&split.path))?;
        if let Some(codec) = Codec::of_path(&split.path) {
            let is_part = split.start != 0 || split.end() < file.length();
            if is_part && codec.is_splittable() {
                let blocks = Input::Bzip2Blocks(Box::new(Bzip2Blocks::open(file, split)?));
                let before = |wanted| text_of_blocks_before(systems, split, wanted);
                return Self::new(blocks, split.path.clone(), split.start, u64::MAX, options, before);
            }
            if split.start != 0 {
                return Err(FileError::Failed {
                    operation: "read a part of",
                    path: split.path.clone(),
                    source: format!("{codec} files are read from their beginning").into(),
                }
                .into());
            }
            let decoder = Decoder::new(codec, file, &split.path)?;
            return Self::new(Input::Decoder(decoder), split.path.clone(), 0, u64::MAX, options, |_| Ok(Vec::new()));
        }
        if split.start != 0 {
            file.seek(SeekFrom::Start(split.start))?;
        }
        let before = |wanted| text_before(systems, split, wanted);
        Self::new(Input::Bytes(Box::new(file)), split.path.clone(), split.start, split.end(), options, before)
    }

    /// Lines of an input that stands at byte `start` of a file, of which the part up to `end` is wanted. `before` gives the last so
    /// many bytes before that, or all if there are less.
    fn new(
        input: Input,
        path: FilePath,
        start: u64,
        end: u64,
        options: LineOptions,
        before: impl FnMut(usize) -> io::Result<Vec<u8>>,
    ) -> io::Result<Self> {
        let delimiter = options.delimiter.map(|delimiter| Delimiter::new(&delimiter.0));
        let reach = delimiter.as_ref().map_or(0, |delimiter| delimiter.length() - 1);
        let mut reader = Self {
            input,
            path,
            max_length: options.max_length,
            delimiter,
            buffer: vec![0; BUFFER_SIZE],
            begin: 0,
            filled: 0,
            start,
            position: start,
            line_start: start,
            last_begin: end.saturating_add(reach as u64),
            owes_first_line: start == 0,
            at_end_of_file: false,
            skipped: 0,
        };
        if start == 0 {
            let looked_at = BYTE_ORDER_MARK.len() + reach;
            while reader.filled < looked_at && reader.fill()? {}
            let text = &reader.buffer[..reader.filled.min(looked_at)];
            // The mark is no part of the first line, unless that ends within it.
            let ends_within = reader.delimiter.as_ref().is_some_and(|delimiter| delimiter.find(text).is_some());
            if text.starts_with(&BYTE_ORDER_MARK) && !ends_within {
                reader.consume(BYTE_ORDER_MARK.len());
            }
        } else {
            while reader.filled < reach && reader.fill()? {}
            if let Some(delimiter) = &reader.delimiter {
                let passed = delimiter.reaches_into(&reader.buffer[..reader.filled], before)?;
                reader.consume(passed);
            }
            reader.discard_line()?;
        }
        Ok(reader)
    }

    /// The next line without its end, or `None` behind the last one.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if self.position > self.last_begin && !self.owes_first_line {
                return Ok(None);
            }
            // What marks the byte order belongs to the first line, as in Hadoop.
            self.line_start = if self.owes_first_line { 0 } else { self.position };
            self.owes_first_line = false;
            let Some(line) = self.find_line()? else { return Ok(None) };
            match line {
                Line::Found { length, end_length } => {
                    let begin = self.begin;
                    self.consume(length + end_length);
                    return Ok(Some(&self.buffer[begin..begin + length]));
                }
                Line::TooLong => {
                    if self.skipped == 0 {
                        tracing::warn!(path = %self.path, position = self.position, "line longer than the limit skipped");
                    }
                    self.skipped += 1;
                    self.discard_line()?;
                }
            }
        }
    }

    /// The lines as texts; malformed UTF-8 is replaced as Java does.
    pub fn lines(self) -> Lines {
        Lines { reader: self }
    }

    /// How many lines were left out for being too long.
    pub fn skipped_lines(&self) -> u64 {
        self.skipped
    }

    /// Where the line that was given out last begins, in bytes of the decompressed file.
    pub fn line_start(&self) -> u64 {
        self.line_start
    }

    /// How many bytes of the file the lines given out so far have taken: those of a file that is compressed as they were read, with what
    /// was read ahead.
    pub fn bytes_read(&self) -> u64 {
        match &self.input {
            Input::Bytes(_) => self.position - self.start,
            Input::Decoder(decoder) => decoder.bytes_read(),
            Input::Bzip2Blocks(blocks) => blocks.bytes_read(),
        }
    }

    /// Finds the line at the beginning of the buffer, reading as much as it takes.
    fn find_line(&mut self) -> io::Result<Option<Line>> {
        let mut searched = 0;
        loop {
            if let Some(delimiter) = &self.delimiter {
                let unread = &self.buffer[self.begin..self.filled];
                let from = searched_for(delimiter, searched);
                if let Some(index) = delimiter.find(&unread[from..]) {
                    let (length, end_length) = (from + index, delimiter.length());
                    return Ok(Some(self.line(length, end_length)));
                }
                searched = unread.len();
                if searched_for(delimiter, searched) > self.max_length {
                    return Ok(Some(Line::TooLong));
                }
                if !self.fill()? {
                    return Ok((searched > 0).then_some(self.line(searched, 0)));
                }
                continue;
            }
            if let Some(index) = memchr2(b'\n', b'\r', &self.buffer[self.begin + searched..self.filled]) {
                let length = searched + index;
                if length >= self.max_length {
                    return Ok(Some(Line::TooLong));
                }
                let end = self.begin + length;
                // The byte behind a carriage return decides where the next line begins.
                if self.buffer[end] == b'\r' && end + 1 == self.filled && self.fill()? {
                    searched = length;
                    continue;
                }
                let end = self.begin + length;
                let two = self.buffer[end] == b'\r' && self.buffer[..self.filled].get(end + 1) == Some(&b'\n');
                return Ok(Some(self.line(length, 1 + usize::from(two))));
            }
            searched = self.filled - self.begin;
            if searched > self.max_length {
                return Ok(Some(Line::TooLong));
            }
            if !self.fill()? {
                return Ok((searched > 0).then_some(self.line(searched, 0)));
            }
        }
    }

    /// A line of this length, unless with its end it is too long.
    fn line(&self, length: usize, end_length: usize) -> Line {
        if length + end_length >= self.max_length { Line::TooLong } else { Line::Found { length, end_length } }
    }

    /// Passes the rest of a line without keeping it.
    fn discard_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(delimiter) = &self.delimiter {
                let unread = &self.buffer[self.begin..self.filled];
                let found = delimiter.find(unread).map(|index| index + delimiter.length());
                // The last bytes may be the beginning of a delimiter.
                let passed = found.unwrap_or_else(|| searched_for(delimiter, unread.len()));
                self.consume(passed);
                if found.is_some() {
                    return Ok(());
                }
                if !self.fill()? {
                    self.consume(self.filled - self.begin);
                    return Ok(());
                }
                continue;
            }
            match memchr2(b'\n', b'\r', &self.buffer[self.begin..self.filled]) {
                None => {
                    self.consume(self.filled - self.begin);
                    if !self.fill()? {
                        return Ok(());
                    }
                }
                Some(index) => {
                    self.consume(index);
                    if self.filled - self.begin < 2 && self.buffer[self.begin] == b'\r' {
                        self.fill()?;
                    }
                    let two = self.buffer[self.begin..self.filled].starts_with(b"\r\n");
                    self.consume(1 + usize::from(two));
                    return Ok(());
                }
            }
        }
    }

    fn consume(&mut self, length: usize) {
        self.begin += length;
        self.position += length as u64;
    }

    /// Reads more; false at the end of the file. Bytes that are not given out move to the front if the buffer is full, and it grows
    /// if they fill it.
    fn fill(&mut self) -> io::Result<bool> {
        if self.at_end_of_file {
            return Ok(false);
        }
        if self.begin == self.filled {
            (self.begin, self.filled) = (0, 0);
        } else if self.filled == self.buffer.len() {
            self.buffer.copy_within(self.begin..self.filled, 0);
            (self.begin, self.filled) = (0, self.filled - self.begin);
            if self.filled > self.buffer.len() / 2 {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        let read_up_to = self.position + (self.filled - self.begin) as u64;
        let wanted = usize::try_from(self.last_begin.saturating_sub(read_up_to)).unwrap_or(usize::MAX);
        let end = self.filled + wanted.max(READ_BEHIND_END).min(self.buffer.len() - self.filled);
        loop {
            let outcome = self.input.read(&mut self.buffer[self.filled..end]);
            if let Input::Bzip2Blocks(blocks) = &self.input
                && let Some(length) = blocks.own_length()
            {
                let reach = self.delimiter.as_ref().map_or(0, |delimiter| delimiter.length() - 1);
                self.last_begin = self.start + length + reach as u64;
            }
            match outcome {
                Ok(0) => {
                    self.at_end_of_file = true;
                    return Ok(false);
                }
                Ok(read) => {
                    self.filled += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// So many of the bytes that were searched need not be searched again when more are there.
fn searched_for(delimiter: &Delimiter, searched: usize) -> usize {
    searched.saturating_sub(delimiter.length() - 1)
}

/// The last bytes of a file before a split.
fn text_before(systems: &FileSystems, split: &FileSplit, wanted: usize) -> io::Result<Vec<u8>> {
    let length = split.start.min(wanted as u64);
    let mut text = vec![0; length as usize];
    systems.get(&split.path)?.open(&split.path)?.read_exact_at(split.start - length, &mut text)?;
    Ok(text)
}

/// The last bytes of the blocks of a bzip2 file that begin before a split.
fn text_of_blocks_before(systems: &FileSystems, split: &FileSplit, wanted: usize) -> io::Result<Vec<u8>> {
    /// The blocks of bzip2's default level are seldom larger.
    const STEP: u64 = 1 << 20;
    let mut start = split.start;
    loop {
        start = start.saturating_sub(STEP);
        let part = FileSplit { start, length: split.start - start, ..split.clone() };
        let mut blocks = Bzip2Blocks::open(systems.get(&part.path)?.open(&part.path)?, &part)?;
        let (mut text, mut piece) = (Vec::new(), vec![0; READ_BEHIND_END]);
        loop {
            let read = blocks.read(&mut piece)?;
            if read == 0 || blocks.own_length().is_some() {
                break;
            }
            text.extend_from_slice(&piece[..read]);
            text.drain(..text.len().saturating_sub(wanted));
        }
        if start == 0 || text.len() == wanted {
            return Ok(text);
        }
    }
}

/// What stands at the beginning of the buffer.
enum Line {
    Found { length: usize, end_length: usize },
    TooLong,
}

/// The lines of a split as texts. After an error there are no more.
pub struct Lines {
    reader: LineReader,
}

impl Iterator for Lines {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<io::Result<String>> {
        match self.reader.next_line() {
            Ok(line) => line.map(|line| Ok(decode_utf8(line))),
            Err(error) => {
                self.reader.at_end_of_file = true;
                self.reader.begin = self.reader.filled;
                Some(Err(error))
            }
        }
    }
}
