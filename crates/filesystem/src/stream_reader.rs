//! A file that is read as streams of ranges: what S3 and HDFS readers have in common.
//!
//! A sequential reader holds one stream open over a window and so pays for one request every few megabytes; a seek drops it. A
//! stream that breaks is opened again where it broke.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use bytes::{Buf, Bytes};
use futures_util::{StreamExt, stream::BoxStream};
use tokio::runtime::Handle;

use crate::{BoxedError, FileIoError, FilePath, FileRead};

/// How much one request asks for. A split's reader overshoots its end by at most this, and what it does not take of it is not sent
/// beyond what sockets buffer.
const WINDOW: u64 = 16 << 20;

/// How often in a row a stream may break at one place before the read fails. The libraries underneath retry requests themselves.
const MAX_BREAKS: u32 = 3;

/// What opens streams of a file's bytes.
pub(crate) trait RangeSource: Send {
    /// The bytes of a range that lies within the file.
    fn stream(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, BoxedError>>;
}

/// Reads a file through a [`RangeSource`].
pub(crate) struct StreamReader<S> {
    source: S,
    handle: Handle,
    path: FilePath,
    length: u64,
    position: u64,
    stream: Option<BoxStream<'static, Result<Bytes, BoxedError>>>,
    window_end: u64,
    chunk: Bytes,
}

impl<S: RangeSource> StreamReader<S> {
    pub(crate) fn new(source: S, handle: Handle, path: FilePath, length: u64) -> Self {
        Self { source, handle, path, length, position: 0, stream: None, window_end: 0, chunk: Bytes::new() }
    }

    /// Gets the next piece at the current position; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        let mut breaks = 0;
        while self.position < self.length {
            if self.stream.is_none() || self.position == self.window_end {
                self.window_end = self.length.min(self.position + WINDOW);
                self.stream = Some(self.source.stream(self.position..self.window_end));
            }
            let Some(stream) = &mut self.stream else { continue };
            let error = match self.handle.block_on(stream.next()) {
                Some(Ok(bytes)) if bytes.is_empty() => continue,
                Some(Ok(bytes)) => {
                    self.chunk = bytes;
                    return Ok(true);
                }
                Some(Err(error)) => error,
                None => "the server ended the stream early".into(),
            };
            self.stream = None;
            breaks += 1;
            if breaks > MAX_BREAKS {
                let failed =
                    FileIoError { operation: "read", path: self.path.clone(), offset: self.position, source: error };
                return Err(failed.into_io(io::ErrorKind::Other));
            }
            tracing::debug!(path = %self.path, position = self.position, error, "stream broke; opening it again");
        }
        Ok(false)
    }
}

impl<S: RangeSource> Read for StreamReader<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || (self.chunk.is_empty() && !self.fill()?) {
            return Ok(0);
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl<S: RangeSource> Seek for StreamReader<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let target = target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the beginning"))?;
        if target != self.position {
            (self.stream, self.chunk) = (None, Bytes::new());
            self.position = target;
        }
        Ok(target)
    }
}

impl<S: RangeSource> FileRead for StreamReader<S> {
    fn length(&self) -> u64 {
        self.length
    }
}
