//! Compression as a stream.

use std::io::{self, Write};

use super::{
    Codec,
    block_framing::{BlockWriter, ChunkFormat},
};

/// Compresses what is written to it. Nothing is complete before [`Encoder::finish`].
pub struct Encoder<W: Write> {
    format: Format<W>,
}

enum Format<W: Write> {
    Gzip(flate2::write::GzEncoder<W>),
    Bzip2(bzip2::write::BzEncoder<W>),
    Zstandard(zstd::stream::write::Encoder<'static, W>),
    Deflate(flate2::write::ZlibEncoder<W>),
    Blocks(BlockWriter<W>),
}

impl<W: Write> Encoder<W> {
    /// Compresses to `output` at the codec's default level; LZ4 and Snappy are written in Hadoop's block framing, as Spark
    /// writes them.
    pub fn new(codec: Codec, output: W) -> io::Result<Self> {
        let format = match codec {
            Codec::Gzip => Format::Gzip(flate2::write::GzEncoder::new(output, flate2::Compression::default())),
            Codec::Bzip2 => Format::Bzip2(bzip2::write::BzEncoder::new(output, bzip2::Compression::best())),
            Codec::Zstandard => Format::Zstandard(zstd::stream::write::Encoder::new(output, 0)?),
            Codec::Deflate => Format::Deflate(flate2::write::ZlibEncoder::new(output, flate2::Compression::default())),
            Codec::Lz4 => Format::Blocks(BlockWriter::new(output, ChunkFormat::Lz4)),
            Codec::Snappy => Format::Blocks(BlockWriter::new(output, ChunkFormat::Snappy)),
        };
        Ok(Self { format })
    }

    /// Writes the end of the format and gives the output back.
    pub fn finish(self) -> io::Result<W> {
        match self.format {
            Format::Gzip(encoder) => encoder.finish(),
            Format::Bzip2(encoder) => encoder.finish(),
            Format::Zstandard(encoder) => encoder.finish(),
            Format::Deflate(encoder) => encoder.finish(),
            Format::Blocks(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.format {
            Format::Gzip(encoder) => encoder.write(bytes),
            Format::Bzip2(encoder) => encoder.write(bytes),
            Format::Zstandard(encoder) => encoder.write(bytes),
            Format::Deflate(encoder) => encoder.write(bytes),
            Format::Blocks(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.format {
            Format::Gzip(encoder) => encoder.flush(),
            Format::Bzip2(encoder) => encoder.flush(),
            Format::Zstandard(encoder) => encoder.flush(),
            Format::Deflate(encoder) => encoder.flush(),
            Format::Blocks(encoder) => encoder.flush(),
        }
    }
}
