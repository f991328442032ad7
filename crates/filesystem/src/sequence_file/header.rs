//! What a sequence file begins with.

use std::io::{self, ErrorKind, Read};

use super::{SYNC_HASH_SIZE, SequenceFileCompression, SequenceFileDescription};
use crate::{
    BoxedError, Codec,
    writable::{read_length, write_vlong},
};

const MAGIC: [u8; 3] = *b"SEQ";
const VERSION: u8 = 6;

/// A header is names of classes, and a few texts of the writer's; more is damage.
const MAX_HEADER: u64 = 16 << 20;

pub(super) type SyncMarker = [u8; SYNC_HASH_SIZE];

/// Appends a header.
pub(super) fn write_header(description: &SequenceFileDescription, sync: &SyncMarker, output: &mut Vec<u8>) {
    output.extend_from_slice(&MAGIC);
    output.push(VERSION);
    write_text(&description.key_class, output);
    write_text(&description.value_class, output);
    let (compressed, in_blocks, codec) = match description.compression {
        SequenceFileCompression::None => (0, 0, None),
        SequenceFileCompression::Record(codec) => (1, 0, Some(codec)),
        SequenceFileCompression::Block(codec) => (1, 1, Some(codec)),
    };
    output.extend_from_slice(&[compressed, in_blocks]);
    if let Some(codec) = codec {
        write_text(codec.class_name(), output);
    }
    output.extend_from_slice(&0i32.to_be_bytes());
    output.extend_from_slice(sync);
}

/// Reads a header: what it says, the sync marker, and how long it is.
pub(super) fn read_header(input: impl Read) -> io::Result<(SequenceFileDescription, SyncMarker, u64)> {
    let mut input = input.take(MAX_HEADER);
    let magic: [u8; 4] = array(&mut input).map_err(|_| damaged("it is not a sequence file"))?;
    if magic[..3] != MAGIC {
        return Err(damaged("it is not a sequence file"));
    }
    if magic[3] != VERSION {
        return Err(damaged(format!("its version is {}, and version {VERSION} is what is built in", magic[3])));
    }
    let (key_class, value_class) = (read_text(&mut input)?, read_text(&mut input)?);
    let compression = match array(&mut input)? {
        [0, 0] => SequenceFileCompression::None,
        [compressed, in_blocks] => {
            let name = read_text(&mut input)?;
            let codec: Codec = name.parse().map_err(damaged)?;
            match (compressed, in_blocks) {
                (1, 0) => SequenceFileCompression::Record(codec),
                (1, 1) => SequenceFileCompression::Block(codec),
                _ => return Err(damaged("its header is damaged")),
            }
        }
    };
    for _ in 0..i32::from_be_bytes(array(&mut input)?) {
        read_text(&mut input)?;
        read_text(&mut input)?;
    }
    let sync = array(&mut input)?;
    let length = MAX_HEADER - input.limit();
    Ok((SequenceFileDescription { key_class, value_class, compression }, sync, length))
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn write_text(text: &str, output: &mut Vec<u8>) {
    write_vlong(text.len() as i64, output);
    output.extend_from_slice(text.as_bytes());
}

fn read_text(input: &mut impl Read) -> io::Result<String> {
    let length = read_length(input)?;
    let mut text = Vec::new();
    input.take(length as u64).read_to_end(&mut text)?;
    if text.len() < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(text).map_err(damaged)
}

fn damaged(reason: impl Into<BoxedError>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}
