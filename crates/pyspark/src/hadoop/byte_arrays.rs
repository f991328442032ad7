//! Java's own serialization of `byte[][]`, which is what Spark's object files of PySpark hold.
//!
//! A stream is a magic number and one object. An array is its class, its length and its elements; a class is its name and three facts
//! that are the same for every array. What was there before, classes above all, is named by its number.

use bytes::{Buf, Bytes};

const MAGIC: [u8; 4] = [0xac, 0xed, 0, 5];
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const ARRAY: u8 = 0x75;
const END: u8 = 0x78;

const FIRST_HANDLE: u32 = 0x7e_0000;
/// The class `[B` has this number where `[[B` and the array itself come first.
const BYTES_CLASS: u32 = FIRST_HANDLE + 2;

const ARRAYS: (&str, [u8; 8]) = ("[[B", [0x4b, 0xfd, 0x19, 0x15, 0x67, 0x67, 0xdb, 0x37]);
const BYTES: (&str, [u8; 8]) = ("[B", [0xac, 0xf3, 0x17, 0xf8, 0x06, 0x08, 0x54, 0xe0]);
const OBJECTS: &str = "[Ljava.lang.Object;";

/// It can be serialized, and its superclass is none.
const FLAGS: u8 = 2;

/// Bytes are no serialized `byte[][]`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ByteArraysError {
    #[error("it is cut off")]
    CutOff,
    #[error("it is no Java object")]
    NoObject,
    #[error("it is an object of Java's class {0}, not the arrays of bytes that Python's objects are saved as")]
    Class(String),
    #[error("it holds something else than arrays of bytes")]
    Element,
}

/// Serializes arrays. None may have 2 GiB or more, nor may there be so many.
pub(crate) fn serialize(arrays: &[Bytes]) -> Vec<u8> {
    let size = arrays.iter().map(|array| array.len() + 16).sum::<usize>() + 64;
    let mut output = Vec::with_capacity(size);
    output.extend_from_slice(&MAGIC);
    output.push(ARRAY);
    class(ARRAYS, &mut output);
    output.extend_from_slice(&(arrays.len() as i32).to_be_bytes());
    for (index, array) in arrays.iter().enumerate() {
        output.push(ARRAY);
        if index == 0 {
            class(BYTES, &mut output);
        } else {
            output.push(REFERENCE);
            output.extend_from_slice(&BYTES_CLASS.to_be_bytes());
        }
        output.extend_from_slice(&(array.len() as i32).to_be_bytes());
        output.extend_from_slice(array);
    }
    output
}

fn class((name, version): (&str, [u8; 8]), output: &mut Vec<u8>) {
    output.push(CLASS);
    output.extend_from_slice(&(name.len() as u16).to_be_bytes());
    output.extend_from_slice(name.as_bytes());
    output.extend_from_slice(&version);
    output.extend_from_slice(&[FLAGS, 0, 0, END, NULL]);
}

/// What a number in a stream stands for.
enum Handle {
    Class(String),
    Array(Bytes),
}

/// Reads arrays; the outer may also be an `Object[]`.
pub(crate) fn deserialize(bytes: Bytes) -> Result<Vec<Bytes>, ByteArraysError> {
    let mut stream = Stream { input: bytes, handles: Vec::new() };
    if stream.take(4)? != MAGIC[..] || stream.byte()? != ARRAY {
        return Err(ByteArraysError::NoObject);
    }
    let class = stream.class()?;
    if class != ARRAYS.0 && class != OBJECTS {
        return Err(ByteArraysError::Class(class));
    }
    // The outer array has a number too.
    stream.handles.push(Handle::Array(Bytes::new()));
    let count = stream.length()?;
    // Room is made element by element, as the count may be damage.
    let mut arrays = Vec::new();
    for _ in 0..count {
        arrays.push(stream.array()?);
    }
    if stream.input.is_empty() { Ok(arrays) } else { Err(ByteArraysError::Element) }
}

struct Stream {
    input: Bytes,
    handles: Vec<Handle>,
}

impl Stream {
    fn take(&mut self, length: usize) -> Result<Bytes, ByteArraysError> {
        if length > self.input.len() {
            return Err(ByteArraysError::CutOff);
        }
        Ok(self.input.split_to(length))
    }

    fn byte(&mut self) -> Result<u8, ByteArraysError> {
        Ok(self.take(1)?[0])
    }

    fn length(&mut self) -> Result<usize, ByteArraysError> {
        usize::try_from(self.take(4)?.get_i32()).map_err(|_| ByteArraysError::NoObject)
    }

