//! Sources that read files: each task brings the splits of its partition as payload.

use std::{any::type_name, io, marker::PhantomData, sync::Arc};

use bytes::Bytes;
use firesteel_closure::ConstructError;
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_filesystem::{
    CombinedSplit, FileSplit, FileSystems, LineOptions, LineReader, ObjectFileReader, decode_utf8, read_whole_file,
};
use firesteel_model::{Partition, RddId};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{
    data::{Data, Records, decode},
    hadoop::HadoopProperties,
    node::{Operator, Parents},
    operator::source::decode_payload,
};

/// What every reader of files is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReadEnv {
    pub(crate) rdd_id: RddId,
    pub(crate) hadoop: HadoopProperties,
    /// `spark.files.ignoreMissingFiles`.
    pub(crate) ignore_missing: bool,
    /// `spark.files.ignoreCorruptFiles`.
    pub(crate) ignore_corrupt: bool,
}

/// A file could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("could not read {path}")]
struct ReadFileError {
    path: String,
    #[source]
    source: io::Error,
}

/// An object file holds something else.
#[derive(Debug, thiserror::Error)]
enum ObjectFileError {
    #[error("{path} holds records of type {found}, not {expected}")]
    Type { path: String, found: String, expected: String },
    #[error("a record of {path} cannot be decoded as {expected}: {message}")]
    Decode { path: String, expected: &'static str, message: String },
}

/// How object files name the type of their records: the type, and how it is encoded.
pub(crate) fn object_type<T>() -> String {
    format!("postcard {}", type_name::<T>())
}

/// What the readers of one stage share: one client for each file system, and what to overlook.
pub(super) struct Reader {
    pub(super) env: ReadEnv,
    pub(super) systems: FileSystems,
}

impl Reader {
    pub(super) fn new(env: ReadEnv) -> Self {
        Self { systems: env.hadoop.file_systems(), env }
    }

    /// The value; nothing if the failure is one to overlook; else the task ends.
    pub(super) fn overlook<T>(&self, split: &FileSplit, outcome: io::Result<T>) -> Option<T> {
        let error = match outcome {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::NotFound {
            if self.env.ignore_missing {
                warn!(path = %split.path, "skipped missing file");
                return None;
            }
        } else if self.env.ignore_corrupt {
            warn!(path = %split.path, %error, "skipped the rest of the content of a corrupt file");
            return None;
        }
        TaskFailure::from_error(&ReadFileError { path: split.path.to_string(), source: error }).throw()
    }
}

/// Records of a split, one `next` after another, until that gives none. `bytes_read` is how many bytes of the file were read since it
/// was opened.
pub(super) fn read_records<T: 'static, R: 'static>(
    reader: Arc<Reader>,
    split: FileSplit,
    context: &Arc<TaskContext>,
    opened: Option<R>,
    mut next: impl FnMut(&mut R) -> io::Result<Option<T>> + 'static,
    bytes_read: impl Fn(&R) -> u64 + 'static,
) -> Records<T> {
    let context = Arc::clone(context);
    let mut counted = 0;
    let mut open = opened;
    Box::new(std::iter::from_fn(move || {
        context.end_if_killed();
        let input = open.as_mut()?;
        let record = reader.overlook(&split, next(input)).flatten();
        let metrics = context.metrics();
        let read = bytes_read(input);
        metrics.input_bytes_read.add(read - std::mem::replace(&mut counted, read));
        match record {
            Some(record) => {
                metrics.input_records_read.add(1);
                Some(record)
            }
            None => {
                open = None;
                None
            }
        }
    }))
}

/// `text_file`: lines.
pub(crate) struct TextFile {
    reader: Arc<Reader>,
    options: LineOptions,
}

impl Operator for TextFile {
    type Env = (ReadEnv, LineOptions);
    type Item = String;

    fn construct((env, options): (ReadEnv, LineOptions), _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { reader: Arc::new(Reader::new(env)), options })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<String> {
        let split: FileSplit = decode_payload(self.reader.env.rdd_id, partition, context);
        let opened = LineReader::open(&self.reader.systems, &split, self.options.clone());
        let opened = self.reader.overlook(&split, opened);
        let lines = |reader: &mut LineReader| Ok(reader.next_line()?.map(decode_utf8));
        read_records(Arc::clone(&self.reader), split, context, opened, lines, LineReader::bytes_read)
    }
}

/// `object_file`: records as they were saved.
pub(crate) struct ObjectFile<T> {
    reader: Arc<Reader>,
    records: PhantomData<fn() -> T>,
}

impl<T: Data> Operator for ObjectFile<T> {
    type Env = ReadEnv;
    type Item = T;

