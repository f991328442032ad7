//! The header of each frame.

use std::io;

/// Bytes of a header.
pub(crate) const HEADER: usize = 24;

const MAGIC: u16 = 0x5346;

/// The longest body of a request, without uploaded data: some hundred thousand segments.
pub(crate) const MAX_REQUEST: u64 = 8 << 20;

/// The longest body of an answer that is not data.
pub(crate) const MAX_ANSWER: u64 = 1 << 20;

/// The body begins with the CRC-32 (`u32`) that was computed when the rest was written.
pub(crate) const FLAG_CHECKSUM: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Body: length of the request (`u32`), the request, uploaded data if it has any.
    Request,
    /// Body: data.
    Data,
    /// Body: an answer.
    Answer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) request_id: u64,
    pub(crate) body_length: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let kind = match self.kind {
            Kind::Request => 1,
            Kind::Data => 2,
            Kind::Answer => 3,
        };
        let mut bytes = [0; HEADER];
        bytes[..2].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[2] = kind;
        bytes[3] = self.flags;
        bytes[4..12].copy_from_slice(&self.request_id.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.body_length.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..20]);
        bytes[20..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; HEADER]) -> io::Result<Self> {
        let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidData, message);
        let checksum = u32::from_le_bytes(bytes[20..].try_into().expect("four bytes"));
        if checksum != crc32fast::hash(&bytes[..20]) {
            return Err(invalid("the header of a frame is damaged"));
        }
        if bytes[..2] != MAGIC.to_le_bytes() {
            return Err(invalid("a frame does not begin with the magic number"));
        }
        let kind = match bytes[2] {
            1 => Kind::Request,
            2 => Kind::Data,
            3 => Kind::Answer,
            _ => return Err(invalid("a frame is of an unknown kind")),
        };
        Ok(Self {
            kind,
            flags: bytes[3],
            request_id: u64::from_le_bytes(bytes[4..12].try_into().expect("eight bytes")),
            body_length: u64::from_le_bytes(bytes[12..20].try_into().expect("eight bytes")),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn headers_come_back_and_any_flipped_bit_shows(request_id: u64, body_length: u64, flags: u8, bit in 0..HEADER * 8) {
            let header = Header { kind: Kind::Data, flags, request_id, body_length };
            let mut bytes = header.encode();
            prop_assert_eq!(Header::decode(&bytes).unwrap(), header);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Header::decode(&bytes).is_err());
        }
    }
}
