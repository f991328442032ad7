//! Secrets of sockets.

use zeroize::Zeroizing;

/// A new one: 256 random bits, in hexadecimal digits.
pub(crate) fn new() -> Zeroizing<String> {
    let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