    fn class(&mut self) -> Result<String, ByteArraysError> {
        match self.byte()? {
            REFERENCE => match self.reference()? {
                Handle::Class(name) => Ok(name.clone()),
                Handle::Array(_) => Err(ByteArraysError::NoObject),
            },
            CLASS => {
                let length = self.take(2)?.get_u16();
                let name = String::from_utf8_lossy(&self.take(length.into())?).into_owned();
                self.handles.push(Handle::Class(name.clone()));
                // Its version, which a class of arrays ignores.
                self.take(8)?;
                if self.take(5)? == [FLAGS, 0, 0, END, NULL][..] { Ok(name) } else { Err(ByteArraysError::Class(name)) }
            }
            _ => Err(ByteArraysError::NoObject),
        }
    }

    fn reference(&mut self) -> Result<&Handle, ByteArraysError> {
        let number = self.take(4)?.get_u32().checked_sub(FIRST_HANDLE);
        number.and_then(|number| self.handles.get(number as usize)).ok_or(ByteArraysError::NoObject)
    }

    fn array(&mut self) -> Result<Bytes, ByteArraysError> {
        match self.byte()? {
            ARRAY => {
                if self.class()? != BYTES.0 {
                    return Err(ByteArraysError::Element);
                }
                let length = self.length()?;
                let array = self.take(length)?;
                self.handles.push(Handle::Array(array.clone()));
                Ok(array)
            }
            // One that was there before.
            REFERENCE => match self.reference()? {
                Handle::Array(array) => Ok(array.clone()),
                Handle::Class(_) => Err(ByteArraysError::Element),
            },
            _ => Err(ByteArraysError::Element),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"\xac\xed\0\x05ur\0\x03[[BK\xfd\x19\x15gg\xdb7\x02\0\0xp";
    const FIRST: &[u8] = b"ur\0\x02[B\xac\xf3\x17\xf8\x06\x08T\xe0\x02\0\0xp";

    #[test]
    fn bytes_as_java_writes_them() {
        let arrays = [Bytes::from_static(b"\x01\x02"), Bytes::new(), Bytes::from_static(b"\x03")];
        let next = b"uq\0~\0\x02";
        let expected = [HEAD, b"\0\0\0\x03", FIRST, b"\0\0\0\x02\x01\x02", next, b"\0\0\0\0", next, b"\0\0\0\x01\x03"];
        assert_eq!(serialize(&arrays), expected.concat());
        assert_eq!(serialize(&[]), [HEAD, b"\0\0\0\0"].concat());
        for arrays in [&arrays[..], &[]] {
            assert_eq!(deserialize(serialize(arrays).into()).unwrap(), arrays);
        }
    }

    #[test]
    fn references_and_other_outer_classes() {
        let twice = [HEAD, b"\0\0\0\x02", FIRST, b"\0\0\0\x01x", b"q\0~\0\x03"].concat();
        assert_eq!(deserialize(twice.into()).unwrap(), [Bytes::from("x"), Bytes::from("x")]);
        let objects = b"\xac\xed\0\x05ur\0\x13[Ljava.lang.Object;\x90\xceX\x9f\x10s)l\x02\0\0xp\0\0\0\x01";
        assert_eq!(deserialize([objects, FIRST, b"\0\0\0\x01x"].concat().into()).unwrap(), [Bytes::from("x")]);
    }

    #[test]
    fn what_is_something_else_is_an_error() {
        let check =
            |parts: &[&[u8]], error: ByteArraysError| assert_eq!(deserialize(parts.concat().into()), Err(error));
        check(&[], ByteArraysError::CutOff);
        check(&[b"hello, world"], ByteArraysError::NoObject);
        check(&[HEAD, b"\x7f\xff\xff\xff"], ByteArraysError::CutOff);
        check(&[HEAD, b"\xff\xff\xff\xff"], ByteArraysError::NoObject);
        check(&[HEAD, b"\0\0\0\x01", FIRST, b"\x7f\xff\xff\xff"], ByteArraysError::CutOff);
        check(&[HEAD, b"\0\0\0\x01p"], ByteArraysError::Element);
        check(&[HEAD, b"\0\0\0\x01q\0~\0\x07"], ByteArraysError::NoObject);
        check(&[HEAD, b"\0\0\0\0", b"x"], ByteArraysError::Element);
        let ints = b"\xac\xed\0\x05ur\0\x02[IM\xba`&v\xea\xb2\xa5\x02\0\0xp\0\0\0\0";
        check(&[ints], ByteArraysError::Class("[I".to_owned()));
    }
}
