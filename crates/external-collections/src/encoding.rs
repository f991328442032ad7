//! Records as bytes: postcard, one after the other, nothing between them.
//!
//! A record that has no bytes, such as `()`, is one byte all the same. So records are never more than their bytes, which bounds
//! what a damaged count can make of them, and a buffer of such records grows, which is when memory is asked for and kills are seen.
//!
//! A pair is its key followed by its value. The encoder appends to a buffer that its caller reuses; the decoder reads off
//! the front of a slice that holds whole records. Neither allocates for itself.

use std::any::type_name;

use postcard::ser_flavors::Flavor;
use serde::{Serialize, de::DeserializeOwned};

use crate::{EncodeError, SpillError};

/// What a collection can hold: anything that serde can write and read back, and a thread can own.
///
/// The encoding is not self-describing: types that skip fields, flatten or use untagged enums cannot be read back.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Record for T {}

/// Stands for a record that has no bytes.
const STAND_IN: u8 = 0;

/// Appends the encoded record to `buffer`. On error the buffer is as it was.
#[inline]
pub fn encode<T: Serialize + ?Sized>(record: &T, buffer: &mut Vec<u8>) -> Result<(), SpillError> {
    let start = buffer.len();
    match postcard::serialize_with_flavor(record, Appending(buffer)) {
        Ok(()) => {
            if buffer.len() == start {
                buffer.push(STAND_IN);
            }
            Ok(())
        }
        Err(source) => {
            buffer.truncate(start);
            Err(SpillError::Encode { type_name: type_name::<T>(), source: Box::new(EncodeError::of(record, source)) })
        }
    }
}

/// Takes one record off the front of `bytes`. On error `bytes` is as it was.
#[inline]
pub fn decode<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, SpillError> {
    match postcard::take_from_bytes(bytes) {
        Ok((record, rest)) => {
            *bytes = if rest.len() == bytes.len() { rest.get(1..).unwrap_or_default() } else { rest };
            Ok(record)
        }
        Err(source) => Err(SpillError::Decode { type_name: type_name::<T>(), source }),
    }
}

/// Postcard's output into the end of a vector.
struct Appending<'a>(&'a mut Vec<u8>);

impl Flavor for Appending<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
