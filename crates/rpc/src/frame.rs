//! Frames: how messages lie in the stream of plaintext that the records carry.

/// Bytes before each message: its length, little endian.
pub(crate) const HEADER: usize = 4;

/// In place of a length: nothing to say, but still there.
pub(crate) const KEEP_ALIVE: u32 = u32::MAX - 1;

/// In place of a length: nothing more will follow.
pub(crate) const CLOSE: u32 = u32::MAX;

/// Lengths above are no lengths.
pub(crate) const MAX_LENGTH: u64 = KEEP_ALIVE as u64 - 1;
