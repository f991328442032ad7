//! Reads the records of one segment.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, Read},
    os::unix::fs::FileExt,
    sync::Arc,
};

use firesteel_model::error_chain;

use crate::{BlockDecoder, CorruptionCause, FetchFailedError, checksum::ChecksumMismatch};

/// Reads the records of one segment, decoded, to the end. As a [`BufRead`] it hands out a block at a time without copying it.
///
/// Its errors wrap a [`FetchFailedError`], which [`FetchFailedError::find`] finds: the map task has to run again.
pub struct SegmentReader {
    decoder: BlockDecoder,
    failure: Box<Failure>,
}

/// What is needed to say what failed.
pub(crate) struct Failure {
    /// Who, what and which; the rest is filled in when something fails.
    pub(crate) template: FetchFailedError,
    /// Where the damage is, given the checksum of what was read.
    pub(crate) diagnose: Box<dyn Fn(u32) -> CorruptionCause + Send>,
}

impl SegmentReader {
    pub(crate) fn new(decoder: BlockDecoder, failure: Failure) -> Self {
        Self { decoder, failure: Box::new(failure) }
    }

    fn fail(&mut self, error: io::Error) -> io::Error {
        // What is left tells whether all of it is what was written.
        let mismatch = match find_mismatch(&error) {
            Some(mismatch) => Some(mismatch),
            None => self.decoder.drain_input().err().as_ref().and_then(find_mismatch),
        };
        let failed = FetchFailedError {
            message: format!("could not read the segment: {}", error_chain(&error)),
            corruption: match (mismatch, error.kind()) {
                (Some(mismatch), _) => Some((self.failure.diagnose)(mismatch.actual)),
                (None, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => Some(CorruptionCause::Unknown),
                (None, _) => None,
            },
            ..self.failure.template.clone()
        };
        io::Error::new(error.kind(), failed)
    }
}

fn find_mismatch(error: &io::Error) -> Option<ChecksumMismatch> {
    error.get_ref()?.downcast_ref().copied()
}

impl BufRead for SegmentReader {
    // Asked for each record.
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.decoder.is_at_end_of_block() {
            self.decoder.next_block().map_err(|error| self.fail(error))?;
        }
        self.decoder.fill_buf()
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        self.decoder.consume(amount);
    }
}

impl Read for SegmentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl fmt::Debug for SegmentReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let template = &self.failure.template;
        f.debug_struct("SegmentReader")
            .field("shuffle_id", &template.shuffle_id)
            .field("map_id", &template.map_id)
            .field("reduce_id", &template.reduce_id)
            .finish_non_exhaustive()
    }
}

/// Reads a part of a file that others read too.
#[derive(Debug)]
pub(crate) struct FileRange {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

impl FileRange {
    pub(crate) fn new(file: Arc<File>, offset: u64, length: u64) -> Self {
        Self { file, offset, left: length }
    }
}

impl Read for FileRange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.left.min(buffer.len() as u64) as usize;
        let read = self.file.read_at(&mut buffer[..most], self.offset)?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was"));
        }
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
