//! Values as bytes.

use super::{NUMBERED, Writable, WritableClass, vint::write_vlong};

/// How `MapWritable` numbers the one class of ours that it does not know.
const FIRST_NEW: i8 = 1;

/// A value has more bytes than Hadoop has numbers for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a value has 2 GiB or more, which Hadoop's lengths cannot say")]
pub struct EncodeWritableError;

impl Writable {
    /// Appends its bytes.
    ///
    /// # Errors
    ///
    /// A text, bytes or a collection has 2³¹ elements or more.
    pub fn encode(&self, output: &mut Vec<u8>) -> Result<(), EncodeWritableError> {
        match self {
            Self::Null => {}
            Self::Boolean(value) => output.push(u8::from(*value)),
            Self::Int(number) => output.extend_from_slice(&number.to_be_bytes()),
            Self::Long(number) => output.extend_from_slice(&number.to_be_bytes()),
            Self::Float(number) => output.extend_from_slice(&number.to_be_bytes()),
            Self::Double(number) => output.extend_from_slice(&number.to_be_bytes()),
            Self::Text(text) => {
                write_vlong(i64::from(length(text.len())?), output);
                output.extend_from_slice(text.as_bytes());
            }
            Self::Bytes(bytes) => {
                output.extend_from_slice(&length(bytes.len())?.to_be_bytes());
                output.extend_from_slice(bytes);
            }
            Self::Array(elements) => {
                output.extend_from_slice(&length(elements.len())?.to_be_bytes());
                for element in elements {
                    element.encode(output)?;
                }
            }
            Self::Map(entries) => encode_map(entries, output)?,
        }
        Ok(())
    }
}

fn length(length: usize) -> Result<i32, EncodeWritableError> {
    i32::try_from(length).map_err(|_| EncodeWritableError)
}

fn encode_map(entries: &[(Writable, Writable)], output: &mut Vec<u8>) -> Result<(), EncodeWritableError> {
    let is_new = |value: &Writable| value.class() == WritableClass::Double;
    if entries.iter().any(|(key, value)| is_new(key) || is_new(value)) {
        let name = WritableClass::Double.name();
        output.extend_from_slice(&[1, FIRST_NEW as u8]);
        // Java's `writeUTF`, of which a name of ASCII shows only the length.
        output.extend_from_slice(&(name.len() as u16).to_be_bytes());
        output.extend_from_slice(name.as_bytes());
    } else {
        output.push(0);
    }
    output.extend_from_slice(&length(entries.len())?.to_be_bytes());
    for value in entries.iter().flat_map(|(key, value)| [key, value]) {
        let numbered = NUMBERED.iter().find(|(class, _)| *class == value.class());
        output.push(numbered.map_or(FIRST_NEW, |(_, number)| *number) as u8);
        value.encode(output)?;
    }
    Ok(())
}
