//! Segments that are encrypted on disk, and stay so until a reduce task reads them.
//!
//! Each segment is a stream of its own, so that it is sent as it is, a row of neighbouring ones is too, and checksums are of what is
//! in the file. A reader compares the checksum first and decrypts then, piece by piece.

use std::io::{self, Read};

use firesteel_io_encryption::{IoEncryption, OpeningReader};

/// Decrypts segments on their way to the decoder. Where a stream cannot be opened, it reads what is left of the input first: if the
/// checksum does not fit either, that is the error, as it tells where the damage happened.
pub(crate) struct EncryptedReader<R>(OpeningReader<R>);

impl<R: Read> EncryptedReader<R> {
    pub(crate) fn new(encryption: &IoEncryption, reader: R) -> Self {
        Self(encryption.reader_of_streams(reader))
    }
}

impl<R: Read> Read for EncryptedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match io::copy(self.0.get_mut(), &mut io::sink()) {
            Ok(_) => error,
            Err(beneath) => beneath,
        })
    }
}

#[cfg(test)]
mod tests {
    use firesteel_io_encryption::{KeySize, OpenStreamError};

    use super::*;
    use crate::checksum::{ChecksumMismatch, ChecksumReader};

    #[test]
    fn the_checksum_speaks_first() {
        let encryption = IoEncryption::generate(KeySize::Bits128);
        let mut sealed = Vec::new();
        encryption.seal(&[7; 100_000], &mut sealed);
        let checksum = crc32fast::hash(&sealed);
        let read = |bytes: &[u8], checksum: Option<u32>| {
            let reader: Box<dyn Read + '_> = match checksum {
                Some(checksum) => Box::new(ChecksumReader::new(bytes, checksum)),
                None => Box::new(bytes),
            };
            let mut plain = Vec::new();
            EncryptedReader::new(&encryption, reader).read_to_end(&mut plain).map(|_| plain)
        };
        assert_eq!(read(&sealed, Some(checksum)).unwrap(), [7; 100_000]);
        sealed[20] ^= 1;
        let mismatch = read(&sealed, Some(checksum)).unwrap_err();
        assert_eq!(mismatch.get_ref().unwrap().downcast_ref::<ChecksumMismatch>().unwrap().expected, checksum);
        for no_help in [None, Some(crc32fast::hash(&sealed))] {
            let changed = read(&sealed, no_help).unwrap_err();
            assert!(changed.get_ref().unwrap().is::<OpenStreamError>(), "{changed}");
        }
    }
}
