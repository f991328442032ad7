//! Values out of bytes, which may be damaged.

use std::io::{self, Read};

use bytes::Bytes;

use super::{NUMBERED, UnknownWritableError, Writable, WritableClass, vint::read_length};
use crate::decode_utf8;

/// Maps in maps may be so deep. Deeper ones are damage, or would take up the stack.
const MAX_DEPTH: usize = 100;

/// Bytes are not a value of the class.
#[derive(Debug, thiserror::Error)]
pub enum DecodeWritableError {
    /// They end too early, or hold what cannot be.
    #[error("it is no {}", class.name())]
    Malformed {
        /// The class.
        class: WritableClass,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// There is more than the value.
    #[error("{left} bytes are left behind a {}", class.name())]
    TooLong {
        /// The class.
        class: WritableClass,
        /// How many.
        left: usize,
    },
    /// A map holds values of a class that is not known.
    #[error(transparent)]
    Unknown(#[from] UnknownWritableError),
    /// The bytes of an `ArrayWritable` do not say what its elements are.
    #[error(
        "an org.apache.hadoop.io.ArrayWritable does not say what its elements are, and cannot be read, as in Hadoop"
    )]
    Array,
    /// Maps in maps.
    #[error("maps are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

impl Writable {
    /// Decodes a value that takes up all the bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not a value of the class, or the class is `ArrayWritable`.
    pub fn decode(class: WritableClass, bytes: &[u8]) -> Result<Self, DecodeWritableError> {
        let mut rest = bytes;
        let value = decode(class, &mut rest, 0)?;
        if rest.is_empty() { Ok(value) } else { Err(DecodeWritableError::TooLong { class, left: rest.len() }) }
    }
}

fn decode(class: WritableClass, input: &mut &[u8], depth: usize) -> Result<Writable, DecodeWritableError> {
    let malformed = |source| DecodeWritableError::Malformed { class, source };
    Ok(match class {
        WritableClass::Null => Writable::Null,
        WritableClass::Boolean => Writable::Boolean(array::<1>(input).map_err(malformed)? != [0]),
        WritableClass::Int => Writable::Int(i32::from_be_bytes(array(input).map_err(malformed)?)),
        WritableClass::Long => Writable::Long(i64::from_be_bytes(array(input).map_err(malformed)?)),
        WritableClass::Float => Writable::Float(f32::from_be_bytes(array(input).map_err(malformed)?)),
        WritableClass::Double => Writable::Double(f64::from_be_bytes(array(input).map_err(malformed)?)),
        WritableClass::Text => {
            let text = read_length(input).and_then(|length| take(input, length)).map_err(malformed)?;
            Writable::Text(decode_utf8(text))
        }
        WritableClass::Bytes => {
            let bytes = count(input).and_then(|length| take(input, length)).map_err(malformed)?;
            Writable::Bytes(Bytes::copy_from_slice(bytes))
        }
        WritableClass::Array => return Err(DecodeWritableError::Array),
        WritableClass::Map => decode_map(input, depth)?,
    })
}

fn decode_map(input: &mut &[u8], depth: usize) -> Result<Writable, DecodeWritableError> {
    if depth == MAX_DEPTH {
        return Err(DecodeWritableError::TooDeep);
    }
    let malformed = |source| DecodeWritableError::Malformed { class: WritableClass::Map, source };
    let [new_classes] = array(input).map_err(malformed)?;
    let mut numbered = NUMBERED.to_vec();
    for _ in 0..new_classes {
        let [number] = array(input).map_err(malformed)?;
        let length = array(input).map(u16::from_be_bytes).map_err(malformed)?;
        let name = String::from_utf8_lossy(take(input, length.into()).map_err(malformed)?);
        numbered.push((name.parse()?, number as i8));
    }
    let value = |input: &mut &[u8]| {
        let [number] = array(input).map_err(malformed)?;
        let class = numbered.iter().find(|(_, own)| *own == number as i8).map(|(class, _)| *class);
        let class = class.ok_or_else(|| UnknownWritableError(format!("class number {} of a map", number as i8)))?;
        decode(class, input, depth + 1)
    };
    let length = count(input).map_err(malformed)?;
    // Room is made entry by entry, as the length may be damage.
    let mut entries = Vec::new();
    for _ in 0..length {
        let key = value(input)?;
        entries.push((key, value(input)?));
    }
    Ok(Writable::Map(entries))
}

fn array<const N: usize>(input: &mut &[u8]) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A number of 32 bits that counts.
fn count(input: &mut &[u8]) -> io::Result<usize> {
    let number = i32::from_be_bytes(array(input)?);
    usize::try_from(number).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{number} is no length")))
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> io::Result<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
    *input = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(class: WritableClass, bytes: &[u8], message: &str) {
        assert_eq!(Writable::decode(class, bytes).unwrap_err().to_string(), message);
    }

    #[test]
    fn what_is_no_value_is_an_error() {
        check(WritableClass::Int, b"\0\0\0", "it is no org.apache.hadoop.io.IntWritable");
        check(WritableClass::Int, b"\0\0\0\0\0", "1 bytes are left behind a org.apache.hadoop.io.IntWritable");
        check(WritableClass::Text, b"\x05abc", "it is no org.apache.hadoop.io.Text");
        check(WritableClass::Bytes, b"\x7f\xff\xff\xffabc", "it is no org.apache.hadoop.io.BytesWritable");
        check(WritableClass::Bytes, b"\xff\xff\xff\xff", "it is no org.apache.hadoop.io.BytesWritable");
        check(WritableClass::Map, b"\0\x7f\xff\xff\xff", "it is no org.apache.hadoop.io.MapWritable");
        check(WritableClass::Array, b"\0\0\0\0", &DecodeWritableError::Array.to_string());
        let unknown = Writable::decode(WritableClass::Map, b"\x01\x01\0\x03a.B\0\0\0\0").unwrap_err();
        assert!(unknown.to_string().starts_with("a.B is none of the Writable classes"), "{unknown}");
    }

    #[test]
    fn nesting_has_an_end() {
        let mut nested = Writable::Null;
        for _ in 0..MAX_DEPTH {
            nested = Writable::Map(vec![(Writable::Null, nested)]);
        }
        let mut bytes = Vec::new();
        nested.encode(&mut bytes).unwrap();
        assert_eq!(Writable::decode(WritableClass::Map, &bytes).unwrap(), nested);
        let mut deeper = Vec::new();
        Writable::Map(vec![(Writable::Null, nested)]).encode(&mut deeper).unwrap();
        assert!(matches!(Writable::decode(WritableClass::Map, &deeper), Err(DecodeWritableError::TooDeep)));
    }
}