    fn construct(env: ReadEnv, _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { reader: Arc::new(Reader::new(env)), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let split: FileSplit = decode_payload(self.reader.env.rdd_id, partition, context);
        let path = split.path.to_string();
        let opened = self.reader.overlook(&split, ObjectFileReader::open(&self.reader.systems, &split));
        if let Some(opened) = &opened {
            let (found, expected) = (opened.description().type_name.clone(), object_type::<T>());
            if found != expected {
                let path = path.clone();
                TaskFailure::from_final_error(&ObjectFileError::Type { path, found, expected }).throw()
            }
            // Blocks are read whole, so that the split's length is what is read of the file.
            context.metrics().input_bytes_read.add(split.length);
        }
        let record = move |reader: &mut ObjectFileReader| {
            let Some(bytes) = reader.next_record()? else { return Ok(None) };
            match decode::<T>(bytes) {
                Ok(record) => Ok(Some(record)),
                Err(error) => TaskFailure::from_final_error(&ObjectFileError::Decode {
                    path: path.clone(),
                    expected: type_name::<T>(),
                    message: error.to_string(),
                })
                .throw(),
            }
        };
        read_records(Arc::clone(&self.reader), split, context, opened, record, |_| 0)
    }
}

/// `binary_records`: records of one length each.
pub(crate) struct BinaryRecords {
    reader: Arc<Reader>,
    record_length: u32,
}

impl Operator for BinaryRecords {
    type Env = (ReadEnv, u32);
    type Item = Bytes;

    fn construct((env, record_length): (ReadEnv, u32), _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { reader: Arc::new(Reader::new(env)), record_length })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<Bytes> {
        let split: FileSplit = decode_payload(self.reader.env.rdd_id, partition, context);
        let length = u64::from(self.record_length);
        // A record belongs to the split that it begins in.
        let (begin, end) = (split.start.next_multiple_of(length), split.end().next_multiple_of(length));
        let opened = self.reader.systems.get(&split.path).and_then(|system| system.open(&split.path));
        let opened = opened.map_err(io::Error::from).and_then(|mut file| {
            file.seek(io::SeekFrom::Start(begin))?;
            Ok((io::BufReader::with_capacity(64 << 10, file), begin))
        });
        let opened = self.reader.overlook(&split, opened);
        let file_length = opened.as_ref().map_or(0, |(file, _)| file.get_ref().length());
        let end = end.min(file_length);
        let record_length = self.record_length as usize;
        let record = move |(file, position): &mut (io::BufReader<_>, u64)| {
            if *position >= end {
                return Ok(None);
            }
            if file_length - *position < length {
                let message = format!("its {file_length} bytes are no multiple of the record length {length}");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            let mut record = vec![0; record_length];
            io::Read::read_exact(file, &mut record)?;
            *position += length;
            Ok(Some(Bytes::from(record)))
        };
        read_records(Arc::clone(&self.reader), split, context, opened, record, move |(_, position)| *position - begin)
    }
}

/// `whole_text_files` and `binary_files`: the name and the content of each file.
pub(crate) struct WholeFiles {
    reader: Arc<Reader>,
    decompress: bool,
}

impl Operator for WholeFiles {
    type Env = (ReadEnv, bool);
    type Item = (String, Bytes);

    fn construct((env, decompress): (ReadEnv, bool), _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { reader: Arc::new(Reader::new(env)), decompress })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<(String, Bytes)> {
        let split: CombinedSplit = decode_payload(self.reader.env.rdd_id, partition, context);
        let context = Arc::clone(context);
        Box::new(split.files.into_iter().filter_map(move |file| {
            context.end_if_killed();
            let content = read_whole_file(&self.reader.systems, &file.path, self.decompress).map_err(io::Error::from);
            let content = self.reader.overlook(&file, content)?;
            context.metrics().input_bytes_read.add(file.length);
            context.metrics().input_records_read.add(1);
            Some((file.path.to_string(), Bytes::from(content)))
        }))
    }
}
