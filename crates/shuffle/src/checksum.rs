//! CRC-32 of segments (RT-61). Spark's default is Adler-32, which is slower here and misses more.

use std::io::{self, Read};

use crc32fast::Hasher;

/// The name of the algorithm, in checksum files.
pub(crate) const ALGORITHM: &str = "crc32";

/// The checksum of two neighbouring pieces of `length` bytes in the second, from the checksums of both.
pub(crate) fn combine(first: u32, second: u32, second_length: u64) -> u32 {
    let mut hasher = Hasher::new_with_initial(first);
    hasher.combine(&Hasher::new_with_initial_len(second, second_length));
    hasher.finalize()
}

/// What was read is not what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the checksum of what was read is {actual:08x}, of what was written {expected:08x}")]
pub(crate) struct ChecksumMismatch {
    pub(crate) expected: u32,
    pub(crate) actual: u32,
}

/// Compares what has been read with a checksum when the end is reached; the error is then of kind `InvalidData`.
pub(crate) struct ChecksumReader<R> {
    reader: R,
    hasher: Hasher,
    expected: u32,
}

impl<R: Read> ChecksumReader<R> {
    pub(crate) fn new(reader: R, expected: u32) -> Self {
        Self { reader, hasher: Hasher::new(), expected }
    }
}

impl<R: Read> Read for ChecksumReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() {
            let actual = self.hasher.clone().finalize();
            if actual != self.expected {
                let mismatch = ChecksumMismatch { expected: self.expected, actual };
                return Err(io::Error::new(io::ErrorKind::InvalidData, mismatch));
            }
        }
        Ok(read)
    }
}

/// The CRC-32 of all that is left.
pub(crate) fn of_reader(mut reader: impl Read) -> io::Result<u32> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn combining_is_hashing_both(first: Vec<u8>, second: Vec<u8>) {
            let whole = [&first[..], &second].concat();
            let combined = combine(crc32fast::hash(&first), crc32fast::hash(&second), second.len() as u64);
            prop_assert_eq!(combined, crc32fast::hash(&whole));
            prop_assert_eq!(combined, of_reader(&whole[..]).unwrap());
        }
    }
}
