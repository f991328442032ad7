//! A block of a compressed sequence file, decompressed record by record, so that what it says of itself takes no memory.

use std::io::{self, BufReader, ErrorKind, Read};

use crate::{Codec, Decoder, FilePath, writable::read_length};

/// How much of a column is decompressed at once.
const BUFFER_SIZE: usize = 16 << 10;

/// A block as it is stored, and how far it was read.
pub(super) struct Block {
    records_left: usize,
    key_lengths: Column,
    keys: Column,
    value_lengths: Column,
    values: Column,
}

type Column = BufReader<Decoder>;

impl Block {
    /// A block of so many records, with its four columns.
    pub(super) fn new(records: usize, columns: [Vec<u8>; 4], codec: Codec, path: &FilePath) -> io::Result<Self> {
        let column = |bytes| {
            let decoder = Decoder::of_bytes(codec, bytes, path)?;
            Ok::<_, io::Error>(BufReader::with_capacity(BUFFER_SIZE, decoder))
        };
        let [key_lengths, keys, value_lengths, values] = columns;
        Ok(Self {
            records_left: records,
            key_lengths: column(key_lengths)?,
            keys: column(keys)?,
            value_lengths: column(value_lengths)?,
            values: column(values)?,
        })
    }

    /// Reads the next record; false behind the last one, where nothing may be left.
    pub(super) fn next_record(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> io::Result<bool> {
        if self.records_left == 0 {
            for column in [&mut self.key_lengths, &mut self.keys, &mut self.value_lengths, &mut self.values] {
                if column.read(&mut [0])? != 0 {
                    return Err(io::Error::new(ErrorKind::InvalidData, "a block holds more than its records"));
                }
            }
            return Ok(false);
        }
        read_one(&mut self.key_lengths, &mut self.keys, key)?;
        read_one(&mut self.value_lengths, &mut self.values, value)?;
        self.records_left -= 1;
        Ok(true)
    }
}

fn read_one(lengths: &mut Column, contents: &mut Column, output: &mut Vec<u8>) -> io::Result<()> {
    let length = read_length(lengths)?;
    output.clear();
    contents.take(length as u64).read_to_end(output)?;
    if output.len() == length { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}
