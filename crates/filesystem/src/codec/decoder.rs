//! Decompression as a stream, with errors that tell file and place.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bzip2::bufread::MultiBzDecoder;
use flate2::{Decompress, FlushDecompress, Status, bufread::MultiGzDecoder};

use super::{
    Codec,
    block_framing::{BlockReader, ChunkFormat},
    lz4_frames::Lz4Frames,
};
use crate::{FileIoError, FilePath, FileRead};

/// How much of the compressed file is read at once.
const INPUT_BUFFER: usize = 128 << 10;

/// The first bytes of an LZ4 frame; read as a length in Hadoop's framing they would be 69 MB.
const LZ4_FRAME_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// The first bytes of Snappy's own framing; no length in Hadoop's framing begins so.
const SNAPPY_FRAME_MAGIC: [u8; 4] = [0xff, 0x06, 0x00, 0x00];

/// Reads what a compressed file holds. Memory is bounded whatever the file says.
pub struct Decoder {
    format: Box<dyn Read + Send>,
    path: FilePath,
    consumed: Arc<AtomicU64>,
}

impl Decoder {
    /// Decompresses a file from its beginning.
    pub fn new(codec: Codec, file: Box<dyn FileRead>, path: &FilePath) -> io::Result<Self> {
        Self::with_buffer(codec, Box::new(file), INPUT_BUFFER, path)
    }

    /// Decompresses what is a part of a file; places in its errors are places in that part.
    pub(crate) fn of_bytes(codec: Codec, bytes: Vec<u8>, path: &FilePath) -> io::Result<Self> {
        let buffer = bytes.len().clamp(1, INPUT_BUFFER);
        Self::with_buffer(codec, Box::new(Cursor::new(bytes)), buffer, path)
    }

    fn with_buffer(codec: Codec, input: Box<dyn Read + Send>, buffer: usize, path: &FilePath) -> io::Result<Self> {
        let consumed = Arc::new(AtomicU64::new(0));
        let mut input =
            CountingReader { input: BufReader::with_capacity(buffer, input), consumed: Arc::clone(&consumed) };
        let format: Box<dyn Read + Send> = match codec {
            // Zero bytes are what a task that wrote nothing may leave, and Hadoop reads them as an empty file.
            _ if input.fill_buf()?.is_empty() => Box::new(io::empty()),
            Codec::Gzip => Box::new(MultiGzDecoder::new(input)),
            Codec::Bzip2 => Box::new(MultiBzDecoder::new(input)),
            Codec::Zstandard => Box::new(zstd::stream::read::Decoder::with_buffer(input)?),
            Codec::Deflate => Box::new(ZlibReader { input, state: Decompress::new(true), in_stream: true }),
            Codec::Lz4 if input.fill_buf()?.starts_with(&LZ4_FRAME_MAGIC) => Box::new(Lz4Frames::new(input)),
            Codec::Lz4 => Box::new(BlockReader::new(input, ChunkFormat::Lz4)),
            Codec::Snappy if input.fill_buf()?.starts_with(&SNAPPY_FRAME_MAGIC) => {
                Box::new(snap::read::FrameDecoder::new(input))
            }
            Codec::Snappy => Box::new(BlockReader::new(input, ChunkFormat::Snappy)),
        };
        Ok(Self { format, path: path.clone(), consumed })
    }

    /// How many bytes of the file the format has taken.
    pub fn bytes_read(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.format.read(buffer).map_err(|error| {
            let from_storage = error.get_ref().is_some_and(|inner| inner.is::<FileIoError>());
            if error.kind() == io::ErrorKind::Interrupted || from_storage {
                return error;
            }
            let offset = self.consumed.load(Ordering::Relaxed);
            let kind = match error.kind() {
                io::ErrorKind::UnexpectedEof => io::ErrorKind::UnexpectedEof,
                _ => io::ErrorKind::InvalidData,
            };
            FileIoError { operation: "decompress", path: self.path.clone(), offset, source: error.into() }.into_io(kind)
        })
    }
}

/// Counts what the format has taken, for its errors and for whoever measures.
struct CountingReader {
    input: BufReader<Box<dyn Read + Send>>,
    consumed: Arc<AtomicU64>,
}

impl BufRead for CountingReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
        self.consumed.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.consumed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// zlib streams one after the other. `flate2`'s own reader takes a stream that was cut off for one that has ended.
struct ZlibReader {
    input: CountingReader,
    state: Decompress,
    in_stream: bool,
}

impl Read for ZlibReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let bytes = self.input.fill_buf()?;
            let ended = bytes.is_empty();
            if ended && !self.in_stream {
                return Ok(0);
            }
            if !self.in_stream {
                self.state.reset(true);
                self.in_stream = true;
            }
            let (taken, given) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(bytes, buffer, FlushDecompress::None);
            self.input.consume((self.state.total_in() - taken) as usize);
            let given = (self.state.total_out() - given) as usize;
            match status? {
                Status::StreamEnd => self.in_stream = false,
                Status::Ok | Status::BufError if given == 0 && ended => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Status::Ok | Status::BufError => {}
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}
