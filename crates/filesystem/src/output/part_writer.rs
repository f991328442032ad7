//! The file of a partition, perhaps compressed.

use std::io::{self, BufWriter, Write};

use crate::{Codec, Encoder, FileError, FilePath, FileWrite};

/// How much is gathered before it is handed to the codec or the file.
const BUFFER_SIZE: usize = 128 << 10;

/// The name of a partition's file: `part-00000`, with the codec's suffix.
pub fn part_file_name(partition: u32, codec: Option<Codec>) -> String {
    format!("part-{partition:05}{}", codec.map_or("", Codec::suffix))
}

/// A buffered, perhaps compressed file. Dropped without [`PartWriter::finish`], there is no file.
pub struct PartWriter {
    output: Output,
    path: FilePath,
}

enum Output {
    Plain(BufWriter<Box<dyn FileWrite>>),
    Compressed(BufWriter<Encoder<Box<dyn FileWrite>>>),
}

impl PartWriter {
    /// Writes to a file that has been created. The path is for errors.
    pub fn new(file: Box<dyn FileWrite>, codec: Option<Codec>, path: &FilePath) -> Result<Self, FileError> {
        let output = match codec {
            None => Output::Plain(BufWriter::with_capacity(BUFFER_SIZE, file)),
            Some(codec) => {
                let encoder = Encoder::new(codec, file).map_err(|error| FileError::from_io("compress", path, error))?;
                Output::Compressed(BufWriter::with_capacity(BUFFER_SIZE, encoder))
            }
        };
        Ok(Self { output, path: path.clone() })
    }

    /// Writes what is left and finishes the file. Returns its length in bytes as it is stored.
    pub fn finish(self) -> Result<u64, FileError> {
        let path = self.path;
        let failed = |error| FileError::from_io("write", &path, error);
        let file = match self.output {
            Output::Plain(output) => output.into_inner().map_err(|error| failed(error.into_error()))?,
            Output::Compressed(output) => {
                output.into_inner().map_err(io::IntoInnerError::into_error).and_then(Encoder::finish).map_err(failed)?
            }
        };
        file.finish()
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.output {
            Output::Plain(output) => output.write(bytes),
            Output::Compressed(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.output {
            Output::Plain(output) => output.flush(),
            Output::Compressed(output) => output.flush(),
        }
    }
}
