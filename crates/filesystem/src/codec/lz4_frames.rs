//! LZ4 frames, one after the other.
//!
//! `lz4_flex` takes a frame that is cut off between two blocks, or within the size of one, for a frame that has ended. So what
//! passes into it is looked at here, just enough to know whether a frame is complete: its header, and the sizes of its blocks.

use std::io::{self, BufRead, ErrorKind, Read};

use lz4_flex::frame::FrameDecoder;

// Bits of a frame's flags.
const HAS_DICTIONARY: u8 = 0x01;
const HAS_CONTENT_CHECKSUM: u8 = 0x04;
const HAS_CONTENT_SIZE: u8 = 0x08;
const HAS_BLOCK_CHECKSUMS: u8 = 0x10;

/// The highest bit of a block's size says that it is not compressed.
const SIZE_OF_BLOCK: u32 = 0x7fff_ffff;

/// Decompresses frames; the decoder reports an end after each.
pub(super) struct Lz4Frames<R: Read> {
    decoder: Option<FrameDecoder<WholeFrames<R>>>,
}

impl<R: BufRead> Lz4Frames<R> {
    pub(super) fn new(input: R) -> Self {
        Self { decoder: Some(FrameDecoder::new(WholeFrames::new(input))) }
    }
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.decoder else { return Ok(0) };
            let read = decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(mut frames) = self.decoder.take().map(FrameDecoder::into_inner) else { return Ok(0) };
            frames.check_whole()?;
            if !frames.input.fill_buf()?.is_empty() {
                self.decoder = Some(FrameDecoder::new(frames));
            }
        }
    }
}

/// Reads frames, and notices when the input ends within one.
struct WholeFrames<R> {
    input: R,
    field: Field,
    /// What of the field was read.
    gathered: Vec<u8>,
    /// So many bytes that need not be looked at come before the field.
    skipped: u64,
    flags: u8,
}

/// What of a frame comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    /// What a frame begins with.
    Magic,
    /// Flags and the largest size of blocks.
    Flags,
    SizeOfBlock,
}

impl Field {
    fn bytes(self) -> usize {
        match self {
            Self::Flags => 2,
            Self::Magic | Self::SizeOfBlock => 4,
        }
    }
}

impl<R> WholeFrames<R> {
    fn new(input: R) -> Self {
        Self { input, field: Field::Magic, gathered: Vec::new(), skipped: 0, flags: 0 }
    }

    fn check_whole(&self) -> io::Result<()> {
        if self.field == Field::Magic && self.gathered.is_empty() && self.skipped == 0 {
            return Ok(());
        }
        // Not UnexpectedEof, which the decoder takes for an end.
        Err(io::Error::new(ErrorKind::InvalidData, "an LZ4 frame is cut off"))
    }

    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.skipped).map_or(bytes.len(), |skipped| skipped.min(bytes.len()));
            self.skipped -= skipped as u64;
            bytes = &bytes[skipped..];
            let wanted = (self.field.bytes() - self.gathered.len()).min(bytes.len());
            self.gathered.extend_from_slice(&bytes[..wanted]);
            bytes = &bytes[wanted..];
            if self.gathered.len() == self.field.bytes() {
                self.end_field();
            }
        }
    }

    fn end_field(&mut self) {
        let number = self.gathered.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let if_set = |flags: u8, flag: u8, bytes: u64| if flags & flag == 0 { 0 } else { bytes };
        (self.field, self.skipped) = match self.field {
            // Whether it is one is for the decoder to say.
            Field::Magic => (Field::Flags, 0),
            Field::Flags => {
                self.flags = self.gathered[0];
                let checksum_of_header = 1;
                let rest = if_set(self.flags, HAS_CONTENT_SIZE, 8) + if_set(self.flags, HAS_DICTIONARY, 4);
                (Field::SizeOfBlock, rest + checksum_of_header)
            }
            Field::SizeOfBlock if number == 0 => (Field::Magic, if_set(self.flags, HAS_CONTENT_CHECKSUM, 4)),
            Field::SizeOfBlock => {
                let size = u64::from(number & SIZE_OF_BLOCK);
                (Field::SizeOfBlock, size + if_set(self.flags, HAS_BLOCK_CHECKSUMS, 4))
            }
        };
        self.gathered.clear();
    }
}

impl<R: Read> Read for WholeFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.check_whole()?;
        }
        self.pass(&buffer[..read]);
        Ok(read)
    }
}
