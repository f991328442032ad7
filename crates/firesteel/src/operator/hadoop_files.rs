//! Sources that read Hadoop's formats of keys and values.

use std::{io, sync::Arc};

use firesteel_closure::ConstructError;
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_filesystem::{
    DecodeWritableError, FileSplit, LineOptions, LineReader, SequenceFileReader, UnknownWritableError, Writable,
    WritableClass, decode_utf8,
};
use firesteel_model::Partition;

use super::files::{ReadEnv, Reader, read_records};
use crate::{
    data::Records,
    node::{Operator, Parents},
    operator::source::decode_payload,
};

/// A sequence file holds what cannot be read.
#[derive(Debug, thiserror::Error)]
enum SequenceFileError {
    #[error("{path} cannot be read")]
    Class {
        path: String,
        #[source]
        source: UnknownWritableError,
    },
    #[error("a {what} before byte {position} of {path} is damaged")]
    Damaged {
        what: &'static str,
        path: String,
        position: u64,
        #[source]
        source: DecodeWritableError,
    },
}

/// `sequence_file`: keys and values of the classes that each file names.
pub(crate) struct SequenceFile {
    reader: Arc<Reader>,
}

impl Operator for SequenceFile {
    type Env = ReadEnv;
    type Item = (Writable, Writable);

    fn construct(env: ReadEnv, _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { reader: Arc::new(Reader::new(env)) })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<Self::Item> {
        let split: FileSplit = decode_payload(self.reader.env.rdd_id, partition, context);
        let opened = self.reader.overlook(&split, SequenceFileReader::open(&self.reader.systems, &split));
        let opened = opened.map(|reader| {
            let classes = classes_of(&reader);
            // No attempt finds other classes in the file.
            (classes.unwrap_or_else(|error| TaskFailure::from_final_error(&error).throw()), reader)
        });
        type Opened = ((WritableClass, WritableClass), SequenceFileReader);
        let record = |(classes, reader): &mut Opened| next_record(*classes, reader);
        let begin = split.start;
        let bytes_read = move |(_, reader): &Opened| reader.position().saturating_sub(begin);
        read_records(Arc::clone(&self.reader), split, context, opened, record, bytes_read)
    }
}

fn classes_of(reader: &SequenceFileReader) -> Result<(WritableClass, WritableClass), SequenceFileError> {
    let unknown = |source| SequenceFileError::Class { path: reader.path().to_string(), source };
    let (key, value) = (&reader.description().key_class, &reader.description().value_class);
    Ok((key.parse().map_err(unknown)?, value.parse().map_err(unknown)?))
}

fn next_record(
    (key_class, value_class): (WritableClass, WritableClass),
    reader: &mut SequenceFileReader,
) -> io::Result<Option<(Writable, Writable)>> {
    let Some((key, value)) = reader.next_record()? else { return Ok(None) };
    let decoded = Writable::decode(key_class, key).map_err(|source| ("key", source)).and_then(|key| {
        let value = Writable::decode(value_class, value).map_err(|source| ("value", source))?;
        Ok((key, value))
    });
    decoded.map(Some).map_err(|(what, source)| {
        let (path, position) = (reader.path().to_string(), reader.position());
        let damaged = SequenceFileError::Damaged { what, path, position, source };
        io::Error::new(io::ErrorKind::InvalidData, damaged)
    })
}

/// Hadoop's `TextInputFormat`: lines, each with the place where it begins.
pub(crate) struct LinesWithPositions {
    reader: Arc<Reader>,
    options: LineOptions,
}

impl Operator for LinesWithPositions {
    type Env = (ReadEnv, LineOptions);
    type Item = (Writable, Writable);

    fn construct((env, options): (ReadEnv, LineOptions), _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { reader: Arc::new(Reader::new(env)), options })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<Self::Item> {
        let split: FileSplit = decode_payload(self.reader.env.rdd_id, partition, context);
        let opened = LineReader::open(&self.reader.systems, &split, self.options.clone());
        let opened = self.reader.overlook(&split, opened);
        let line = |reader: &mut LineReader| {
            let Some(line) = reader.next_line()?.map(decode_utf8) else { return Ok(None) };
            let position = i64::try_from(reader.line_start()).unwrap_or(i64::MAX);
            Ok(Some((Writable::Long(position), Writable::Text(line))))
        };
        read_records(Arc::clone(&self.reader), split, context, opened, line, LineReader::bytes_read)
    }
}
