//! Reading and writing files through Hadoop's `FileSystem`, with the streams and readers of Java that programs put around them.

use std::{
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use bytes::Bytes;
use firesteel_filesystem::{FileRead, FileWrite};
use firesteel_py4j::{Class, Failure, Object, Throwable, Value, constructor, method, static_method};
use parking_lot::Mutex;

use super::{JavaCall, JavaResult, hadoop_fs::failed};
use crate::{driver::Driver, error::IO_EXCEPTION};

const INPUT: &str = "org.apache.hadoop.fs.FSDataInputStream";
const OUTPUT: &str = "org.apache.hadoop.fs.FSDataOutputStream";
const STREAM_READER: &str = "java.io.InputStreamReader";
const BUFFERED_READER: &str = "java.io.BufferedReader";
const READER: &str = "java.io.Reader";

/// What one call may bring to the program: it is held several times on its way.
const MOST_AT_ONCE: u64 = 256 << 20;

/// Until it is closed.
type Opened = Option<BufReader<Box<dyn FileRead>>>;

/// A file that is read. Readers around it read from the same place.
pub(super) struct InputStream(Arc<Mutex<Opened>>);

/// A file that is written. Whoever looks for it finds it when it was closed.
pub(super) struct OutputStream(Mutex<Option<Box<dyn FileWrite>>>, Mutex<u64>);

/// Text of a stream, as one of the two classes.
struct TextReader {
    class: &'static str,
    stream: Arc<Mutex<Opened>>,
    charset: Charset,
}

#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Latin1,
}

impl InputStream {
    pub(super) fn value(file: Box<dyn FileRead>) -> Value {
        Value::object(Self(Arc::new(Mutex::new(Some(BufReader::new(file))))))
    }
}

impl OutputStream {
    pub(super) fn value(file: Box<dyn FileWrite>) -> Value {
        Value::object(Self(Mutex::new(Some(file)), Mutex::new(0)))
    }
}

impl Object for InputStream {
    fn class(&self) -> &'static str {
        INPUT
    }
}

impl Object for OutputStream {
    fn class(&self) -> &'static str {
        OUTPUT
    }
}

impl Object for TextReader {
    fn class(&self) -> &'static str {
        self.class
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: INPUT,
        extends: &["java.io.InputStream"],
        members: &[
            method("read", 0, |call| read_input(call, |file| Ok(Value::Int(next_byte(file)?.map_or(-1, i32::from))))),
            method("readAllBytes", 0, |call| read_input(call, |file| Ok(Value::Bytes(at_most(file, None)?)))),
            method("readNBytes", 1, |call| {
                let count = u64::from(call.count(0)?);
                read_input(call, |file| Ok(Value::Bytes(at_most(file, Some(count))?)))
            }),
            method("seek", 1, |call| {
                let place = u64::try_from(call.long(0)?);
                let place = place.map_err(|_| io_exception("Cannot seek to a negative offset"))?;
                read_input(call, |file| {
                    // Beyond the end, as in Hadoop.
                    if place > file.get_ref().length() {
                        return Err(io::Error::other("Cannot seek after EOF"));
                    }
                    file.seek(SeekFrom::Start(place)).map(|_| Value::Void)
                })
            }),
            method("getPos", 0, |call| {
                read_input(call, |file| Ok(Value::Long(i64::try_from(file.stream_position()?).unwrap_or(i64::MAX))))
            }),
            method("close", 0, |call| {
                *call.this::<InputStream>()?.0.lock() = None;
                Ok(Value::Void)
            }),
        ],
    },
    Class { name: "java.io.InputStream", extends: &[], members: &[] },
    Class {
        name: OUTPUT,
        extends: &["java.io.OutputStream"],
        members: &[
            method("write", 1, |call| match call.argument(0) {
                // The lowest eight bits.
                Value::Int(byte) => write(call, &[*byte as u8]),
                _ => write(call, &call.bytes(0)?),
            }),
            method("writeBytes", 1, |call| {
                // The lowest eight bits of each character.
                let bytes: Vec<u8> = call.text(0)?.encode_utf16().map(|unit| unit as u8).collect();
                write(call, &bytes)
            }),
            method("getPos", 0, |call| {
                Ok(Value::Long(i64::try_from(*call.this::<OutputStream>()?.1.lock()).unwrap_or(i64::MAX)))
            }),
            // Nobody sees anything of the file before it is closed, so this changes nothing.
            method("flush", 0, |call| call.this::<OutputStream>().map(|_| Value::Void)),
            method("close", 0, |call| {
                let file = call.this::<OutputStream>()?.0.lock().take();
                file.map(FileWrite::finish).transpose().map_err(failed)?;
                Ok(Value::Void)
            }),
        ],
    },
    Class { name: "java.io.OutputStream", extends: &[], members: &[] },
    Class {
        name: STREAM_READER,
        extends: &[READER],
        members: &[
            constructor(1, |call| reader_of(call, Charset::Utf8)),
            constructor(2, |call| reader_of(call, charset(call.text(1)?)?)),
        ],
    },
    Class {
        name: BUFFERED_READER,
        extends: &[READER],
        members: &[
            constructor(1, buffered),
            constructor(2, buffered),
            method("readLine", 0, |call| {
                read_text(call, |reader, file| {
                    let line = line(file)?;
                    Ok(Value::optional_text(line.map(|line| reader.charset.decode(&line))))
                })
            }),
        ],
    },
    Class {
        name: READER,
        extends: &[],
        members: &[method("close", 0, |call| {
            *call.this::<TextReader>()?.stream.lock() = None;
            Ok(Value::Void)
        })],
    },
    Class {
        name: "org.apache.commons.io.IOUtils",
        extends: &[],
        members: &[
            static_method("toString", 2, |call| {
                let charset = charset(call.text(1)?)?;
                let mut file = call.object::<InputStream>(0)?.0.lock();
                let content = at_most(opened(&mut file)?, None).map_err(thrown)?;
                Ok(Value::text(charset.decode(&content)))
            }),
            static_method("toByteArray", 1, |call| {
                let mut file = call.object::<InputStream>(0)?.0.lock();
                Ok(Value::Bytes(at_most(opened(&mut file)?, None).map_err(thrown)?))
            }),
        ],
    },
];

