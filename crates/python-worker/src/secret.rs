//! Secrets of sockets: what proves who connects.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A new secret: 256 random bits, in hexadecimal digits.
pub fn new() -> Zeroizing<String> {
    let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Are they the same? How long that takes says nothing of where they differ.
pub(crate) fn is(offered: &[u8], secret: &str) -> bool {
    offered.ct_eq(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_itself_and_no_other() {
        let (one, other) = (new(), new());
        assert_eq!(one.len(), 64);
        assert!(is(one.as_bytes(), &one));
        assert!(!is(other.as_bytes(), &one));
        assert!(!is(b"", &one));
    }
}
