//! Batches of numbers, out of Python's pickles.
//!
//! Approximate actions are computed here and not in Python. PySpark brings their input down to numbers and hands over pickled lists of
//! these; so a few opcodes of protocols 2 to 5 are all there is to read. Everything else is refused by its opcode.

/// A number of Python, as Java would have it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Number {
    /// A whole one.
    Long(i64),
    /// A floating-point one.
    Double(f64),
}

impl Number {
    /// As a floating-point number.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Long(number) => number as f64,
            Self::Double(number) => number,
        }
    }

    /// What tells it from others. Whole numbers are themselves.
    pub(crate) fn identity(self) -> u64 {
        match self {
            Self::Long(number) => number as u64,
            Self::Double(number) => number.to_bits(),
        }
    }
}

/// It is not a pickled list of numbers.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NumbersError {
    #[error("a pickled batch of numbers is cut off")]
    CutOff,
    #[error("a pickled batch that should hold numbers has something else: opcode {0:#04x}")]
    Opcode(u8),
    #[error("a pickled batch has a whole number that does not fit into 64 bits")]
    TooLarge,
}

/// The numbers of a batch: of a list, or a single one.
pub(crate) fn read_numbers(pickle: &[u8]) -> Result<Vec<Number>, NumbersError> {
    let mut reader = Reader(pickle);
    let mut numbers = Vec::new();
    loop {
        let number = match reader.byte()? {
            b'.' => return Ok(numbers),
            // The protocol's number and the length of a frame, which only help to read from streams.
            0x80 => {
                reader.take(1)?;
                continue;
            }
            0x95 => {
                reader.take(8)?;
                continue;
            }
            // An empty list, marks, what appends to a list, and places in the memo, of which none is read again.
            b']' | b'(' | b'a' | b'e' | 0x94 => continue,
            b'q' => {
                reader.take(1)?;
                continue;
            }
            b'r' => {
                reader.take(4)?;
                continue;
            }
            b'G' => Number::Double(f64::from_be_bytes(reader.array()?)),
            b'J' => Number::Long(i32::from_le_bytes(reader.array()?).into()),
            b'K' => Number::Long(reader.byte()?.into()),
            b'M' => Number::Long(u16::from_le_bytes(reader.array()?).into()),
            0x8a => {
                let length = reader.byte()?;
                Number::Long(whole(reader.take(length.into())?)?)
            }
            0x88 => Number::Long(1),
            0x89 => Number::Long(0),
            opcode => return Err(NumbersError::Opcode(opcode)),
        };
        numbers.push(number);
    }
}

/// Two's complement, the least significant byte first.
fn whole(bytes: &[u8]) -> Result<i64, NumbersError> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = if negative { [0xff; 8] } else { [0; 8] };
    let bytes = match bytes.split_at_checked(8) {
        // A byte may be there for the sign only.
        Some((low, rest)) if rest.iter().all(|byte| *byte == wide[0]) && (low[7] & 0x80 != 0) == negative => low,
        Some((_, rest)) if !rest.is_empty() => return Err(NumbersError::TooLarge),
        _ => bytes,
    };
    wide[..bytes.len()].copy_from_slice(bytes);
    Ok(i64::from_le_bytes(wide))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], NumbersError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(NumbersError::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NumbersError> {
        self.take(N)?.try_into().map_err(|_| NumbersError::CutOff)
    }

    fn byte(&mut self) -> Result<u8, NumbersError> {
        let [byte] = self.array()?;
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use Number::{Double, Long};

    use super::*;

    /// Python's own: `pickle.dumps([0, 255, 65535, -1, 2**31, 2**40, -2**40, 2**63 - 1, 1.5, True], 5)`.
    #[test]
    fn a_batch_as_python_writes_it() {
        let pickle = b"\x80\x05\x95\x3c\0\0\0\0\0\0\0]\x94(K\0K\xffM\xff\xffJ\xff\xff\xff\xff\x8a\x05\0\0\0\x80\0\
            \x8a\x06\0\0\0\0\0\x01\x8a\x06\0\0\0\0\0\xff\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fG?\xf8\0\0\0\0\0\0\x88e.";
        let numbers = [
            Long(0),
            Long(255),
            Long(65_535),
            Long(-1),
            Long(1 << 31),
            Long(1 << 40),
            Long(-1 << 40),
            Long(i64::MAX),
            Double(1.5),
            Long(1),
        ];
        assert_eq!(read_numbers(pickle).unwrap(), numbers);
    }

    #[test]
    fn what_holds_no_numbers_is_refused() {
        assert_eq!(read_numbers(b"\x80\x05\x8c\x01a."), Err(NumbersError::Opcode(0x8c)));
        assert_eq!(read_numbers(b"\x80\x05]K"), Err(NumbersError::CutOff));
        assert_eq!(read_numbers(b"\x80\x05\x8a\x09\0\0\0\0\0\0\0\x80\0."), Err(NumbersError::TooLarge));
        assert_eq!(read_numbers(b"\x80\x05\x8a\0."), Ok(vec![Long(0)]));
    }
}