impl Charset {
    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
        }
    }
}

fn io_exception(message: impl Into<String>) -> Throwable {
    Throwable::new(IO_EXCEPTION, message)
}

fn thrown(error: io::Error) -> Throwable {
    match error.kind() {
        io::ErrorKind::OutOfMemory => Throwable::new("java.lang.OutOfMemoryError", error.to_string()),
        _ => io_exception(firesteel_model::error_chain(&error)),
    }
}

fn charset(name: &str) -> Result<Charset, Throwable> {
    match name.to_ascii_uppercase().as_str() {
        "UTF-8" | "UTF8" => Ok(Charset::Utf8),
        "ISO-8859-1" | "LATIN1" | "US-ASCII" => Ok(Charset::Latin1),
        _ => Err(Throwable::new("java.io.UnsupportedEncodingException", name)),
    }
}

fn opened(file: &mut Opened) -> Result<&mut BufReader<Box<dyn FileRead>>, Throwable> {
    file.as_mut().ok_or_else(|| io_exception("Stream is closed!"))
}

fn read_input(
    call: &JavaCall<'_>,
    read: impl FnOnce(&mut BufReader<Box<dyn FileRead>>) -> io::Result<Value>,
) -> JavaResult {
    let mut file = call.this::<InputStream>()?.0.lock();
    Ok(read(opened(&mut file)?).map_err(thrown)?)
}

fn read_text(
    call: &JavaCall<'_>,
    read: impl FnOnce(&TextReader, &mut BufReader<Box<dyn FileRead>>) -> io::Result<Value>,
) -> JavaResult {
    let reader = call.this::<TextReader>()?;
    let mut file = reader.stream.lock();
    Ok(read(reader, opened(&mut file)?).map_err(thrown)?)
}

fn next_byte(file: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    match file.read_exact(&mut byte) {
        Ok(()) => Ok(Some(byte[0])),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The rest of the file, or so many bytes of it.
fn at_most(file: &mut impl Read, count: Option<u64>) -> io::Result<Bytes> {
    let wanted = count.unwrap_or(u64::MAX);
    let mut content = Vec::new();
    file.take(wanted.min(MOST_AT_ONCE + 1)).read_to_end(&mut content)?;
    if content.len() as u64 > MOST_AT_ONCE { Err(too_much()) } else { Ok(content.into()) }
}

fn too_much() -> io::Error {
    let limit = MOST_AT_ONCE >> 20;
    let message =
        format!("more than {limit} MiB of a file at once; read pieces of it, by readNBytes, or read it by tasks");
    io::Error::new(io::ErrorKind::OutOfMemory, message)
}

/// The next line, without what ends it: a line feed, a carriage return, or both.
fn line(file: &mut BufReader<Box<dyn FileRead>>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        match next_byte(file)? {
            None if line.is_empty() => return Ok(None),
            None | Some(b'\n') => return Ok(Some(line)),
            Some(b'\r') => {
                if file.fill_buf()?.first() == Some(&b'\n') {
                    file.consume(1);
                }
                return Ok(Some(line));
            }
            Some(byte) => line.push(byte),
        }
        if line.len() as u64 > MOST_AT_ONCE {
            return Err(too_much());
        }
    }
}

fn write(call: &JavaCall<'_>, bytes: &[u8]) -> JavaResult {
    let stream = call.this::<OutputStream>()?;
    let mut file = stream.0.lock();
    let file = file.as_mut().ok_or_else(|| Throwable::new("java.nio.channels.ClosedChannelException", ""))?;
    file.write_all(bytes).map_err(thrown)?;
    *stream.1.lock() += bytes.len() as u64;
    Ok(Value::Void)
}

fn reader_of(call: &JavaCall<'_>, charset: Charset) -> JavaResult {
    let stream = Arc::clone(&call.object::<InputStream>(0)?.0);
    Ok(Value::object(TextReader { class: STREAM_READER, stream, charset }))
}

fn buffered(call: &JavaCall<'_>) -> Result<Value, Failure> {
    let reader = call.object::<TextReader>(0)?;
    Ok(Value::object(TextReader {
        class: BUFFERED_READER,
        stream: Arc::clone(&reader.stream),
        charset: reader.charset,
    }))
}
