//! Hadoop's numbers of variable length.
//!
//! -112 to 127 are one byte. Else the first byte says the sign and how many bytes follow, most significant first; of a negative number
//! the complement is what follows.

use std::io::{self, Read};

/// Appends a number.
pub(crate) fn write_vlong(number: i64, output: &mut Vec<u8>) {
    if let Ok(small) = i8::try_from(number)
        && small >= -112
    {
        output.push(small as u8);
        return;
    }
    let (magnitude, base) = if number < 0 { (!number, -120i8) } else { (number, -112) };
    let bytes = magnitude.to_be_bytes();
    let length = bytes.len() - magnitude.leading_zeros() as usize / 8;
    output.push((base - length as i8) as u8);
    output.extend_from_slice(&bytes[bytes.len() - length..]);
}

/// Reads a number.
pub(crate) fn read_vlong(input: &mut impl Read) -> io::Result<i64> {
    let mut first = [0];
    input.read_exact(&mut first)?;
    let first = first[0] as i8;
    if first >= -112 {
        return Ok(i64::from(first));
    }
    let is_negative = first < -120;
    let length = usize::from(if is_negative { -120 - first } else { -112 - first } as u8);
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes[8 - length..])?;
    let magnitude = i64::from_be_bytes(bytes);
    Ok(if is_negative { !magnitude } else { magnitude })
}

/// Reads a number that is a length.
pub(crate) fn read_length(input: &mut impl Read) -> io::Result<usize> {
    let number = read_vlong(input)?;
    let length = i32::try_from(number).ok().and_then(|number| usize::try_from(number).ok());
    length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{number} is no length")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_hadoop_writes_them() {
        let cases: [(i64, &[u8]); 8] = [
            (0, &[0]),
            (127, &[127]),
            (-112, &[0x90]),
            (128, &[0x8f, 0x80]),
            (-113, &[0x87, 0x70]),
            (256, &[0x8e, 1, 0]),
            (-256, &[0x87, 0xff]),
            (i64::MIN, &[0x80, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (number, expected) in cases {
            let mut written = Vec::new();
            write_vlong(number, &mut written);
            assert_eq!(written, expected, "{number}");
        }
        assert!(read_length(&mut &[0xff][..]).is_err());
        assert!(read_length(&mut &[0x8c, 0x7f, 0xff][..]).is_err());
    }

    proptest! {
        #[test]
        fn every_number_comes_back(number: i64) {
            let mut written = Vec::new();
            write_vlong(number, &mut written);
            let mut rest = written.as_slice();
            prop_assert_eq!(read_vlong(&mut rest).unwrap(), number);
            prop_assert!(rest.is_empty());
        }
    }
}
