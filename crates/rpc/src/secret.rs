//! The secret that all processes of an application share (SE-01, SE-02).

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A shared secret. Never printed, compared in constant time, wiped when dropped.
///
/// It is text, as `spark.authenticate.secret` and `_SPARK_AUTH_SECRET` are; a key is derived from it for each use, so the text
/// itself never meets a cipher.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// The text cannot be a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the secret is empty; set spark.authenticate.secret or spark.authenticate.secret.file to a long random text")]
pub struct ParseSecretError;

impl Secret {
    /// 256 random bits, as 64 hexadecimal digits.
    pub fn generate() -> Self {
        let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in bytes.iter() {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a digit"));
            }
        }
        Self(text)
    }

    /// Takes a secret that was given in configuration, in a file or in the environment. White space around it is not part
    /// of it, as files end in a newline.
    pub fn parse(text: &str) -> Result<Self, ParseSecretError> {
        match text.trim() {
            "" => Err(ParseSecretError),
            text => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }

    /// Is it so short that someone who records a handshake could find it by trying? Whoever reads the configuration warns.
    pub fn is_short(&self) -> bool {
        self.0.len() < 16
    }

    /// The text, to hand it to a process that this one starts. It must go through the environment or a file that only its
    /// owner can read, never through an argument.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The key of one use, which `context` names.
    pub(crate) fn derive_key(&self, context: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(context, self.0.as_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(*********(redacted))")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

/// Which secret a connecting process must prove. A server of one application has one; an external shuffle service has one
/// for each registered application, and the application id is the key id (SC-56).
pub trait Secrets: Send + Sync + 'static {
    /// The secret of this key id, if there is one. The id is unauthenticated text; it is at most 255 bytes long.
    fn secret(&self, key_id: &str) -> Option<Secret>;
}

/// One secret for every key id.
impl Secrets for Secret {
    fn secret(&self, _key_id: &str) -> Option<Secret> {
        Some(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_secrets_are_long_and_differ() {
        let (one, other) = (Secret::generate(), Secret::generate());
        assert_eq!(one.expose().len(), 64);
        assert!(!one.is_short());
        assert_ne!(one, other);
    }

    #[test]
    fn parsing_trims_and_refuses_nothing() {
        assert_eq!(Secret::parse(" abc\n").unwrap().expose(), "abc");
        assert!(Secret::parse("abc").unwrap().is_short());
        assert_eq!(Secret::parse(" \n").unwrap_err(), ParseSecretError);
    }

    #[test]
    fn never_printed() {
        let secret = Secret::parse("swordfish").unwrap();
        assert!(!format!("{secret:?} {secret:#?}").contains("swordfish"));
    }
}
