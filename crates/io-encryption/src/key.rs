//! The key of an application.

use std::{
    fmt,
    io::{Read, Write},
    sync::Arc,
};

use zeroize::Zeroizing;

use crate::{KeyLengthError, OpenStreamError, OpeningReader, SealingWriter, StreamSealer, cipher::StreamCipher};

/// `spark.io.encryption.keySizeBits`: which AES it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeySize {
    /// The default.
    #[default]
    Bits128,
    /// AES-192.
    Bits192,
    /// AES-256.
    Bits256,
}

impl KeySize {
    /// The size of so many bits, if there is one.
    pub fn of_bits(bits: u32) -> Option<Self> {
        match bits {
            128 => Some(Self::Bits128),
            192 => Some(Self::Bits192),
            256 => Some(Self::Bits256),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Bits128 => 16,
            Self::Bits192 => 24,
            Self::Bits256 => 32,
        }
    }
}

/// The key that an application seals its local files with. Never printed, wiped when the last clone is dropped. Cheap to clone.
#[derive(Clone)]
pub struct IoEncryption {
    key: Arc<Zeroizing<Vec<u8>>>,
    size: KeySize,
    /// What the streams belong to; empty if it is nothing in particular.
    place: Arc<str>,
}

impl IoEncryption {
    /// A random key, which nobody else has.
    pub fn generate(size: KeySize) -> Self {
        let random = Zeroizing::new(rand::random::<[u8; 32]>());
        Self { key: Arc::new(Zeroizing::new(random[..size.bytes()].to_vec())), size, place: "".into() }
    }

    /// The key that the driver has made.
    pub fn from_key(key: &[u8]) -> Result<Self, KeyLengthError> {
        let sizes = [KeySize::Bits128, KeySize::Bits192, KeySize::Bits256];
        let size = sizes.into_iter().find(|size| size.bytes() == key.len());
        let size = size.ok_or(KeyLengthError { length: key.len() })?;
        Ok(Self { key: Arc::new(Zeroizing::new(key.to_vec())), size, place: "".into() })
    }

    /// The same key for the streams of one place, such as a block: what is sealed for it can be opened for no other.
    #[must_use]
    pub fn bound_to(&self, place: &str) -> Self {
        Self { place: place.into(), ..self.clone() }
    }

    /// The key itself, to hand it to a process that this one starts. It may travel only where nobody else can read it.
    pub fn expose(&self) -> &[u8] {
        &self.key
    }

    /// How long the key is.
    pub fn key_size(&self) -> KeySize {
        self.size
    }

    /// Appends a whole stream of these bytes.
    pub fn seal(&self, plain: &[u8], sealed: &mut Vec<u8>) {
        let mut sealer = StreamSealer::new(self);
        let written = sealer.write(plain, sealed).and_then(|()| sealer.finish(sealed));
        written.expect("what is in memory is shorter than a stream may be, and takes whatever is written to it");
    }

    /// Appends what one whole stream was made of. After an error, what was appended is to be given up.
    pub fn open(&self, sealed: &[u8], plain: &mut Vec<u8>) -> Result<(), OpenStreamError> {
        let mut reader = self.reader(sealed);
        while !reader.chunk()?.is_empty() {
            plain.extend_from_slice(reader.chunk()?);
            reader.take_chunk();
        }
        Ok(())
    }

    /// Seals one stream on its way to a writer, which should not be buffered: it is given whole chunks.
    pub fn writer<W: Write>(&self, writer: W) -> SealingWriter<W> {
        SealingWriter::new(self, writer)
    }

    /// Reads one stream, behind which nothing may follow. The reader need not be buffered.
    pub fn reader<R: Read>(&self, reader: R) -> OpeningReader<R> {
        OpeningReader::new(self, reader, false)
    }

    /// Reads any number of neighbouring streams as one, down to none. Whether one is missing, this cannot tell.
    pub fn reader_of_streams<R: Read>(&self, reader: R) -> OpeningReader<R> {
        OpeningReader::new(self, reader, true)
    }

    /// What seals or opens the chunks of the stream with this salt.
    pub(crate) fn stream(&self, salt: &[u8; SALT]) -> StreamCipher {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&self.key).update(salt).update(self.place.as_bytes());
        let mut derived = Zeroizing::new([0; 32]);
        hasher.finalize_xof().fill(&mut derived[..]);
        StreamCipher::new(&derived[..self.size.bytes()])
    }
}

/// 2⁶⁴ streams would have to be written until two have the same.
pub(crate) const SALT: usize = 16;

/// The lengths of the application's key and of a salt are fixed for all its streams, so that key, salt and place need no mark between
/// them.
const CONTEXT: &str = "firesteel spark.io.encryption key of one stream, AES-GCM, version 1";

impl fmt::Debug for IoEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IoEncryption({:?}, *********(redacted))", self.size)
    }
}
