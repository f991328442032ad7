//! Records as they are in ZooKeeper: only masters of the cluster can read or make them.

use aes_gcm::{AeadInPlace, Aes256Gcm, Key, KeyInit};
use firesteel_rpc::Secret;
use firesteel_standalone::master::Record;

/// Says what the key is for, so that no other key is made of the same secret by accident.
const CONTEXT: &str = "firesteel 2026-11 records of masters in ZooKeeper";
/// Of what follows. Another version is not read.
const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;

/// Seals and opens records.
pub(crate) struct Sealed {
    cipher: Aes256Gcm,
}

/// A record cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Its first byte.
    #[error("it was written by another release")]
    Version,
    /// The tag does not fit.
    #[error("it was not written by a master with this cluster's secret, or not for this node")]
    Forged,
    /// What is inside.
    #[error("it cannot be understood: {0}")]
    Content(#[from] postcard::Error),
}

impl Sealed {
    pub(crate) fn new(secret: &Secret) -> Self {
        let key = blake3::derive_key(CONTEXT, secret.expose().as_bytes());
        Self { cipher: Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&key)) }
    }

    /// The node's name is sealed in, so that one record cannot stand in for another.
    pub(crate) fn seal(&self, node: &str, record: &Record) -> Result<Vec<u8>, postcard::Error> {
        let mut text = postcard::to_stdvec(record)?;
        // Of 96 random bits none comes twice in the some millions of records that a cluster writes in its life.
        let nonce: [u8; NONCE] = rand::random();
        let tag = self.cipher.encrypt_in_place_detached(&nonce.into(), node.as_bytes(), &mut text);
        let tag = tag.expect("a record is shorter than 64 GiB");
        Ok([&[VERSION][..], &nonce, &tag, &text].concat())
    }

    pub(crate) fn open(&self, node: &str, data: &[u8]) -> Result<Record, OpenError> {
        let Some((&VERSION, data)) = data.split_first() else { return Err(OpenError::Version) };
        let Some((nonce, data)) = data.split_first_chunk::<NONCE>() else { return Err(OpenError::Forged) };
        let Some((tag, data)) = data.split_first_chunk::<TAG>() else { return Err(OpenError::Forged) };
        let mut text = data.to_vec();
        let opened =
            self.cipher.decrypt_in_place_detached(&(*nonce).into(), node.as_bytes(), &mut text, &(*tag).into());
        opened.map_err(|_| OpenError::Forged)?;
        Ok(postcard::from_bytes(&text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_opens_with_its_secret_at_its_node_only() {
        let (secret, other) = (Secret::generate(), Secret::generate());
        let sealed = Sealed::new(&secret);
        let record = Record::Numbers { next_application: 7, next_driver: 8 };
        let data = sealed.seal("a", &record).unwrap();
        assert_eq!(sealed.open("a", &data).unwrap(), record);
        assert!(matches!(sealed.open("b", &data), Err(OpenError::Forged)));
        assert!(matches!(Sealed::new(&other).open("a", &data), Err(OpenError::Forged)));
        assert!(matches!(sealed.open("a", &data[..5]), Err(OpenError::Forged)));
        assert!(matches!(sealed.open("a", b"\xac\xed\0\x05java"), Err(OpenError::Version)));
        assert_ne!(sealed.seal("a", &record).unwrap(), data, "never the same twice");
    }
}
