//! Spilled blocks that are encrypted (`spark.io.encryption.enabled`).

use firesteel_io_encryption::IoEncryption;

use crate::SpillCodec;

/// What another codec makes of a block, encrypted: compressed first, as what is encrypted gets no smaller. Each block is a stream of
/// its own, so that it can be read by itself.
#[derive(Clone, Debug)]
pub struct EncryptedBlocks<C> {
    codec: C,
    encryption: IoEncryption,
}

impl<C: SpillCodec> EncryptedBlocks<C> {
    /// Encrypts what `codec` makes.
    pub fn new(codec: C, encryption: IoEncryption) -> Self {
        Self { codec, encryption }
    }
}

impl<C: SpillCodec> SpillCodec for EncryptedBlocks<C> {
    fn seal(&self, plain: &[u8], sealed: &mut Vec<u8>) -> std::io::Result<()> {
        let mut coded = Vec::new();
        self.codec.seal(plain, &mut coded)?;
        self.encryption.seal(&coded, sealed);
        Ok(())
    }

    fn open(&self, sealed: &[u8], plain: &mut Vec<u8>) -> std::io::Result<()> {
        let mut coded = Vec::with_capacity(sealed.len());
        self.encryption.open(sealed, &mut coded)?;
        self.codec.open(&coded, plain)
    }
}

#[cfg(test)]
mod tests {
    use firesteel_io_encryption::KeySize;

    use super::*;
    use crate::{Lz4Blocks, PlainBlocks};

    fn comes_back_and_is_hidden(codec: impl SpillCodec) {
        for length in [0, 9, 300, 70_000] {
            let text = b"swordfish".repeat(length / 9);
            let mut sealed = b"before".to_vec();
            codec.seal(&text, &mut sealed).unwrap();
            assert!(!sealed.windows(9).any(|window| window == b"swordfish"));
            let mut plain = b"before".to_vec();
            codec.open(&sealed[6..], &mut plain).unwrap();
            assert_eq!(plain[6..], text);
            for at in [6, 25, sealed.len() - 1] {
                let mut bad = sealed.clone();
                bad[at] ^= 1;
                assert!(codec.open(&bad[6..], &mut Vec::new()).is_err(), "{length}, {at}");
            }
        }
    }

    #[test]
    fn blocks_come_back_and_their_files_say_nothing() {
        comes_back_and_is_hidden(EncryptedBlocks::new(PlainBlocks, IoEncryption::generate(KeySize::Bits128)));
        comes_back_and_is_hidden(EncryptedBlocks::new(Lz4Blocks, IoEncryption::generate(KeySize::Bits256)));
    }
}
