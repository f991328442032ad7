//! The chunks of one stream.

use aes_gcm::{
    Aes128Gcm, Aes256Gcm, AesGcm, KeyInit,
    aead::{AeadInPlace, Nonce, consts::U12},
    aes::Aes192,
};

type Aes192Gcm = AesGcm<Aes192, U12>;

/// Of each chunk.
pub(crate) const TAG: usize = 16;

/// Seals or opens the chunks of one stream, in their order. The key is this stream's alone, so a nonce need only be another for each
/// of its chunks.
pub(crate) struct StreamCipher {
    aes: Aes,
    /// Of chunks up to now.
    chunks: u64,
}

enum Aes {
    Aes128(Box<Aes128Gcm>),
    Aes192(Box<Aes192Gcm>),
    Aes256(Box<Aes256Gcm>),
}

/// The stream has as many chunks as it may have: 2³² of 64 KiB.
#[derive(Debug)]
pub(crate) struct TooManyChunks;

/// The chunk is not what was sealed.
#[derive(Debug)]
pub(crate) struct Changed;

impl StreamCipher {
    /// # Panics
    ///
    /// If the key has no length that a key has.
    pub(crate) fn new(key: &[u8]) -> Self {
        let length = "the key has the length of its cipher";
        let aes = match key.len() {
            16 => Aes::Aes128(Box::new(Aes128Gcm::new_from_slice(key).expect(length))),
            24 => Aes::Aes192(Box::new(Aes192Gcm::new_from_slice(key).expect(length))),
            _ => Aes::Aes256(Box::new(Aes256Gcm::new_from_slice(key).expect(length))),
        };
        Self { aes, chunks: 0 }
    }

    /// How many chunks went through.
    pub(crate) fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Encrypts the next chunk in its place.
    pub(crate) fn seal(&mut self, is_last: bool, chunk: &mut [u8]) -> Result<[u8; TAG], TooManyChunks> {
        let nonce = self.next_nonce(is_last)?;
        let tag = match &self.aes {
            Aes::Aes128(aes) => aes.encrypt_in_place_detached(&nonce, &[], chunk),
            Aes::Aes192(aes) => aes.encrypt_in_place_detached(&nonce, &[], chunk),
            Aes::Aes256(aes) => aes.encrypt_in_place_detached(&nonce, &[], chunk),
        };
        Ok(tag.expect("a chunk is far shorter than what one nonce is good for").into())
    }

    /// Decrypts the next chunk in its place, if it is what was sealed; otherwise what is there then means nothing.
    pub(crate) fn open(&mut self, is_last: bool, chunk: &mut [u8], tag: &[u8; TAG]) -> Result<(), Changed> {
        let nonce = self.next_nonce(is_last).map_err(|TooManyChunks| Changed)?;
        let opened = match &self.aes {
            Aes::Aes128(aes) => aes.decrypt_in_place_detached(&nonce, &[], chunk, tag.into()),
            Aes::Aes192(aes) => aes.decrypt_in_place_detached(&nonce, &[], chunk, tag.into()),
            Aes::Aes256(aes) => aes.decrypt_in_place_detached(&nonce, &[], chunk, tag.into()),
        };
        opened.map_err(|_| Changed)
    }

    fn next_nonce(&mut self, is_last: bool) -> Result<Nonce<Aes128Gcm>, TooManyChunks> {
        let number = u32::try_from(self.chunks).map_err(|_| TooManyChunks)?;
        self.chunks += 1;
        let mut nonce = Nonce::<Aes128Gcm>::default();
        nonce[7..11].copy_from_slice(&number.to_be_bytes());
        nonce[11] = u8::from(is_last);
        Ok(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_chunks_of_a_stream_have_the_same_nonce() {
        let mut stream = StreamCipher::new(&[0; 16]);
        let nonces: Vec<_> =
            [false, false, true].into_iter().map(|is_last| stream.next_nonce(is_last).unwrap()).collect();
        assert_eq!(nonces[0][..], [0; 12]);
        assert_eq!(nonces[1][7..], [0, 0, 0, 1, 0]);
        assert_eq!(nonces[2][7..], [0, 0, 0, 2, 1]);
        stream.chunks = u64::from(u32::MAX);
        assert!(stream.next_nonce(false).is_ok());
        assert!(stream.next_nonce(false).is_err());
        assert!(stream.seal(true, &mut []).is_err());
    }
}
